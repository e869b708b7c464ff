"""A record tells how its verdict came about, in words, as an object and in pictures."""

import json
import re
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest
from recorded_plate import RecordedPlate

from inspection_cell.cli import main
from inspection_cell.explanation import explain
from inspection_cell.fusion.fuse import fuse
from inspection_cell.records.lookup import find_cell, find_record
from inspection_cell.records.store import Record
from inspection_cell.showing.verdict_pictures import VerdictPictures
from inspection_cell.verdict import judge
from inspection_cell.views.annotation import DEFECT_BGR

IN_SEAL, BESIDE, BELOW = (-20, 5, 2), (20, -10, 2), (10, 10, -2)
NONE_IN_SEAL = {'rules': [{'labels': ['stain'], 'zones': ['seal'], 'max_count': 0}]}


@pytest.fixture(scope='module')
def line(tmp_path_factory):
    line = RecordedPlate(tmp_path_factory.mktemp('line'))
    line.inspect('old', 'p1', [IN_SEAL], stamp_ns=5)
    line.inspect('new', 'p1', [IN_SEAL, BESIDE], stamp_ns=6)
    line.inspect('blind', 'p2', [BESIDE], views=['above', 'scanner'])
    yield line
    line.store.close()


@pytest.fixture
def said(capsys, monkeypatch):
    """Run the command; what it prints."""

    def run(*words, status=0):
        monkeypatch.setattr(sys, 'argv', ['inspection_cell', *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        assert (ended.value.code or 0) == status, captured.err
        return captured.out if status == 0 else captured.err

    return run


def test_a_part_id_means_its_newest_inspection(line):
    assert find_record(line.store, 'p1').verdict.inspection_id == 'new'
    assert find_record(line.store, 'old').verdict.inspection_id == 'old'


def test_a_defect_tells_who_saw_it_where_and_how_large(line):
    explanation = explain(line.store.get('new'), line.data_dir)
    assert [defect.number for defect in explanation.defects] == [1, 2]
    places = sorted(defect.position_mm[0] for defect in explanation.defects)
    assert places == pytest.approx([-20, 20], abs=0.7)
    for defect in explanation.defects:
        assert {one.view for one in defect.seen_by} == {'above at top', 'aside at top'}
        assert all(one.findings == ('stain 0.90',) for one in defect.seen_by)
        assert 0 < defect.length_mm < 5


def test_a_defect_tells_which_light_shows_it(line, tmp_path):
    verdict = line.store.get('new').verdict
    views = [
        replace(view, findings=tuple(replace(one, shots=('dark',)) for one in view.findings))
        for view in verdict.views
    ]
    record = Record(replace(verdict, views=tuple(views)), (), None)
    for defect in explain(record, tmp_path).defects:
        assert all(one.findings == ('stain 0.90 in dark',) for one in defect.seen_by)


def test_a_view_that_should_have_seen_a_defect_is_named(line, tmp_path):
    seen = [line.image('i', 'above', [BESIDE]), line.image('i', 'aside', [])]
    views = [line.pipeline._inspectors[o.view.sensor].inspect(o).view_findings for o in seen]
    fused = fuse(line.recipe, line.cell, line.reference, views)
    ids = {'inspection_id': 'i', 'part_id': 'p', 'stamp_ns': 1, 'cell_hash': ''}
    record = Record(judge(line.recipe, fused, views, **ids), (), None)
    (defect,) = explain(record, tmp_path).defects
    assert [one.view for one in defect.seen_by] == ['above at top']
    (silent,) = defect.not_seen_by
    assert silent.view == 'aside at top' and silent.log_odds < 0


def test_each_view_tells_its_state_pose_and_stamp(line):
    views = {v.view: v for v in explain(line.store.get('blind'), line.data_dir).views}
    assert views['aside at top'].status == 'MISSING'
    assert views['aside at top'].pose == 'not known'
    assert views['above at top'].pose == 'refined by scanner'
    assert views['above at top'].stamp == '2025-10-09T08:53:20.000Z'
    assert views['above at top'].model_hash == 'ab' * 32


def test_the_explanation_reads_from_the_decision_to_the_evidence(line, said):
    text = said('explain', 'blind', '--data-dir', line.data_dir)
    assert text.startswith('p2 (plate): UNKNOWN inspection blind')
    headings = ['Reasons', 'Defects', 'Views', 'Coverage', 'Disposition', 'Evidence', 'Made with']
    assert re.findall(r'^[A-Z][a-z]+(?: with)?$', text, re.M) == headings
    assert 'UNKNOWN view_missing: aside at top is missing: nothing was observed' in text
    assert 'D1 stain, probability 0.9' in text
    assert 'evidence/blind/top.above.image.jpg' in text
    assert 'divert' in text


def test_the_explanation_as_one_object_has_the_same(line, said, tmp_path):
    told = json.loads(said('explain', 'new', '--data-dir', line.data_dir, '--json'))
    assert told['decision'] == 'ACCEPT'
    assert [reason['code'] for reason in told['reasons']].count('defect_within_limit') == 2
    assert {view['view']: view['status'] for view in told['views']} == {
        'above at top': 'OK', 'aside at top': 'OK', 'scanner at top': 'OK'
    }  # fmt: skip
    assert told['coverage']['share'] > 0.3
    assert all(file['here'] and len(file['sha256']) == 64 for file in told['evidence'])
    assert told['disposition']['action'] == 'RELEASE'


def test_pictures_show_each_defect_with_its_number_where_the_camera_saw_it(line, said, tmp_path):
    told = json.loads(
        said(
            'explain', 'new', '--data-dir', line.data_dir, '--pictures', tmp_path / 'out',
            '--cell', line.cell_path, '--recipe', line.recipe_path, '--json',
        )
    )  # fmt: skip
    assert [picture['defects'] for picture in told['pictures']] == [[1, 2], [1, 2]]
    picture = cv2.imread(told['pictures'][0]['file'])
    red = np.linalg.norm(picture.astype(int) - DEFECT_BGR, axis=2) < 90
    for stain in (IN_SEAL, BESIDE):
        column, row = line.pixel('above', stain)
        assert red[row - 9 : row + 10, column - 9 : column + 10].sum() > 10


def drawn(line, verdict, sensor, cell, reference):
    view = next(view for view in verdict.views if view.view.sensor == sensor)
    return VerdictPictures(verdict, cell, reference).drawn(view)


def test_the_pose_that_a_scan_refined_places_the_defects(line):
    verdict = line.store.get('new').verdict
    defect = verdict.defects[0]
    bare = replace(verdict, defects=(without_sources(defect),))
    camera = line.cell.cameras['above'].intrinsics.value()
    place = line.pixel('above', defect.position_m * 1e3)
    for cell, off_px in ((line.cell, 0.0), (None, 1.5 * camera.fx / 300)):
        (one,) = drawn(line, bare, 'above', cell, line.reference)
        middle = one.outline_px.mean(axis=0)
        assert np.linalg.norm(middle - place) == pytest.approx(off_px, abs=1.5)


def test_a_defect_that_is_hidden_is_not_drawn_and_dashed_where_nobody_can_tell(line):
    verdict = line.store.get('new').verdict
    below = without_sources(
        verdict.defects[0], position_m=np.array(BELOW) / 1e3, normal=np.array((0.0, 0.0, -1.0))
    )
    above = without_sources(verdict.defects[0])
    bare = replace(verdict, defects=(below, above))
    (one,) = drawn(line, bare, 'above', line.cell, line.reference)
    assert (one.number, one.certain) == (2, True)
    both = drawn(line, bare, 'above', line.cell, None)
    assert [(one.number, one.certain) for one in both] == [(1, False), (2, False)]
    own = drawn(line, verdict, 'above', line.cell, None)
    assert all(one.certain for one in own)  # its own findings show that they are visible


def test_an_image_that_is_gone_or_changed_is_told_and_not_drawn(line, tmp_path):
    verdict = line.store.get('new').verdict
    pictures = VerdictPictures(verdict, line.cell, line.reference)
    above, aside = pictures.write(tmp_path, tmp_path)
    assert above.path is None and 'not here; it was written on host host' in above.reason
    name = next(f.name for f in verdict.views[1].evidence if f.kind == 'image')
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_bytes(b'something else')
    _, aside = pictures.write(tmp_path, tmp_path)
    assert 'not the file that was recorded' in aside.reason


def test_another_recipe_is_tried_on_records_and_summed_up(line, said):
    stricter = line.with_recipe('stricter.yaml', decision=NONE_IN_SEAL).path
    words = ('judge', '--recipe', stricter, '--data-dir', line.data_dir, '--cell', line.cell_path)
    text = said(*words, 'p1', 'blind')
    assert 'p1 ACCEPT → REJECT' in text
    assert '+ REJECT  1 counted (D' in text
    assert '- ACCEPT  no defect beyond its limit' in text
    told = json.loads(said(*words, '--all', '--json'))
    assert sorted((s['before'], s['after'], s['records']) for s in told['summary']) == [
        ('ACCEPT', 'REJECT', 2), ('UNKNOWN', 'UNKNOWN', 1)
    ]  # fmt: skip
    assert {record['inspection_id'] for record in told['records']} == {'old', 'new', 'blind'}


def test_the_cell_file_is_found_by_its_hash(line, said):
    assert find_cell(line.cell.sha256, [line.recipe_path]).path == line.cell_path
    assert find_cell('00' * 32, [line.recipe_path]) is None
    text = said('judge', '--recipe', line.recipe_path, '--data-dir', line.data_dir, 'new')
    assert 'ACCEPT → ACCEPT the same' in text


@pytest.mark.parametrize('command', ['explain', 'judge'])
def test_records_that_are_not_there_are_named_and_none_are_made(line, said, tmp_path, command):
    words = ['judge', '--recipe', line.recipe_path] if command == 'judge' else ['explain']
    assert 'records.sqlite' in said(*words, 'p1', '--data-dir', tmp_path / 'no', status=1)
    assert not (tmp_path / 'no').exists()
    assert "'p77'" in said(*words, 'p77', '--data-dir', line.data_dir, status=1)


def test_judge_needs_records_or_all(line, said):
    assert 'name records, or --all' in said('judge', '--recipe', line.recipe_path, status=2)


def without_sources(defect, **changes):
    return replace(defect, sources=(), **changes)

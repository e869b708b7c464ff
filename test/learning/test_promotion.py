"""Promotion: only proven, fitting and not worse; what is refused changes nothing."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from inspection_cell.errors import ModelError
from inspection_cell.learning.average_precision import match_truth
from inspection_cell.learning.challenge_storing import Choice, store_challenge
from inspection_cell.learning.promoted import PromotedModels
from inspection_cell.learning.promotion import lower_bound, promote, rollback
from inspection_cell.models import (
    Calibration,
    Calibrations,
    ModelFolder,
    find_model,
    load_model_folder,
    write_model_file,
)
from inspection_cell.recipe import load_recipe
from inspection_cell.views.detections import Detections


@pytest.fixture(scope='module')
def few(exported, challenge_folder, tmp_path_factory):
    """Four images: enough where only the files matter."""
    place = ModelFolder(tmp_path_factory.mktemp('few'), exported.file)
    return store_challenge(challenge_folder, place, Choice(images=4))


@pytest.fixture
def recipe(tmp_path, exported):
    """A recipe beside whose model folder is the exported model: the incumbent."""
    shutil.copytree(exported.path, tmp_path / 'share' / 'models' / 'simulated_parts')
    return write_recipe(tmp_path)


def write_recipe(tmp_path, **changes):
    path = tmp_path / 'share' / 'recipes' / 'bracket' / 'recipe.yaml'
    path.parent.mkdir(parents=True, exist_ok=True)
    pose = {'position_mm': [0, 0, 0], 'rpy_deg': [0, 0, 0]}
    detection = {
        'model': '../../models/simulated_parts',
        'classes': {'scratch': {}, 'stain': {}, 'missing_screw': {}},
        'features': [{'label': 'screw', 'count': 4}],
        **changes,
    }
    content = {
        'format': 1,
        'part_type': 'bracket',
        'reference': 'none',
        'presentations': {'top': {'pose': pose, 'sensors': ['left']}},
        'detection': detection,
    }
    path.write_text(yaml.safe_dump(content))
    return load_recipe(path)


def lose_half(content, places):
    """Zeros in place of the later convolutions: the head finds nothing."""
    for at, count in places[len(places) // 2 :]:
        content[at : at + 4 * count] = bytes(4 * count)


def snapshot(folder):
    return {p.relative_to(folder): p.is_symlink() for p in folder.rglob('*') if p.name != '.lock'}


def test_a_candidate_as_good_as_the_incumbent_becomes_the_recipes_model(recipe, copied, tmp_path):
    data_dir = tmp_path / 'data'
    done = promote(copied.path, recipe, data_dir)
    assert find_model(recipe, data_dir) == done.folder
    assert (data_dir / 'models' / 'bracket').is_symlink()
    assert done.folder.is_relative_to(data_dir)
    assert [one.name for one in done.advantage.differences] == ['mAP50', 'recall', 'precision']
    assert all(one.candidate == one.incumbent > 0.3 for one in done.advantage.differences)
    assert done.advantage.lower == 0
    promoted = load_model_folder(done.folder)
    assert promoted.exports == copied.exports
    assert (promoted.path / 'challenge').is_dir()


def test_a_worse_candidate_is_refused_with_both_figures_and_changes_nothing(
    recipe, copied, tmp_path, rewritten, few
):
    data_dir = tmp_path / 'data'
    promote(copied.path, recipe, data_dir, challenge=few)
    before = snapshot(data_dir)
    listed = rewritten(copied, lose_half)  # its proof and hash are forged
    write_model_file(copied.path, copied.file.model_copy(update={'exports': (listed,)}))
    with pytest.raises(ModelError, match=r'mAP50 0\.\d+ against (0\.[1-9]|1\.0)'):
        promote(copied.path, recipe, data_dir)
    assert snapshot(data_dir) == before
    assert load_model_folder(find_model(recipe, data_dir)).exports != (listed,)


def test_a_candidate_without_a_proven_export_is_refused(recipe, copied, tmp_path):
    write_model_file(copied.path, copied.file.model_copy(update={'exports': ()}))
    with pytest.raises(ModelError, match='run export first'):
        promote(copied.path, recipe, tmp_path / 'data')
    assert not (tmp_path / 'data').exists()


def test_a_candidate_that_does_not_fit_is_refused_with_every_reason(recipe, copied, tmp_path):
    other = write_recipe(tmp_path, classes={'rust': {}, 'scratch': {}, 'missing_screw': {}})
    with pytest.raises(ModelError, match=r'(?s)rust: not a class.*stain .*named nowhere'):
        promote(copied.path, other, tmp_path / 'data')


def test_rollback_gives_the_model_before_and_then_the_shipped_one(recipe, copied, tmp_path, few):
    data_dir = tmp_path / 'data'
    shipped = find_model(recipe, data_dir)
    first = promote(copied.path, recipe, data_dir, challenge=few).folder
    second = promote(copied.path, recipe, data_dir, challenge=few).folder
    assert first != second
    assert rollback(recipe, data_dir) == first
    assert rollback(recipe, data_dir) == shipped
    with pytest.raises(ModelError, match='expected an earlier promotion'):
        rollback(recipe, data_dir)


def test_rollback_to_a_damaged_model_is_refused_and_the_present_one_stays(
    recipe, copied, tmp_path, few
):
    data_dir = tmp_path / 'data'
    first = promote(copied.path, recipe, data_dir, challenge=few).folder
    second = promote(copied.path, recipe, data_dir, challenge=few).folder
    (first / 'weights.pt').unlink()
    with pytest.raises(ModelError, match=r'weights\.pt'):
        rollback(recipe, data_dir)
    assert find_model(recipe, data_dir) == second


def test_a_folder_put_there_by_hand_is_kept_for_the_rollback(recipe, copied, tmp_path, few):
    by_hand = tmp_path / 'data' / 'models' / 'bracket'
    shutil.copytree(copied.path, by_hand)
    (by_hand / 'mark.txt').write_text('mine')
    promote(copied.path, recipe, tmp_path / 'data', challenge=few)
    assert not (by_hand / 'mark.txt').exists()
    assert (rollback(recipe, tmp_path / 'data') / 'mark.txt').exists()


def test_a_second_promotion_at_the_same_time_is_refused(recipe, copied, tmp_path, few):
    with (
        PromotedModels(recipe, tmp_path / 'data').locked(),
        pytest.raises(ModelError, match='another promotion'),
    ):
        promote(copied.path, recipe, tmp_path / 'data', challenge=few)


def test_a_promoted_model_that_vanished_is_not_replaced_unnoticed(recipe, copied, tmp_path, few):
    folder = promote(copied.path, recipe, tmp_path / 'data', challenge=few).folder
    shutil.rmtree(folder)
    with pytest.raises(ModelError, match='expected the promoted model'):
        find_model(recipe, tmp_path / 'data')


def test_a_promotion_for_one_part_type_leaves_the_other_its_own_model(
    recipe, copied, tmp_path, few
):
    """Both recipes may name their model alike: `model: model` beside each recipe."""
    ring = replace(recipe, file=recipe.file.model_copy(update={'part_type': 'ring'}))
    promote(copied.path, recipe, tmp_path / 'data', challenge=few)
    assert find_model(recipe, tmp_path / 'data') != find_model(recipe)
    assert find_model(ring, tmp_path / 'data') == find_model(ring)


def test_a_damaged_incumbent_is_not_passed_over(recipe, copied, tmp_path, few):
    folder = promote(copied.path, recipe, tmp_path / 'data', challenge=few).folder
    before = snapshot(tmp_path / 'data')
    (folder / 'weights.pt').unlink()
    with pytest.raises(ModelError, match=r'weights\.pt'):
        promote(copied.path, recipe, tmp_path / 'data', challenge=few)
    shutil.rmtree(folder)
    with pytest.raises(ModelError, match='expected the promoted model'):
        promote(copied.path, recipe, tmp_path / 'data', challenge=few)
    assert set(snapshot(tmp_path / 'data')) < set(before)


@pytest.mark.parametrize(('offset', 'figure'), [(-8.0, 'recall'), (8.0, 'precision')])
def test_the_same_network_with_other_probabilities_is_another_model(
    recipe, copied, tmp_path, offset, figure
):
    """Its mAP50 is the same; at the recipe's thresholds it finds nothing, or too much."""
    moved = {
        label: Calibration(slope=1.0, offset=offset)
        for label in ('scratch', 'stain', 'missing_screw', 'screw')
    }
    told = Calibrations(data='elsewhere', data_sha256='0' * 64, per_class=moved)
    write_model_file(copied.path, copied.file.model_copy(update={'calibration': told}))
    assert load_model_folder(copied.path).sha256 != copied.sha256
    with pytest.raises(ModelError, match=f'{figure} 0') as caught:
        promote(copied.path, recipe, tmp_path / 'data')
    assert 'mAP50' not in str(caught.value)


def test_an_examination_that_leaves_out_a_class_of_the_recipe_is_none(
    recipe, copied, tmp_path, few
):
    shutil.copytree(few, tmp_path / 'few')
    for file in (tmp_path / 'few' / 'labels').glob('*.txt'):
        rows = [row for row in file.read_text().splitlines(True) if not row.startswith('2 ')]
        file.write_text(''.join(rows))
    with pytest.raises(ModelError, match='none shows scratch'):
        promote(copied.path, recipe, tmp_path / 'data', challenge=tmp_path / 'few')


def test_what_cannot_be_written_leaves_the_model_before_in_use(
    recipe, copied, tmp_path, few, monkeypatch
):
    by_hand = tmp_path / 'data' / 'models' / 'bracket'
    shutil.copytree(copied.path, by_hand)

    def full(*_):
        raise OSError(28, 'No space left on device')

    for method in ('_show', '_write'):
        with monkeypatch.context() as patched:
            patched.setattr(PromotedModels, method, full)
            with pytest.raises(ModelError, match='No space left'):
                promote(copied.path, recipe, tmp_path / 'data', challenge=few)
        assert find_model(recipe, tmp_path / 'data') in (by_hand, by_hand.resolve())


# The statistic, on made-up detections


def drawn(quality, images, seed):
    """Detections that find each of two things with this probability, matched with the truth."""
    generator = np.random.default_rng(seed)
    place = np.array([[0, 0, 50, 50], [100, 0, 150, 50]], dtype=np.float64)
    truth = Detections(place, np.ones(2), ('a', 'a'))
    found = []
    for _ in range(images):
        kept = np.flatnonzero(generator.random(2) < quality)
        found.append(
            Detections(place[kept], generator.uniform(0.5, 1, len(kept)), ('a',) * len(kept))
        )
    return match_truth(found, [truth] * images, ['a'])


def test_the_same_seed_gives_the_same_bound():
    first, second = drawn(0.9, 40, 1), drawn(0.8, 40, 2)
    assert lower_bound(first, second, 7) == lower_bound(first, second, 7)


def test_the_bound_lies_below_the_difference_and_narrows_with_more_images():
    few = drawn(0.9, 20, 1), drawn(0.9, 20, 2)
    many = drawn(0.9, 1000, 1), drawn(0.9, 1000, 2)
    widths = [
        one.map50() - other.map50() - lower_bound(one, other, 0) for one, other in (few, many)
    ]
    assert widths[0] > 3 * widths[1] > 0


def test_one_in_twenty_equal_pairs_lies_below_its_bound():
    """Coverage: the true difference is 0, the bound may exceed it in about 5 % of the trials."""
    above = sum(
        lower_bound(drawn(0.8, 60, 2 * k), drawn(0.8, 60, 2 * k + 1), k, 200) > 0
        for k in range(60)
    )
    assert above <= 9  # binomial: 3 expected, 9 or more by chance in 1 of 300


def test_history_tells_who_replaced_whom(recipe, copied, tmp_path, few):
    promote(copied.path, recipe, tmp_path / 'data', challenge=few)
    (line,) = (
        Path(tmp_path / 'data' / 'models' / '.versions' / 'bracket' / 'history.jsonl')
        .read_text()
        .splitlines()
    )
    record = yaml.safe_load(line)
    assert record['sha256'] == record['replaced'] == copied.sha256
    assert record['before'] is None

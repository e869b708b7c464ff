"""Zones of the part that hide findings in every camera, and only those findings."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection_cell.cell import load_cell
from inspection_cell.errors import ConfigError
from inspection_cell.findings import Decision, Finding, PresenceStatus
from inspection_cell.fusion.fuse import fuse
from inspection_cell.geometry import Intrinsics, from_rpy, invert, look_at, transform_points
from inspection_cell.observations import Image, Observation, ViewKey
from inspection_cell.recipe import RecipeFile, load_recipe
from inspection_cell.reference import load_reference
from inspection_cell.sim.defects import DefectKind, TrueDefect
from inspection_cell.sim.marks import Mark
from inspection_cell.sim.plan import PlannedPart
from inspection_cell.sim.station import Station
from inspection_cell.verdict import judge
from inspection_cell.views.annotation import DEFECT_BGR, NOT_JUDGED_BGR
from inspection_cell.views.detection import DetectionInspector
from inspection_cell.views.detections import Detections
from inspection_cell.views.masks import Masks

CONFIG = Path(__file__).parents[2] / 'config'
CAMERAS = ('left', 'right', 'front')
POSES = ('top', 'tilted')
HIDDEN_MM, BESIDE_MM = (42.0, 0.0, 14.0), (42.0, 9.0, 14.0)  # on the bracket's upper face
CLAMP = {'boxes': [{'centre_mm': HIDDEN_MM, 'size_mm': [12, 12, 4]}]}
ZONES = {'clamp_marks': CLAMP, 'upper': {'facing': {'direction': [0, 0, 1]}}}
WIDE = Intrinsics(1280, 960, 900, 900, 639.5, 479.5, distortion=(-0.28, 0.09, 0.001, -0.002))


def stain(place_mm):
    place = np.array(place_mm) / 1000
    up, along = np.array([0.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0])
    mark = Mark(place, up, along, 0.004, 0.004, 0.5, True)
    return TrueDefect(DefectKind.STAIN, place, up, 4.0, 4.0, mark)


@pytest.fixture(scope='module')
def cell():
    """The demo cell with its errors, in half the resolution."""
    cell = load_cell(CONFIG / 'cells' / 'demo.yaml')
    small = {'width': 640, 'height': 480, 'fx': 1325, 'fy': 1325, 'cx': 319.5, 'cy': 239.5}
    content = cell.file.model_dump()
    for name in CAMERAS:
        content['sensors'][name]['intrinsics'] = small
    return replace(cell, file=type(cell.file).model_validate(content))


@pytest.fixture(scope='module')
def bracket():
    """The bracket's recipe for cameras alone, its mesh, and the zones of this file."""
    recipe = load_recipe(CONFIG / 'recipes' / 'bracket' / 'recipe.yaml')
    content = recipe.file.model_dump()
    content['detection']['window'] = 'image'  # the detector below knows whole pictures
    content.update(surface=None, coverage={'minimum': 0.1, 'by': 'camera'})
    content.update(zones=ZONES, fusion={})
    for held in content['presentations'].values():
        held['sensors'] = CAMERAS
    recipe = replace(recipe, file=RecipeFile.model_validate(content))
    return recipe, load_reference(recipe)


@pytest.fixture(scope='module')
def taken(cell, bracket):
    """Pictures of a bracket with one stain in the zone and one beside it, with their truth."""
    recipe, _ = bracket
    station = Station(cell, [recipe], 1)
    part = PlannedPart('p1', 'bracket', (stain(HIDDEN_MM), stain(BESIDE_MM)))
    return {
        (pose, camera): station.picture(station.present(part, pose), camera)
        for pose in POSES
        for camera in CAMERAS
    }


def shown(taken, defect):
    """In how many pictures a defect can be made out."""
    return sum(one.defect == defect for picture in taken.values() for one in picture.labels)


class Truth:
    """Answers what is really shown, as far as it is asked about the part's defects."""

    backend, classes, model_hash = (
        'truth',
        ('screw', 'missing_screw', 'scratch', 'stain'),
        'a' * 64,
    )

    def __init__(self, taken, defects, outlines=False):
        self._taken, self._defects, self._outlines = taken, defects, outlines

    def detect(self, images, beside=0):
        return [self._one(image) for image in images]

    def _one(self, image):
        (picture,) = [p for p in self._taken.values() if p.image.pixels is image.pixels]
        seen = [one for one in picture.labels if one.defect in (None, *self._defects)]
        return Detections(
            np.array([one.box_px for one in seen]),
            np.full(len(seen), 0.9),
            tuple(one.name for one in seen),
            tuple(one.outline_px for one in seen) if self._outlines else (),
        )


def where(recipe, **detection):
    content = recipe.file.model_dump()
    content['detection'].update(detection)
    return replace(recipe, file=RecipeFile.model_validate(content))


def inspected(cell, recipe, reference, taken, detector):
    observations = [
        Observation(
            'i1',
            ViewKey(pose, camera),
            1,
            picture.image,
            recipe.file.presentations[pose].pose.transform(),
            cell.cameras[camera].pose.transform(),
            cell.cameras[camera].intrinsics.value(),
        )
        for (pose, camera), picture in taken.items()
    ]
    inspector = DetectionInspector(recipe, reference, detector, None)
    inspections = [inspector.inspect(one) for one in observations]
    views = [inspection.view_findings for inspection in inspections]
    fused = fuse(recipe, cell, reference, views)
    verdict = judge(
        recipe, fused, views, inspection_id='i1', part_id='p1', stamp_ns=1, cell_hash=''
    )
    return verdict, inspections


def stains(verdict):
    return [one for view in verdict.views for one in view.findings if one.label == 'stain']


@pytest.mark.parametrize('outlines', [False, True])
def test_a_mask_hides_a_stain_in_all_cameras_and_poses(cell, bracket, taken, outlines):
    recipe, reference = bracket
    detector = Truth(taken, {0}, outlines)
    without, _ = inspected(cell, recipe, reference, taken, detector)
    assert without.decision is Decision.REJECT
    assert {view.view for view in without.views if view.findings} == {
        ViewKey(pose, camera) for pose in POSES for camera in CAMERAS
    }
    masked = where(recipe, masks=[{'zone': 'clamp_marks'}])
    verdict, _ = inspected(cell, masked, reference, taken, detector)
    assert verdict.decision is Decision.ACCEPT
    assert verdict.defects == ()
    assert len(stains(verdict)) == 6  # still there for everybody to see
    assert all('mask clamp_marks' in one.not_judged for one in stains(verdict))
    told = [reason for reason in verdict.reasons if reason.code == 'not_judged']
    assert len(told) == 6 and 'stain 0.90 seen by left at' in told[0].text


def test_a_stain_a_millimetre_beside_the_mask_is_still_judged(cell, bracket, taken):
    recipe, reference = bracket
    masked = where(recipe, masks=[{'zone': 'clamp_marks'}])
    verdict, _ = inspected(cell, masked, reference, taken, Truth(taken, {0, 1}))
    assert verdict.decision is Decision.REJECT
    assert len(verdict.defects) == 1
    assert verdict.defects[0].position_m * 1000 == pytest.approx(BESIDE_MM, abs=1.5)
    assert sum(not one.not_judged for one in stains(verdict)) == shown(taken, 1) > 3


@pytest.mark.parametrize(
    ('changes', 'judged'),
    [
        ({'labels': ['scratch']}, 6),
        ({'labels': ['scratch', 'stain']}, 0),
        ({'sensors': ['left', 'right']}, 2),
    ],
)
def test_a_mask_concerns_its_classes_and_cameras_alone(cell, bracket, taken, changes, judged):
    recipe, reference = bracket
    masked = where(recipe, masks=[{'zone': 'clamp_marks', **changes}])
    verdict, _ = inspected(cell, masked, reference, taken, Truth(taken, {0}))
    assert sum(not one.not_judged for one in stains(verdict)) == judged
    assert verdict.decision is (Decision.REJECT if judged else Decision.ACCEPT)


def test_with_regions_of_interest_only_what_lies_on_them_is_judged(cell, bracket, taken):
    recipe, reference = bracket
    detector = Truth(taken, {0, 1})
    focused = where(recipe, regions=[{'zone': 'clamp_marks'}])
    verdict, _ = inspected(cell, focused, reference, taken, detector)
    (defect,) = verdict.defects
    assert defect.position_m * 1000 == pytest.approx(HIDDEN_MM, abs=1.5)
    left_out = sum('outside clamp_marks' in one.not_judged for one in stains(verdict))
    assert left_out == shown(taken, 1) > 3
    both = where(recipe, regions=[{'zone': 'clamp_marks'}, {'zone': 'upper'}])
    verdict, _ = inspected(cell, both, reference, taken, detector)
    assert len(stains(verdict)) == shown(taken, 0) + shown(taken, 1)
    assert not any(one.not_judged for one in stains(verdict))


def test_a_masked_finding_is_drawn_grey_and_a_judged_one_red(cell, bracket, taken):
    recipe, reference = bracket
    for masks, drawn, hidden in (
        ([{'zone': 'clamp_marks'}], NOT_JUDGED_BGR, DEFECT_BGR),
        ([], DEFECT_BGR, NOT_JUDGED_BGR),
    ):
        masked = where(recipe, masks=masks)
        _, inspections = inspected(cell, masked, reference, taken, Truth(taken, {0}))
        picture = inspections[0].annotated()
        assert (picture == drawn).all(axis=2).sum() > 30
        assert (picture == hidden).all(axis=2).sum() < 10  # by chance


def test_a_mask_hides_no_missing_feature_and_takes_no_presence(cell, bracket, taken):
    recipe, reference = bracket

    class Screwless(Truth):
        def _one(self, image):
            seen = super()._one(image)
            first = seen.labels.index('screw')
            return seen.chosen([i for i in range(len(seen)) if i != first])

    everywhere = where(recipe, masks=[{'zone': 'upper'}])
    verdict, _ = inspected(cell, everywhere, reference, taken, Screwless(taken, {0}))
    assert verdict.decision is Decision.REJECT
    assert {defect.label for defect in verdict.defects} == {'missing_screw'}
    assert all(view.presence.status is PresenceStatus.PRESENT for view in verdict.views)


def test_a_view_that_masked_its_finding_does_not_speak_against_the_defect(cell, bracket, taken):
    recipe, reference = bracket
    truth = Truth(taken, {0})
    one_camera = where(recipe, masks=[{'zone': 'clamp_marks', 'sensors': ['left', 'right']}])
    masked, _ = inspected(cell, one_camera, reference, taken, truth)

    class FrontOnly(Truth):
        def _one(self, image):
            seen = super()._one(image)
            (camera,) = [k[1] for k, p in taken.items() if p.image.pixels is image.pixels]
            keep = [i for i, n in enumerate(seen.labels) if camera == 'front' or n != 'stain']
            return seen.chosen(keep)

    clean, _ = inspected(cell, recipe, reference, taken, FrontOnly(taken, {0}))
    assert masked.defects[0].probability > clean.defects[0].probability


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.floats(-0.25, 0.25), st.floats(-0.25, 0.25), st.floats(-0.6, 0.6)),
    st.tuples(st.floats(-0.05, 0.05), st.floats(-0.04, 0.04)),
    st.floats(-18, 18),
)
def test_the_mask_moves_with_the_part_and_bends_with_the_lens(bracket, rpy_rad, shift_m, y_mm):
    recipe, reference = bracket
    masks = Masks(where(recipe, masks=[{'zone': 'clamp_marks'}]), reference)
    part_to_cell = from_rpy((*shift_m, 0.0), rpy_rad)
    camera_to_cell = look_at((0.02, -0.06, 0.16), (0, 0, 0))
    corners = np.array([[x, y, 14] for x in (41.5, 42.5) for y in (y_mm - 0.5, y_mm + 0.5)])
    to_camera = invert(camera_to_cell) @ part_to_cell
    pixels = WIDE.project(transform_points(to_camera, corners / 1000))
    box = np.concatenate([pixels.min(axis=0), pixels.max(axis=0)])
    view = Observation(
        'i1',
        ViewKey('top', 'left'),
        1,
        Image(np.zeros((4, 4), dtype=np.uint8)),
        part_to_cell,
        camera_to_cell,
        WIDE,
    )
    (finding,) = masks.apply([Finding('stain', 0.9, box_px=box)], view)
    if abs(abs(y_mm) - 6) > 1.0:
        assert bool(finding.not_judged) == (abs(y_mm) < 6)


def test_an_uncalibrated_camera_and_what_misses_the_part_are_judged(bracket):
    recipe, reference = bracket
    masks = Masks(where(recipe, masks=[{'zone': 'upper'}]), reference)
    pose = look_at((0, 0, 0.3), (0, 0, 0))
    view = Observation(
        'i1',
        ViewKey('top', 'left'),
        1,
        Image(np.zeros((4, 4), dtype=np.uint8)),
        np.eye(4),
        pose,
        WIDE,
    )
    middle = transform_points(invert(pose), np.array([HIDDEN_MM]) / 1000)
    (x, y) = WIDE.project(middle)[0]
    on_part = Finding('stain', 0.9, box_px=np.array([x - 5, y - 5, x + 5, y + 5]))
    beside = Finding('stain', 0.9, box_px=np.array([10.0, 10, 20, 20]))
    kept = masks.apply([on_part, beside], view)
    assert [bool(finding.not_judged) for finding in kept] == [True, False]
    uncalibrated = masks.apply([on_part], replace(view, intrinsics=None))
    assert not uncalibrated[0].not_judged


def test_names_that_the_recipe_does_not_know_are_refused_all_at_once(tmp_path, bracket):
    text = (CONFIG / 'recipes' / 'bracket' / 'recipe.yaml').read_text()
    (tmp_path / 'bracket.ply').write_bytes(bracket[0].mesh_path.read_bytes())
    (tmp_path / 'recipe.yaml').write_text(
        text.replace('zones:', 'zones:\n  top: {facing: {direction: [0, 0, 1]}}').replace(
            '  features:',
            '  masks: [{zone: tops, labels: [stain, rust], sensors: [behind]}]\n'
            '  regions: [{zone: top, labels: [missing_screw]}]\n'
            '  features:',
        )
    )
    with pytest.raises(ConfigError) as refused:
        load_recipe(tmp_path / 'recipe.yaml')
    assert [(p.key, p.value) for p in refused.value.problems] == [
        ('detection.masks.0.zone', 'tops'),
        ('detection.masks.0.labels', 'rust'),
        ('detection.masks.0.sensors', 'behind'),
        ('detection.regions.0.labels', 'missing_screw'),
    ]

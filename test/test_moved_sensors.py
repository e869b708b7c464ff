"""A sensor that moves around a fixed part says what a fixed one says of a part that moves."""

from dataclasses import replace

import numpy as np
import pytest
import yaml
from moved_sensors import with_moved_sensors

from inspection_cell.cell import Cell, CellFile
from inspection_cell.errors import ConfigError, DataError
from inspection_cell.evidence import EvidenceFolder
from inspection_cell.findings import Presence, PresenceStatus, ViewFindings, ViewStatus
from inspection_cell.frames import Frames
from inspection_cell.fusion.fuse import Fuser
from inspection_cell.fusion.poses import pose_corrections
from inspection_cell.fusion.visibility import CameraView
from inspection_cell.fusion.visibility_cache import VisibilityCache
from inspection_cell.geometry import Intrinsics, from_rpy, invert, rigid
from inspection_cell.locations import demo_cell, demo_recipes
from inspection_cell.named_poses import named_pose
from inspection_cell.observations import Image, Observation, ViewKey
from inspection_cell.recipe import Recipe, RecipeFile, check_fit
from inspection_cell.recipe_draft import draft_recipe
from inspection_cell.reference import load_reference
from inspection_cell.showing.coverage_preview import preview
from inspection_cell.showing.part_markers import PartMarker
from inspection_cell.sim.defects import DefectKind
from inspection_cell.sim.plan import plan_parts
from inspection_cell.sim.station import Station
from inspection_cell.sim.viewpoints import viewpoints
from inspection_cell.verdict import judge
from inspection_cell.views.surface import SurfaceInspector
from inspection_cell.views.windows import PartWindows

MOVED = ('left', 'right', 'front', 'scanner')
TILTED = ViewKey('tilted', 'scanner')
LEFT = ViewKey('tilted', 'left')


def made(cell, recipe, path):
    """Cell and recipe from their contents, as if they had been loaded."""
    return (
        Cell(demo_cell(), 'c', CellFile.model_validate(cell)),
        Recipe(path, 'r', RecipeFile.model_validate(recipe)),
    )


def contents():
    path = next(path for path in demo_recipes() if path.parent.name == 'bracket')
    return yaml.safe_load(demo_cell().read_text()), yaml.safe_load(path.read_text()), path


@pytest.fixture(scope='module')
def still():
    """The demo: sensors stand still, the robot moves the part."""
    return made(*contents())


@pytest.fixture(scope='module')
def moved():
    """The same, but the part stays and all sensors move around it."""
    cell, recipe, path = contents()
    return made(*with_moved_sensors(cell, recipe, *MOVED), path)


@pytest.fixture(scope='module')
def untold():
    """A cell of which only TF knows where the scanner is."""
    cell, recipe, path = contents()
    scanner = cell['sensors']['scanner']
    del scanner['pose']
    return made(
        {**cell, 'sensors': {**cell['sensors'], 'scanner': {**scanner, 'from_tf': {}}}},
        recipe,
        path,
    )


def test_from_the_sensors_nothing_differs(still, moved):
    for one, other in zip(viewpoints(*still), viewpoints(*moved), strict=True):
        assert (one.sensor, one.intrinsics) == (other.sensor, other.intrinsics)
        assert other.transform_sensor_to_part == pytest.approx(
            one.transform_sensor_to_part, abs=1e-9
        )


def test_the_preview_covers_the_same(still, moved):
    reference = load_reference(still[1])
    one, other = (preview(recipe, cell, reference) for cell, recipe in (still, moved))
    assert other.shares == pytest.approx(one.shares, abs=1e-3)
    assert other.coverage.share == pytest.approx(one.coverage.share, abs=1e-3)


def test_preview_simulator_and_draft_say_what_they_lack_of_a_sensor_that_only_tf_places(
    untold, tmp_path
):
    cell, recipe = untold
    told = r'sensors\.scanner\.from_tf: .*scanner at top.*`nominal`.*`presentations\.top\.sensor'
    with pytest.raises(DataError, match=told):
        preview(recipe, cell, load_reference(recipe))
    with pytest.raises(DataError, match=told):
        viewpoints(cell, recipe)
    alone = replace(
        cell, file=cell.file.model_copy(update={'sensors': {'scanner': cell.sensors['scanner']}})
    )
    with pytest.raises(DataError, match=r'from_tf\.nominal'):
        draft_recipe(recipe.mesh_path, alone, tmp_path / 'drafted', units='mm')


def test_a_cell_that_only_tf_places_is_a_complete_cell(untold):
    cell, recipe = untold
    check_fit(recipe, cell)
    assert named_pose(cell, recipe, TILTED) is None
    Fuser(recipe, cell, load_reference(recipe)).warm()


def test_poses_of_sensors_that_do_not_move_or_do_not_look_are_refused_together(moved):
    cell, recipe, path = contents()
    anywhere = recipe['presentations']['top']['pose']
    recipe['presentations']['top']['sensor_poses'] = {'scanner': anywhere, 'nobody': anywhere}
    with pytest.raises(ConfigError) as caught:
        check_fit(*reversed(made(cell, recipe, path)))
    assert [problem.value for problem in caught.value.problems] == ['scanner', 'nobody']
    assert {problem.key for problem in caught.value.problems} == {'presentations.top.sensor_poses'}


@pytest.fixture(scope='module')
def verdicts(still, moved, tmp_path_factory):
    """A defective part through scanner, fusion and judgement, in both cells."""
    parts = plan_parts(still[0], [still[1]], 12, 7)
    part = next(p for p in parts if any(d.kind is DefectKind.DENT for d in p.defects))
    reference = load_reference(still[1])
    folder = EvidenceFolder(tmp_path_factory.mktemp('data'))
    inspector = SurfaceInspector(still[1], reference, folder)
    return [judged(*one, reference, inspector, part) for one in (still, moved)]


def judged(cell, recipe, reference, inspector, part):
    station = Station(cell, [recipe], 3)
    views = []
    for presentation in recipe.file.presentations:
        key = ViewKey(presentation, 'scanner')
        presented = station.present(part, presentation)
        observation = Observation(
            'i', key, 1, station.observe(presented, 'scanner'),
            presented.transform_part_to_cell_reported, named_pose(cell, recipe, key),
        )  # fmt: skip
        views.append(inspector.inspect(observation).view_findings)
    fused = Fuser(recipe, cell, reference).fuse(views)
    return judge(
        recipe, fused, views, inspection_id='i', part_id='p', stamp_ns=1,
        cell_hash='c', reference=reference,
    )  # fmt: skip


def test_the_verdict_is_the_same(verdicts):
    one, other = verdicts
    assert one.defects
    assert other.decision == one.decision
    assert [d.label for d in other.defects] == [d.label for d in one.defects]
    for mine, theirs in zip(other.defects, one.defects, strict=True):
        assert mine.position_m == pytest.approx(theirs.position_m, abs=2e-4)
        assert mine.probability == pytest.approx(theirs.probability, abs=0.02)
    assert other.coverage.share == pytest.approx(one.coverage.share, abs=2e-3)


def test_each_view_records_where_its_sensor_was(verdicts, moved):
    for view in verdicts[1].views:
        if view.view.sensor == 'scanner':
            expected = named_pose(*moved, view.view)
            assert view.transform_sensor_to_cell == pytest.approx(expected, abs=1e-9)


def scan_of(recipe, true, sensor_to_cell, recorded):
    """A registered scan of a part that really was at `true`."""
    reported = recipe.file.presentations['tilted'].pose.transform()
    return ViewFindings(
        'i', TILTED, ViewStatus.OK,
        presence=Presence(PresenceStatus.PRESENT, 'truth', 1.0),
        transform_part_to_sensor=invert(sensor_to_cell) @ reported,
        transform_part_to_cell_refined=true,
        transform_sensor_to_cell=recorded,
    )  # fmt: skip


def test_the_robots_error_is_told_from_where_the_scanner_really_was(moved):
    cell, recipe = moved
    reported = recipe.file.presentations['tilted'].pose.transform()
    error = from_rpy((0.002, -0.001, 0.003), (0.01, 0.0, -0.02))
    off = named_pose(cell, recipe, TILTED) @ from_rpy((0.05, 0.0, -0.02), (0.1, 0.2, 0.0))
    scan = scan_of(recipe, reported @ error, off, off)
    assert pose_corrections(cell, [scan])['tilted'] == pytest.approx(error, abs=1e-9)


def test_an_old_record_that_does_not_tell_where_a_moved_scanner_was_corrects_nothing(moved, still):
    for (cell, recipe), known in ((moved, set()), (still, {'tilted'})):
        at = named_pose(cell, recipe, TILTED)
        scan = scan_of(recipe, recipe.file.presentations['tilted'].pose.transform(), at, None)
        assert set(pose_corrections(cell, [scan])) == known


def test_shadows_are_cast_anew_for_a_camera_that_is_not_where_it_was_meant_to_be(moved):
    cell, recipe = moved
    reference = load_reference(recipe)
    camera = cell.cameras['left'].intrinsics.value()
    held = recipe.file.presentations['tilted'].pose.transform()
    named = named_pose(cell, recipe, LEFT)
    off = named @ rigid(np.eye(3), (0.08, 0.0, 0.0))
    kept = VisibilityCache(recipe, reference, cell)
    for pose in (named, off):
        view = CameraView(LEFT, camera, invert(pose) @ held)
        seen = kept.seen(view)
        assert np.array_equal(seen, VisibilityCache(recipe, reference).seen(view))
    assert (kept.reused, kept.cast) == (1, 1)


def image_at(pose, part_to_cell, camera):
    pixels = np.zeros((camera.height, camera.width, 3), dtype=np.uint8)
    return Observation('i', LEFT, 1, Image(pixels), part_to_cell, pose, camera)


def test_windows_keep_their_size_however_a_camera_is_moved_and_follow_the_part(moved):
    cell, recipe = moved
    windows = PartWindows(recipe, load_reference(recipe), cell)
    camera: Intrinsics = cell.cameras['left'].intrinsics.value()
    held = recipe.file.presentations['tilted'].pose.transform()
    named, generator = named_pose(cell, recipe, LEFT), np.random.default_rng(0)
    found = []
    for _ in range(40):
        turn = generator.normal(0.0, 0.004, 3)
        found.append(windows.of(image_at(named @ from_rpy((0, 0, 0), turn), held, camera)))
    sizes = {tuple((window[2:] - window[:2]).tolist()) for window in found}
    assert sizes == {windows.named_size(LEFT, camera)}
    assert len({tuple(window.tolist()) for window in found}) > 1
    assert len(windows._sizes) == 1  # nothing grows from part to part


def test_without_a_named_pose_the_detector_looks_at_the_whole_image(still, moved):
    cell, recipe = moved
    bare = cell.sensors['left'].from_tf.model_copy(update={'nominal': None})
    left = cell.sensors['left'].model_copy(update={'from_tf': bare})
    cell = replace(
        cell, file=cell.file.model_copy(update={'sensors': {**cell.sensors, 'left': left}})
    )
    camera = left.intrinsics.value()
    top = ViewKey('top', 'left')
    windows = PartWindows(recipe, load_reference(recipe), cell)
    assert windows.named_size(top, camera) is None
    pose = named_pose(*still, top)
    seen = replace(
        image_at(pose, recipe.file.presentations['top'].pose.transform(), camera), view=top
    )
    assert windows.of(seen) is None
    assert PartWindows(recipe, load_reference(recipe), still[0]).of(seen) is not None


def test_the_frustum_of_a_moved_sensor_ends_where_the_part_was(verdicts, moved):
    cell, recipe = moved
    frusta = PartMarker(recipe, cell, load_reference(recipe)).of(verdicts[1]).frusta
    (frustum,) = (one for one in frusta if one.sensor == 'scanner')
    held = [v.transform_part_to_sensor for v in verdicts[1].views if v.view.sensor == 'scanner']
    nearest = min(np.linalg.norm(pose[:3, 3]) for pose in held)
    assert np.linalg.norm(frustum.corners_m, axis=1) == pytest.approx(nearest)


def test_frames_are_named_by_the_namespace_unless_the_cell_names_them(still):
    cell, recipe, path = contents()
    plain = Frames.of('/line', still[0])
    assert (plain.cell, plain.part, plain.optical('left')) == (
        'line/cell', 'line/part', 'line/left_optical_frame',
    )  # fmt: skip
    cell['frame'], cell['robot']['part_from_tf'] = 'base_link', {'frame': 'gripped'}
    del cell['sensors']['left']['pose']
    cell['sensors']['left']['from_tf'] = {'frame': 'wrist_camera_optical_frame'}
    given = Frames.of('/line', made(cell, recipe, path)[0])
    assert (given.cell, given.part) == ('base_link', 'gripped')
    assert given.optical('left') == 'wrist_camera_optical_frame'
    assert given.optical('right') == 'line/right_optical_frame'

"""One physical defect is one defect, where it really is, as probable as the views make it."""

from dataclasses import replace
from itertools import combinations, permutations

import numpy as np
import pytest

from inspection_cell.errors import DataError
from inspection_cell.findings import Decision, Finding, Presence, ViewStatus
from inspection_cell.fusion.fuse import fuse
from inspection_cell.observations import ViewKey
from inspection_cell.records.serialisation import verdict_to_json
from inspection_cell.verdict import judge

SCRATCH_MM = [(10, 5, 2), (22, 5, 2)]
DENT = Finding(
    'dent',
    1.0,
    value=-0.5,
    limit=-0.2,
    unit='mm',
    position_m=np.array([0.02, 0.01, 0.002]),
    normal=np.array([0.0, 0.0, 1.0]),
    area_mm2=9.0,
    length_mm=3.5,
    peak_mm=-0.5,
)


def fused(world, views):
    return fuse(world.recipe, world.cell, world.reference, views)


def as_json(world, views):
    verdict = judge(
        world.recipe,
        fused(world, views),
        views,
        inspection_id='i1',
        part_id='p',
        stamp_ns=1,
        cell_hash='c',
    )
    return verdict_to_json(verdict)


def test_a_scratch_seen_by_two_cameras_is_one_defect_at_its_true_place_and_length(world):
    views = [
        world.camera(name, world.seen(name, 'scratch', SCRATCH_MM)) for name in ('left', 'right')
    ]
    (defect,) = fused(world, views).defects
    assert defect.position_m == pytest.approx([0.016, 0.005, 0.002], abs=3e-4)
    assert defect.normal == pytest.approx([0, 0, 1])
    assert defect.value == pytest.approx(12.0, abs=1.5)
    assert (defect.limit, defect.unit) == (3.0, 'mm')
    assert {source.view.sensor for source in defect.sources} == {'left', 'right'}


def test_two_scratches_farther_apart_than_merge_mm_stay_two(world):
    other = [(-22, 5, 2), (-10, 5, 2)]
    view = world.camera(
        'left', world.seen('left', 'scratch', SCRATCH_MM), world.seen('left', 'scratch', other)
    )
    assert len(fused(world, [view]).defects) == 2


def test_pieces_of_one_scratch_in_one_view_are_one_defect_of_the_full_length(world):
    pieces = [[(10, 5, 2), (16, 5, 2)], [(17, 5, 2), (30, 5, 2)]]
    views = [
        world.camera('left', *(world.seen('left', 'scratch', piece) for piece in pieces)),
        world.camera('right', world.seen('right', 'scratch', [(10, 5, 2), (30, 5, 2)])),
    ]
    (defect,) = fused(world, views).defects
    assert defect.value == pytest.approx(20.0, abs=1.5)


def test_stains_on_the_front_and_the_back_of_a_thin_plate_stay_two(world):
    front, back = [(0, 0, 2), (2, 2, 2)], [(0, 0, -2), (2, 2, -2)]
    views = [
        world.camera('left', world.seen('left', 'stain', front)),
        world.camera('below', world.seen('below', 'stain', back)),
    ]
    normals = sorted(defect.normal[2] for defect in fused(world, views).defects)
    assert normals == pytest.approx([-1, 1])


def test_the_registered_scan_corrects_where_the_cameras_looked(world, shifted):
    true_pose = world.part_to_cell @ shifted
    finding = world.seen('left', 'stain', [(0, 0, 2), (1, 1, 2)], true_part_to_cell=true_pose)
    camera = world.camera('left', finding)
    alone = fused(world, [camera]).defects[0]
    scan = world.scan(transform_part_to_cell_refined=true_pose)
    corrected = fused(world, [camera, scan]).defects[0]
    truth = np.array([0.0005, 0.0005, 0.002])
    assert np.linalg.norm(alone.position_m - truth) > 4e-3
    assert np.linalg.norm(corrected.position_m - truth) < 3e-4


def test_a_scan_without_presence_corrects_nothing(world, shifted):
    camera = world.camera('left', world.seen('left', 'stain', [(0, 0, 2), (1, 1, 2)]))
    wrong = world.scan(
        transform_part_to_cell_refined=world.part_to_cell @ shifted, presence=Presence()
    )
    (defect,) = fused(world, [camera, wrong]).defects
    assert defect.position_m == pytest.approx([0.0005, 0.0005, 0.002], abs=2e-4)


def test_a_dent_measured_by_the_scanner_is_certain_whatever_the_cameras_miss(world):
    views = [world.camera('left'), world.camera('right'), world.scan(DENT)]
    (defect,) = fused(world, views).defects
    assert defect.probability == pytest.approx(0.99)
    assert (defect.value, defect.limit, defect.peak_mm) == (-0.5, -0.2, -0.5)


def test_a_camera_and_a_scanner_that_see_one_thing_make_one_defect(world):
    missing = replace(DENT, label='missing_material')
    screw = world.seen('left', 'missing_screw', [(19, 9, 2), (21, 11, 2)])
    (defect,) = fused(world, [world.camera('left', screw), world.scan(missing)]).defects
    assert defect.label == 'missing_material'
    assert {source.label for source in defect.sources} == {'missing_screw', 'missing_material'}


def test_regions_of_one_scan_that_are_one_defect_are_as_large_as_all_of_them(world):
    beside = replace(DENT, position_m=np.add(DENT.position_m, (0.0045, 0, 0)), area_mm2=4.0)
    (defect,) = fused(world, [world.scan(DENT, beside)]).defects
    assert defect.area_mm2 == pytest.approx(13.0)
    assert defect.length_mm == pytest.approx(4.5 + 3.5)


def test_a_defect_reaches_as_far_as_anything_that_any_view_shows_of_it(world):
    views = [
        world.camera('left', world.seen('left', 'scratch', [(-10, 5, 2), (10, 5.4, 2)])),
        world.camera('right', world.seen('right', 'scratch', [(-10, 5, 2), (-8, 5.4, 2)])),
    ]
    (defect,) = fused(world, views).defects
    assert defect.position_m[0] < -0.005
    assert defect.position_m[0] * 1e3 + defect.reach_mm > 9.5


def test_a_zone_that_is_one_thing_may_be_smaller_than_the_samples_are_apart(world):
    tiny = {'spheres': [{'centre_mm': (20, 10, 2), 'radius_mm': 0.3}]}
    one = world.with_recipe(zones={'pin': tiny}, fusion={'one_defect': ('pin',)})
    (defect,) = fused(one, [one.scan(DENT)]).defects
    assert defect.position_m == pytest.approx(DENT.position_m)


def test_one_missing_screw_seen_by_two_cameras_is_one_defect_of_which_none_is_allowed(world):
    spot = [(38, 18, 2), (42, 22, 2)]
    views = [
        world.camera(name, world.seen(name, 'missing_screw', spot)) for name in ('left', 'right')
    ]
    (defect,) = fused(world, views).defects
    assert (defect.label, defect.limit) == ('missing_screw', 0.0)


def test_a_feature_that_should_be_there_is_no_defect(world):
    view = world.camera('left', world.seen('left', 'screw', [(38, 18, 2), (42, 22, 2)]))
    assert fused(world, [view]).defects == ()


def test_a_clean_view_of_the_place_lowers_the_probability_and_a_missing_one_does_not(world):
    finder = world.camera('left', world.seen('left', 'scratch', SCRATCH_MM, score=0.7))
    alone = fused(world, [finder]).defects[0].probability
    doubted = fused(world, [finder, world.camera('right')]).defects[0].probability
    missing = world.camera('right', status=ViewStatus.MISSING)
    without = fused(world, [finder, missing]).defects[0].probability
    blind = fused(world, [finder, world.camera('below')]).defects[0].probability
    assert alone == pytest.approx(0.7)
    assert doubted == pytest.approx(1 / (1 + 0.3 / 0.7 / 0.2), abs=0.02)
    assert without == blind == alone


def test_a_clean_view_without_presence_does_not_doubt_a_defect(world):
    finder = world.camera('left', world.seen('left', 'scratch', SCRATCH_MM, score=0.7))
    unproven = world.camera('right', presence=Presence())
    assert fused(world, [finder, unproven]).defects[0].probability == pytest.approx(0.7)


def test_a_speck_beside_the_part_is_told_but_not_judged(world):
    speck = world.camera('left', world.seen('left', 'scratch', [(80, 0, 0), (90, 2, 0)]))
    result = fused(world, [speck])
    assert result.defects == ()
    assert [source.label for source in result.off_part] == ['scratch']


def test_a_finding_just_over_the_outline_is_on_the_part(world):
    edge = world.camera('left', world.seen('left', 'stain', [(51, 0, 2), (53, 2, 2)]))
    result = fused(world, [edge])
    assert result.off_part == ()
    assert result.defects[0].position_m[0] == pytest.approx(0.05, abs=4e-3)


def test_a_finding_of_a_view_without_a_pose_is_kept_and_nothing_of_it_is_allowed(world):
    view = world.camera('left', world.seen('left', 'scratch', SCRATCH_MM, score=0.8))
    (defect,) = fused(world, [replace(view, transform_part_to_sensor=None)]).defects
    assert defect.position_m is None
    assert (defect.probability, defect.limit) == (pytest.approx(0.8), 0.0)


def test_findings_of_failed_views_and_of_views_not_asked_for_do_not_count(world):
    finding = world.seen('left', 'scratch', SCRATCH_MM)
    late = world.camera('left', finding, status=ViewStatus.LATE)
    extra = world.camera('right', finding, view=ViewKey('elsewhere', 'right'))
    assert fused(world, [late, extra]).defects == ()


def test_a_scan_against_another_mesh_is_foreign_and_covers_nothing(world):
    result = fused(world, [world.scan(DENT, reference_hash='of another mesh')])
    assert result.foreign == (ViewKey('top', 'scanner'),)
    assert result.coverage.share == 0.0
    assert result.defects == ()


def test_the_order_in_which_views_and_findings_come_changes_nothing(world):
    rng = np.random.default_rng(5)
    spots = rng.uniform((-40, -20, 2), (40, 20, 2), (6, 3))
    views = [world.scan(DENT)]
    for name in ('left', 'right'):
        found = [
            world.seen(name, 'stain', [spot, spot + np.array([2, 1, 0])], score=0.5 + 0.05 * i)
            for i, spot in enumerate(spots)
        ]
        views.append(world.camera(name, *found))
    expected = as_json(world, views)
    assert all(as_json(world, list(order)) == expected for order in permutations(views))
    turned = [replace(view, findings=view.findings[::-1]) for view in views]
    assert fused(world, turned).coverage == fused(world, views).coverage
    merged, again = fused(world, views).defects, fused(world, turned).defects
    assert [d.probability for d in merged] == [d.probability for d in again]
    assert [d.sources for d in merged] == [d.sources for d in again]


def test_without_a_reference_every_view_has_its_own_defects_and_counts_for_coverage(world):
    bare = world.with_recipe(reference='none', surface=None, coverage={'minimum': 0.0})
    finding = Finding('scratch', 0.8, box_px=np.array([0.0, 0.0, 5.0, 5.0]))
    views = [bare.camera('left', finding), bare.camera('right', finding)]
    result = fuse(bare.recipe, bare.cell, None, views)
    assert [d.position_m for d in result.defects] == [None, None]
    assert [d.limit for d in result.defects] == [0.0, 0.0]
    assert result.coverage.share == 1.0


def test_a_recipe_with_a_reference_is_not_fused_without_it(world):
    with pytest.raises(DataError, match=r'plate\.ply'):
        fuse(world.recipe, world.cell, None, [])


def decided(world, views):
    verdict = judge(
        world.recipe,
        fused(world, views),
        views,
        inspection_id='i1',
        part_id='p',
        stamp_ns=1,
        cell_hash='c',
    )
    return verdict.decision


def test_all_clean_views_are_accept_and_no_smaller_set_of_them_is(world):
    views = world.all_clean()
    assert decided(world, views) is Decision.ACCEPT
    for count in range(len(views)):
        for kept in combinations(views, count):
            assert decided(world, list(kept)) is Decision.UNKNOWN


@pytest.mark.parametrize('status', [s for s in ViewStatus if s is not ViewStatus.OK])
def test_no_view_may_fail_for_accept_whatever_it_found(world, status):
    for index, view in enumerate(world.all_clean()):
        views = world.all_clean()
        views[index] = replace(view, status=status)
        assert decided(world, views) in (Decision.UNKNOWN, Decision.REVIEW)


def test_dropping_any_view_of_a_bad_part_never_makes_it_good(world):
    views = [
        world.camera('left', world.seen('left', 'scratch', SCRATCH_MM, score=0.7)),
        world.camera('right', world.seen('right', 'stain', [(-9, 0, 2), (-8, 1, 2)])),
        world.camera('below'),
        world.scan(DENT),
    ]
    assert decided(world, views) is Decision.REJECT
    for count in range(len(views)):
        for kept in combinations(views, count):
            assert decided(world, list(kept)) is not Decision.ACCEPT


PIN_MM = (0.0, 34.0, 10.0)  # of which the mesh knows nothing: beside the plate, above its edge


def with_pin(world):
    detection = world.recipe.file.detection.model_dump()
    pin = {'label': 'pin', 'positions_mm': [PIN_MM], 'gate_mm': 2.0}
    return world.with_recipe(detection={**detection, 'features': [pin]})


def box_of_pin(world, name):
    middle = world.box(name, [PIN_MM])[:2]
    return np.concatenate([middle - 8.0, middle + 8.0])


def test_a_missing_pin_is_judged_where_it_should_be_though_its_box_shows_background(world):
    world = with_pin(world)
    views = [
        world.camera(name, Finding('missing_pin', 0.6, box_px=box_of_pin(world, name)))
        for name in ('left', 'right')
    ]
    found = fused(world, views)
    assert found.off_part == ()
    (defect,) = found.defects
    assert defect.position_m == pytest.approx(np.array(PIN_MM) / 1000.0)
    assert {one.view.sensor for one in defect.sources} == {'left', 'right'}
    assert defect.value > defect.limit
    assert defect.probability > 0.6


def test_a_view_that_shows_another_thing_at_a_place_is_no_clean_witness_of_it(world):
    scratch = world.camera('right', world.seen('right', 'scratch', SCRATCH_MM, 0.45))
    near = [(-45, -28, 2), (24, 8, 2)]  # a stain whose box holds the scratch in its corner
    stain = world.camera('left', world.seen('left', 'stain', near, 0.45))
    found = {defect.label: defect for defect in fused(world, [scratch, stain]).defects}
    assert found['scratch'].probability == pytest.approx(0.45)
    clean = fused(world, [scratch, world.camera('left')]).defects[0]
    assert clean.probability < 0.2


def test_a_region_round_a_bore_reaches_across_it(world):
    ring = Finding(
        *('burr', 1.0),
        value=0.5,
        limit=0.2,
        unit='mm',
        position_m=np.array([0.009, 0.0, 0.002]),
        normal=np.array([0.0, 0.0, 1.0]),
        area_mm2=60.0,
        length_mm=18.0,
        width_mm=18.0,
        peak_mm=0.5,
    )
    (defect,) = fused(world, [world.scan(ring)]).defects
    assert defect.reach_mm >= 18.0
    (dent,) = fused(world, [world.scan(DENT)]).defects
    assert dent.reach_mm < DENT.length_mm


def test_no_number_of_views_knows_a_place_better_than_the_pose_of_the_part(world):
    views = [
        world.camera(name, world.seen(name, 'scratch', SCRATCH_MM)) for name in ('left', 'right')
    ]
    (defect,) = fused(world, views).defects
    assert defect.position_sigma_mm > world.recipe.file.fusion.pose_sigma_mm

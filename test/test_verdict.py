"""ACCEPT is proven: whatever lacks, fails or is uncertain leads elsewhere, with words for it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection_cell.findings import (
    Conformity,
    Contribution,
    Coverage,
    Decision,
    Defect,
    Finding,
    Presence,
    PresenceStatus,
    Source,
    Verdict,
    ViewFindings,
    ViewStatus,
    ZoneCoverage,
)
from inspection_cell.fusion.fuse import Fused
from inspection_cell.observations import ViewKey
from inspection_cell.recipe import Recipe, RecipeFile
from inspection_cell.verdict import PRECEDENCE, judge, withhold

POSE = {'position_mm': (0, 0, 0), 'rpy_deg': (0, 0, 0)}
RECIPE = Recipe(
    Path('recipe.yaml'),
    'recipe-hash',
    RecipeFile.model_validate(
        {
            'format': 1,
            'part_type': 'plate',
            'reference': {'mesh': 'plate.ply', 'units': 'm'},
            'presentations': {
                'top': {'pose': POSE, 'sensors': ('left', 'scanner')},
                'bottom': {'pose': POSE, 'sensors': ('left', 'scanner')},
            },
            'coverage': {'minimum': 0.9},
        }
    ),
)
KEYS = [ViewKey(p, s) for p in ('top', 'bottom') for s in ('left', 'scanner')]
PRESENT = Presence(PresenceStatus.PRESENT, 'four screws', 1.0)
LEFT_AT_TOP = (Source(KEYS[0], 'scratch', 0.81),)
SCRATCH = Defect(
    'scratch', 0.81, length_mm=12.4, value=12.4, limit=3.0, unit='mm', sources=LEFT_AT_TOP
)
SEEN = Coverage(0.95, 0.9)
GOOD = tuple(ViewFindings('i1', key, ViewStatus.OK, presence=PRESENT) for key in KEYS)


def verdict(fused, views=GOOD, recipe=RECIPE):
    return judge(
        recipe, fused, views, inspection_id='i1', part_id='p7', stamp_ns=5, cell_hash='cell-hash'
    )


def with_view(index, **changes):
    views = list(GOOD)
    views[index] = replace(views[index], **changes)
    return views


def codes(result):
    return [reason.code for reason in result.reasons]


def test_a_part_that_every_view_proves_good_is_accepted_with_a_reason():
    result = verdict(Fused((), SEEN))
    assert result.decision is Decision.ACCEPT
    assert codes(result) == ['accepted']
    assert (result.recipe_hash, result.cell_hash) == ('recipe-hash', 'cell-hash')


def test_a_verdict_never_filled_in_is_not_accept():
    assert Verdict('i', 'p', 't').decision is Decision.UNKNOWN


def test_a_scratch_beyond_its_limit_rejects_in_words():
    result = verdict(Fused((SCRATCH,), SEEN))
    assert result.decision is Decision.REJECT
    reason = result.reasons[0]
    assert reason.text == 'scratch 0.81 seen by left at top, 12.4 mm long; limit 3 mm'
    assert (reason.code, reason.value, reason.limit) == ('defect', 12.4, 3.0)


@pytest.mark.parametrize(
    ('changes', 'decision', 'code'),
    [
        ({'value': 2.9}, Decision.ACCEPT, 'defect_within_limit'),
        ({'probability': 0.4}, Decision.REVIEW, 'defect_uncertain'),
        ({'probability': 0.2}, Decision.ACCEPT, 'defect_improbable'),
        ({'value': 0.0, 'limit': 0.0}, Decision.REJECT, 'defect'),
        ({'value': -0.5, 'limit': -0.2}, Decision.REJECT, 'defect'),
        ({'value': -0.1, 'limit': -0.2}, Decision.ACCEPT, 'defect_within_limit'),
    ],
)
def test_a_defect_decides_by_its_value_and_its_probability(changes, decision, code):
    result = verdict(Fused((replace(SCRATCH, **changes),), SEEN))
    assert result.decision is decision
    assert code in codes(result)


@pytest.mark.parametrize('status', [s for s in ViewStatus if s is not ViewStatus.OK])
def test_a_view_that_is_not_ok_is_never_accepted(status):
    result = verdict(Fused((), SEEN), with_view(1, status=status, reason='because'))
    wanted = Decision.REVIEW if status is ViewStatus.NOT_REGISTERED else Decision.UNKNOWN
    assert result.decision is wanted
    assert 'scanner at top' in result.reasons[0].text
    assert 'because' in result.reasons[0].text


@pytest.mark.parametrize('status', [PresenceStatus.UNKNOWN, PresenceStatus.ABSENT])
def test_a_view_without_presence_needs_a_person(status):
    result = verdict(Fused((), SEEN), with_view(0, presence=Presence(status)))
    assert result.decision is Decision.REVIEW


def test_no_presence_in_any_view_is_unknown():
    views = [replace(view, presence=Presence()) for view in GOOD]
    result = verdict(Fused((), SEEN), views)
    assert result.decision is Decision.UNKNOWN
    assert result.reasons[0].code == 'no_part'


def test_a_defect_rejects_even_where_views_lack():
    views = [replace(view, presence=Presence()) for view in GOOD[:2]]
    assert verdict(Fused((SCRATCH,), SEEN), views).decision is Decision.REJECT


def test_nothing_at_all_is_unknown():
    assert verdict(Fused(), ()).decision is Decision.UNKNOWN
    assert verdict(Fused()).decision is Decision.UNKNOWN


def test_coverage_that_falls_short_needs_a_person_and_says_how_much():
    result = verdict(Fused((), Coverage(0.85, 0.9, ('left at top',))))
    assert result.decision is Decision.REVIEW
    assert result.reasons[0].text.startswith('85.0% of the surface seen; at least 90.0%')


def test_a_zone_that_was_not_seen_enough_is_named_with_share_and_minimum():
    zones = (ZoneCoverage('seal', 0.8, 0.95), ZoneCoverage('back', 0.7, 0.5))
    result = verdict(Fused((), Coverage(0.95, 0.9, ('seal',), zones)))
    assert result.decision is Decision.REVIEW
    (reason,) = result.reasons
    assert reason.text == '80.0% of zone seal seen; at least 95.0%'
    assert (reason.code, reason.value, reason.limit) == ('coverage_zone', 0.8, 0.95)


def test_the_part_and_its_zones_are_told_apart():
    zones = (ZoneCoverage('seal', 0.1, 0.95),)
    result = verdict(Fused((), Coverage(0.5, 0.9, ('left at top', 'seal'), zones)))
    assert codes(result) == ['coverage', 'coverage_zone']
    assert result.reasons[0].text.endswith('at least 90.0%; lacking: left at top')


def test_what_fusion_says_falls_short_is_never_accepted():
    assert verdict(Fused((), Coverage(0.95, 0.9, ('seal',)))).decision is Decision.REVIEW


def test_the_verdict_keeps_how_probably_the_part_is_bad_and_by_whom():
    heard = (Contribution(KEYS[0], 1.2),)
    result = verdict(Fused((), SEEN, bad_probability=0.2, contributions=heard))
    assert (result.bad_probability, result.contributions) == (0.2, heard)
    assert result.decision is Decision.ACCEPT
    result = verdict(Fused((), SEEN, bad_probability=0.35, contributions=heard))
    assert (result.decision, codes(result)) == (Decision.REVIEW, ['part_uncertain'])


def test_a_scan_of_another_reference_is_unknown():
    assert verdict(Fused((), SEEN, foreign=(KEYS[1],))).decision is Decision.UNKNOWN


def test_a_verdict_names_the_model_of_its_camera_views():
    views = [replace(v, model_hash='aa' * 32) if v.view.sensor == 'left' else v for v in GOOD]
    result = verdict(Fused((), SEEN), views)
    assert (result.decision, result.model_hash) == (Decision.ACCEPT, 'aa' * 32)
    assert verdict(Fused((), SEEN)).model_hash == ''  # nothing but scans


def test_two_models_in_one_inspection_are_never_accepted_and_both_are_named():
    views = with_view(0, model_hash='aa' * 32)
    views[2] = replace(views[2], model_hash='bb' * 32)
    result = verdict(Fused((), SEEN), views)
    assert (result.decision, result.model_hash) == (Decision.UNKNOWN, '')
    assert codes(result) == ['mixed_models']
    assert 'left at top by aaaaaaaaaaaa and left at bottom by bbbbbbbbbbbb' in (
        result.reasons[0].text
    )
    assert verdict(Fused((SCRATCH,), SEEN), views).decision is Decision.REJECT


def test_a_speck_beside_the_part_is_told_and_does_not_decide():
    result = verdict(Fused((), SEEN, off_part=LEFT_AT_TOP))
    assert result.decision is Decision.ACCEPT
    assert 'off_part' in codes(result)


def test_what_a_mask_took_out_is_told_and_does_not_decide():
    hidden = Finding('stain', 0.9, not_judged='80% of it in mask clamp_marks')
    result = verdict(Fused((), SEEN), [replace(GOOD[0], findings=(hidden,)), *GOOD[1:]])
    assert result.decision is Decision.ACCEPT
    (reason,) = [reason for reason in result.reasons if reason.code == 'not_judged']
    assert 'stain 0.90' in reason.text and 'mask clamp_marks' in reason.text


def test_views_of_another_inspection_never_help():
    views = [replace(view, inspection_id='i0') for view in GOOD]
    assert verdict(Fused((), SEEN), views).decision is Decision.UNKNOWN


def test_what_withholds_a_verdict_turns_accept_into_unknown_and_leaves_a_reject():
    accepted, rejected = verdict(Fused((), SEEN)), verdict(Fused((SCRATCH,), SEEN))
    held = withhold(accepted, 'disk_full', '3 MB free')
    assert (held.decision, held.reasons[0].code) == (Decision.UNKNOWN, 'disk_full')
    assert withhold(rejected, 'disk_full', '3 MB free').decision is Decision.REJECT


VIEWS = st.tuples(
    *(
        st.builds(
            lambda status, presence, key=key: ViewFindings(
                'i1', key, status, presence=Presence(presence)
            ),
            st.sampled_from([ViewStatus.OK, ViewStatus.OK, *ViewStatus]),
            st.sampled_from([PresenceStatus.PRESENT, PresenceStatus.PRESENT, *PresenceStatus]),
        )
        for key in KEYS
    )
)
DEFECTS = st.builds(
    lambda p, value, limit: replace(SCRATCH, probability=p, value=value, limit=limit),
    st.floats(0, 1),
    st.floats(0, 10),
    st.sampled_from([0.0, 3.0]),
)
FUSED = st.builds(
    lambda defects, share: Fused(tuple(defects), Coverage(share, 0.9)),
    st.lists(DEFECTS, max_size=3),
    st.floats(0.8, 1),
)


@given(FUSED, VIEWS, st.sets(st.sampled_from(range(4)), min_size=1))
def test_dropping_views_never_gives_accept(fused, views, dropped):
    kept = [view for i, view in enumerate(views) if i not in dropped]
    assert verdict(fused, kept).decision is not Decision.ACCEPT


@given(FUSED, VIEWS, st.integers(0, 3), st.sampled_from([s for s in ViewStatus if s != 1]))
def test_no_failure_of_a_view_gives_accept(fused, views, index, status):
    worse = [replace(v, status=status) if i == index else v for i, v in enumerate(views)]
    assert verdict(fused, worse).decision is not Decision.ACCEPT


@given(FUSED, VIEWS)
def test_the_decision_is_the_gravest_of_the_reasons_and_there_is_one(fused, views):
    result = verdict(fused, views)
    gravest = min((reason.decision for reason in result.reasons), key=PRECEDENCE.index)
    assert result.decision is gravest is result.reasons[0].decision


@given(FUSED, VIEWS, st.permutations(range(4)))
def test_the_order_of_the_views_changes_nothing(fused, views, order):
    turned = [views[i] for i in order]
    assert verdict(fused, turned).reasons == verdict(fused, views).reasons


@given(FUSED, VIEWS)
def test_accept_means_every_view_present_enough_seen_and_no_probable_defect(fused, views):
    result = verdict(fused, views)
    if result.decision is Decision.ACCEPT:
        assert all(view.is_evidence for view in views)
        assert fused.coverage.share >= 0.9
        for defect in fused.defects:
            assert defect.probability < 0.3 or (defect.limit and defect.value <= defect.limit)


def test_the_verdict_keeps_the_views_with_the_presence_that_a_scan_granted():
    registered = replace(GOOD[1], transform_part_to_cell_refined=np.eye(4))
    views = [replace(GOOD[0], presence=Presence()), registered, *GOOD[2:]]
    result = verdict(Fused((), SEEN), views)
    assert result.decision is Decision.ACCEPT
    assert 'registered by scanner' in result.views[0].presence.evidence


MEASURING = Recipe(
    RECIPE.path,
    RECIPE.sha256,
    RecipeFile.model_validate(
        RECIPE.file.model_dump()
        | {
            'surface': {
                'tolerance_mm': (-1, 1),
                'features': {
                    'hole': {
                        'kind': 'bore',
                        'axis_point_mm': (0, 0, 0),
                        'direction': (0, 0, 1),
                        'diameter_mm': 12,
                        'depth_mm': 5,
                        'tolerance_mm': (-0.01, 0.01),
                    }
                },
            }
        }
    ),
)


def measured(conformity, uncertainty=0.004):
    return Finding(
        'feature_hole', 1.0, 12.013, 12.01, 'mm', uncertainty=uncertainty, conformity=conformity
    )


def shown(*findings):
    """The good views, the scanner's with one measurement each."""
    scans = iter(findings)
    return tuple(
        replace(view, findings=(next(scans),)) if view.view.sensor == 'scanner' else view
        for view in GOOD
    )


@pytest.mark.parametrize(
    ('conformity', 'decision', 'code'),
    [
        (Conformity.CONFORMS, Decision.ACCEPT, 'measured'),
        (Conformity.UNCERTAIN, Decision.REVIEW, 'measurement_uncertain'),
        (Conformity.BREAKS, Decision.REJECT, 'measurement'),
    ],
)
def test_a_measured_feature_decides_by_its_conformity(conformity, decision, code):
    views = shown(measured(conformity), measured(conformity))
    found = verdict(Fused((), SEEN), views, MEASURING)
    assert found.decision is decision
    (reason,) = [r for r in found.reasons if r.code == code]
    assert reason.text == 'hole: 12.0130 ± 0.0040 mm seen by scanner at bottom; limit 12.0100 mm'
    assert (reason.value, reason.limit) == (12.013, 12.01)


def test_of_several_measurements_the_most_certain_speaks():
    views = shown(measured(Conformity.UNCERTAIN, 0.02), measured(Conformity.CONFORMS, 0.002))
    assert verdict(Fused((), SEEN), views, MEASURING).decision is Decision.ACCEPT


def test_measurements_that_contradict_each_other_prove_nothing():
    views = shown(measured(Conformity.BREAKS, 0.02), measured(Conformity.CONFORMS, 0.002))
    assert verdict(Fused((), SEEN), views, MEASURING).decision is Decision.REVIEW


def test_a_feature_that_nobody_measured_is_not_proven_good():
    unmeasured = Finding('feature_hole', 0.0, unit='mm', not_judged='only 12 points on the wall')
    for views in (GOOD, shown(unmeasured, unmeasured)):
        found = verdict(Fused((), SEEN), views, MEASURING)
        assert found.decision is Decision.REVIEW
        assert found.reasons[0].code == 'feature_not_measured'


@pytest.mark.parametrize(
    ('conformity', 'decision'),
    [
        (Conformity.CONFORMS, Decision.ACCEPT),
        (Conformity.UNCERTAIN, Decision.REVIEW),
        (Conformity.BREAKS, Decision.REJECT),
    ],
)
def test_a_region_of_the_scan_decides_by_its_conformity(conformity, decision):
    dent = Defect(
        'dent', 1.0, peak_mm=-0.16, value=-0.16, limit=-0.15, unit='mm', conformity=conformity
    )
    assert verdict(Fused((dent,), SEEN)).decision is decision

"""Rules of the recipe: how many defects of which size are good where; doubt never forgives."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection_cell.findings import Conformity, Decision, Defect, Source
from inspection_cell.fusion.fuse import Fused
from inspection_cell.judging.defect_reasons import defect_reasons
from inspection_cell.observations import ViewKey
from inspection_cell.recipe import Recipe, RecipeFile
from inspection_cell.reference import ReferenceMesh
from inspection_cell.verdict import PRECEDENCE

UP = {'direction': (0, 0, 1)}
CONTENT = {
    'format': 1,
    'part_type': 'plate',
    'reference': {'mesh': 'plate.ply', 'units': 'm'},
    'zones': {
        'seal': {'boxes': [{'centre_mm': (-25, 0, 2), 'size_mm': (50, 60, 1)}], 'facing': UP},
        'back': {'facing': {'direction': (0, 0, -1)}},
    },
    'presentations': {
        'top': {'pose': {'position_mm': (0, 0, 0), 'rpy_deg': (0, 0, 0)}, 'sensors': ('left',)}
    },
    'detection': {'model': 'm', 'classes': {'scratch': {'max_length_mm': 3}, 'stain': {}}},
    'surface': {'tolerance_mm': (-0.2, 0.2)},
}
IN_SEAL, BESIDE_SEAL, ON_BACK = (-20, 0, 2), (20, 0, 2), (-20, 0, -2)


def plate():
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=float)
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    triangles = [t for a, b, c, d in faces for t in ((a, b, c), (a, c, d))]
    return ReferenceMesh((corners - 0.5) * (0.1, 0.06, 0.004), np.array(triangles))


PLATE = plate()


def ruled(*rules, **decision):
    content = CONTENT | {'decision': {'rules': rules, **decision}}
    return Recipe(Path('recipe.yaml'), 'h', RecipeFile.model_validate(content))


def scratch(at_mm=IN_SEAL, length_mm=1.0, probability=0.9, label='scratch', **changes):
    """As fusion tells it: judged against the limit of its class."""
    position = None if at_mm is None else np.array(at_mm) / 1e3
    normal = None if at_mm is None else np.array([0.0, 0.0, np.sign(at_mm[2])])
    defect = Defect(
        label,
        probability,
        position,
        normal,
        length_mm=0.0 if at_mm is None else length_mm,
        value=0.0 if at_mm is None else length_mm,
        limit=3.0 if label == 'scratch' and at_mm is not None else 0.0,
        unit='mm',
        sources=(Source(ViewKey('top', 'left'), label, probability),),
    )
    return replace(defect, **changes)


def reasons(recipe, *defects, reference=PLATE, **fused):
    return defect_reasons(recipe, Fused(tuple(defects), **fused), reference)


def decision(*args, **kwargs):
    found = [reason.decision for reason in reasons(*args, **kwargs)]
    return min(found, key=PRECEDENCE.index, default=Decision.ACCEPT)


NONE_IN_SEAL = {'labels': ['scratch'], 'zones': ['seal'], 'max_count': 0}
TEN_ON_BACK = {'labels': ['scratch'], 'zones': ['back'], 'max_length_mm': 10.0}


def test_a_rule_is_stricter_in_its_zone_and_says_so_with_value_and_limit():
    assert decision(ruled(), scratch(IN_SEAL)) is Decision.ACCEPT
    recipe = ruled(NONE_IN_SEAL)
    (reason,) = reasons(recipe, scratch(IN_SEAL))
    assert (reason.decision, reason.code) == (Decision.REJECT, 'rule_count')
    assert (reason.value, reason.limit) == (1, 0)
    assert reason.text == '1 counted (D1); rule 1 (scratch in seal) allows none'
    assert decision(recipe, scratch(BESIDE_SEAL)) is Decision.ACCEPT
    assert decision(recipe, scratch(ON_BACK)) is Decision.ACCEPT


def test_a_rule_is_looser_in_its_zone_alone_and_says_what_it_forgives():
    recipe = ruled(TEN_ON_BACK)
    (reason,) = reasons(recipe, scratch(ON_BACK, 8.0))
    assert (reason.decision, reason.code) == (Decision.ACCEPT, 'defect_allowed')
    assert (reason.value, reason.limit) == (8.0, 10.0)
    assert reason.text == (
        'D1 scratch 0.90 seen by left at top, 8 mm long: allowed by rule 1 (scratch in back)'
    )
    assert decision(recipe, scratch(IN_SEAL, 8.0)) is Decision.REJECT
    (reason,) = reasons(recipe, scratch(ON_BACK, 12.0))
    assert (reason.code, reason.value, reason.limit) == ('rule_length', 12.0, 10.0)
    assert reason.decision is Decision.REJECT


def test_a_rule_of_one_class_says_nothing_about_another():
    assert decision(ruled(TEN_ON_BACK), scratch(ON_BACK, label='stain')) is Decision.REJECT


def test_the_first_rule_that_names_class_and_zone_judges():
    everywhere = {'labels': ['scratch'], 'max_length_mm': 5.0}
    assert decision(ruled(TEN_ON_BACK, everywhere), scratch(ON_BACK, 8.0)) is Decision.ACCEPT
    assert decision(ruled(everywhere, TEN_ON_BACK), scratch(ON_BACK, 8.0)) is Decision.REJECT
    assert decision(ruled(everywhere), scratch(IN_SEAL, 4.0)) is Decision.ACCEPT


@pytest.mark.parametrize(('count', 'wanted'), [(2, Decision.ACCEPT), (3, Decision.REJECT)])
def test_so_many_are_good_and_no_more(count, wanted):
    rule = {'labels': ['stain'], 'max_count': 2, 'max_length_mm': 2.0}
    stains = [scratch((x, 0, 2), label='stain') for x in range(0, 10 * count, 10)]
    assert decision(ruled(rule), *stains) is wanted


def test_what_is_only_possible_counts_but_leads_to_a_person():
    rule = {'labels': ['stain'], 'max_count': 1}
    sure, possible = (scratch((x, 0, 2), label='stain') for x in (0, 10))
    possible = replace(possible, probability=0.4)
    assert decision(ruled(rule), sure, possible) is Decision.REVIEW
    assert decision(ruled(rule), sure, replace(possible, probability=0.2)) is Decision.ACCEPT


def test_a_rule_may_ask_for_a_person_instead():
    assert decision(ruled(NONE_IN_SEAL | {'decision': 'review'}), scratch()) is Decision.REVIEW


def test_two_must_not_be_too_near_to_each_other_from_rim_to_rim():
    rule = {'labels': ['scratch'], 'min_distance_mm': 5.0}
    first = scratch((0, 0, 2), 2.0)
    assert decision(ruled(rule), first, scratch((7.1, 0, 2), 2.0)) is Decision.ACCEPT
    found = reasons(ruled(rule), first, scratch((6.9, 0, 2), 2.0))
    assert [reason.code for reason in found] == ['rule_distance']
    assert found[0].value == pytest.approx(4.9)
    assert 'D1 and D2 are 4.9 mm apart; rule 1 (scratch) demands at least 5 mm' in found[0].text


def test_small_ones_may_be_ignored():
    rule = {'labels': ['stain'], 'max_count': 0, 'ignore_below_mm': 0.5}
    assert decision(ruled(rule), scratch(label='stain', length_mm=0.4)) is Decision.ACCEPT
    assert decision(ruled(rule), scratch(label='stain', length_mm=0.6)) is Decision.REJECT


def test_an_area_nobody_measured_is_that_of_a_disc_as_wide_as_the_defect_is_long():
    rule = {'labels': ['scratch'], 'max_area_mm2': 4.0}
    assert decision(ruled(rule), scratch(length_mm=2.2)) is Decision.ACCEPT
    assert decision(ruled(rule), scratch(length_mm=2.3)) is Decision.REJECT
    own = (Source(ViewKey('top', 'scanner'), 'dent', 1.0),)
    rule = rule | {'labels': ['scratch', 'dent']}
    measured = replace(DENT, length_mm=9.0, area_mm2=3.9, sources=own)
    assert decision(ruled(rule), measured) is Decision.ACCEPT


def test_a_small_dent_within_a_stain_does_not_make_the_stain_small():
    rule = {'labels': ['stain', 'dent'], 'max_area_mm2': 4.0}
    stain = scratch(ON_BACK, label='stain', length_mm=9.0)
    assert decision(ruled(rule), stain) is Decision.REJECT
    dented = replace(
        stain,
        area_mm2=1.2,
        sources=(*stain.sources, Source(ViewKey('top', 'scanner'), 'dent', 1.0)),
    )
    assert decision(ruled(rule), dented) is Decision.REJECT


DENT = scratch(
    ON_BACK, label='dent', probability=1.0, peak_mm=-0.3, value=-0.3, limit=-0.2,
    conformity=Conformity.BREAKS,
)  # fmt: skip


def test_a_dent_beyond_its_tolerance_may_be_allowed_as_far_as_it_is_measured():
    assert decision(ruled(), DENT) is Decision.REJECT
    shallow = {'labels': ['dent'], 'zones': ['back'], 'max_count': 1, 'max_peak_mm': 0.4}
    assert decision(ruled(shallow), DENT) is Decision.ACCEPT
    deep = replace(DENT, peak_mm=-0.5, value=-0.5)
    assert decision(ruled(shallow), deep) is Decision.REJECT
    unmeasured = replace(DENT, peak_mm=0.0, conformity=Conformity.UNKNOWN)
    (reason,) = reasons(ruled(shallow), unmeasured)
    assert (reason.decision, reason.code) == (Decision.REJECT, 'rule_not_measured')


def test_what_a_scan_proves_to_be_within_its_tolerance_does_not_count():
    within = replace(DENT, conformity=Conformity.CONFORMS)
    assert decision(ruled({'labels': ['dent'], 'max_count': 0}), within) is Decision.ACCEPT


def test_a_dent_within_its_uncertainty_leads_to_a_person_at_most():
    uncertain = replace(DENT, conformity=Conformity.UNCERTAIN)
    assert decision(ruled({'labels': ['dent'], 'max_count': 0}), uncertain) is Decision.REVIEW


def test_a_defect_of_two_classes_needs_both_to_be_forgiven():
    both = scratch(
        ON_BACK, 8.0,
        sources=(*scratch().sources, Source(ViewKey('top', 'scanner'), 'dent', 1.0)),
    )  # fmt: skip
    assert decision(ruled(TEN_ON_BACK), both) is Decision.REJECT
    assert decision(ruled(TEN_ON_BACK | {'labels': ['scratch', 'dent']}), both) is Decision.ACCEPT


def test_a_defect_without_a_position_counts_in_every_zone_and_no_zone_forgives_it():
    nowhere = scratch(None)
    codes = [reason.code for reason in reasons(ruled(NONE_IN_SEAL, TEN_ON_BACK), nowhere)]
    assert 'rule_count' in codes
    assert decision(ruled(TEN_ON_BACK), nowhere) is Decision.REJECT
    forgiving = {'labels': ['scratch'], 'zones': ['back'], 'max_count': 5}
    assert decision(ruled(forgiving), nowhere) is Decision.REJECT
    assert decision(ruled({'labels': ['scratch'], 'max_length_mm': 99}), nowhere) is (
        Decision.REJECT
    )


def test_without_the_mesh_no_zone_forgives_and_every_zone_counts():
    assert decision(ruled(NONE_IN_SEAL), scratch(ON_BACK), reference=None) is Decision.REJECT
    assert decision(ruled(TEN_ON_BACK), scratch(ON_BACK, 8), reference=None) is Decision.REJECT


def test_a_defect_whose_rim_reaches_into_a_zone_counts_there_and_is_not_forgiven_by_it():
    across = scratch((1.5, 0, 2), 4.0)  # the seal ends at x = 0
    assert decision(ruled(NONE_IN_SEAL), across) is Decision.REJECT
    lax = {'labels': ['scratch'], 'zones': ['seal'], 'max_length_mm': 10.0}
    assert decision(ruled(lax), across) is Decision.REJECT
    assert decision(ruled(lax), scratch((-4, 0, 2), 4.0)) is Decision.ACCEPT


def test_a_place_that_is_not_known_well_reaches_as_far_as_it_may_be_wrong():
    beside = scratch((2, 0, 2), 1.0)
    assert decision(ruled(NONE_IN_SEAL), beside) is Decision.ACCEPT
    unsure = replace(beside, position_sigma_mm=1.0)
    assert decision(ruled(NONE_IN_SEAL), unsure) is Decision.REJECT


def test_a_defect_reaches_as_far_as_its_findings_wherever_its_position_is():
    beside = scratch((8, 0, 2), 2.0)  # the seal ends at x = 0
    assert decision(ruled(NONE_IN_SEAL), beside) is Decision.ACCEPT
    assert decision(ruled(NONE_IN_SEAL), replace(beside, reach_mm=9.0)) is Decision.REJECT


@pytest.mark.parametrize('x_mm', [9.0, 9.5, 10.0, 10.25])
def test_a_long_defect_does_not_step_over_a_narrow_zone(x_mm):
    groove = {'boxes': [{'centre_mm': (x_mm, 0, 2), 'size_mm': (0.3, 60, 1)}]}
    none = {'labels': ['scratch'], 'zones': ['groove'], 'max_count': 0}
    content = CONTENT | {'zones': {'groove': groove}, 'decision': {'rules': [none]}}
    recipe = Recipe(Path('recipe.yaml'), 'h', RecipeFile.model_validate(content))
    assert decision(recipe, scratch((0, 0, 2), 60.0)) is Decision.REJECT


def test_several_defects_that_are_each_improbable_make_a_part_probably_bad():
    weak = [scratch((x, 0, 2), 9.0, probability=0.25) for x in (0, 10, 20)]
    found = reasons(ruled(), *weak, bad_probability=0.58)
    assert found[-1].code == 'part_probably_bad'
    assert (found[-1].value, found[-1].limit) == (0.58, 0.5)
    assert found[-1].decision is Decision.REJECT
    found = reasons(ruled(), *weak[:2], bad_probability=0.44)
    assert (found[-1].code, found[-1].decision) == ('part_uncertain', Decision.REVIEW)
    assert decision(ruled(), *weak[:2], bad_probability=0.29) is Decision.ACCEPT


def test_the_part_as_a_whole_is_not_told_where_one_defect_decides():
    found = reasons(ruled(), scratch(length_mm=9.0), bad_probability=0.9)
    assert [reason.code for reason in found] == ['defect']


def test_what_a_rule_forgives_does_not_make_the_part_bad():
    forgiven = scratch(ON_BACK, 8.0)
    assert decision(ruled(TEN_ON_BACK), forgiven, bad_probability=0.9) is Decision.ACCEPT
    weak = [scratch((x, 0, 2), 9.0, probability=0.25) for x in (0, 10, 20)]
    found = reasons(ruled(TEN_ON_BACK), forgiven, *weak, bad_probability=0.96)
    assert (found[-1].code, round(found[-1].value, 2)) == ('part_probably_bad', 0.58)


def test_a_measurement_within_its_uncertainty_stays_with_a_person():
    uncertain = replace(DENT, conformity=Conformity.UNCERTAIN)
    assert decision(ruled(), uncertain, bad_probability=0.6) is Decision.REVIEW


PLACES = st.sampled_from([IN_SEAL, BESIDE_SEAL, ON_BACK, (1, 0, 2), None])
DEFECTS = st.lists(
    st.builds(scratch, PLACES, st.floats(0.1, 12), st.floats(0, 1), st.just('scratch')),
    max_size=4,
)


@settings(deadline=None, max_examples=60)
@given(DEFECTS, DEFECTS)
def test_one_more_defect_never_makes_a_part_better(some, more):
    rules = (
        NONE_IN_SEAL | {'ignore_below_mm': 0.5},
        TEN_ON_BACK | {'max_count': 2, 'min_distance_mm': 4},
        {'labels': ['scratch'], 'max_count': 1, 'max_length_mm': 5},
    )
    recipe = ruled(*rules)
    fewer, all_of_them = decision(recipe, *some), decision(recipe, *some, *more)
    assert PRECEDENCE.index(all_of_them) <= PRECEDENCE.index(fewer)


@settings(deadline=None, max_examples=60)
@given(DEFECTS)
def test_a_defect_that_cannot_be_placed_is_never_better_off(defects):
    recipe = ruled(NONE_IN_SEAL, TEN_ON_BACK)
    placed = decision(recipe, *defects)
    assert PRECEDENCE.index(decision(recipe, *defects, reference=None)) <= (
        PRECEDENCE.index(placed)
    )


@settings(deadline=None, max_examples=60)
@given(DEFECTS)
def test_every_defect_is_told_and_every_breach_has_value_and_limit(defects):
    found = reasons(ruled(NONE_IN_SEAL, TEN_ON_BACK), *defects)
    by_rule = set(re.findall(r'D\d+', ' '.join(reason.text for reason in found)))
    by_class = [r for r in found if r.code.startswith('defect') and 'D' not in r.text]
    assert len(by_rule) + len(by_class) >= len(defects)
    for reason in found:
        if reason.code in ('rule_length', 'rule_count'):
            assert reason.value > reason.limit


def test_zones_of_a_rule_are_taken_together():
    halves = {
        name: {'boxes': [{'centre_mm': (x_mm, 0, 2), 'size_mm': (50, 60, 1)}], 'facing': UP}
        for name, x_mm in (('left', -25), ('right', 25))
    }
    lax = {'labels': ['scratch'], 'zones': ['left', 'right'], 'max_length_mm': 10.0}
    content = CONTENT | {'zones': halves, 'decision': {'rules': [lax]}}
    recipe = Recipe(Path('recipe.yaml'), 'h', RecipeFile.model_validate(content))
    across = scratch((0, 0, 2), 6.0)
    assert decision(recipe, across) is Decision.ACCEPT
    alone = content | {'decision': {'rules': [{**lax, 'zones': ['left']}]}}
    recipe = Recipe(Path('recipe.yaml'), 'h', RecipeFile.model_validate(alone))
    assert decision(recipe, across) is Decision.REJECT


def test_less_evidence_of_what_a_rule_allows_is_no_worse_than_more():
    few = {'labels': ['stain'], 'max_count': 5, 'max_length_mm': 1.5}
    for probability in (0.2, 0.99):
        stains = [scratch((x, 0, 2), 1.0, probability, 'stain') for x in (0, 20)]
        bad = 1.0 - (1.0 - probability) ** 2
        assert decision(ruled(few), *stains, bad_probability=bad) is Decision.ACCEPT


def test_several_improbable_ones_that_a_rule_forbids_make_a_part_probably_bad():
    weak = [scratch((x, 0, 2), 1.0, 0.25) for x in (-40, -30, -20, -10, -5)]
    assert decision(ruled(), *weak, bad_probability=0.0) is Decision.ACCEPT
    (code,) = {
        reason.code
        for reason in reasons(ruled(NONE_IN_SEAL), *weak, bad_probability=0.0)
        if reason.decision is not Decision.ACCEPT
    }
    assert code.startswith('part_')
    beside = [replace(one, position_m=one.position_m * (-1, 1, 1)) for one in weak]
    assert decision(ruled(NONE_IN_SEAL), *beside, bad_probability=0.0) is Decision.ACCEPT

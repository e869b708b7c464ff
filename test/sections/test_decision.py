"""The section `decision`: what cannot be meant is refused at the door, with what is allowed."""

import pytest
import yaml

from inspection_cell.errors import ConfigError
from inspection_cell.recipe import load_recipe

POSE = {'position_mm': [0, 0, 500], 'rpy_deg': [0, 0, 0]}
RULE = {'labels': ['scratch'], 'zones': ['seal'], 'max_count': 2, 'max_length_mm': 3.0}


def load(folder, rules, **sections):
    (folder / 'part.stl').write_bytes(b'solid')
    content = {
        'format': 1,
        'part_type': 'bracket',
        'reference': {'mesh': 'part.stl', 'units': 'mm'},
        'zones': {'seal': {'spheres': [{'centre_mm': [0, 0, 0], 'radius_mm': 9}]}},
        'presentations': {'top': {'pose': POSE, 'sensors': ['left', 'scanner']}},
        'detection': {'model': 'model', 'classes': {'scratch': {}}},
        'surface': {'tolerance_mm': [-0.2, 0.2]},
        'decision': {'rules': rules},
        **sections,
    }
    path = folder / 'recipe.yaml'
    path.write_text(yaml.safe_dump({k: v for k, v in content.items() if v is not None}))
    return load_recipe(path)


def test_rules_come_in_their_order_with_safe_defaults(tmp_path):
    rules = load(tmp_path, [RULE, {'labels': ['dent'], 'max_count': 0}]).file.decision.rules
    assert [rule.max_count for rule in rules] == [2, 0]
    assert {rule.decision for rule in rules} == {'reject'}
    assert rules[1].zones is None and rules[1].ignore_below_mm == 0.0


def test_no_rules_are_the_default(tmp_path):
    assert load(tmp_path, []).file.decision.rules == ()


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'zones': ['sael']}, 'decision.rules.0.zones: sael: a zone of this recipe: seal'),
        ({'labels': ['scrach']}, 'decision.rules.0.labels: scrach: a class under detection'),
        ({'labels': []}, 'decision.rules.0.labels'),
        ({'zones': []}, 'decision.rules.0.zones'),
        ({'max_count': -1}, 'decision.rules.0.max_count'),
        ({'max_count': 1.5}, 'decision.rules.0.max_count'),
        ({'max_length_mm': 0}, 'decision.rules.0.max_length_mm'),
        ({'min_distance_mm': -2}, 'decision.rules.0.min_distance_mm'),
        ({'decision': 'accept'}, 'decision.rules.0.decision'),
        ({'max_count': None, 'max_length_mm': None}, 'give max_count, max_length_mm'),
        ({'ignore_below_mm': 4}, 'ignore_below_mm must not exceed max_length_mm'),
    ],
)
def test_rules_that_cannot_be_meant_are_refused(tmp_path, changes, words):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, [RULE | changes])
    assert words in str(caught.value)


def test_labels_of_scans_are_known_only_where_scans_are(tmp_path):
    load(tmp_path, [RULE | {'labels': ['dent', 'burr']}])
    with pytest.raises(ConfigError, match=r'rules\.0\.labels: dent'):
        load(tmp_path, [RULE | {'labels': ['dent']}], surface=None)


def test_without_a_reference_mesh_rules_can_only_count(tmp_path):
    bare = {'reference': 'none', 'zones': None, 'surface': None}
    rule = {'labels': ['scratch'], 'max_count': 2}
    assert load(tmp_path, [rule], **bare).file.decision.rules[0].max_count == 2
    for size in ({'max_length_mm': 3.0}, {'min_distance_mm': 5.0}, {'ignore_below_mm': 1.0}):
        with pytest.raises(ConfigError, match='max_count alone'):
            load(tmp_path, [rule | size], **bare)

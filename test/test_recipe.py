"""`recipe.yaml`: safe defaults, refusal, and whether it fits its cell."""

from pathlib import Path

import pytest
import yaml

from inspection_cell.cell import Cell, CellFile
from inspection_cell.errors import ConfigError
from inspection_cell.recipe import RecipeFile, check_coverable, check_fit, load_recipe

POSE = {'position_mm': [0, 0, 500], 'rpy_deg': [0, 0, 0]}
SENSOR = {'topic': 'a', 'pose': POSE}
CELL = Cell(
    Path('cell.yaml'),
    '',
    CellFile(
        format=1,
        name='demo',
        sensors={
            'left': {**SENSOR, 'kind': 'camera', 'camera_info_topic': 'b'},
            'scanner': {**SENSOR, 'kind': 'scanner'},
        },
    ),
)


def write(folder, **sections):
    (folder / 'part.stl').write_bytes(b'solid')
    content = {
        'format': 1,
        'part_type': 'bracket',
        'reference': {'mesh': 'part.stl', 'units': 'mm'},
        'presentations': {'top': {'pose': POSE, 'sensors': ['left', 'scanner']}},
        'detection': {'model': 'model'},
        'surface': {'tolerance_mm': [-0.2, 0.2]},
        **sections,
    }
    path = folder / 'recipe.yaml'
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def refused(path):
    with pytest.raises(ConfigError) as caught:
        load_recipe(path)
    return str(caught.value)


def test_a_good_recipe_loads_and_fits_its_cell(tmp_path):
    recipe = load_recipe(write(tmp_path))
    check_fit(recipe, CELL)
    assert recipe.part_type == 'bracket'
    assert recipe.mesh_path == tmp_path / 'part.stl'


def test_more_views_than_the_sensors_of_a_kind_give_are_refused(tmp_path):
    twice = load_recipe(write(tmp_path, coverage={'minimum': 0.5, 'min_views': 2}))
    check_coverable(twice, CELL)
    scanned = {'minimum': 0.5, 'min_views': 2, 'by': 'scanner'}
    with pytest.raises(ConfigError, match=r"at most 1: so many views of the kind 'scanner'"):
        check_coverable(load_recipe(write(tmp_path, coverage=scanned)), CELL)


def test_by_default_no_length_of_a_defect_is_allowed(tmp_path):
    recipe = load_recipe(write(tmp_path, detection={'model': 'm', 'classes': {'scratch': {}}}))
    assert recipe.file.detection.classes['scratch'].max_length_mm == 0.0
    assert recipe.file.decision.reject_probability <= 0.5


@pytest.mark.parametrize(
    ('sections', 'words'),
    [
        ({'reference': {'mesh': 'absent.stl', 'units': 'mm'}}, 'an existing mesh file'),
        ({'reference': {'mesh': 'part.stl'}}, 'units: missing'),
        ({'reference': 'none'}, 'need a reference mesh'),
        (
            {
                'reference': 'none',
                'surface': None,
                'detection': {
                    'model': 'm',
                    'features': [{'label': 'screw', 'positions_mm': [[1, 2, 3]]}],
                },
            },
            'positions_mm need a reference mesh; give count',
        ),
        (
            {'presentations': {'top': {'pose': POSE, 'sensors': ['left', 'left']}}},
            'left: each looks once',
        ),
        ({'silhouette': {'min_iou': 0.0}}, 'silhouette.min_iou: 0.0'),
        (
            {'surface': {'tolerance_mm': [-1, 1], 'registration': {'min_explained': 0.0}}},
            'surface.registration.min_explained: 0.0',
        ),
        ({'presentations': {}}, 'at least 1'),
        ({'surface': {'tolerance_mm': [0.1, 0.2]}}, 'must be [negative, positive]'),
        ({'surface': {'tolerance_mm': [-0.1]}}, 'tolerance_mm.1: missing'),
        ({'decision': {'review_probability': 0.9}}, 'must not exceed'),
        ({'decision': {'review_probability': 1, 'reject_probability': 1}}, 'less than or equal'),
        ({'coverage': {'minimum': 1.1}}, 'less than or equal to 1'),
        ({'detection': {'model': 'm', 'features': [{'label': 'screw'}]}}, 'positions_mm or count'),
        ({'tolerances': {}}, 'unknown key'),
    ],
)
def test_recipes_that_cannot_be_meant_are_refused(tmp_path, sections, words):
    assert words in refused(write(tmp_path, **sections))


def test_every_point_in_which_a_recipe_does_not_fit_its_cell_is_told(tmp_path):
    presentations = {
        'top': {'pose': POSE, 'sensors': ['left', 'rear']},
        'side': {'pose': POSE, 'sensors': ['scanner']},
    }
    path = write(tmp_path, presentations=presentations, detection=None, surface=None)
    with pytest.raises(ConfigError) as caught:
        check_fit(load_recipe(path), CELL)
    assert [(problem.key, problem.value) for problem in caught.value.problems] == [
        ('presentations.top.sensors', 'left'),
        ('presentations.top.sensors', 'rear'),
        ('presentations.side.sensors', 'scanner'),
    ]


TWICE = {
    name: {'pose': POSE, 'sensors': ['left', 'scanner']} for name in ('top', 'turned', 'tilted')
}


def together(*scanners, **more):
    return {'surface': {'tolerance_mm': [-0.2, 0.2], 'together': list(scanners)}, **more}


def test_scans_that_are_judged_together_are_one_view_in_the_order_of_the_presentations(tmp_path):
    recipe = load_recipe(write(tmp_path, presentations=TWICE, **together('scanner')))
    check_fit(recipe, CELL)
    held = [view.presentation for view in recipe.file.joint_scans]
    assert held == ['top', 'turned', 'tilted']
    assert str(recipe.file.joint_view) == 'scanner at top+turned+tilted'
    alone = load_recipe(write(tmp_path, presentations=TWICE))
    assert (alone.file.joint_scans, alone.file.joint_view) == ((), None)


@pytest.mark.parametrize(
    ('sections', 'words'),
    [
        (together('scanner'), 'at least two of them together'),  # one presentation
        (together('other', presentations=TWICE), 'surface.together: other'),
        (
            together('scanner', presentations=TWICE, coverage={'min_views': 5}),
            'at most 4: so many views',  # three of the camera, and what the scans say together
        ),
    ],
)
def test_scans_that_cannot_be_judged_together_are_refused(tmp_path, sections, words):
    assert words in refused(write(tmp_path, **sections))


def test_only_scanners_can_be_judged_together(tmp_path):
    recipe = load_recipe(write(tmp_path, presentations=TWICE, **together('left')))
    with pytest.raises(ConfigError, match=r'surface\.together.*a scanner of cell\.yaml: scanner'):
        check_fit(recipe, CELL)


def test_every_field_of_the_file_is_described_in_the_schema():
    schema = RecipeFile.model_json_schema()
    fields = [
        (name, field)
        for part in (schema, *schema['$defs'].values())
        for name, field in part.get('properties', {}).items()
    ]
    # pydantic leaves a description out where the referenced section has the same one
    silent = [name for name, field in fields if not {'description', '$ref'} & set(field)]
    assert silent == []


FORCE = {'unit': 'N', 'min_duration_s': 0.5, 'limits': [{'measure': 'peak', 'high': 10}]}
FORCE_SENSOR = {'kind': 'process', 'topic': 'force', 'unit': 'N', 'deadline_s': 2.0}


def pressed_cell():
    sensors = {**CELL.file.model_dump()['sensors'], 'force': FORCE_SENSOR}
    return Cell(Path('cell.yaml'), '', CellFile(format=1, name='demo', sensors=sensors))


@pytest.mark.parametrize(
    ('limit', 'expected'),
    [
        ({'measure': 'peak'}, 'give low, high or both'),
        ({'measure': 'peak', 'low': 2, 'high': 1}, 'low must not exceed high'),
        ({'measure': 'band_rms', 'high': 1}, 'band_hz is required'),
        ({'measure': 'rms', 'high': 1, 'band_hz': [1, 2]}, 'for no other measure'),
        ({'measure': 'band_rms', 'high': 1, 'band_hz': [5, 2]}, 'band_hz must be'),
        ({'measure': 'median', 'high': 1}, 'peak'),
    ],
)
def test_a_process_limit_that_limits_nothing_is_refused(tmp_path, limit, expected):
    told = refused(write(tmp_path, process={'force': {**FORCE, 'limits': [limit]}}))
    assert 'process.force.limits.0' in told
    assert expected in told


def test_a_recipe_with_a_process_section_fits_a_cell_with_that_sensor(tmp_path):
    top = {'pose': POSE, 'sensors': ['left', 'scanner', 'force']}
    recipe = load_recipe(write(tmp_path, presentations={'top': top}, process={'force': FORCE}))
    check_fit(recipe, pressed_cell())


@pytest.mark.parametrize(
    ('section', 'expected'),
    [
        ({}, 'it needs the section `process.force`'),
        ({'force': FORCE, 'left': FORCE}, 'process.left'),
        ({'force': FORCE, 'sound': FORCE}, 'process.sound'),
        ({'force': {**FORCE, 'unit': 'kN'}}, 'unit of force: N'),
        ({'force': {**FORCE, 'min_duration_s': 2.0}}, 'less than the deadline_s of force: 2'),
    ],
)
def test_a_process_section_must_belong_to_a_process_sensor_of_the_cell(
    tmp_path, section, expected
):
    top = {'pose': POSE, 'sensors': ['force']}
    recipe = load_recipe(write(tmp_path, presentations={'top': top}, process=section))
    with pytest.raises(ConfigError) as caught:
        check_fit(recipe, pressed_cell())
    assert expected in str(caught.value)

"""The whole simulated cell with real TF: the scanner on the robot's flange, the part fixed."""

import json

import pytest
import yaml
from moved_sensors import with_moved_sensors

from inspection_cell.geometry import pose_difference
from inspection_cell.records.store import RecordStore
from inspection_cell.schema import Pose

pytest.importorskip('tf2_ros', reason='tf2_ros is missing: it comes with an installed ROS 2')


def summary_of(process):
    stdout, stderr = process.communicate(timeout=110.0)
    assert process.returncode == 0, stderr
    return json.loads(stdout.splitlines()[-1])


@pytest.fixture
def moved_cell(scanner_cell):
    """The cell with the scanner moved around the parts, which TF knows too."""
    cell = yaml.safe_load(scanner_cell.cell.read_text())
    cell['robot']['part_from_tf'] = {}
    for path in scanner_cell.recipes:
        content, recipe = with_moved_sensors(cell, yaml.safe_load(path.read_text()), 'scanner')
        path.write_text(yaml.safe_dump(recipe))
    scanner_cell.cell.write_text(yaml.safe_dump(content))
    return scanner_cell


def test_the_simulated_cell_inspects_with_a_scanner_that_moves_as_with_a_part_that_moves(
    command, moved_cell
):
    run = command('demo', '--parts', 2, '--seed', 1, *moved_cell.options, '--json')
    summary = summary_of(run)
    assert (summary['parts'], summary['good'], summary['defective']) == (2, 1, 1)
    assert (summary['escapes'], summary['unknown']) == (0, 0)
    store = RecordStore(moved_cell.data_dir)
    verdicts = [record.verdict for record in store.list()]
    store.close()
    files = [yaml.safe_load(path.read_text()) for path in moved_cell.recipes]
    recipes = {content['part_type']: content for content in files}
    for verdict in verdicts:
        named = recipes[verdict.part_type]['presentations']
        for view in verdict.views:
            placed = named[view.view.presentation].get('sensor_poses')
            if placed:
                meant = Pose.model_validate(placed['scanner']).transform()
                away_m, turned_rad = pose_difference(view.transform_sensor_to_cell, meant)
                assert away_m < 1e-6
                assert turned_rad < 1e-6
        assert any(named[view.view.presentation].get('sensor_poses') for view in verdict.views)

"""`cell.yaml`: safe defaults, and refusal of what cannot be a cell."""

import pytest
import yaml

from inspection_cell.cell import CellFile, StampMeaning, load_cell
from inspection_cell.errors import ConfigError

POSE = {'position_mm': [0, 0, 500], 'look_at_mm': [0, 0, 0]}
INTRINSICS = {'width': 1280, 'height': 960, 'fx': 1100, 'fy': 1100, 'cx': 640, 'cy': 480}


def camera(**changes):
    return {
        'kind': 'camera',
        'topic': 'left/image_raw',
        'camera_info_topic': 'left/camera_info',
        'pose': POSE,
        **changes,
    }


def scanner(**changes):
    return {'kind': 'scanner', 'topic': 'scan/points', 'pose': POSE, **changes}


def write(folder, sensors=None, **sections):
    sensors = sensors or {'left': camera(), 'scanner': scanner()}
    path = folder / 'cell.yaml'
    path.write_text(yaml.safe_dump({'format': 1, 'name': 'demo', 'sensors': sensors, **sections}))
    return path


def refused(path):
    with pytest.raises(ConfigError) as caught:
        load_cell(path)
    return str(caught.value)


def test_the_smallest_cell_has_safe_defaults(tmp_path):
    cell = load_cell(write(tmp_path))
    assert set(cell.cameras) == {'left'}
    assert set(cell.scanners) == {'scanner'}
    stamp = cell.sensors['left'].stamp
    assert stamp.meaning is StampMeaning.EXPOSURE_START
    assert stamp.uncertainty_ms > 0
    disposition = cell.file.disposition
    assert disposition.buffer == 1
    assert disposition.release_valid_s < disposition.decide_within_s
    assert disposition.bins['ACCEPT'] not in {
        name for decision, name in disposition.bins.items() if decision != 'ACCEPT'
    }


@pytest.mark.parametrize('topic', ['', 'left image raw', '/', 'a//b', '3d/points', 'a/', 'ä'])
def test_a_topic_that_ros_would_refuse_is_refused(tmp_path, topic):
    assert 'sensors.left' in refused(write(tmp_path, {'left': camera(topic=topic)}))


def test_one_topic_named_relatively_and_in_full_is_one_topic(tmp_path):
    sensors = {'left': camera(), 'right': camera(topic='/demo/left/image_raw')}
    assert 'each topic belongs to one sensor' in refused(write(tmp_path, sensors))
    sensors['right'] = camera(topic='/other/left/image_raw')
    assert set(load_cell(write(tmp_path, sensors)).cameras) == {'left', 'right'}


def test_problems_of_several_sensors_are_told_together(tmp_path):
    sensors = {
        'left': camera(pose={**POSE, 'rpy_deg': [0, 0, 0]}),
        'Right': camera(topic='right'),
        'third': {**camera(), 'kind': 'lidar'},
        'scanner': scanner(deadline_s=-1, exposure=3),
    }
    text = refused(write(tmp_path, sensors))
    for key in ('sensors.left', 'sensors.Right', 'sensors.third', 'deadline_s', 'exposure'):
        assert key in text
    assert len(text.split('\n')) == 5


@pytest.mark.parametrize(
    ('sensor', 'words'),
    [
        (camera(camera_info_topic=''), 'give camera_info_topic or intrinsics'),
        (camera(intrinsics={**INTRINSICS, 'distortion': [0.1]}), '1 coefficients for plumb_bob'),
        (camera(intrinsics={**INTRINSICS, 'fx': 0}), 'greater than 0'),
        (camera(trigger={'kind': 'software'}), 'topic is required for software'),
        (camera(trigger={'topic': 'shoot'}), 'topic is required for software'),
        (camera(stamp={'meaning': 'whenever'}), 'exposure_start'),
    ],
)
def test_impossible_sensors_are_refused(tmp_path, sensor, words):
    assert words in refused(write(tmp_path, {'left': sensor}))


@pytest.mark.parametrize(
    ('sensor', 'words'),
    [
        (camera(from_tf={}), 'exactly one of pose and from_tf'),
        (camera(pose=None), 'exactly one of pose and from_tf'),
        (camera(pose=None, from_tf={'frame': '/wrist'}), 'from_tf.frame'),  # tf2 refuses it
        (camera(pose=None, from_tf={'within_s': 60}), 'from_tf.within_s'),
        (camera(pose=None, from_tf={'parent': 'base_link'}), 'from_tf.parent'),
    ],
)
def test_a_sensor_has_its_pose_either_here_or_in_tf(tmp_path, sensor, words):
    assert words in refused(write(tmp_path, {'left': sensor}))


def test_a_sensor_whose_pose_comes_from_tf_may_have_a_nominal_one(tmp_path):
    sensors = {
        'left': camera(),
        'wrist': camera(topic='w', pose=None, from_tf={'nominal': POSE}),
        'other': camera(topic='o', pose=None, from_tf={'frame': 'tool0/cam'}),
    }
    cell = load_cell(write(tmp_path, sensors, robot={'part_from_tf': {}}, frame='base_link'))
    nominal = {name: sensor.nominal is not None for name, sensor in cell.posed_sensors.items()}
    assert nominal == {'left': True, 'wrist': True, 'other': False}
    assert cell.file.robot.part_from_tf.within_s > 0


def test_two_sensors_never_share_a_topic(tmp_path):
    text = refused(write(tmp_path, {'left': camera(), 'right': camera()}))
    assert 'left/image_raw' in text
    assert 'one sensor' in text


@pytest.mark.parametrize(
    ('disposition', 'words'),
    [
        ({'buffer': 3}, 'buffer must be 1'),
        ({'kind': 'belt', 'bins': {'ACCEPT': 'good'}}, 'must name every decision'),
        (
            {'bins': {'ACCEPT': 'a', 'REJECT': 'b', 'REVIEW': 'c', 'UNKNOWN': 'a'}},
            'bin of ACCEPT must differ',
        ),
        ({'release_valid_s': 0}, 'greater than 0'),
    ],
)
def test_a_reject_side_that_could_let_bad_parts_pass_is_refused(tmp_path, disposition, words):
    assert words in refused(write(tmp_path, disposition=disposition))


def test_every_field_of_the_file_is_described_in_the_schema():
    schema = CellFile.model_json_schema()
    described = [schema, *schema['$defs'].values()]
    fields = [
        (name, field) for part in described for name, field in part.get('properties', {}).items()
    ]
    silent = {name for name, field in fields if not field.get('description')}
    assert silent <= {'kind'}  # says itself what it is


def test_a_process_sensor_has_a_unit_and_no_pose(tmp_path):
    force = {'kind': 'process', 'topic': 'force', 'unit': 'N'}
    cell = load_cell(write(tmp_path, {'left': camera(), 'force': force}))
    assert set(cell.process_sensors) == {'force'}
    assert set(cell.posed_sensors) == {'left'}
    assert cell.process_sensors['force'].stamp.meaning is StampMeaning.EXPOSURE_START
    wrong = {'posed': {**force, 'pose': POSE}, 'bare': {'kind': 'process', 'topic': 'sound'}}
    told = refused(write(tmp_path, wrong))
    assert 'posed.process.pose' in told
    assert 'bare.process.unit' in told

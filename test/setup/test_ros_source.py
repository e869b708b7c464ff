"""Where the set-up takes ROS 2 from."""

import sys
from pathlib import Path

import ros_source
from ros_source import RosSource, build_environment, find_ros, mend_cmake_files

WHEELS = RosSource('wheels', Path(sys.executable), 2)
SOURCED = RosSource('jazzy', Path('/usr/bin/python3'), 1)
VENV = Path('/cell/.venv')


def test_without_a_sourced_ros_the_wheels_are_used_with_a_python_outside_any_venv():
    ros = find_ros({})
    assert ros.from_wheels
    assert ros.numpy_major == 2
    assert not ros.python.is_relative_to(sys.prefix) or sys.prefix == sys.base_prefix


def test_a_sourced_ros_that_can_be_imported_is_used_with_its_numpy(monkeypatch):
    answers = {'/usr/bin/python3': ['/usr/bin/python3', '1.26.4']}
    monkeypatch.setattr(ros_source, '_ask', answers.get)
    assert find_ros({'ROS_DISTRO': 'jazzy'}) == SOURCED


def test_a_sourced_ros_that_cannot_be_imported_is_passed_over(monkeypatch):
    monkeypatch.setattr(ros_source, '_ask', lambda python: None)
    assert find_ros({'ROS_DISTRO': 'jazzy'}).from_wheels


def test_the_build_sees_nothing_of_another_virtual_environment():
    environ = {
        'PATH': '/usr/bin',
        'VIRTUAL_ENV': '/other',
        'PYTHONPATH': '/other/lib',
        '_ROS_WHEELS_BOOTSTRAP_COMPLETE': '1',
        'LD_LIBRARY_PATH': '/other/lib',
        'AMENT_PREFIX_PATH': '/other',
    }
    env = build_environment(VENV, WHEELS, environ)
    assert '/other' not in ' '.join(env.values())
    assert env['PATH'].split(':') == ['/cell/.venv/bin', '/usr/bin']
    assert env['AMENT_PREFIX_PATH'] == env['CMAKE_PREFIX_PATH'] == '/cell/.venv'


def test_the_build_on_a_sourced_ros_keeps_its_paths_behind_our_own():
    ros = '/opt/ros/jazzy'
    environ = {
        'PYTHONPATH': f'{ros}/lib',
        'LD_LIBRARY_PATH': f'{ros}/lib',
        'AMENT_PREFIX_PATH': ros,
    }
    env = build_environment(VENV, SOURCED, environ)
    assert env['AMENT_PREFIX_PATH'] == f'/cell/.venv:{ros}'
    assert env['PYTHONPATH'] == env['LD_LIBRARY_PATH'] == f'{ros}/lib'


def test_the_include_folders_of_the_builder_become_those_of_this_machine(tmp_path):
    builder = '/opt/python/cp312-cp312'
    file = tmp_path / 'share' / 'std_msgs' / 'cmake' / 'export.cmake'
    file.parent.mkdir(parents=True)
    file.write_text(
        f'INCLUDE "${{_PREFIX}}/include;{builder}/include/python3.12;'
        f'{builder}/lib/python3.12/site-packages/numpy/_core/include"\n'
    )
    assert mend_cmake_files(tmp_path, '/here/python', '/here/numpy') == 1
    assert file.read_text() == 'INCLUDE "${_PREFIX}/include;/here/python;/here/numpy"\n'
    assert mend_cmake_files(tmp_path, '/here/python', '/here/numpy') == 0

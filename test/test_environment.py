"""The variables that processes of a cell start with."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection_cell.environment import (
    MALLOC_SETTINGS,
    PROFILE_VARIABLES,
    SEGMENT_MB,
    export_lines,
    process_environment,
    settings_to_add,
    shared_memory_warning,
)
from inspection_cell.errors import InspectionCellError

VALUES = st.text(st.characters(codec='ascii', exclude_characters='\0'), max_size=30)
PROFILE = Path(__file__).resolve().parent.parent / 'config' / 'fastdds.xml'


def test_a_bare_environment_gets_profile_and_malloc_settings():
    settings = settings_to_add({})
    assert MALLOC_SETTINGS.items() <= settings.items()
    for name in PROFILE_VARIABLES:
        assert Path(settings[name]).resolve() == PROFILE


@given(
    st.dictionaries(
        st.sampled_from([*PROFILE_VARIABLES, *MALLOC_SETTINGS, 'AMENT_PREFIX_PATH', 'HOME']),
        VALUES,
    ),
    st.booleans(),
)
def test_nothing_that_the_user_has_set_is_overridden(environ, local_only):
    result = process_environment(environ, local_only=local_only)
    assert environ.items() <= result.items()


@pytest.mark.parametrize('name', PROFILE_VARIABLES)
def test_one_profile_variable_of_the_user_keeps_both_as_they_are(name):
    settings = settings_to_add({name: 'mine.xml'})
    assert not settings.keys() & set(PROFILE_VARIABLES)


def test_another_middleware_gets_no_fast_dds_profile():
    settings = settings_to_add({'RMW_IMPLEMENTATION': 'rmw_cyclonedds_cpp'})
    assert not settings.keys() & set(PROFILE_VARIABLES)
    assert MALLOC_SETTINGS.items() <= settings.items()


def test_discovery_stays_on_this_machine_only_where_asked():
    name = 'ROS_AUTOMATIC_DISCOVERY_RANGE'
    assert name not in settings_to_add({})
    assert settings_to_add({}, local_only=True)[name] == 'LOCALHOST'
    assert name not in settings_to_add({'ROS_LOCALHOST_ONLY': '1'}, local_only=True)


def test_with_a_discovery_server_every_node_asks_it_for_everybody():
    server = {'ROS_DISCOVERY_SERVER': 'cell-pc:11811'}
    assert settings_to_add(server)['ROS_SUPER_CLIENT'] == 'TRUE'
    assert 'ROS_SUPER_CLIENT' not in settings_to_add({**server, 'ROS_SUPER_CLIENT': 'FALSE'})
    assert 'ROS_SUPER_CLIENT' not in settings_to_add({})


def test_adding_the_settings_twice_changes_nothing():
    once = process_environment({'HOME': '/home/me'}, local_only=True)
    assert settings_to_add(once, local_only=True) == {}


@given(VALUES)
def test_a_shell_reads_back_exactly_the_value_that_was_exported(value):
    lines = export_lines({'SETTING': value})
    command = f'{lines}\nprintf "%s|" "$SETTING"'
    output = subprocess.run(['sh', '-c', command], capture_output=True, check=True).stdout
    assert output.decode() == f'{value}|'


def test_shared_memory_that_suffices_gives_no_warning(tmp_path):
    assert shared_memory_warning(1, tmp_path) is None


def test_too_small_shared_memory_is_reported_with_both_sizes_and_a_way_out(tmp_path):
    participants = 10**9
    warning = shared_memory_warning(participants, tmp_path)
    assert warning is not None
    assert f'need {participants * SEGMENT_MB} MB' in warning
    assert str(tmp_path) in warning
    assert '--shm-size' in warning


def test_missing_shared_memory_is_reported(tmp_path):
    warning = shared_memory_warning(1, tmp_path / 'nowhere')
    assert warning is not None
    assert 'does not exist' in warning


def test_the_segment_of_the_profile_is_the_one_that_the_warning_counts():
    name = '{http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles}segment_size'
    sizes = [int(element.text or '') for element in ET.parse(PROFILE).iter(name)]
    assert sizes == [SEGMENT_MB * 2**20]


def test_a_missing_share_folder_is_an_error_that_names_the_places(tmp_path, monkeypatch):
    monkeypatch.setattr('inspection_cell.locations.__file__', str(tmp_path / 'a' / 'b.py'))
    monkeypatch.setattr(sys, 'prefix', str(tmp_path))
    monkeypatch.delenv('AMENT_PREFIX_PATH', raising=False)
    with pytest.raises(InspectionCellError, match=str(tmp_path)):
        settings_to_add({})

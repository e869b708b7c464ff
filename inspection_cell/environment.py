"""The variables that every process of a cell starts with, so that large messages arrive.

They must stand before Python starts; a camera driver that is started elsewhere needs them too
(`inspection_cell env`). What the user has set is never overridden.
"""

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from inspection_cell.locations import share_folder

# Fast DDS 2 (Jazzy) reads the first, Fast DDS 3 (Kilted and later) the second.
PROFILE_VARIABLES = ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE')
# Messages of some MB come from the heap and stay there: no page faults for each frame.
MALLOC_SETTINGS = {
    'MALLOC_MMAP_THRESHOLD_': str(128 * 2**20),
    'MALLOC_TRIM_THRESHOLD_': str(512 * 2**20),
}
DISCOVERY_VARIABLES = ('ROS_AUTOMATIC_DISCOVERY_RANGE', 'ROS_LOCALHOST_ONLY')
SHARED_MEMORY = Path('/dev/shm')
USUAL_PARTICIPANTS = 8  # processes of a usual cell with its drivers
SEGMENT_MB = 64  # of shared memory per participant: `segment_size` in config/fastdds.xml


def settings_to_add(
    environ: Mapping[str, str] = os.environ, *, local_only: bool = False
) -> dict[str, str]:
    """Variables that a process of the cell needs and `environ` does not have yet.

    Args:
        environ: the environment to start from.
        local_only: also keep discovery on this machine (simulation, tests, benchmarks).

    Raises:
        DataError: if the package's share folder, with the Fast DDS profile, cannot be found.
    """
    settings = {name: value for name, value in MALLOC_SETTINGS.items() if name not in environ}
    if _uses_fast_dds(environ) and not any(name in environ for name in PROFILE_VARIABLES):
        profile = str(share_folder() / 'config' / 'fastdds.xml')
        settings |= dict.fromkeys(PROFILE_VARIABLES, profile)
    if environ.get('ROS_DISCOVERY_SERVER') and 'ROS_SUPER_CLIENT' not in environ:
        settings['ROS_SUPER_CLIENT'] = 'TRUE'  # else nobody sees who else is there
    if local_only and not any(name in environ for name in DISCOVERY_VARIABLES):
        settings['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    prefix = Path(sys.prefix)
    if 'AMENT_PREFIX_PATH' not in environ and (prefix / 'share' / 'ament_index').is_dir():
        settings['AMENT_PREFIX_PATH'] = str(prefix)  # ROS 2 from wheels: nothing was sourced
    return settings


def process_environment(
    environ: Mapping[str, str] = os.environ, *, local_only: bool = False
) -> dict[str, str]:
    """The whole environment to start a process of the cell with."""
    return {**environ, **settings_to_add(environ, local_only=local_only)}


def export_lines(settings: Mapping[str, str]) -> str:
    """One `export NAME=value` line per setting, quoted for a POSIX shell."""
    return '\n'.join(f'export {name}={shlex.quote(value)}' for name, value in settings.items())


def shared_memory_warning(
    participants: int = USUAL_PARTICIPANTS, folder: Path = SHARED_MEMORY
) -> str | None:
    """What to do if the shared memory is too small, or None if it suffices.

    Args:
        participants: processes of the cell and its drivers, each with a segment of its own.
        folder: where the shared memory is mounted.
    """
    needed_mb = participants * SEGMENT_MB
    if not folder.is_dir():
        return f'{folder} does not exist: images and clouds travel by UDP and may be lost'
    free_mb = shutil.disk_usage(folder).free // 2**20
    if free_mb >= needed_mb:
        return None
    return (
        f'{folder} has {free_mb} MB free, {participants} processes need {needed_mb} MB: images '
        f'and clouds may be lost; enlarge it (docker run --shm-size={2 * needed_mb}m, or '
        f'mount -o remount,size={2 * needed_mb}M {folder})'
    )


def _uses_fast_dds(environ: Mapping[str, str]) -> bool:
    return 'fastrtps' in environ.get('RMW_IMPLEMENTATION', 'rmw_fastrtps_cpp')

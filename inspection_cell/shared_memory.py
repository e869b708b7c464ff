"""Takes away what a killed process has left of Fast DDS's shared memory.

A process that ends cleanly leaves nothing. Each segment has a lock file `<name>_el` on which its
living owner holds an exclusive lock; ports are numbered by domain (DDSI-RTPS 9.6.1).
"""

import fcntl
import re
from pathlib import Path

from inspection_cell.environment import SHARED_MEMORY

SEGMENT_LOCK = re.compile(r'fastrtps_[0-9a-f]{16}_el')
PORT = re.compile(r'fastrtps_port(\d+)')
FIRST_PORT = 7400
PORTS_PER_DOMAIN = 250


def remove_dead(domain: int, folder: Path = SHARED_MEMORY) -> tuple[str, ...]:
    """Remove segments without a living owner and unused ports of a domain; names removed.

    Args:
        domain: the ROS domain whose ports may be removed.
        folder: where the shared memory is mounted.
    """
    removed: list[str] = []
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    for name in names:
        if SEGMENT_LOCK.fullmatch(name) and not _is_held(folder / name):
            removed += _remove(folder, (name.removesuffix('_el'), name))
        port = PORT.fullmatch(name)
        if port is not None and (int(port[1]) - FIRST_PORT) // PORTS_PER_DOMAIN == domain:
            locks = (f'{name}_el', f'{name}_sl')
            if not any(_is_held(folder / lock) for lock in locks):
                removed += _remove(folder, (name, *locks, f'sem.{name}_mutex'))
    return tuple(removed)


def _is_held(lock: Path) -> bool:
    try:
        with lock.open('rb') as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:  # held, or not ours
        return True
    return False


def _remove(folder: Path, names: tuple[str, ...]) -> list[str]:
    existing = [name for name in names if (folder / name).exists()]
    for name in existing:
        (folder / name).unlink(missing_ok=True)
    return existing

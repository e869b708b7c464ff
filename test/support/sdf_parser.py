"""Gazebo's own parser of SDF, libsdformat, as strict as can be: what it does not know is a fault.

Debian's libsdformat 12.3 is older than two elements of SDF 1.9 that libsdformat 12.5 brought.
"""

import ctypes.util
import os
import re
import subprocess
import sys

VERSIONS = (12, 13, 14)
REQUIRED = 'INSPECTION_CELL_REQUIRE_SDFORMAT'
NEWER = {('camera', 'triggered'), ('camera', 'trigger_topic')}
CHECK = """
import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
library.cmdCheck.argtypes = [ctypes.c_char_p]
sys.exit(library.cmdCheck(sys.argv[2].encode()) != 0)
"""
UNKNOWN = re.compile(r'Element\[(\w+)\], child of element\[(\w+)\], not defined in SDF')


def library():
    """The installed parser's file name, or None."""
    names = (ctypes.util.find_library(f'sdformat{version}') for version in VERSIONS)
    return next(filter(None, names), None)


def problems(world, home):
    """Everything that the parser says of a file, line by line; `home` is an empty folder."""
    completed = subprocess.run(
        [sys.executable, '-c', CHECK, library(), str(world)],
        env={**os.environ, 'HOME': str(home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = (completed.stdout + completed.stderr).splitlines()
    told = [line for line in lines if line.strip() not in ('', 'Valid.')]
    log = home / '.sdformat' / 'sdformat.log'  # elements that it does not know stand only here
    told += log.read_text().splitlines() if log.is_file() else []
    if completed.returncode and not told:
        told.append(f'exit status {completed.returncode}')
    return [line for line in told if not _is_newer(line)]


def _is_newer(line):
    found = UNKNOWN.search(line)
    return found is not None and (found[2], found[1]) in NEWER

"""Which ROS 2 the set-up uses: the one that is sourced, or Jazzy from wheels."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

BUILDER_PYTHON = re.compile(r'/opt/python/cp\d+-cp\d+/include/python3\.\d+')
BUILDER_NUMPY = re.compile(r'/opt/python/cp\d+-cp\d+/lib/[^;"]*/numpy/(?:_core|core)/include')
QUESTION = 'import numpy, rclpy, sys; print(sys.executable, numpy.__version__)'


@dataclass(frozen=True, slots=True)
class RosSource:
    """Where ROS 2 comes from and what its Python packages are bound to."""

    distribution: str  # 'wheels', or the name of the ROS 2 that is sourced
    python: Path  # the interpreter to make .venv with
    numpy_major: int

    @property
    def from_wheels(self) -> bool:
        """Whether ROS 2 itself has to be installed into .venv."""
        return self.distribution == 'wheels'


def find_ros(environ: Mapping[str, str] = os.environ) -> RosSource:
    """The ROS 2 that is sourced in `environ` and can be imported, otherwise the wheels."""
    distribution = environ.get('ROS_DISTRO')
    if distribution:
        for python in ('/usr/bin/python3', sys.executable):
            answer = _ask(python)
            if answer:
                executable, numpy_version = answer
                return RosSource(distribution, Path(executable), int(numpy_version.split('.')[0]))
    base = Path(sys.base_prefix) / 'bin' / f'python3.{sys.version_info.minor}'
    return RosSource('wheels', base if base.is_file() else Path(sys.executable), 2)


def build_environment(venv: Path, ros: RosSource, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for pip and colcon: `venv` first, nothing of another virtual environment."""
    env = dict(environ)
    if env.pop('_ROS_WHEELS_BOOTSTRAP_COMPLETE', None):
        env.pop('LD_LIBRARY_PATH', None)
    for name in ('PYTHONHOME', 'VIRTUAL_ENV', 'COLCON_PREFIX_PATH', 'COLCON_DEFAULTS_FILE'):
        env.pop(name, None)
    env['PATH'] = os.pathsep.join([str(venv / 'bin'), env.get('PATH', os.defpath)])
    for name in ('AMENT_PREFIX_PATH', 'CMAKE_PREFIX_PATH'):
        sourced = '' if ros.from_wheels else env.get(name, '')
        env[name] = os.pathsep.join(path for path in (str(venv), sourced) if path)
    if ros.from_wheels:
        env.pop('PYTHONPATH', None)
    return env


def mend_cmake_files(venv: Path, python_include: str, numpy_include: str) -> int:
    """Put this machine's include folders into the wheels' CMake files; how many were changed.

    The wheels export the folders of the machine that built them.
    """
    changed = 0
    for file in venv.glob('share/**/*.cmake'):
        text = file.read_text(encoding='utf-8')
        mended = BUILDER_PYTHON.sub(python_include, BUILDER_NUMPY.sub(numpy_include, text))
        if mended != text:
            file.write_text(mended, encoding='utf-8')
            changed += 1
    return changed


def _ask(python: str) -> list[str] | None:
    """Its executable and NumPy version, if this Python can import rclpy."""
    if not Path(python).is_file():
        return None
    completed = subprocess.run(
        [python, '-c', QUESTION], capture_output=True, text=True, check=False
    )
    return completed.stdout.split() if completed.returncode == 0 else None

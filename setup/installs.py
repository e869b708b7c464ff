"""The two installs: what is in each of them and where it stands. They can stand side by side."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SETUP = ROOT / 'setup'


@dataclass(frozen=True, slots=True)
class Install:
    """One way to install.

    Attributes:
        command: what sets it up.
        venv: its prefix, with Python, ROS 2, our messages and our package.
        build: what colcon builds.
        parts: suffixes of the requirement files, beside requirements.txt.
    """

    command: str
    venv: Path
    build: Path
    parts: tuple[str, ...]

    @property
    def lean(self) -> bool:
        """Whether the tools for building come only for the time, the large ones at least."""
        return 'build' not in self.parts

    def requirement_files(self, *, ros_from_wheels: bool) -> tuple[Path, ...]:
        """The files that pip reads."""
        suffixes = ['', *(f'-{part}' for part in self.parts), *(['-ros'] * ros_from_wheels)]
        return tuple(SETUP / f'requirements{suffix}.txt' for suffix in suffixes)


FULL = Install('make setup', ROOT / '.venv', ROOT / 'build', ('train', 'test', 'build'))
EDGE = Install('make edge', ROOT / '.venv-edge', ROOT / 'build' / 'edge', ())

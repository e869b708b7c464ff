"""What the two installs bring, and that pip hears the same from setup.py."""

from distutils.core import run_setup

import pytest
from installs import EDGE, FULL, ROOT, SETUP
from packaging.requirements import Requirement


@pytest.fixture
def declared(monkeypatch):
    """The package as setup.py declares it."""
    monkeypatch.chdir(ROOT)
    return run_setup('setup.py', stop_after='init')


def requirements(lines: list[str]) -> set[tuple[str, str]]:
    """Names and the platforms that they are for, whatever their versions."""
    parsed = [Requirement(line) for line in lines if line and not line.startswith('#')]
    return {(requirement.name, str(requirement.marker or '')) for requirement in parsed}


def in_file(name: str) -> set[tuple[str, str]]:
    return requirements((SETUP / name).read_text().splitlines())


def test_the_package_itself_requires_what_both_installs_have(declared):
    assert requirements(declared.install_requires) == in_file('requirements.txt')


def test_the_extras_say_what_the_full_install_adds_and_that_the_edge_adds_nothing(declared):
    extras = {name: requirements(lines) for name, lines in declared.extras_require.items()}
    assert extras == {'edge': set(), 'train': in_file('requirements-train.txt')}


def test_both_installs_can_stand_side_by_side_in_one_checkout():
    assert EDGE.venv != FULL.venv
    assert EDGE.build != FULL.build


def test_only_the_full_install_brings_what_trains_tests_and_builds():
    full = FULL.requirement_files(ros_from_wheels=True)
    edge = EDGE.requirement_files(ros_from_wheels=True)
    assert [file.name for file in edge] == ['requirements.txt', 'requirements-ros.txt']
    assert sorted(full) == sorted(SETUP.glob('requirements*.txt'))


def test_ros_is_not_installed_where_it_is_sourced():
    assert EDGE.requirement_files(ros_from_wheels=False) == (SETUP / 'requirements.txt',)


@pytest.mark.parametrize('file', sorted(SETUP.glob('requirements*.txt')), ids=lambda f: f.name)
def test_every_requirement_has_one_version(file):
    pinned = {
        Requirement(line).name.lower().replace('_', '-')
        for pins in ('constraints.txt', 'constraints-numpy2.txt')
        for line in (SETUP / pins).read_text().splitlines()
        if not line.startswith('#')
    }
    names = {name.lower().replace('_', '-') for name, _ in in_file(file.name)}
    assert names - pinned == set()

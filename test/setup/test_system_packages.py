"""Which system packages the set-up asks for."""

import shutil
import subprocess
from pathlib import Path

import pytest
import system_packages
from system_packages import SystemPackageError, install, libraries_missing

needs_compiler = pytest.mark.skipif(
    shutil.which('cc') is None or shutil.which('ldd') is None, reason='no cc or no ldd'
)


def extension_module(folder: Path, needed: str) -> None:
    """A real module in `folder` that needs a library which the loader does not find."""
    (folder / 'cv2').mkdir()
    library = folder / needed
    source = folder / 'empty.c'
    source.write_text('int empty(void) { return 0; }\n')
    build = ['cc', '-shared', '-fPIC', '-Wl,--no-as-needed']
    named = [*build, f'-Wl,-soname,{needed}', '-o', str(library), str(source)]
    module = [*build, '-o', str(folder / 'cv2' / 'cv2.abi3.so'), str(source), str(library)]
    subprocess.run(named, check=True)
    subprocess.run(module, check=True)
    library.unlink()


@needs_compiler
def test_a_library_that_the_loader_misses_is_named_by_its_debian_package(tmp_path, monkeypatch):
    monkeypatch.setitem(system_packages.LIBRARY_PACKAGES, 'libnowhere.so.1', 'libnowhere1')
    extension_module(tmp_path, 'libnowhere.so.1')
    assert libraries_missing(tmp_path) == ['libnowhere1']


@needs_compiler
def test_a_library_of_no_known_package_is_an_error_that_names_it(tmp_path):
    extension_module(tmp_path, 'libnowhere.so.1')
    with pytest.raises(SystemPackageError, match=r'libnowhere\.so\.1'):
        libraries_missing(tmp_path)


@needs_compiler
def test_a_complete_module_needs_nothing(tmp_path):
    extension_module(tmp_path, 'libnowhere.so.1')
    (tmp_path / 'cv2' / 'cv2.abi3.so').unlink()
    libraries = tmp_path / 'open3d'
    libraries.mkdir()
    source = str(tmp_path / 'empty.c')
    command = ['cc', '-shared', '-fPIC', '-o', str(libraries / 'libOpen3D.so'), source]
    subprocess.run(command, check=True)
    assert libraries_missing(tmp_path) == []


def test_gazebos_parser_is_asked_for_where_no_version_of_it_is_found(monkeypatch):
    installed = {'sdformat14': 'libsdformat14.so.14'}
    monkeypatch.setattr(system_packages, 'find_library', installed.get)
    assert system_packages.sdf_parser_missing() == []
    installed.clear()
    assert system_packages.sdf_parser_missing() == ['libsdformat12-12', 'sdformat-sdf']


def test_without_the_right_to_install_the_one_command_to_type_is_given(tmp_path, monkeypatch):
    apt = tmp_path / 'apt-get'
    apt.write_text('#!/bin/sh\nexit 1\n')
    apt.chmod(0o755)
    monkeypatch.setenv('PATH', str(tmp_path))
    monkeypatch.setattr(system_packages, 'geteuid', lambda: 1000)
    with pytest.raises(SystemPackageError, match='sudo apt install libgl1 libegl1'):
        install(['libgl1', 'libegl1'])


def test_an_installation_that_fails_is_an_error(tmp_path, monkeypatch):
    apt = tmp_path / 'apt-get'
    apt.write_text('#!/bin/sh\n[ "$1" = update ]\n')
    apt.chmod(0o755)
    monkeypatch.setenv('PATH', f'{tmp_path}:/usr/bin:/bin')
    monkeypatch.setattr(system_packages, 'geteuid', lambda: 0)
    with pytest.raises(SystemPackageError, match='could not install: libgl1'):
        install(['libgl1'])

"""The two packages, as colcon, catkin_pkg and Python see them."""

import ast
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import pytest

from inspection_cell.cli.app import TRAIN_PACKAGES

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / 'inspection_cell'
MESSAGES = ROOT / 'inspection_cell_msgs'
NODE_FILES = sorted((PACKAGE / 'nodes').glob('*_node.py'))
MANIFESTS = [ROOT / 'package.xml', MESSAGES / 'package.xml']
ROS = {
    'action_msgs', 'ament_index_python', 'builtin_interfaces', 'cv_bridge', 'diagnostic_msgs',
    'geometry_msgs', 'inspection_cell_msgs', 'launch', 'launch_ros', 'lifecycle_msgs', 'rclpy',
    'sensor_msgs', 'std_msgs', 'std_srvs', 'tf2_ros', 'visualization_msgs',
}  # fmt: skip
PYTHON_PARTS = {'tf2_ros': 'tf2_ros_py'}  # a module that is in a package of another name
DISTRIBUTIONS = {
    'PIL': 'pillow', 'cv2': 'opencv-python', 'sklearn': 'scikit-learn', 'yaml': 'pyyaml',
}  # fmt: skip
ADAPTER = 'inspection_cell.ultralytics_adapter'
IMPORT_ALL = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(*sorted({name.split('.')[0] for name in sys.modules}))
"""


IMPORT_ALL_WITHOUT = f"""
import sys
position = sys.argv.index('but')
for name in sys.argv[position + 1:]:
    sys.modules[name] = None
del sys.argv[position:]
{IMPORT_ALL}
"""


def core_modules(*, with_adapter: bool) -> list[str]:
    """All modules but the nodes, with or without those that name the Ultralytics adapter."""
    files = [path for path in PACKAGE.rglob('*.py') if 'nodes' not in path.parts]
    if not with_adapter:
        files = [path for path in files if not names_the_adapter(path)]
    modules = [path.relative_to(ROOT).with_suffix('') for path in files]
    return sorted('.'.join(module.parts).removesuffix('.__init__') for module in modules)


def names_the_adapter(path: Path) -> bool:
    statements = ast.parse(path.read_text()).body
    modules = [s.module or '' for s in statements if isinstance(s, ast.ImportFrom)]
    inside = path.parent.name == ADAPTER.rpartition('.')[2]
    return inside or any(module.startswith(f'{ADAPTER}.') for module in modules)


def packages_loaded_by(modules: list[str], *, without: Sequence[str] = ()) -> set[str]:
    command = [sys.executable, '-c', IMPORT_ALL_WITHOUT, *modules, 'but', *without]
    completed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr
    return set(completed.stdout.split())


def test_the_core_imports_without_ros():
    loaded = packages_loaded_by(core_modules(with_adapter=True))
    assert {'inspection_cell', 'ultralytics'} <= loaded
    assert loaded & ROS == set()


def test_only_what_names_the_ultralytics_adapter_loads_ultralytics_and_torch():
    loaded = packages_loaded_by(core_modules(with_adapter=False))
    assert {'inspection_cell', 'numpy'} <= loaded
    assert loaded & (ROS | {'ultralytics', 'torch', 'torchvision'}) == set()


def test_what_runs_a_cell_names_the_ultralytics_adapter_only_inside_functions():
    """So that an installation without PyTorch imports every node, view and command."""
    folders = {
        path.relative_to(PACKAGE).parts[0] for path in PACKAGE.rglob('*.py')
        if names_the_adapter(path)
    }  # fmt: skip
    assert folders <= {'bench', 'learning', 'ultralytics_adapter'}


def test_only_one_file_imports_ultralytics():
    importers = [
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob('*.py')
        if 'ultralytics' in imported_packages(path)
    ]
    assert importers == ['ultralytics_adapter/offline.py']


def imported_packages(path: Path) -> set[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or '')
    return {name.split('.')[0] for name in names}


def test_every_third_party_import_is_in_the_requirement_files():
    files = [path for path in PACKAGE.rglob('*.py') if 'nodes' not in path.parts]
    imported = set().union(*(imported_packages(file) for file in files))
    third_party = imported - set(sys.stdlib_module_names) - {'inspection_cell', 'torch'}
    needed = {DISTRIBUTIONS.get(name, name) for name in third_party}
    assert 'ultralytics' in needed
    assert needed <= required_by('requirements.txt') | required_by('requirements-train.txt')


def required_by(file: str) -> set[str]:
    lines = (ROOT / 'setup' / file).read_text().splitlines()
    return {re.split('[ ;]', line)[0] for line in lines if line and not line.startswith('#')}


def test_the_command_knows_all_packages_that_only_the_full_install_has():
    names = {DISTRIBUTIONS.get(name, name) for name in TRAIN_PACKAGES} - {'torch'}
    assert names == required_by('requirements-train.txt')


def test_the_command_and_the_nodes_start_without_the_packages_of_the_full_install():
    pytest.importorskip('rclpy')
    nodes = [f'inspection_cell.nodes.{path.stem}' for path in NODE_FILES]
    loaded = packages_loaded_by(['inspection_cell.cli.app', *nodes], without=TRAIN_PACKAGES)
    assert {'inspection_cell', 'rclpy'} <= loaded


def test_a_command_that_needs_the_full_install_says_so_without_a_traceback(tmp_path):
    script = (
        "import sys; sys.modules['torch'] = None; "
        'from inspection_cell.cli import main; '
        f"sys.argv = ['', 'train', '--data', '{tmp_path}', '--out', '{tmp_path}/model']; main()"
    )
    command = [sys.executable, '-c', script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith('error: this needs torch, which only the full install has')


def test_every_folder_with_modules_is_a_package():
    folders = {path.parent for path in PACKAGE.rglob('*.py')}
    assert [str(f) for f in sorted(folders) if not (f / '__init__.py').is_file()] == []


def test_colcon_finds_an_ament_python_and_an_ament_cmake_package():
    colcon = shutil.which('colcon', path=str(Path(sys.executable).parent)) or shutil.which(
        'colcon'
    )
    if colcon is None:
        pytest.skip('colcon is not installed')
    command = [colcon, '--log-base', '/dev/null', 'list']
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    rows = {tuple(line.split('\t')) for line in output.splitlines()}
    assert rows == {
        ('inspection_cell', '.', '(ros.ament_python)'),
        ('inspection_cell_msgs', 'inspection_cell_msgs', '(ros.ament_cmake)'),
    }


@pytest.mark.parametrize('manifest', MANIFESTS, ids=lambda path: path.parent.name)
def test_catkin_accepts_the_package_file_without_a_warning(manifest):
    catkin_package = pytest.importorskip('catkin_pkg.package')
    warnings: list[str] = []
    package = catkin_package.parse_package(str(manifest), warnings=warnings)
    package.validate(warnings=warnings)
    assert warnings == []
    assert package.licenses == ['Apache-2.0']


def test_the_ros_packages_that_nodes_and_launch_files_import_are_declared():
    root = ET.parse(ROOT / 'package.xml').getroot()
    declared = {e.text for tag in ('depend', 'exec_depend') for e in root.findall(tag)}
    files = [*ROOT.glob('launch/*.py'), *(PACKAGE / 'nodes').rglob('*.py')]
    imported = set().union(*(imported_packages(file) for file in files))
    ros = {package for package in imported if package in ROS or package.endswith('_msgs')}
    assert {PYTHON_PARTS.get(package, package) for package in ros} - declared == set()


def test_every_node_file_has_an_executable():
    text = (ROOT / 'setup.py').read_text()
    names = re.search(r'^NODES = \((.*?)^\)', text, flags=re.MULTILINE | re.DOTALL)
    assert names is not None
    nodes = {f'{node}_node' for node in re.findall(r"'(\w+)'", names.group(1))}
    files = {
        path.stem
        for path in NODE_FILES
        if any(
            isinstance(item, ast.FunctionDef) and item.name == 'main'
            for item in ast.parse(path.read_text()).body
        )
    }
    assert nodes == files


@pytest.mark.parametrize('file', sorted(MESSAGES.glob('*/*.*')), ids=lambda path: path.name)
def test_every_field_of_a_message_says_what_it_holds(file):
    bare = []
    fields = 0
    for line in file.read_text().splitlines():
        if not line.strip() or line.startswith(('#', '---')) or '=' in line.split('#')[0]:
            continue
        fields += 1
        if '#' not in line:
            bare.append(line)
    assert fields > 0
    assert bare == []


def test_the_versions_of_both_packages_and_of_setup_py_agree():
    versions = {ET.parse(manifest).findtext('version') for manifest in MANIFESTS}
    setup_version = re.search(r"version='([^']+)'", (ROOT / 'setup.py').read_text())
    assert setup_version is not None
    assert versions == {setup_version.group(1)}

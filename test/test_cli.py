import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from inspection_cell.cli import main
from inspection_cell.file_check import SCHEMAS, schema_text
from inspection_cell.locations import demo_cell, demo_recipes, share_folder

BRACKET = demo_recipes()[0]
COMMANDS = (
    'demo',
    'run',
    'replay',
    'swap-model',
    'surface',
    'detect',
    'learn-reference',
    'synthesize',
    'train',
    'check',
    'env',
)


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def command(capsys, monkeypatch):
    """Run the command as its script does, without the seconds that a new process takes."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, 'argv', ['inspection_cell', *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return Done(ended.value.code or 0, *capsys.readouterr())

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def refused(command):
    """The message of a command that refuses its input as it should."""

    def run(*arguments: object) -> str:
        done = command(*arguments)
        assert done.returncode == 1
        assert done.stdout == ''
        return done.stderr

    return run


def cell_with(tmp_path: Path, **changes: object) -> Path:
    content = yaml.safe_load(demo_cell().read_text()) | changes
    path = tmp_path / 'cell.yaml'
    path.write_text(yaml.safe_dump(content))
    return path


def test_help_lists_every_command(command):
    done = command('--help')
    assert done.returncode == 0
    for name in [
        'demo',
        'run',
        'replay',
        'surface',
        'detect',
        'synthesize',
        'train',
        'check',
        'env',
    ]:
        assert name in done.stdout


@pytest.mark.parametrize('words', [('dance',), ('demo', '--parts', 'many'), ('surface',)])
def test_wrong_usage_exits_2_and_says_what_is_wrong(command, words):
    done = command(*words)
    assert done.returncode == 2
    assert 'Usage: inspection_cell' in done.stderr


def test_a_cell_file_that_is_not_there_is_named(refused, tmp_path):
    assert str(tmp_path / 'no.yaml') in refused('run', '--cell', tmp_path / 'no.yaml')


def test_all_problems_of_a_file_are_printed_at_once(refused, tmp_path):
    path = cell_with(tmp_path, name='Not A Name', colour='red', robot={'timeout_s': -1})
    message = refused('check', path)
    assert all(key in message for key in ('name', 'colour', 'robot.timeout_s'))


def test_one_bad_file_does_not_hide_that_another_is_good(command, tmp_path):
    done = command('check', demo_cell(), cell_with(tmp_path, colour='red'))
    assert done.returncode == 1
    assert f'ok {demo_cell()}: cell demo' in done.stdout
    assert 'colour' in done.stderr


def test_a_recipe_is_checked_against_the_cell_that_is_named_with_it(command, tmp_path):
    sensors = yaml.safe_load(demo_cell().read_text())['sensors']
    del sensors['scanner']
    done = command('check', cell_with(tmp_path, sensors=sensors), BRACKET)
    assert done.returncode == 1
    assert 'presentations.top.sensors: scanner' in done.stderr


def test_a_mesh_without_triangles_is_refused(refused, tmp_path):
    content = yaml.safe_load(BRACKET.read_text())
    content['reference'] = {'mesh': 'points.ply', 'units': 'mm'}
    (tmp_path / 'points.ply').write_text(
        'ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\n'
        'property float z\nend_header\n0 0 0\n'
    )
    (tmp_path / 'recipe.yaml').write_text(yaml.safe_dump(content))
    message = refused('check', tmp_path / 'recipe.yaml')
    assert 'found no triangles' in message
    assert 'points.ply' in message


def test_an_unknown_fault_is_refused_with_the_known_ones(refused):
    message = refused('demo', '--parts', 1, '--faults', 'earthquake,empty_gripper')
    assert 'earthquake' in message
    assert 'rotated_part' in message


def test_a_folder_without_stored_parts_is_refused(refused, tmp_path):
    message = refused('replay', '--cell', demo_cell(), '--recipe', BRACKET, '--data', tmp_path)
    assert 'expected folders with a part.yaml' in message


def test_a_scan_that_is_not_there_is_named(refused, tmp_path):
    mesh = BRACKET.parent / 'bracket.ply'
    message = refused('surface', '--reference', mesh, '--scan', tmp_path / 'no.ply')
    assert 'no.ply' in message


def test_a_scan_of_the_reference_itself_is_accepted_as_one_json_object(command, tmp_path):
    mesh = BRACKET.parent / 'bracket.ply'
    pose = tmp_path / 'pose.txt'
    np.savetxt(pose, np.eye(4))
    done = command(
        'surface', '--reference', mesh, '--scan', mesh, '--units', 'mm',
        '--tolerance-mm', '-0.2', '0.2', '--initial-pose', pose,
        '--report', tmp_path / 'report.png', '--json',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result['registered'], result['decision'], result['defects']) == (True, 'ACCEPT', [])
    assert cv2.imread(str(tmp_path / 'report.png')) is not None


def test_a_model_folder_that_is_none_is_refused(refused, tmp_path):
    assert 'model.yaml' in refused('detect', '--model', tmp_path, tmp_path)


def test_small_things_in_a_large_image_are_detected_in_tiles(command, refused, tmp_path):
    image = np.zeros((700, 900), np.uint8)
    cv2.imwrite(str(tmp_path / 'large.png'), image)
    words = (
        'detect',
        '--model',
        share_folder() / 'config' / 'models' / 'simulated_parts',
        tmp_path / 'large.png',
    )
    done = command(*words, '--tile-px', 448, '--overlap-px', 96, '--json')
    assert done.returncode == 0, done.stderr
    assert [Path(one['file']).name for one in json.loads(done.stdout)['images']] == ['large.png']
    assert '--overlap-px 96' in refused(*words, '--tile-px', 128, '--overlap-px', 96)


def test_training_without_data_is_refused(refused, tmp_path):
    assert 'data.yaml' in refused('train', '--data', tmp_path / 'no', '--out', tmp_path / 'model')


def test_env_prints_what_a_shell_can_source(command):
    done = subprocess.run(
        ['sh', '-c', 'eval "$1"; env', 'sh', command('env').stdout],
        capture_output=True, text=True, check=True, env={},
    )  # fmt: skip
    values = dict(line.split('=', 1) for line in done.stdout.splitlines())
    assert Path(values['FASTRTPS_DEFAULT_PROFILES_FILE']).is_file()
    assert int(values['MALLOC_MMAP_THRESHOLD_']) > 16 * 2**20


@pytest.mark.parametrize('name', SCHEMAS)
def test_the_checked_in_schema_is_that_of_the_code(name):
    path = share_folder() / 'config' / 'schemas' / f'{name}.schema.json'
    assert path.read_text() == schema_text(SCHEMAS[name], name), (
        'run: inspection_cell check --schema config/schemas'
    )


def test_check_writes_the_schemas(command, tmp_path):
    done = command('check', '--schema', tmp_path)
    assert done.returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        f'{name}.schema.json' for name in SCHEMAS
    )


def test_an_error_reaches_the_shell_as_text_without_a_traceback(tmp_path):
    code = 'from inspection_cell.cli import main; main()'
    words = [sys.executable, '-c', code, 'run', '--cell', tmp_path / 'no.yaml']
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith('error: ')
    assert 'Traceback' not in done.stderr

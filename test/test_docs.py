"""What the documentation shows is what the product takes."""

import re
from pathlib import Path

import pytest
import yaml

from inspection_cell.cell import load_cell

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / 'README.md', *ROOT.glob('docs/*.md')])
LINK = re.compile(r'\]\(([^)#\s]+)(?:#([^)]*))?\)')


def blocks(page, language):
    return re.findall(rf'^```{language}\n(.*?)^```', page.read_text(), flags=re.M | re.S)


def test_the_cell_of_the_integrators_guide_is_a_good_one(tmp_path):
    (shown,) = (
        block for block in blocks(ROOT / 'docs' / 'integrating.md', 'yaml') if 'format: 1' in block
    )
    (tmp_path / 'cell.yaml').write_text(shown)
    cell = load_cell(tmp_path / 'cell.yaml')
    assert {sensor.trigger.kind for sensor in cell.sensors.values()} == {
        'pulse', 'free_running', 'service'
    }  # fmt: skip


def test_the_lighting_sequence_of_the_integrators_guide_fits_its_cell(tmp_path):
    shown = blocks(ROOT / 'docs' / 'integrating.md', 'yaml')
    (cell,) = (yaml.safe_load(block) for block in shown if 'format: 1' in block)
    (lit,) = (yaml.safe_load(block) for block in shown if 'shots:' in block)
    cell['lights'] = lit['lights']
    cell['sensors']['left'].update(lit['sensors']['left'])
    (tmp_path / 'cell.yaml').write_text(yaml.safe_dump(cell, sort_keys=False))
    assert list(load_cell(tmp_path / 'cell.yaml').cameras['left'].shots) == ['bright', 'dark']


def test_the_launch_file_of_the_integrators_guide_is_python():
    (shown,) = blocks(ROOT / 'docs' / 'integrating.md', 'python')
    compile(shown, 'integrating.md', 'exec')


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    for target, _ in LINK.findall(page.read_text()):
        if not target.startswith(('http://', 'https://')):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize(
    'path', sorted((ROOT / 'docs' / 'examples').glob('*.py')), ids=lambda path: path.stem
)
def test_every_example_is_python(path):
    compile(path.read_text(), path, 'exec')

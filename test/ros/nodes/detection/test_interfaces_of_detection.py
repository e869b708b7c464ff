"""What detection_node says and hears is what is listed, and the cell's lights are too."""

import pytest
import yaml
from graph_interfaces import comparable, listed, settled

from inspection_cell.cell import load_cell
from inspection_cell.node_interfaces import cell_interfaces
from inspection_cell.nodes.cell_node import CellNode


@pytest.fixture
def lit(pictures):
    """A lighting sequence for the left camera."""
    cell = yaml.safe_load(pictures.cell.read_text())
    cell['lights'] = {'ring': {'topic': 'plc/ring', 'settle_ms': 5}}
    shots = {'dark': {'exposure_us': 900}, 'bright': {'lights': ['ring'], 'exposure_us': 300}}
    exposure = {'topic': 'left/exposure', 'settle_ms': 5}
    trigger = {'kind': 'software', 'topic': 'left/trigger'}
    cell['sensors']['left'] |= {'shots': shots, 'exposure': exposure, 'trigger': trigger}
    pictures.cell.write_text(yaml.safe_dump(cell))


def test_what_the_nodes_do_in_the_graph_is_what_is_listed(lit, bench, pictures):
    bench.world.start(CellNode())
    expected = cell_interfaces(load_cell(pictures.cell))
    assert {'plc/ring', 'left/exposure'} <= set(expected['cell_node'].publishes)
    for name in ('detection_node', 'cell_node'):
        wanted = comparable(listed(expected[name]))
        assert settled(bench.world, name, wanted) == wanted, name

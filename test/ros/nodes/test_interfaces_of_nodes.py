"""The list of what each node says and hears is that of the running nodes: no more, no less."""

import pytest
import yaml
from graph_interfaces import comparable, listed, settled

from inspection_cell.bringup import cell_nodes, load_recipes
from inspection_cell.cell import load_cell
from inspection_cell.node_interfaces import cell_interfaces
from inspection_cell.nodes.cell_node import CellNode
from inspection_cell.nodes.process_node import ProcessNode
from inspection_cell.nodes.program_node import ProgramNode
from inspection_cell.nodes.reject_node import RejectNode
from inspection_cell.nodes.surface_node import SurfaceNode
from inspection_cell.nodes.view_node import ViewNode

NODES = {
    'cell_node': CellNode,
    'process_node': ProcessNode,
    'program_node': ProgramNode,
    'reject_node': RejectNode,
    'surface_node': SurfaceNode,
    'view_node': ViewNode,
}


def rich(files):
    """A scanner, a force sensor, a program that leads, an ejector on a pulse."""
    cell = yaml.safe_load(files.cell.read_text())
    cell['sensors']['scanner']['trigger'] = {'kind': 'service', 'service': 'scanner/expose'}
    pulse = {'kind': 'pulse', 'topic': 'plc/force'}
    cell['sensors']['force'] = {'kind': 'process', 'topic': 'force', 'unit': 'N', 'trigger': pulse}
    cell['robot']['led_by'] = 'program'
    cell['disposition'] |= {
        'kind': 'gate',
        'pulse_topic': 'plc/eject',
        'part_present_topic': 'plc/part',
    }
    files.cell.write_text(yaml.safe_dump(cell))
    recipe = yaml.safe_load(files.recipe.read_text())
    recipe['presentations']['top']['sensors'] = ['scanner', 'force']
    limits = [{'measure': 'peak', 'high': 60}]
    recipe['process'] = {'force': {'unit': 'N', 'min_duration_s': 1, 'limits': limits}}
    files.recipe.write_text(yaml.safe_dump(recipe))


def moved(files):
    """A scanner on the robot's flange, a part in its gripper."""
    pytest.importorskip('tf2_ros', reason='tf2_ros is missing: it comes with an installed ROS 2')
    cell = yaml.safe_load(files.cell.read_text())
    del cell['sensors']['scanner']['pose']
    cell['sensors']['scanner']['from_tf'] = {}
    cell['robot']['part_from_tf'] = {}
    files.cell.write_text(yaml.safe_dump(cell))


def plain(files):
    """As it is."""


@pytest.mark.parametrize('change', [plain, rich, moved])
def test_what_the_nodes_do_in_the_graph_is_what_is_listed(make_world, files, change):
    change(files)
    cell = load_cell(files.cell)
    world, expected = make_world(), cell_interfaces(cell)
    for name in expected:
        world.start(NODES[name]())
    assert set(expected) == {
        spec.name for spec in cell_nodes(cell, load_recipes(cell, [files.recipe]), files.data)
    }
    for name, node in expected.items():
        wanted = comparable(listed(node))
        assert settled(world, name, wanted) == wanted, name

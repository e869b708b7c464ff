"""The SROS 2 policy: one enclave per process, nothing allowed that the list of a node lacks."""

from xml.etree import ElementTree

import pytest

from inspection_cell.bringup import (
    Simulated,
    cell_nodes,
    in_one_process,
    load_recipes,
    source_node,
)
from inspection_cell.cell import load_cell
from inspection_cell.locations import demo_cell, share_folder
from inspection_cell.node_interfaces import cell_interfaces
from inspection_cell.sros2_policy import policy_xml

RULES = {
    'publishes': ('topics', 'publish'),
    'subscribes': ('topics', 'subscribe'),
    'serves': ('services', 'reply'),
    'calls': ('services', 'request'),
    'executes': ('actions', 'execute'),
    'sends': ('actions', 'call'),
}


@pytest.fixture(scope='module')
def cell():
    return load_cell(demo_cell())


def profiles(text):
    """Profiles by enclave and node."""
    root = ElementTree.fromstring(text.encode())
    assert (root.tag, root.get('version')) == ('policy', '0.2.0')
    return {
        (enclave.get('path'), profile.get('node')): profile
        for enclave in root.iter('enclave')
        for profile in enclave.iter('profile')
    }


def allowed(profile, group, rule):
    entries = [e for e in profile.findall(group) if e.get(rule)]
    assert all(e.attrib == {rule: 'ALLOW'} for e in entries)
    return {name.text for e in entries for name in e}


def test_the_policy_of_the_demo_cell_is_the_one_that_is_shipped(cell):
    path = share_folder() / 'config' / 'sros2_policy.xml'
    again = (
        'run: inspection_cell policy --cell config/cells/demo.yaml --out config/sros2_policy.xml'
    )
    assert path.read_text() == policy_xml(cell), again


@pytest.mark.parametrize('namespace', ['', '/line_1/'])
def test_every_node_may_do_what_it_does_and_nothing_else(cell, namespace):
    name = namespace.strip('/') or 'demo'
    found = profiles(policy_xml(cell, namespace))
    expected = cell_interfaces(cell)
    assert {node for _, node in found} == set(expected)
    for (_, node), profile in found.items():
        assert profile.get('ns') == f'/{name}'
        for field, (group, rule) in RULES.items():
            names = getattr(expected[node], field)
            full = {one if one.startswith('/') else f'/{name}/{one}' for one in names}
            assert allowed(profile, group, rule) == full


def test_each_process_is_started_in_the_enclave_that_the_policy_names(cell, tmp_path):
    specs = cell_nodes(cell, load_recipes(cell, []), tmp_path)
    enclaves = {enclave for enclave, _ in profiles(policy_xml(cell))}
    assert {spec.enclave() for spec in specs} == enclaves
    for spec in specs:
        words = spec.arguments()
        assert words[words.index('--enclave') + 1] == spec.enclave()
    together = in_one_process(specs)
    (one,) = {enclave for enclave, _ in profiles(policy_xml(cell, one_process=True))}
    assert together.enclave() == one
    assert {node for _, node in profiles(policy_xml(cell, one_process=True))} == {
        spec.name for spec in specs
    }


def test_only_the_cell_itself_may_let_a_part_pass(cell):
    found = profiles(policy_xml(cell))
    grants = {
        node
        for (_, node), p in found.items()
        if '/demo/release' in allowed(p, *RULES['publishes'])
    }
    assert grants == {'cell_node'}
    commands = {
        node
        for (_, node), p in found.items()
        if '/demo/actuator_command' in allowed(p, *RULES['publishes'])
    }
    assert commands == {'reject_node'}


def test_the_stand_in_for_hardware_has_no_place_in_it(cell):
    spec = source_node(cell, load_recipes(cell, []), Simulated(0, 1))
    assert spec.enclave() not in {enclave for enclave, _ in profiles(policy_xml(cell))}

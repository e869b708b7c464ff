"""The SROS 2 policy of a cell: what its nodes may do, and nothing else.

The format is that of the package sros2 (`policy.xsd`, version 0.2.0); from it `ros2 security`
makes the signed permissions that the middleware enforces.
"""

from xml.etree import ElementTree

from inspection_cell.cell import Cell
from inspection_cell.node_interfaces import Interfaces, Names, cell_interfaces

HEAD = """\
<?xml version="1.0" encoding="UTF-8"?>
<!-- What the nodes of the cell '{name}' may do. Written by: inspection_cell policy -->
"""
ONE_PROCESS = 'one_process'


def policy_xml(cell: Cell, namespace: str = '', *, one_process: bool = False) -> str:
    """The policy file of a cell.

    Args:
        cell: its nodes are allowed what its `cell.yaml` needs.
        namespace: that they run in; empty: the cell's name.
        one_process: whether they share a process; a process has one enclave.

    Returns:
        XML. Each process has the enclave that `enclave` names.
    """
    namespace = namespace.strip('/') or cell.file.name
    nodes = cell_interfaces(cell)
    processes = {ONE_PROCESS: [*nodes]} if one_process else {name: [name] for name in nodes}
    policy = ElementTree.Element('policy', version='0.2.0')
    enclaves = ElementTree.SubElement(policy, 'enclaves')
    for process, names in processes.items():
        entry = ElementTree.SubElement(enclaves, 'enclave', path=enclave(namespace, process))
        profiles = ElementTree.SubElement(entry, 'profiles')
        for name in names:
            attributes = {'ns': f'/{namespace}', 'node': name}
            profile = ElementTree.SubElement(profiles, 'profile', attributes)
            _fill(profile, nodes[name], namespace)
    ElementTree.indent(policy)
    text = ElementTree.tostring(policy, encoding='unicode')
    return HEAD.format(name=cell.file.name) + text + '\n'


def enclave(namespace: str, process: str) -> str:
    """Name of the enclave of a process, as its command line has it too."""
    return '/' + f'{namespace.strip("/")}/{process}'.strip('/')


def _fill(profile: ElementTree.Element, node: Interfaces, namespace: str) -> None:
    for group, entry, rule, names in (
        ('topics', 'topic', 'publish', node.publishes),
        ('topics', 'topic', 'subscribe', node.subscribes),
        ('services', 'service', 'reply', node.serves),
        ('services', 'service', 'request', node.calls),
        ('actions', 'action', 'execute', node.executes),
        ('actions', 'action', 'call', node.sends),
    ):
        if names:
            allowed = ElementTree.SubElement(profile, group, {rule: 'ALLOW'})
            for name in _resolved(names, namespace):
                ElementTree.SubElement(allowed, entry).text = name


def _resolved(names: Names, namespace: str) -> list[str]:
    return sorted({name if name.startswith('/') else f'/{namespace}/{name}' for name in names})

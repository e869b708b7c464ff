"""What a running node really does in the ROS graph, in the words of the product's own list."""

from contextlib import suppress
from importlib.util import find_spec

from rclpy.action.graph import (
    get_action_client_names_and_types_by_node,
    get_action_server_names_and_types_by_node,
)

from inspection_cell.node_interfaces import Interfaces

NEWER = 'get_type_description'  # not in every distribution
TF = {'/tf', '/tf_static'}
STILL = 25  # looks in a row that saw the same


def seen(probe, name, namespace=''):
    """The interfaces of a node that `probe` sees; each a set of full names."""
    where = (name, f'/{namespace}')
    executes = _names(get_action_server_names_and_types_by_node(probe, *where))
    sends = _names(get_action_client_names_and_types_by_node(probe, *where))
    return {
        'publishes': _plain(probe.get_publisher_names_and_types_by_node(*where)),
        'subscribes': _plain(probe.get_subscriber_names_and_types_by_node(*where)),
        'serves': _plain(probe.get_service_names_and_types_by_node(*where)),
        'calls': _plain(probe.get_client_names_and_types_by_node(*where)),
        'executes': executes,
        'sends': sends,
    }


def settled(world, name, expected):
    """The interfaces of a node, comparable, once discovery has brought the expected ones.

    And nothing beyond them for a while. A busy machine may take seconds over them; what never
    comes is told by the comparison.
    """
    found = [None]

    def is_as_expected():
        found.append(comparable(seen(world.probe, name)))
        return len(found) > STILL and all(one == expected for one in found[-STILL:])

    with suppress(AssertionError):
        world.until(is_as_expected)
    return found[-1]


def listed(node: Interfaces, namespace=''):
    """The same of the product's list."""
    names = {field: getattr(node, field) for field in Interfaces.__slots__}
    return {field: {_full(name, namespace) for name in own} for field, own in names.items()}


def comparable(interfaces):
    """Without what depends on the installation: TF needs tf2_msgs."""
    lacking = set() if find_spec('tf2_msgs') else TF
    return {
        field: {name for name in names if not name.endswith(NEWER)} - lacking
        for field, names in interfaces.items()
    }


def _names(found):
    return {name for name, _ in found}


def _plain(found):
    """Actions are made of topics and services; they are listed as actions."""
    return {name for name in _names(found) if '/_action/' not in name}


def _full(name, namespace):
    prefix = f'/{namespace}/' if namespace else '/'
    return name if name.startswith('/') else prefix + name

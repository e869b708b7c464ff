"""Several nodes of a cell in one process: `python -m inspection_cell.nodes.one_process NAME...`.

For small machines: the same nodes with the same topics share one Python, so libraries are loaded
once. What computes for long does so in worker threads and lets the others run.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from rclpy.utilities import remove_ros_args

from inspection_cell.nodes.run import ManagedNode, run

NODES = {
    name: name.title().replace('_', '')
    for name in (
        'cell_node',
        'detection_node',
        'process_node',
        'program_node',
        'reject_node',
        'surface_node',
        'view_node',
    )
}


def main() -> int:
    """Run the nodes that the command line names."""
    names = remove_ros_args(sys.argv)[1:]
    unknown = [name for name in names if name not in NODES]
    if unknown or not names:
        sys.stderr.write(f'expected nodes among {", ".join(NODES)}, got {" ".join(names)!r}\n')
        return 2
    return run(*map(_class_of, names))


def _class_of(name: str) -> Callable[[], ManagedNode[Any]]:
    made: Callable[[], ManagedNode[Any]] = getattr(
        import_module(f'inspection_cell.nodes.{name}'), NODES[name]
    )
    return made


if __name__ == '__main__':
    sys.exit(main())

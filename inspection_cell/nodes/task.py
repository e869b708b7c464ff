"""How a node that does one task and ends runs: init, work, clean exit with a status."""

import sys
from collections.abc import Callable
from typing import TypeVar

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node

from inspection_cell.errors import InspectionCellError

N = TypeVar('N', bound=Node)


def run_task(make: Callable[[], N], work: Callable[[N], None]) -> int:
    """Run `work` once; return the exit status: 0 done or Ctrl-C, 1 refused with its reason.

    Args:
        make: creates the node, once ROS is initialised.
        work: does the task; raises InspectionCellError when it cannot.
    """
    rclpy.init(args=sys.argv)
    node = None
    try:
        node = make()
        work(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0
    except InspectionCellError as error:
        rclpy.logging.get_logger(node.get_name() if node else 'inspection_cell').fatal(str(error))
        return 1
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0

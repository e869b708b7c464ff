"""Brings the nodes of a process up, in their order, and tries again what fails."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rclpy.lifecycle import TransitionCallbackReturn

from inspection_cell.errors import InspectionCellError
from inspection_cell.pauses import Pauses

if TYPE_CHECKING:
    from inspection_cell.nodes.run import ManagedNode

FINAL = 'finalized'


@dataclass(slots=True)
class _Start:
    """One node on its way up."""

    node: 'ManagedNode[Any]'
    pauses: Pauses = field(default_factory=Pauses)
    is_done: bool = False


class Starting:
    """All nodes are configured first, then each is activated when all before it are.

    So `cell_node`, which comes after the nodes that it needs, is the last of them. Where another
    lifecycle manager was faster, or `autostart` is false, nothing is done.
    """

    def __init__(
        self, nodes: Sequence['ManagedNode[Any]'], interruptible: Callable[[bool], None]
    ) -> None:
        """Take the nodes.

        Args:
            nodes: in the order in which they become active.
            interruptible: told whether an interruption does no harm now.
        """
        self._starts = [_Start(node, is_done=not node.params.autostart) for node in nodes]
        self._interruptible = interruptible

    @property
    def is_done(self) -> bool:
        """Whether every node has been active, or is none of our business."""
        return all(start.is_done for start in self._starts)

    def step(self) -> None:
        """Try what is due; raises InspectionCellError for a node that must not be tried again."""
        for start in self._starts:
            if not start.is_done and start.node.state == 'unconfigured' and start.pauses.are_over:
                self._interruptible(True)  # what is half loaded has nothing to be put away
                self._try(start, start.node.trigger_configure, 'inactive')
                self._interruptible(False)
        for start in self._starts:
            if start.node.state == 'inactive' and not start.is_done and start.pauses.are_over:
                self._try(start, start.node.trigger_activate, 'active')
            start.is_done |= start.node.state in ('active', FINAL)
            if not start.is_done:
                return

    def _try(
        self, start: _Start, transition: Callable[[], TransitionCallbackReturn], goal: str
    ) -> None:
        name = start.node.get_name()
        if transition() is TransitionCallbackReturn.SUCCESS:
            start.pauses.end()
            return
        if not start.node.params.retry:
            raise InspectionCellError(f'{name} could not start; see above')
        pause_s = start.pauses.begin()
        start.node.get_logger().warning(f'not yet {goal}; tried again in {pause_s:g} s')

"""The cell's state: published on every change and twice per second, as the cell's heartbeat."""

import threading
from collections.abc import Callable, Sequence

from inspection_cell_msgs.msg import CellState
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from inspection_cell.nodes.cell_recipes import CellRecipe
from inspection_cell.nodes.qos import LATCHED

PERIOD_S = 0.5
LOST_AFTER_S = 2.0  # for listeners: four beats missed


class Heartbeat:
    """Says what the cell does, and what it lacks; safe to use from several threads."""

    def __init__(
        self,
        node: Node,
        recipes: Callable[[], Sequence[CellRecipe]],
        missing: Callable[[], str],
    ) -> None:
        """Begin to beat.

        Args:
            node: of the cell.
            recipes: that parts can be inspected by.
            missing: what the cell lacks, in words; empty when it can work.
        """
        self._node = node
        self._missing = missing
        self._was_ready = False
        self._in_work: list[str] = []
        self._recipes = recipes
        self._state = CellState(state=CellState.STARTING)
        self._lock = threading.Lock()
        self._publisher = node.create_publisher(CellState, 'cell_state', LATCHED)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(PERIOD_S, self._beat, clock=steady)
        self._beat()

    @property
    def problem(self) -> str:
        """What the cell lacks, in words."""
        return str(self._state.reason)

    @property
    def in_work(self) -> int:
        """Parts in work."""
        return len(self._in_work)

    def begin(self, inspection_id: str) -> None:
        """A part is in work."""
        with self._lock:
            self._in_work.append(inspection_id)
            self._publish()

    def end(self, inspection_id: str) -> None:
        """A part is no longer in work."""
        with self._lock:
            self._in_work.remove(inspection_id)
            self._publish()

    def close(self) -> None:
        """Say that the cell stops, and beat no more."""
        self._node.destroy_timer(self._timer)
        with self._lock:
            self._state.state = CellState.STOPPED
            self._state.reason = ''
            self._send()
        self._node.destroy_publisher(self._publisher)

    def _beat(self) -> None:
        missing = self._missing()
        with self._lock:
            if missing and missing != self._state.reason:
                self._node.get_logger().warning(missing)
            elif missing != self._state.reason:
                self._node.get_logger().info('the cell is complete')
            self._was_ready |= not missing
            self._state.reason = missing
            self._publish()

    def _publish(self) -> None:
        if self._state.reason:
            self._state.state = CellState.FAULT if self._was_ready else CellState.STARTING
        else:
            self._state.state = CellState.INSPECTING if self._in_work else CellState.READY
        self._send()

    def _send(self) -> None:
        if not self._node.context.ok():
            return
        self._state.inspection_id = self._in_work[0] if self._in_work else ''
        recipes = self._recipes()
        self._state.part_types = [recipe.part_type for recipe in recipes]
        self._state.recipe_hashes = [recipe.identity.recipe_hash for recipe in recipes]
        self._state.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(self._state)

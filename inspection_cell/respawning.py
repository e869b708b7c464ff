"""Starts nodes again that have ended, after growing pauses."""

import time
from collections.abc import Callable, Sequence

from inspection_cell.bringup import NodeSpec
from inspection_cell.pauses import LONGEST_S, Pauses
from inspection_cell.processes import Ended, NodeProcesses


class Respawning:
    """Keeps nodes alive; `step` is called now and then."""

    def __init__(
        self,
        processes: NodeProcesses,
        specs: Sequence[NodeSpec],
        tell: Callable[[Ended, float], None],
    ) -> None:
        """Take the nodes that run.

        Args:
            processes: in which they run.
            specs: of the nodes.
            tell: told of each node that has ended, and after how many seconds it starts again.
        """
        self._processes = processes
        self._specs = {spec.name: spec for spec in specs}
        self._pauses = {spec.name: Pauses() for spec in specs}
        self._started_s = dict.fromkeys(self._specs, time.monotonic())
        self._ended: set[str] = set()
        self._tell = tell

    def step(self) -> None:
        """Note who has ended, and start those whose pause is over."""
        for ended in self._processes.all_ended():
            if ended.name not in self._ended:
                self._note(ended)
        for name in [name for name in self._ended if self._pauses[name].are_over]:
            self._ended.remove(name)
            self._started_s[name] = time.monotonic()
            self._processes.start(self._specs[name])

    def _note(self, ended: Ended) -> None:
        pauses = self._pauses[ended.name]
        if time.monotonic() - self._started_s[ended.name] > LONGEST_S:
            pauses.end()  # it has worked in between
        self._ended.add(ended.name)
        self._tell(ended, pauses.begin())

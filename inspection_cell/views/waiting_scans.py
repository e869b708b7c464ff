"""Scans that wait for the others of their part; bounded, whatever becomes of the parts."""

import threading
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from inspection_cell.findings import ViewFindings, ViewStatus
from inspection_cell.observations import Observation, ViewKey
from inspection_cell.views.joint_scans import JointScans, joint_scans

T = TypeVar('T')  # who judges them

_ENDED = 64  # inspections whose late scans are recognised


@dataclass(slots=True)
class _Part(Generic[T]):
    """What came of one part."""

    required: tuple[ViewKey, ...]
    judge: T | None = None
    observed: dict[ViewKey, Observation] = field(default_factory=dict)
    said: dict[ViewKey, ViewFindings] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Complete(Generic[T]):
    """The scans of a part that wait for nothing more, and who judges them: nobody without any."""

    scans: JointScans
    judge: T | None


class WaitingScans(Generic[T]):
    """Keeps the scans of parts in work until every view of a part has spoken; thread-safe."""

    def __init__(self, most: int) -> None:
        """Keep the scans of `most` parts at most."""
        self._most = most
        self._parts: OrderedDict[str, _Part[T]] = OrderedDict()
        self._ended: deque[str] = deque(maxlen=_ENDED)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Parts of which something is kept."""
        with self._lock:
            return len(self._parts)

    def keep(
        self, observation: Observation, required: tuple[ViewKey, ...], judge: T
    ) -> list[JointScans]:
        """Keep a scan until its part is complete; call it before its view speaks.

        Args:
            observation: the scan.
            required: `joint_scans` of the recipe.
            judge: who judges the part.

        Returns:
            The oldest parts, as many as there were too many: they are let go.
        """
        with self._lock:
            part = self._part(observation.inspection_id, required)
            if part is not None:
                part.observed[observation.view] = observation
                part.judge = judge
            return self._surplus()

    def said(self, findings: ViewFindings, required: tuple[ViewKey, ...]) -> Complete[T] | None:
        """Take what a scan's own view said; all scans of the part once every view has spoken."""
        identity = findings.inspection_id
        if findings.view not in required:
            return None
        with self._lock:
            part = self._part(identity, required)
            if part is None:
                return None
            part.said[findings.view] = findings
            if findings.status is not ViewStatus.OK:  # it will not take part
                part.observed.pop(findings.view, None)
            if len(part.said) < len(required):
                return None
            self._end(identity)
            return Complete(_scans(identity, part), part.judge)

    def forget(self, inspection_id: str) -> None:
        """Let go of a part: it has its verdict, or never will."""
        with self._lock:
            self._end(inspection_id)

    def _part(self, inspection_id: str, required: tuple[ViewKey, ...]) -> _Part[T] | None:
        """None for a part that was judged or let go."""
        if inspection_id in self._ended:
            return None
        return self._parts.setdefault(inspection_id, _Part(required))

    def _end(self, inspection_id: str) -> None:
        self._parts.pop(inspection_id, None)
        self._ended.append(inspection_id)

    def _surplus(self) -> list[JointScans]:
        dropped = []
        while len(self._parts) > self._most:
            identity, part = next(iter(self._parts.items()))
            self._end(identity)
            dropped.append(_scans(identity, part))
        return dropped


def _scans(inspection_id: str, part: _Part[T]) -> JointScans:
    said, observed = tuple(part.said.values()), tuple(part.observed.values())
    return joint_scans(inspection_id, part.required, said, observed)

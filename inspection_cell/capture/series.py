"""Lighting sequences: the frames of one view's shots, brought together."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from inspection_cell.capture.gate import Captured
from inspection_cell.cell import Cell
from inspection_cell.findings import ViewFindings, ViewStatus
from inspection_cell.observations import Image, ImageSeries, Observation, Scan, Signal, ViewKey

T = TypeVar('T')


class ShotCollector(Generic[T]):
    """Collects the shots of one camera, view by view; the shots of an older view are forgotten."""

    def __init__(self, shots: Sequence[str]) -> None:
        """Take the names of the shots, in their order."""
        self._shots = tuple(shots)
        self._view = ('', '')
        self._taken: dict[str, Captured[T]] = {}

    def add(self, captured: Captured[T]) -> tuple[Captured[T], ...]:
        """Take one shot; return all of its view, in their order, once they are all there."""
        request = captured.request
        view = (request.inspection_id, request.presentation)
        if view != self._view:
            self._view, self._taken = view, {}
        self._taken[request.shot] = captured
        if not self._taken.keys() >= set(self._shots):
            return ()
        taken, self._view = self._taken, ('', '')
        return tuple(taken[shot] for shot in self._shots)


def whole_series(
    cell: Cell, captured: Mapping[ViewKey, Observation | None], views: Iterable[ViewFindings]
) -> list[ViewFindings]:
    """The same views, but MISSING where not all shots of a lighting sequence were observed."""
    checked = []
    for view in views:
        seen, camera = captured.get(view.view), cell.cameras.get(view.view.sensor)
        why = _problem(camera.shots, seen.data) if camera and seen else ''
        missing = ViewFindings(view.inspection_id, view.view, ViewStatus.MISSING, why)
        checked.append(missing if why else view)
    return checked


def _problem(shots: Collection[str], data: Image | ImageSeries | Scan | Signal) -> str:
    """Why data are not what a camera with these shots delivers for a view; empty when they are."""
    given = [one.shot for one in data.shots] if isinstance(data, ImageSeries) else []
    lacking = [shot for shot in shots if shot not in given]
    if lacking:
        return f'no image of shot {", ".join(lacking)} came'
    strange = [shot for shot in given if shot not in shots]
    return f'images of unknown shots {", ".join(strange)} came' if strange else ''

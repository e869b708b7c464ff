"""A verdict as something to look at: the part with what was seen of it, and its defects."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import shorten

import numpy as np
from numpy.typing import NDArray

from inspection_cell.cell import Cell
from inspection_cell.findings import Decision, Defect, Verdict, ViewFindings
from inspection_cell.geometry import Intrinsics, Points, invert
from inspection_cell.judging.words import named, numbers_in_words
from inspection_cell.named_poses import named_pose
from inspection_cell.recipe import Recipe
from inspection_cell.reference import ReferenceMesh
from inspection_cell.seen_surface import Seen, SeenSurface
from inspection_cell.showing.coverage_colours import COLOURS
from inspection_cell.showing.surface_triangles import ShownSurface

SURFACES = {Seen.NOT: 'not seen', Seen.TOO_FEW: 'seen by too few', Seen.ENOUGH: 'seen'}
PROVEN = COLOURS[Seen.ENOUGH]
DECISION_COLOURS = {
    Decision.ACCEPT: '#35b56a',
    Decision.REJECT: '#ff4a45',
    Decision.REVIEW: '#ffae2b',
    Decision.UNKNOWN: '#b48cff',
}
SIZE_WITHOUT_REFERENCE_M = 0.1
SMALLEST_SPHERE = 0.015  # as a share of the part's size: smaller ones would not be seen
REASONS = 3
LINE = 90  # characters


@dataclass(frozen=True, slots=True, eq=False)
class ColouredSurface:
    """Triangles (T, 3, 3) of one colour (`#rrggbb`), part frame, metres."""

    name: str
    colour: str
    corners: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class DefectMark:
    """Where a defect is.

    Attributes:
        text: number, label and probability: `D1 scratch 0.93`.
        colour: of the decision that this defect alone leads to.
        position_m: (3,) part frame.
        normal: (3,) unit, outward; None where it is not known.
        diameter_m: of the sphere around it.
    """

    text: str
    colour: str
    position_m: NDArray[np.float64]
    normal: NDArray[np.float64] | None
    diameter_m: float


@dataclass(frozen=True, slots=True, eq=False)
class Frustum:
    """What a sensor looks at: from its optical frame's origin to (4, 3) corners, metres."""

    sensor: str
    corners_m: Points
    colour: str


@dataclass(frozen=True, slots=True, eq=False)
class PartMarkers:
    """All that is shown of one verdict.

    Attributes:
        size_m: of the part; texts and arrows go by it.
        headline: decision, part and first reasons, in lines.
        headline_at_m: (3,) part frame.
    """

    size_m: float
    headline: str
    headline_at_m: NDArray[np.float64]
    colour: str
    surfaces: tuple[ColouredSurface, ...]
    defects: tuple[DefectMark, ...]
    frusta: tuple[Frustum, ...]


class PartMarker:
    """Makes the markers of one part type's verdicts."""

    def __init__(self, recipe: Recipe, cell: Cell, reference: ReferenceMesh | None) -> None:
        """Prepare what is drawn of the reference; None for `reference: none`."""
        self._recipe = recipe
        self._cell = cell
        self._reference = reference
        self._covered = None if reference is None else _Covered(recipe, cell, reference)
        self._size_m = reference.diagonal_m if reference else SIZE_WITHOUT_REFERENCE_M

    def of(self, verdict: Verdict) -> PartMarkers:
        """The markers of one verdict."""
        colour = DECISION_COLOURS[verdict.decision]
        return PartMarkers(
            self._size_m,
            headline(verdict),
            self._above(),
            colour,
            self._covered.of(verdict.views) if self._covered else (),
            tuple(self._marks(verdict)),
            tuple(self._frusta(verdict)),
        )

    def _above(self) -> NDArray[np.float64]:
        if self._reference is None:
            return np.array([0.0, 0.0, self._size_m])
        low, high = self._reference.bounds_m
        above: NDArray[np.float64] = (low + high) / 2.0
        above[2] = high[2] + 0.3 * self._size_m
        return above

    def _marks(self, verdict: Verdict) -> list[DefectMark]:
        return [
            DefectMark(
                title(number, defect),
                DECISION_COLOURS[decision_of(number, verdict)],
                defect.position_m,
                defect.normal,
                max(defect.length_mm / 1000.0, SMALLEST_SPHERE * self._size_m),
            )
            for number, defect in enumerate(verdict.defects, start=1)
            if defect.position_m is not None
        ]

    def _frusta(self, verdict: Verdict) -> list[Frustum]:
        """One per sensor of known geometry, in the colour of UNKNOWN where a view is no proof."""
        frusta = []
        for name, sensor in self._cell.posed_sensors.items():
            own = [view for view in verdict.views if view.view.sensor == name]
            given = sensor.intrinsics.value() if sensor.intrinsics else None
            camera = next((view.intrinsics for view in own if view.intrinsics), given)
            reach_m = min(filter(None, map(self._reach_m, own)), default=None)
            if own and camera is not None and reach_m is not None:
                proven = all(view.is_evidence for view in own)
                colour = PROVEN if proven else DECISION_COLOURS[Decision.UNKNOWN]
                frusta.append(Frustum(name, reach_m * _corner_rays(camera), colour))
        return frusta

    def _reach_m(self, view: ViewFindings) -> float | None:
        """To where the part was held before the sensor, else to where it was meant to be."""
        pose = view.transform_part_to_sensor
        held = self._recipe.file.presentations.get(view.view.presentation)
        if pose is None and held is not None:
            named = named_pose(self._cell, self._recipe, view.view)
            pose = None if named is None else invert(named) @ held.pose.transform()
        return None if pose is None else float(np.linalg.norm(pose[:3, 3]))


class _Covered:
    """The reference in the colours of how well it was seen."""

    def __init__(self, recipe: Recipe, cell: Cell, reference: ReferenceMesh) -> None:
        self._seen = SeenSurface(recipe, cell, reference)
        self._shown = ShownSurface(reference, self._seen.places)

    def of(self, views: Sequence[ViewFindings]) -> tuple[ColouredSurface, ...]:
        how = self._seen.of(views)[self._shown.places]
        return tuple(
            ColouredSurface(name, COLOURS[seen], self._shown.corners[how == seen])
            for seen, name in SURFACES.items()
        )


def decision_of(number: int, verdict: Verdict) -> Decision:
    """What a defect, by its number from 1, leads to: by the first reason that tells of it."""
    words = named(verdict.defects[number - 1])
    own = re.compile(rf'{re.escape(words)}|.*\b{numbers_in_words([number])}\b')
    told = (reason.decision for reason in verdict.reasons if own.match(reason.text))
    return next(told, verdict.decision)


def title(number: int, defect: Defect) -> str:
    """`D1 scratch 0.93`: its number in the verdict, label and probability."""
    return f'{numbers_in_words([number])} {defect.label} {defect.probability:.2f}'


def headline(verdict: Verdict) -> str:
    """The decision, the first reasons, and the defects that have no place, in lines."""
    reasons = [reason.text for reason in verdict.reasons]
    lines = [f'{verdict.decision.name} {verdict.part_id}', *reasons[:REASONS]]
    if len(reasons) > REASONS:
        lines.append(f'and {len(reasons) - REASONS} more')
    numbered = enumerate(verdict.defects, start=1)
    lines += [
        f'{title(number, defect)} has no place'
        for number, defect in numbered
        if defect.position_m is None
    ]
    return '\n'.join(shorten(line, LINE, placeholder=' …') for line in lines)


def _corner_rays(camera: Intrinsics) -> Points:
    right, bottom = camera.width - 0.5, camera.height - 0.5
    return camera.rays([(-0.5, -0.5), (right, -0.5), (right, bottom), (-0.5, bottom)])

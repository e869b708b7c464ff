"""Draws defects where a sensor of the cell really sees them, wholly on a smooth surface."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inspection_cell.errors import DataError
from inspection_cell.geometry import Points
from inspection_cell.sim.appearance import DARK
from inspection_cell.sim.body import Body, Bump, tangents
from inspection_cell.sim.defects import (
    SEEN_BY_CAMERA,
    DefectKind,
    DisplacedBore,
    MissingScrew,
    TrueDefect,
)
from inspection_cell.sim.marks import Mark
from inspection_cell.sim.parts import PART_TYPES
from inspection_cell.sim.shapes import Bore
from inspection_cell.sim.viewpoints import Viewpoint

TRIES_PER_SIZE = 300
SHRINK = 0.85  # a defect that fits nowhere is drawn this much smaller
CAMERA_INCIDENCE, SCANNER_INCIDENCE, WALL_INCIDENCE = np.deg2rad([58.0, 50.0, 66.0])
MARGIN_M = 0.0012  # from the outline of a defect to the next edge
PROBE_M = 0.003
SMOOTH_COS = np.cos(np.deg2rad(20.0))
APART_M = 0.004  # between two defects of one part


class Placer:
    """Places defects on one part type as the cell sees it."""

    def __init__(self, part_type: str, body: Body, views: Sequence[Viewpoint]) -> None:
        """Prepare drawing surface points of the good `body` evenly by area."""
        self._body = body
        self._cameras = [view for view in views if not view.is_scanner]
        self._scanners = [view for view in views if view.is_scanner]
        known = PART_TYPES.get(body.look)
        self._part_type = part_type
        self._bores = known.bores if known else ()
        self._screws = known.screws if known else ()
        self._corners, self._faces = body.triangles_in_space()
        cross = np.cross(
            self._corners[:, 1] - self._corners[:, 0], self._corners[:, 2] - self._corners[:, 0]
        )
        self._cumulated = np.cumsum(np.linalg.norm(cross, axis=1))

    @property
    def kinds(self) -> tuple[DefectKind, ...]:
        """Kinds that this part type and these sensors allow."""
        kinds = [DefectKind.SCRATCH, DefectKind.STAIN] if self._cameras else []
        if self._scanners:
            kinds += [DefectKind.DENT, DefectKind.BURR]
            kinds += [DefectKind.DISPLACED_BORE] * bool(self._bores)
        kinds += [DefectKind.MISSING_SCREW] * bool(self._screws)
        return tuple(kinds)

    def draw(
        self, kind: DefectKind, generator: np.random.Generator, others: Sequence[TrueDefect] = ()
    ) -> TrueDefect:
        """Draw one defect; its size is log-uniform over a decade from the smallest.

        Raises:
            DataError: when even the smallest fits nowhere.
        """
        factor = 10.0 ** generator.uniform(0.0, 1.0)
        if kind is DefectKind.MISSING_SCREW:
            return self._missing_screw(generator, others)
        if kind is DefectKind.DISPLACED_BORE:
            return self._displaced_bore(generator, 0.3 * factor)
        for _ in range(24):
            for _ in range(TRIES_PER_SIZE):
                found = self._try(kind, generator, factor)
                if found is not None and _apart(found, others):
                    return found
            factor = max(1.0, factor * SHRINK)
        raise DataError(
            f'simulated {kind} on {self._part_type}: no sensor sees a smooth place for it'
        )

    def _try(
        self, kind: DefectKind, generator: np.random.Generator, factor: float
    ) -> TrueDefect | None:
        triangle, position = self._surface_point(generator)
        normal = self._faces[triangle].astype(np.float64)
        cameras = kind in SEEN_BY_CAMERA
        views = self._cameras if cameras else self._scanners
        limit = CAMERA_INCIDENCE if cameras else SCANNER_INCIDENCE
        if not any(_faces(view, position, normal, limit) for view in views):
            return None
        dark = self._body.material_of(triangle) in DARK
        defect = _proposal(kind, generator, factor, position, normal, dark)
        outline = defect.cause.footprint() if isinstance(defect.cause, Mark) else _disc(defect)
        grown = outline + MARGIN_M * _unit(outline - position)
        surface = self._on_surface(np.concatenate([outline, grown]), normal)
        if surface is None:
            return None
        normals = np.broadcast_to(normal, surface.shape)
        seen = any(view.sees(self._body, surface, normals, limit).all() for view in views)
        return defect if seen else None

    def _surface_point(self, generator: np.random.Generator) -> tuple[int, NDArray[np.float64]]:
        at = generator.uniform(0.0, self._cumulated[-1])
        index = min(int(np.searchsorted(self._cumulated, at)), len(self._cumulated) - 1)
        u, v = generator.random(2)
        if u + v > 1:
            u, v = 1 - u, 1 - v
        a, b, c = self._corners[index]
        return index, a + u * (b - a) + v * (c - a)

    def _on_surface(self, points: Points, normal: NDArray[np.float64]) -> Points | None:
        """The points dropped onto the surface; None where it bends or ends below them."""
        rays = np.empty((len(points), 6), dtype=np.float32)
        rays[:, :3], rays[:, 3:] = points + PROBE_M * normal, -normal
        hits = self._body.cast(rays)
        if len(hits.rows) < len(points):
            return None
        if (np.abs(hits.ranges - PROBE_M) > PROBE_M / 2).any():
            return None
        if (hits.faces @ normal < SMOOTH_COS).any() or len(np.unique(hits.materials)) > 1:
            return None
        return hits.points.astype(np.float64)

    def _missing_screw(
        self, generator: np.random.Generator, others: Sequence[TrueDefect]
    ) -> TrueDefect:
        gone = {d.cause.index for d in others if isinstance(d.cause, MissingScrew)}
        left = [index for index in range(len(self._screws)) if index not in gone]
        if not left:
            raise DataError('simulated missing screw: the part has no screw left')
        index = int(generator.choice(left))
        screw = self._screws[index]
        position = np.array(screw.seat) / 1000.0 + (0, 0, screw.height / 1000.0)
        return TrueDefect(
            DefectKind.MISSING_SCREW,
            position,
            np.array([0.0, 0.0, 1.0]),
            screw.height,
            2 * screw.radius,
            MissingScrew(index),
        )

    def _displaced_bore(self, generator: np.random.Generator, offset_mm: float) -> TrueDefect:
        """A bore moved towards or away from a wall that a scanner sees."""
        options = [
            (index, direction)
            for index, bore in enumerate(self._bores)
            for direction in self._seen_walls(bore)
        ]
        if not options:
            raise DataError('simulated displaced bore: no scanner sees the wall of any bore')
        index, direction = options[int(generator.integers(len(options)))]
        offset = direction * offset_mm * generator.choice([-1.0, 1.0])
        bore = self._bores[index]
        position = np.array(bore.centre) / 1000.0
        cause = DisplacedBore(index, (float(offset[0]), float(offset[1]), float(offset[2])))
        return TrueDefect(
            DefectKind.DISPLACED_BORE, position, -direction, offset_mm, 2 * bore.radius, cause
        )

    def _seen_walls(self, bore: Bore) -> list[NDArray[np.float64]]:
        """Directions from the axis to walls that some scanner sees over 30° to both sides."""
        axis = np.array(bore.axis)
        tangent, across = tangents(axis)
        angles = np.deg2rad(np.arange(0, 360, 10))
        outward = np.cos(angles)[:, None] * tangent + np.sin(angles)[:, None] * across
        heights = np.array([-0.6, -0.2, 0.2, 0.6]) * bore.half_length
        centre = np.array(bore.centre)
        points = (centre + heights[:, None, None] * axis + 0.998 * bore.radius * outward).reshape(
            -1, 3
        ) / 1000.0
        normals = np.tile(-outward, (len(heights), 1))
        seen = np.zeros(len(points), dtype=np.bool_)
        for view in self._scanners:
            seen |= view.sees(self._body, points, normals, WALL_INCIDENCE)
        share = seen.reshape(len(heights), -1).mean(axis=0)
        around = np.array([np.roll(share, k) for k in range(-3, 4)]).min(axis=0)
        return [outward[k] for k in np.flatnonzero(around >= 0.5)]


def _proposal(
    kind: DefectKind,
    generator: np.random.Generator,
    factor: float,
    position: NDArray[np.float64],
    normal: NDArray[np.float64],
    dark: bool,
) -> TrueDefect:
    first, second = tangents(normal)
    angle = generator.uniform(0, 2 * np.pi)
    tangent = np.cos(angle) * first + np.sin(angle) * second
    cause: Mark | Bump
    if kind is DefectKind.SCRATCH:
        length, width = 4.0 * factor, 0.2 * np.sqrt(factor)
        contrast = generator.uniform(0.4, 0.65)
        bright = generator.random() < 0.5 and dark  # on bright metal it would drown in the glare
        gain = 1 + contrast if bright else 1 - contrast
        cause = Mark(position, normal, tangent, length / 1e3, width / 1e3, gain, round=False)
        return TrueDefect(kind, position, normal, length, length, cause)
    if kind is DefectKind.STAIN:
        diameter = 2.0 * factor
        gain = 1 - 0.15 * 4.0 ** generator.random()
        cause = Mark(position, normal, tangent, diameter / 1e3, diameter / 1e3, gain, round=True)
        return TrueDefect(kind, position, normal, diameter, diameter, cause)
    height, diameter = 0.25 * factor, 4.0 * factor**0.35
    sign = 1.0 if kind is DefectKind.BURR else -1.0
    cause = Bump(position, normal, sign * height / 1e3, diameter / 2e3)
    return TrueDefect(kind, position, normal, height, diameter, cause)


def _disc(defect: TrueDefect) -> Points:
    first, second = tangents(defect.normal)
    angles = np.arange(16) * (np.pi / 8)
    turned = np.cos(angles)[:, None] * first + np.sin(angles)[:, None] * second
    radius = defect.extent_mm / 2000.0
    outline: Points = defect.position_m + np.concatenate([0.5 * turned, turned]) * radius
    return outline


def _faces(
    view: Viewpoint, position: NDArray[np.float64], normal: NDArray[np.float64], limit: float
) -> bool:
    towards = view.transform_sensor_to_part[:3, 3] - position
    return bool(towards @ normal > np.cos(limit) * np.linalg.norm(towards))


def _unit(vectors: Points) -> Points:
    unit: Points = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit


def _apart(defect: TrueDefect, others: Sequence[TrueDefect]) -> bool:
    return all(
        np.linalg.norm(defect.position_m - other.position_m)
        > APART_M + (defect.extent_mm + other.extent_mm) / 2000.0
        for other in others
    )

"""Labelled camera images of one simulated part, with its domain varied around the cell's own."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inspection_cell.cell import Cell, load_cell
from inspection_cell.learning.domain import Domain
from inspection_cell.learning.labels import Labels, thickened
from inspection_cell.recipe import Recipe, load_recipe
from inspection_cell.sim.defects import DefectKind, TrueDefect
from inspection_cell.sim.labels import CLASSES, Label
from inspection_cell.sim.lighting import panels_above
from inspection_cell.sim.parts import reference_body
from inspection_cell.sim.placement import Placer
from inspection_cell.sim.plan import PlannedPart
from inspection_cell.sim.seeds import Purpose, stream
from inspection_cell.sim.station import Presented, Station, presentation_centre
from inspection_cell.sim.viewpoints import viewpoints

MAX_DEFECTS = 6
# How often each kind is drawn; those that only the scanner sees stay unlabelled, as distractors.
KIND_WEIGHTS = {
    DefectKind.SCRATCH: 0.48,
    DefectKind.STAIN: 0.36,
    DefectKind.MISSING_SCREW: 0.10,
    DefectKind.DENT: 0.02,
    DefectKind.BURR: 0.02,
    DefectKind.DISPLACED_BORE: 0.02,
}
ONCE = frozenset({DefectKind.MISSING_SCREW, DefectKind.DISPLACED_BORE})


@dataclass(frozen=True, slots=True)
class PartOrder:
    """Which simulated part to render.

    Attributes:
        purpose: keeps training, tuning and test apart for any seed.
        index: of the part; parts take the recipes in turn.
        good_share: how probable a part without defects is.
        view_share: of the part's views that are rendered.
        varied: whether light, background and marks leave the cell's own look.
    """

    cell: Cell
    recipes: tuple[Recipe, ...]
    purpose: Purpose
    seed: int
    index: int
    good_share: float
    view_share: float = 1.0
    varied: bool = True

    @property
    def recipe(self) -> Recipe:
        """The recipe of this part's type."""
        return self.recipes[self.index % len(self.recipes)]

    def generator(self) -> np.random.Generator:
        """The random stream of this part."""
        return stream(self.purpose, self.seed, 'synthesis', self.index)


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """One rendered camera image (H, W, 3) in B, G, R with what it shows."""

    stem: str
    pixels: NDArray[np.uint8]
    labels: Labels


@dataclass(frozen=True, slots=True)
class RenderedPart:
    """One part with the images of its views."""

    planned: PlannedPart
    images: tuple[LabelledImage, ...]


def render_part(order: PartOrder) -> RenderedPart:
    """Render views of one part."""
    generator = order.generator()
    domain = Domain.draw(generator, varied=order.varied)
    name = f'{order.purpose.name.lower()}_{order.index:04d}'
    defects = domain.defects(_defects(order, generator))
    planned = PlannedPart(name, order.recipe.part_type, defects)
    cell = domain.cell(order.cell)
    station = Station(
        cell,
        order.recipes,
        order.seed,
        purpose=order.purpose,
        lighting=domain.lighting(panels_above(presentation_centre(order.recipes))),
        backgrounds=_backgrounds(cell, domain),
    )
    views = [
        (presentation, sensor)
        for presentation, described in order.recipe.file.presentations.items()
        for sensor in described.sensors
        if sensor in cell.cameras and generator.random() < order.view_share
    ]
    images = (
        _image(station, station.present(planned, presentation), sensor, shot, domain)
        for presentation, sensor in views
        for shot in cell.cameras[sensor].shots or ('',)
    )
    return RenderedPart(planned, tuple(images))


def _image(
    station: Station, presented: Presented, sensor: str, shot: str, domain: Domain
) -> LabelledImage:
    shown = station.picture(presented, sensor, shot)
    pixels = domain.developed(shown.image.pixels.astype(np.uint8, copy=False))
    labels = as_labels(shown.labels, (pixels.shape[0], pixels.shape[1]))
    stem = f'{presented.planned.part_id}_{presented.presentation}_{sensor}{shot and "_"}{shot}'
    return LabelledImage(stem, pixels, labels)


def as_labels(found: tuple[Label, ...], shape: tuple[int, int]) -> Labels:
    """The simulator's labels of an image of (height, width) as those of a data set."""
    boxes = np.array([label.box_px for label in found], dtype=np.float64)
    return Labels(
        thickened(boxes, shape),
        tuple(CLASSES.index(label.name) for label in found),
        tuple(label.outline_px for label in found),
        tuple(label.defect for label in found),
    )


def _backgrounds(cell: Cell, domain: Domain) -> dict[str, NDArray[np.float32]]:
    drawn = {
        name: domain.background(camera.intrinsics.value())
        for name, camera in cell.cameras.items()
        if camera.intrinsics is not None
    }
    return {name: picture for name, picture in drawn.items() if picture is not None}


def _defects(order: PartOrder, generator: np.random.Generator) -> tuple[TrueDefect, ...]:
    if generator.random() < order.good_share:
        return ()
    placer = _placer(order.cell.path, order.recipe.path)
    kinds = list(placer.kinds)
    weights = np.array([KIND_WEIGHTS[kind] for kind in kinds])
    defects: list[TrueDefect] = []
    for _ in range(int(generator.integers(1, MAX_DEFECTS + 1))):
        kind = kinds[int(generator.choice(len(kinds), p=weights / weights.sum()))]
        if kind in ONCE and any(defect.kind is kind for defect in defects):
            continue
        defects.append(placer.draw(kind, generator, defects))
    return tuple(defects)


@lru_cache(maxsize=8)
def _placer(cell_path: Path, recipe_path: Path) -> Placer:
    recipe = load_recipe(recipe_path)
    views = viewpoints(load_cell(cell_path), recipe)
    return Placer(recipe.part_type, reference_body(recipe), views)

"""Labelled camera images of one simulated part, with its domain varied around the cell's own."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection_cell.cell import Cell, Simulation, load_cell
from inspection_cell.learning.labels import Labels, thickened
from inspection_cell.observations import Image
from inspection_cell.recipe import Recipe, load_recipe
from inspection_cell.sim.defects import DefectKind, TrueDefect
from inspection_cell.sim.labels import CLASSES
from inspection_cell.sim.parts import reference_body
from inspection_cell.sim.placement import Placer
from inspection_cell.sim.plan import PlannedPart
from inspection_cell.sim.seeds import Purpose, stream
from inspection_cell.sim.station import Station
from inspection_cell.sim.viewpoints import viewpoints

VIEW_SHARE = 0.5  # of a part's views that are rendered: other parts teach more than other views
MAX_DEFECTS = 6
# How often each kind is drawn; those that only the scanner sees stay unlabelled, as distractors.
KIND_WEIGHTS = {
    DefectKind.SCRATCH: 0.42,
    DefectKind.STAIN: 0.42,
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
    """

    cell: Cell
    recipes: tuple[Recipe, ...]
    purpose: Purpose
    seed: int
    index: int
    good_share: float

    def generator(self) -> np.random.Generator:
        """The random stream of this part."""
        return stream(self.purpose, self.seed, 'synthesis', self.index)


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """One rendered camera image (H, W, 3) in B, G, R with what it shows."""

    stem: str
    pixels: NDArray[np.uint8]
    labels: Labels


def render_part(order: PartOrder) -> Iterator[LabelledImage]:
    """Render about half of the views of one part."""
    generator = order.generator()
    recipe = order.recipes[order.index % len(order.recipes)]
    defects = _defects(order, recipe, generator)
    planned = PlannedPart(
        f'{order.purpose.name.lower()}_{order.index:04d}', recipe.part_type, defects
    )
    cell = _varied(order.cell, generator)
    station = Station(cell, order.recipes, order.seed, purpose=order.purpose)
    for name, presentation in recipe.file.presentations.items():
        presented = station.present(planned, name)
        for sensor in presentation.sensors:
            if sensor not in cell.cameras or generator.random() > VIEW_SHARE:
                continue
            image = station.observe(presented, sensor)
            found = station.labels(presented, sensor)
            if isinstance(image, Image):
                boxes = np.array([label.box_px for label in found], dtype=np.float64)
                shape = (image.pixels.shape[0], image.pixels.shape[1])
                classes = tuple(CLASSES.index(label.name) for label in found)
                labels = Labels(thickened(boxes, shape), classes)
                stem = f'{planned.part_id}_{name}_{sensor}'
                yield LabelledImage(stem, _blurred(image, generator), labels)


def _defects(
    order: PartOrder, recipe: Recipe, generator: np.random.Generator
) -> tuple[TrueDefect, ...]:
    if generator.random() < order.good_share:
        return ()
    placer = _placer(order.cell.path, recipe.path)
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


def _varied(cell: Cell, generator: np.random.Generator) -> Cell:
    """The cell with other errors of pose, light and camera than its own."""
    simulation = cell.file.simulation
    varied: Simulation = simulation.model_copy(
        update={
            'pose_error_mm': simulation.pose_error_mm + 2.0 * generator.random(),
            'pose_error_deg': simulation.pose_error_deg + 2.0 * generator.random(),
            'light_variation': min(simulation.light_variation * 2.0, 0.3),
            'image_noise': simulation.image_noise * generator.uniform(0.6, 1.6),
        }
    )
    return replace(cell, file=cell.file.model_copy(update={'simulation': varied}))


def _blurred(image: Image, generator: np.random.Generator) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = image.pixels.astype(np.uint8, copy=False)
    if generator.random() < 0.3:
        sigma = generator.uniform(0.3, 0.8)
        pixels = cv2.GaussianBlur(pixels, (0, 0), sigma).astype(np.uint8, copy=False)
    return pixels

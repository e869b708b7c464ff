"""Scratches two pixels wide in images of 4096 x 3000 pixels: whole images against tiles.

    python test/acceptance/sliced_scratches.py OUT [--parts 8] [--model MODEL_DIR] [--json]

OUT gets the cell with such cameras, and nothing else: images are rendered, looked at and
forgotten. Each part has a few scratches; a scratch is found in an image that shows it when a
detection of the class `scratch` from the recipe's score on overlaps it (IoU >= 0.1: the boxes of a
reduced image are coarse). False alarms are detections of scratches that overlap none.
"""

import argparse
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import yaml

from inspection_cell.bringup import load_recipes
from inspection_cell.cell import Cell, load_cell
from inspection_cell.learning.evaluation import Thresholds
from inspection_cell.locations import demo_cell, demo_recipes
from inspection_cell.models import find_model, load_model_folder
from inspection_cell.observations import Image
from inspection_cell.recipe import Recipe
from inspection_cell.sim.defects import DefectKind, TrueDefect
from inspection_cell.sim.parts import reference_body
from inspection_cell.sim.placement import Placer
from inspection_cell.sim.plan import PlannedPart
from inspection_cell.sim.seeds import Purpose, stream
from inspection_cell.sim.station import Station
from inspection_cell.sim.viewpoints import viewpoints
from inspection_cell.views.detections import Detector
from inspection_cell.views.detectors import load_trained
from inspection_cell.views.overlap import iou_matrix
from inspection_cell.views.slicing import SlicedDetector

WIDTH_PX, WIDTH, HEIGHT = 2.0, 4096, 3000
SCRATCHES, LONGEST_MM = 4, 15.0
TILE_PX, OVERLAP_PX, REDUCED_PX = 640, 160, 1280
MIN_IOU = 0.1
SEED = 31003
LOG = logging.getLogger('sliced_scratches')


@dataclass(frozen=True, slots=True)
class Shown:
    """One image and the boxes (N, 4) of its scratches, pixels."""

    image: Image
    boxes_px: np.ndarray
    min_score: float


def large_cell(folder: Path) -> Cell:
    """The demo cell with cameras that see the same on 4096 x 3000 pixels."""
    content = yaml.safe_load(demo_cell().read_text(encoding='utf-8'))
    for sensor in content['sensors'].values():
        if sensor['kind'] == 'camera':
            scale = WIDTH / sensor['intrinsics']['width']
            focal = sensor['intrinsics']['fx'] * scale
            middle = {'cx': (WIDTH - 1) / 2, 'cy': (HEIGHT - 1) / 2}
            sensor['intrinsics'] = {
                **middle,
                **{'width': WIDTH, 'height': HEIGHT, 'fx': focal, 'fy': focal},
            }
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / 'cell.yaml'
    file.write_text(yaml.safe_dump(content), encoding='utf-8')
    return load_cell(file)


def pictures(cell: Cell, recipes: Sequence[Recipe], parts: int) -> Iterator[Shown]:
    """One image of each presentation of parts with thin scratches."""
    station = Station(cell, recipes, SEED, purpose=Purpose.TEST)
    for number in range(parts):
        recipe = recipes[number % len(recipes)]
        random = stream(Purpose.TEST, SEED, 'scratches', number)
        planned = PlannedPart(f'part_{number:04d}', recipe.part_type, _thin(cell, recipe, random))
        score = Thresholds.of_recipe(recipe, ('scratch',)).min_score['scratch']
        for presentation in recipe.file.presentations:
            sensor = str(random.choice(sorted(cell.cameras)))
            shown = station.picture(station.present(planned, presentation), sensor)
            boxes = [label.box_px for label in shown.labels if label.name == 'scratch']
            yield Shown(shown.image, np.reshape(np.array(boxes), (-1, 4)), score)


def _thin(cell: Cell, recipe: Recipe, random: np.random.Generator) -> tuple[TrueDefect, ...]:
    views = viewpoints(cell, recipe)
    placer = Placer(recipe.part_type, reference_body(recipe), views)
    camera = next(view for view in views if not view.is_scanner)
    found: list[TrueDefect] = []
    while len(found) < SCRATCHES:
        defect = placer.draw(DefectKind.SCRATCH, random, found)
        if defect.size_mm > LONGEST_MM:
            continue
        away_m = np.linalg.norm(camera.transform_sensor_to_part[:3, 3] - defect.position_m)
        width_m = WIDTH_PX * float(away_m) / camera.intrinsics.fx
        found.append(replace(defect, cause=replace(defect.cause, width_m=width_m)))
    return tuple(found)


def counted(detector: Detector, shown: Shown) -> np.ndarray:
    """How many scratches an image shows, how many are found, and false alarms."""
    found = detector.detect([shown.image])[0].of('scratch', shown.min_score)
    overlap = iou_matrix(found.boxes_px, shown.boxes_px) >= MIN_IOU
    hits, right = overlap.any(axis=0).sum(), overlap.any(axis=1).sum()
    return np.array([len(shown.boxes_px), hits, len(found) - right])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('out', type=Path)
    parser.add_argument('--parts', type=int, default=8)
    parser.add_argument('--model', type=Path, help="default: the demo recipes' model")
    parser.add_argument('--json', action='store_true')
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    cell = large_cell(given.out)
    recipes = load_recipes(cell, list(demo_recipes()))
    folder = load_model_folder(given.model or find_model(recipes[0]))
    detectors = {
        f'whole image at {REDUCED_PX} px': load_trained(folder, REDUCED_PX),
        f'tiles of {TILE_PX} px': SlicedDetector(load_trained(folder), TILE_PX, OVERLAP_PX),
    }
    counts = {name: np.zeros(3, dtype=int) for name in detectors}
    images = 0
    for shown in pictures(cell, recipes, given.parts):
        images += 1
        for name, detector in detectors.items():
            counts[name] += counted(detector, shown)
    report = {
        name: {
            'images': images,
            'scratches': int(shown),
            'recall': round(float(hits / max(shown, 1)), 4),
            'false_alarms_per_image': round(float(alarms / max(images, 1)), 3),
        }
        for name, (shown, hits, alarms) in counts.items()
    }
    LOG.info(json.dumps(report, indent=None if given.json else 2))


if __name__ == '__main__':
    main()

"""Measure a detector on whole renders of parts that it was never trained on.

Render, then measure (`--purpose test` has seeds of its own, whatever the number):

    inspection_cell synthesize --out TEST --purpose test --own-look --images 300 --seed 31001
    inspection_cell synthesize --out GOOD --purpose test --own-look --images 300 --seed 31002 \
        --good-share 1
    python test/acceptance/simulated_detection.py TEST --good GOOD [--model MODEL_DIR] [--json]

It tells mAP50, and at the recipes' thresholds: recall per kind and size decile, of what single
images show and of whole parts (found in one view at least), and false alarms per image of a good
part. What an image does not show (see `inspection_cell/sim/visibility.py`) is no miss there; the
recall of parts counts every mark, shown or not.
"""

import argparse
import json
import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inspection_cell.learning.datasets import load_dataset
from inspection_cell.learning.detection_run import DetectionRun, run_detector
from inspection_cell.learning.evaluation import Thresholds, measure
from inspection_cell.locations import demo_recipes
from inspection_cell.models import find_model, load_model_folder
from inspection_cell.recipe import Recipe, load_recipe
from inspection_cell.sim.defects import SEEN_BY_CAMERA
from inspection_cell.views.detections import Detections, Detector
from inspection_cell.views.detectors import load_trained
from inspection_cell.views.overlap import iou_matrix

MIN_IOU = 0.5
DECILES = 10
LOG = logging.getLogger('simulated_detection')


@dataclass(frozen=True, slots=True)
class Seen:
    """One defect of one part: its size, and whether each view that shows it found it."""

    kind: str
    size_mm: float
    views: tuple[bool, ...]


def measured(
    detector: Detector, data: Path, recipes: Mapping[str, Recipe]
) -> tuple[DetectionRun, dict[str, object]]:
    """Average precision, and recall by kind and size, on the data set's split `test`."""
    folder = load_dataset(data)
    run = run_detector(detector, folder.split('test' if folder.splits['test'] else 'val'))
    evaluation = measure(run)
    found = {image.file.name: image.found for image in run.images}
    defects = [one for part in _parts(data) for one in _seen(part, found, recipes, run.classes)]
    return run, {
        'images': evaluation.images,
        'map50': round(evaluation.map50, 4),
        'map50_95': round(evaluation.map50_95, 4),
        'per_class': {
            label: {'truths': one.truths, 'map50': one.map50, 'map50_95': one.map50_95}
            for label, one in evaluation.per_class.items()
        },
        'recall': {kind: _recalls(kind, defects) for kind in sorted({d.kind for d in defects})},
        'ms_per_image': round(evaluation.ms_per_image, 1),
        'backend': evaluation.backend,
        'model_hash': evaluation.model_hash,
    }


def false_alarms(
    run: DetectionRun, data: Path, recipes: Mapping[str, Recipe]
) -> dict[str, object]:
    """What is called a defect in images of good parts, at the thresholds of each part's recipe."""
    found = {image.file.name: image.found for image in run.images}
    images, alarms, parts, alarmed = 0, [], 0, 0
    for part in (p for p in _parts(data) if not p['defects']):
        thresholds = Thresholds.of_recipe(recipes[part['part_type']], run.classes)
        names = [Path(image['file']).name for image in part['images']]
        of_part = [alarm for name in names for alarm in _alarms(found[name], thresholds)]
        images, parts = images + len(names), parts + 1
        alarms, alarmed = alarms + of_part, alarmed + bool(of_part)
    return {
        'good_images': images,
        'false_alarms': len(alarms),
        'per_good_image': round(len(alarms) / max(images, 1), 4),
        'good_parts': parts,
        'parts_with_alarms': alarmed,
        'alarms': [{'label': label, 'score': round(score, 3)} for label, score in alarms],
    }


def _alarms(found: Detections, thresholds: Thresholds) -> list[tuple[str, float]]:
    return [
        (label, float(score))
        for label, score in zip(found.labels, found.scores, strict=True)
        if label in thresholds.defects and score >= thresholds.min_score[label]
    ]


def _parts(data: Path) -> list[dict]:
    return json.loads((data / 'parts.json').read_text(encoding='utf-8'))


def _seen(
    part: dict, found: Mapping[str, Detections], recipes: Mapping[str, Recipe], classes: Sequence
) -> Iterator[Seen]:
    least = Thresholds.of_recipe(recipes[part['part_type']], classes).min_score
    views = defaultdict(list)
    for image in part['images']:
        detections = found[Path(image['file']).name]
        shown = zip(image['labels'], image['boxes_px'], image['defects'], strict=True)
        for label, box, defect in shown:
            if defect is not None:
                chosen = detections.of(label, least[label])
                overlap = iou_matrix(chosen.boxes_px, np.array([box]))
                views[defect].append(bool((overlap >= MIN_IOU).any()))
    for index, defect in enumerate(part['defects']):
        if defect['kind'] in {str(kind) for kind in SEEN_BY_CAMERA}:
            yield Seen(defect['kind'], defect['size_mm'], tuple(views[index]))


def _recalls(kind: str, defects: Sequence[Seen]) -> dict[str, object]:
    chosen = sorted((d for d in defects if d.kind == kind), key=lambda d: d.size_mm)
    one_size = len({d.size_mm for d in chosen}) == 1
    groups = [chosen] if one_size else np.array_split(np.arange(len(chosen)), DECILES)
    deciles = [chosen] if one_size else [[chosen[i] for i in group] for group in groups]
    return {**_recall(chosen), 'deciles': [_recall(group) for group in deciles if group]}


def _recall(defects: Sequence[Seen]) -> dict[str, object]:
    views = [view for defect in defects for view in defect.views]
    return {
        'size_mm': [defects[0].size_mm, defects[-1].size_mm],
        'shown_in_images': len(views),
        'recall_in_images': round(float(np.mean(views)), 4) if views else None,
        'parts': len(defects),
        'recall_on_parts': round(float(np.mean([any(d.views) for d in defects])), 4),
        'never_shown': sum(not d.views for d in defects),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('data', type=Path)
    parser.add_argument('--good', type=Path, help='images of good parts')
    parser.add_argument('--model', type=Path, help="default: the demo recipes' model")
    parser.add_argument('--json', action='store_true')
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    loaded = [load_recipe(path) for path in demo_recipes()]
    recipes = {recipe.part_type: recipe for recipe in loaded}
    model = given.model or find_model(loaded[0])
    detector = load_trained(load_model_folder(model), threads=1, floor_score=0.001)
    run, report = measured(detector, given.data, recipes)
    report['good'] = false_alarms(run, given.data, recipes)
    if given.good:
        good = load_dataset(given.good)
        run = run_detector(detector, good.split('test' if good.splits['test'] else 'val'))
        report['good'] = false_alarms(run, given.good, recipes)
    LOG.info(json.dumps(report, indent=None if given.json else 2))


if __name__ == '__main__':
    main()

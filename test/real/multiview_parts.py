"""Part verdicts on real parts that several cameras saw, cross-validated over parts.

    python test/real/multiview_parts.py DATA/kolektor_multiview OUT [--base MODEL] [--epochs 60]

DATA holds nine commutators with eight views of each; a half-part (views 0 to 3, 4 to 7) is bad
when one of its views shows the crack. Three folds hold three parts each: no part is in both sides.
There is no mesh and no calibration, so fusion is by view (`reference: none`). A fold sees six
cracks: it is trained on squares as wide as the image, many around each crack, and looks at an
image square by square. Its best epoch and its threshold are chosen on the parts of its own
training. Prints one line of JSON.
Images: Kolektor surface-defect dataset (Tabernik et al.), CC BY-NC-SA: for measuring only.
"""

import argparse
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import yaml
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from inspection_cell.cell import Cell, CellFile
from inspection_cell.findings import Finding, Presence, PresenceStatus, ViewFindings, ViewStatus
from inspection_cell.fusion.fuse import fuse
from inspection_cell.learning.datasets import LabelledFile, load_dataset
from inspection_cell.learning.detection_run import run_detector
from inspection_cell.learning.labels import Labels
from inspection_cell.learning.tiling import OFF_CENTRE
from inspection_cell.learning.training import TrainingPlan, train
from inspection_cell.models import load_model_folder
from inspection_cell.observations import ViewKey
from inspection_cell.recipe import Recipe, RecipeFile
from inspection_cell.stored_parts import read_image
from inspection_cell.ultralytics_adapter.training import EpochReport
from inspection_cell.views.detectors import load_trained
from inspection_cell.views.slicing import SlicedDetector

FOLDS, VIEWS, FLOOR = 3, 4, 0.01
SEEN_PX = 320  # what the network sees of a square
OVERLAP = 0.35  # of a square's side
AROUND_CRACK, CLEAN = 16, 3  # squares per image
CLASSES = ('crack',)
POSE = {'position_mm': (0, 0, 0), 'rpy_deg': (0, 0, 0)}
LOG = logging.getLogger('multiview_parts')


@dataclass(frozen=True, slots=True)
class Half:
    """Half a part: its truth, and the best score of each of its views."""

    name: str
    bad: bool
    scores: tuple[float, ...]

    @property
    def fused(self) -> float:
        """How probable it is that it is bad, by the cell's own fusion."""
        cell, recipe = _station()
        views = [
            ViewFindings(
                self.name,
                ViewKey('top', f'view_{index}'),
                ViewStatus.OK,
                presence=Presence(PresenceStatus.PRESENT, 'placed by hand', 1.0),
                findings=(Finding('crack', score, box_px=np.array([0.0, 0.0, 9.0, 9.0])),),
            )
            for index, score in enumerate(self.scores)
        ]
        return fuse(recipe, cell, None, views).bad_probability


def _station() -> tuple[Cell, Recipe]:
    names = [f'view_{index}' for index in range(VIEWS)]
    camera = {'width': 500, 'height': 1250, 'fx': 900, 'fy': 900, 'cx': 249.5, 'cy': 624.5}
    cell = {
        'format': 1,
        'name': 'commutators',
        'sensors': {
            name: {'kind': 'camera', 'topic': name, 'pose': POSE, 'intrinsics': camera}
            for name in names
        },
    }
    recipe = {
        'format': 1,
        'part_type': 'commutator',
        'reference': 'none',
        'presentations': {'top': {'pose': POSE, 'sensors': names}},
        'detection': {'model': 'm', 'classes': {'crack': {'min_score': FLOOR}}},
    }
    return (
        Cell(Path('cell.yaml'), '', CellFile.model_validate(cell)),
        Recipe(Path('recipe.yaml'), '', RecipeFile.model_validate(recipe)),
    )


def halves(parts: Sequence[dict], files: dict[str, LabelledFile], model: Path) -> list[Half]:
    """Every half of some parts, looked at by a model."""
    network = load_trained(load_model_folder(model), SEEN_PX, floor_score=FLOOR)
    side = _width(files)
    detector = SlicedDetector(network, side, round(OVERLAP * side))
    found = []
    for part in parts:
        images = [files[Path(view['image']).name] for view in part['views']]
        run = run_detector(detector, images)
        best = [float(max(image.found.scores, default=0.0)) for image in run.images]
        for half, (name, first) in enumerate((('a', 0), ('b', VIEWS))):
            bad = part['half_b_ng' if half else 'half_a_ng']
            found.append(
                Half(f'{part["part_id"]}_{name}', bad, tuple(best[first : first + VIEWS]))
            )
    return found


def listed_set(data: Path, folder: Path) -> Path:
    """The set with the list of classes that it lacks."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ('images', 'labels'):
        if not (folder / name).exists():
            (folder / name).symlink_to((data / name).resolve())
    (folder / 'classes.txt').write_text('\n'.join(CLASSES) + '\n', encoding='utf-8')
    return folder


def squares(images: Sequence[LabelledFile], side: int, folder: Path, seed: int) -> Path:
    """A YOLO set of squares: many around each crack, few anywhere else; the `data.yaml`."""
    generator = np.random.default_rng(seed)
    for name in ('images', 'labels'):
        (folder / name / 'train').mkdir(parents=True, exist_ok=True)
        if not (folder / name / 'val').exists():
            (folder / name / 'val').symlink_to('train')
    for file in images:
        pixels = read_image(file.image).pixels
        height, width = pixels.shape[:2]
        boxes = file.truth.in_pixels(width, height).boxes_px
        if len(boxes):
            off = generator.uniform(-OFF_CENTRE, OFF_CENTRE, AROUND_CRACK) * side
            tops = (boxes[0, 1] + boxes[0, 3] - side) / 2 + off
        else:
            tops = generator.uniform(0, max(height - side, 0), CLEAN)
        for number, top in enumerate(tops.clip(0, max(height - side, 0)).astype(int)):
            stem = f'{file.image.stem}_{number}'
            cut = pixels[top : top + side]
            inside = boxes - [0, top, 0, top]
            shown = inside.clip(0, [width, len(cut), width, len(cut)])
            kept = shown[(shown[:, 3] - shown[:, 1]) > 0.5 * (inside[:, 3] - inside[:, 1])]
            labels = Labels(kept, (0,) * len(kept))
            cv2.imwrite(str(folder / 'images' / 'train' / f'{stem}.png'), cut)
            text = labels.yolo_text(width, len(cut))
            (folder / 'labels' / 'train' / f'{stem}.txt').write_text(text, encoding='utf-8')
    listed = {'train': 'images/train', 'val': 'images/val', 'names': list(CLASSES)}
    (folder / 'data.yaml').write_text(yaml.safe_dump(listed), encoding='utf-8')
    return folder / 'data.yaml'


def best_threshold(trained_on: Sequence[Half]) -> float:
    """In the middle of the gap that makes the fewest errors on the parts of the training."""
    scores = np.array([half.fused for half in trained_on])
    bad = np.array([half.bad for half in trained_on])
    steps = np.unique(np.concatenate([[0.0, 1.0], scores]))
    middles = (steps[1:] + steps[:-1]) / 2
    errors = [int(((scores >= at) != bad).sum()) for at in middles]
    return float(middles[int(np.argmin(errors))])


def _width(files: dict[str, LabelledFile]) -> int:
    """The width of the images, pixels."""
    return int(read_image(next(iter(files.values())).image).pixels.shape[1])


def share(hits: int, count: int) -> dict[str, object]:
    """A share with its 95 % Wilson interval."""
    interval = binomtest(hits, count).proportion_ci(method='wilson')
    return {
        'hits': hits,
        'of': count,
        'share': round(hits / count, 3),
        'wilson_95': [round(float(interval.low), 3), round(float(interval.high), 3)],
    }


def main() -> None:
    """Train each fold, judge the parts that it did not see, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('data', type=Path)
    parser.add_argument('out', type=Path)
    parser.add_argument('--base', default='yolo26n')
    parser.add_argument('--epochs', type=int, default=60)
    parser.add_argument('--max-hours', type=float)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    parts = json.loads((given.data / 'parts.json').read_text(encoding='utf-8'))
    dataset = load_dataset(listed_set(given.data, given.out / 'all'))
    files = {file.image.name: file for of in dataset.splits.values() for file in of}
    held_out: list[Half] = []
    rejected: list[bool] = []
    for fold in range(FOLDS):
        seen = [part for index, part in enumerate(parts) if index % FOLDS != fold]
        unseen = [part for index, part in enumerate(parts) if index % FOLDS == fold]
        folder = given.out / f'fold_{fold}'
        if not (folder / 'model.yaml').is_file():
            images = [files[Path(view['image']).name] for part in seen for view in part['views']]
            plan = TrainingPlan(
                squares(images, _width(files), given.out / f'data_{fold}', fold),
                'commutators',
                epochs=given.epochs,
                image_size=SEEN_PX,
                batch=8,
                base=given.base,
                augmentation='surfaces',
                head='nms',
                max_hours=given.max_hours,
            )
            train(plan, folder, _log)
        threshold = best_threshold(halves(seen, files, folder))
        judged = halves(unseen, files, folder)
        held_out += judged
        rejected += [half.fused >= threshold for half in judged]
    LOG.info(json.dumps(_report(held_out, rejected)))


def _report(held_out: Sequence[Half], rejected: Sequence[bool]) -> dict[str, object]:
    bad = [half.bad for half in held_out]
    pairs = list(zip(bad, rejected, strict=True))
    return {
        'halves': len(held_out),
        'recall': share(sum(b and r for b, r in pairs), sum(bad)),
        'false_rejects': share(sum(r and not b for b, r in pairs), len(bad) - sum(bad)),
        'auroc_fused': round(float(roc_auc_score(bad, [half.fused for half in held_out])), 3),
        'auroc_or': round(float(roc_auc_score(bad, [max(h.scores) for h in held_out])), 3),
        'auroc_mean': round(float(roc_auc_score(bad, [np.mean(h.scores) for h in held_out])), 3),
        'auroc_single_views': [
            round(float(roc_auc_score(bad, [half.scores[view] for half in held_out])), 3)
            for view in range(VIEWS)
        ],
    }


def _log(report: EpochReport) -> None:
    LOG.info('%d/%d %.3f %.0f s', report.epoch, report.epochs, report.map50, report.seconds)


if __name__ == '__main__':
    main()

"""Make the real data set `workpiece_crack` usable: YOLO layout, training, parts to replay.

The published archive keeps labels beside the images and names folders that are not there.

    python test/real/workpiece_crack.py mend   DATA/workpiece_crack OUT
    python test/real/workpiece_crack.py train  OUT/data.yaml MODEL_DIR
    python test/real/workpiece_crack.py parts  OUT REPLAY_DIR --model MODEL_DIR --sick DATA/sick_2d
    python test/real/workpiece_crack.py report REPLAY_DIR MODEL_DIR

`parts` writes REPLAY_DIR/{crack,sick}/{cell.yaml,recipe.yaml,parts/}; replay them with
`inspection_cell replay --data REPLAY_DIR/crack/parts --cell … --recipe …`.
Images: "Workpiece Crack", Roboflow Universe (crackdetect-ekbrf), CC BY 4.0.
"""

import argparse
import json
import logging
import os
import shutil
from pathlib import Path

import cv2
import yaml

from inspection_cell.cell import load_cell
from inspection_cell.findings import Decision, PresenceStatus
from inspection_cell.fusion.fuse import fuse
from inspection_cell.learning.training import TrainingPlan, train
from inspection_cell.models import load_model_folder
from inspection_cell.recipe import load_recipe
from inspection_cell.stored_parts import observations, read_stored_parts
from inspection_cell.ultralytics_adapter.inference import UltralyticsDetector
from inspection_cell.ultralytics_adapter.training import EpochReport
from inspection_cell.verdict import judge
from inspection_cell.views.detection import DetectionInspector

ATTRIBUTION = (
    'Workpiece Crack, version 2 (2024-09-02), crackdetect-ekbrf, Roboflow Universe, CC BY 4.0: '
    'https://universe.roboflow.com/crackdetect-ekbrf/workpiece-crack/dataset/2'
)
POSE = {'position_mm': [0, 0, 0], 'rpy_deg': [0, 0, 0]}
MIN_SCORE = 0.25  # one view, sixty training images: every detection counts
LOG = logging.getLogger('workpiece_crack')


def mend(source: Path, out_dir: Path) -> Path:
    """Copy images and labels into `images/<split>` and `labels/<split>`; write `data.yaml`."""
    for split in ('train', 'val', 'test'):
        for image in sorted((source / split / 'images').glob('*.jpg')):
            for folder, file in (('images', image), ('labels', image.with_suffix('.txt'))):
                target = out_dir / folder / split / file.name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)
    content = {'train': 'images/train', 'val': 'images/val', 'names': {0: 'crack'}}
    data = out_dir / 'data.yaml'
    data.write_text(yaml.safe_dump(content, sort_keys=False), encoding='utf-8')
    return data


def train_crack(data: Path, out_dir: Path, epochs: int, base: str) -> None:
    """Train `yolo26n` from scratch or from other weights; logs each epoch."""

    def log(report: EpochReport) -> None:
        LOG.info('%d/%d %.3f %.0f s', report.epoch, report.epochs, report.map50, report.seconds)

    plan = TrainingPlan(
        data,
        'workpiece_crack',
        epochs=epochs,
        image_size=320,
        batch=8,
        base=base,
        attribution=ATTRIBUTION,
    )
    train(plan, out_dir, log)


def write_parts(name: str, images: dict[Path, bool | None], out_dir: Path, model: Path) -> None:
    """Write a replay cell with one camera, a recipe without reference, and one part per image.

    Args:
        images: image files with whether the part is good; None: not known for this model.
    """
    shutil.rmtree(out_dir, ignore_errors=True)
    for image, good in images.items():
        folder = out_dir / 'parts' / image.stem.replace('.', '_')
        (folder / 'top').mkdir(parents=True)
        shutil.copyfile(image, folder / 'top' / f'camera{image.suffix}')
        (folder / 'part.yaml').write_text(yaml.safe_dump({'part_type': name, 'units': 'mm'}))
        if good is not None:
            truth = {'good': good, 'defects': [] if good else [{'kind': 'crack'}]}
            (folder / 'truth.json').write_text(json.dumps(truth))
    height, width = cv2.imread(str(next(iter(images)))).shape[:2]
    camera = {
        'kind': 'camera',
        'topic': 'camera/image',
        'pose': POSE,
        'intrinsics': {
            'width': width,
            'height': height,
            'fx': 1.5 * width,
            'fy': 1.5 * width,
            'cx': (width - 1) / 2,
            'cy': (height - 1) / 2,
        },
    }
    cell = {'format': 1, 'name': name, 'sensors': {'camera': camera}}
    recipe = {
        'format': 1,
        'part_type': name,
        'reference': 'none',
        'presentations': {'top': {'pose': POSE, 'sensors': ['camera']}},
        'detection': {
            'model': os.path.relpath(model, out_dir),
            'classes': {'crack': {'min_score': MIN_SCORE}},
        },
        'decision': {'reject_probability': MIN_SCORE, 'review_probability': MIN_SCORE},
    }
    for file, content in (('cell.yaml', cell), ('recipe.yaml', recipe)):
        (out_dir / file).write_text(yaml.safe_dump(content, sort_keys=False), encoding='utf-8')


def write_all_parts(data: Path, out_dir: Path, model: Path, sick: Path | None) -> None:
    """The val images of the cracks, and the cartons: OK ones and mixed ones."""
    cracks: dict[Path, bool | None] = {}
    for image in sorted((data / 'images' / 'val').glob('*.jpg')):
        label = data / 'labels' / 'val' / f'{image.stem}.txt'
        cracks[image] = not label.read_text().strip()
    write_parts('workpiece', cracks, out_dir / 'crack', model)
    if sick is not None:
        named = {}
        for image in sorted([*(sick / 'ok').glob('*.png'), *(sick / 'mix').glob('*.png')]):
            copy = out_dir / f'{image.parent.name}_{image.name}'
            shutil.copyfile(image, copy)
            named[copy] = True if image.parent.name == 'ok' else None
        write_parts('carton', named, out_dir / 'sick', model)
        for copy in named:
            copy.unlink()


def report(folder: Path, model: Path) -> None:
    """Judge every stored part with the pure functions; log recall, false rejects, accepts."""
    recipe, cell = load_recipe(folder / 'recipe.yaml'), load_cell(folder / 'cell.yaml')
    inspector = DetectionInspector(
        recipe, None, UltralyticsDetector(load_model_folder(model)), None
    )
    decisions: dict[bool | None, list[Decision]] = {True: [], False: [], None: []}
    without = 0
    for part in read_stored_parts(folder / 'parts'):
        seen = observations(part, cell, recipe, part.part_id, 0)
        views = [inspector.inspect(one).view_findings for one in seen]
        without += all(v.presence.status is not PresenceStatus.PRESENT for v in views)
        verdict = judge(
            recipe,
            fuse(recipe, cell, None, views),
            views,
            inspection_id=part.part_id,
            part_id=part.part_id,
            stamp_ns=0,
            cell_hash=cell.sha256,
        )
        decisions[part.truth.good if part.truth else None].append(verdict.decision)
    for good, taken in decisions.items():
        counts = {decision.name: taken.count(decision) for decision in Decision}
        LOG.info('%s good=%s: %d parts, %s', folder.name, good, len(taken), counts)
    LOG.info('%s: %d parts without presence evidence', folder.name, without)


def main() -> None:
    """Run one step from the command line."""
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('step', choices=('mend', 'train', 'parts', 'report'))
    parser.add_argument('source', type=Path)
    parser.add_argument('out', type=Path)
    parser.add_argument('--epochs', type=int, default=120)
    parser.add_argument('--base', default='yolo26n.yaml', help='architecture or weights')
    parser.add_argument('--model', type=Path)
    parser.add_argument('--sick', type=Path)
    given = parser.parse_args()
    if given.step == 'mend':
        LOG.info('%s', mend(given.source, given.out))
    elif given.step == 'train':
        train_crack(given.source, given.out, given.epochs, given.base)
    elif given.step == 'parts':
        write_all_parts(given.source, given.out, given.model, given.sick)
    else:
        for name in ('crack', 'sick'):
            report(given.source / name, given.out)


if __name__ == '__main__':
    main()

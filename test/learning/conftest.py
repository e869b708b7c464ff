"""The shipped model, exported once, and a small rendered challenge set."""

import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from inspection_cell.cell import load_cell
from inspection_cell.learning.challenge import load_challenge
from inspection_cell.learning.exporting import ExportPlan, Format, export
from inspection_cell.learning.labels import Labels
from inspection_cell.learning.parity import run_challenge
from inspection_cell.models import export_sha256, find_model, load_model_folder
from inspection_cell.recipe import load_recipe
from inspection_cell.sim.labels import CLASSES
from inspection_cell.sim.plan import plan_parts
from inspection_cell.sim.seeds import Purpose
from inspection_cell.sim.station import Station
from inspection_cell.views.detectors import load_trained
from inspection_cell.views.heads import LOWEST_SCORE

CONFIG = Path(__file__).resolve().parents[2] / 'config'
CROP_WIDTH, CROP_HEIGHT = 320, 224


@pytest.fixture(scope='session')
def bracket_recipe():
    return load_recipe(CONFIG / 'recipes' / 'bracket' / 'recipe.yaml')


@pytest.fixture(scope='session')
def challenge_folder(tmp_path_factory, bracket_recipe):
    """Crops around each kind of thing that a few rendered brackets show."""
    out = tmp_path_factory.mktemp('rendered') / 'challenge'
    for name in ('images', 'labels'):
        (out / name).mkdir(parents=True)
    cell = load_cell(CONFIG / 'cells' / 'demo.yaml')
    station = Station(cell, [bracket_recipe], 3, purpose=Purpose.TUNE)
    parts = plan_parts(cell, [bracket_recipe], 6, 3, purpose=Purpose.TUNE, defects_per_part=(3, 4))
    for part in [one for one in parts if one.defects]:
        presented = station.present(part, 'top')
        for sensor in ('left', 'right'):
            image, found = station.observe(presented, sensor), station.labels(presented, sensor)
            boxes = np.array([label.box_px for label in found])
            labels = Labels(boxes, tuple(CLASSES.index(label.name) for label in found))
            for name in {label.name for label in found}:
                box = next(label.box_px for label in found if label.name == name)
                write_crop(out, f'{part.part_id}_{sensor}_{name}', image, labels, box)
    content = {'val': 'images', 'names': dict(enumerate(CLASSES))}
    (out / 'data.yaml').write_text(yaml.safe_dump(content))
    return out


def write_crop(out, stem, image, labels, box):
    height, width = image.pixels.shape[:2]
    x = int(np.clip((box[0] + box[2]) / 2 - CROP_WIDTH / 2, 0, width - CROP_WIDTH))
    y = int(np.clip((box[1] + box[3]) / 2 - CROP_HEIGHT / 2, 0, height - CROP_HEIGHT))
    crop = image.pixels[y : y + CROP_HEIGHT, x : x + CROP_WIDTH]
    cv2.imwrite(str(out / 'images' / f'{stem}.png'), crop)
    text = labels.cropped(x, y, CROP_WIDTH, CROP_HEIGHT).yolo_text(CROP_WIDTH, CROP_HEIGHT)
    (out / 'labels' / f'{stem}.txt').write_text(text)


@pytest.fixture(scope='session')
def exported(tmp_path_factory, bracket_recipe, challenge_folder):
    """The shipped weights in a folder of their own, with a proven OpenVINO export."""
    path = tmp_path_factory.mktemp('models') / 'simulated_parts'
    shipped = load_model_folder(find_model(bracket_recipe))
    path.mkdir()
    for name in ('model.yaml', shipped.file.weights, 'LICENSE-NOTE.md'):
        shutil.copy(shipped.path / name, path / name)
    content = yaml.safe_load((path / 'model.yaml').read_text())
    (path / 'model.yaml').write_text(yaml.safe_dump({**content, 'exports': []}))
    shutil.copytree(challenge_folder, path / 'challenge')
    export(path, ExportPlan((Format('openvino', 'fp32'),), threads=1))
    return load_model_folder(path)


@pytest.fixture(scope='session')
def challenge(exported, challenge_folder):
    return load_challenge(challenge_folder, exported.classes)


@pytest.fixture(scope='session')
def trained_run(exported, challenge):
    return run_challenge(load_trained(exported, threads=1, floor_score=LOWEST_SCORE), challenge)


@pytest.fixture
def copied(exported, tmp_path):
    """A copy of the exported model, to be damaged."""
    return load_model_folder(Path(shutil.copytree(exported.path, tmp_path / 'simulated_parts')))


@pytest.fixture
def rewritten():
    """Changes the weights of a folder's only export and makes its hash right again."""

    def rewrite(folder, change):
        (export_,) = folder.file.exports
        (xml,) = (folder.path / export_.path).glob('*.xml')
        found = re.findall(
            r'element_type="f32" shape="\d+, \d+, \d+, \d+" offset="(\d+)" size="(\d+)"',
            xml.read_text(),
        )
        file = xml.with_suffix('.bin')
        content = bytearray(file.read_bytes())
        change(content, [(int(at), int(size) // 4) for at, size in found])
        file.unlink()
        file.write_bytes(content)
        return export_.model_copy(update={'sha256': export_sha256(folder.path / export_.path)})

    return rewrite

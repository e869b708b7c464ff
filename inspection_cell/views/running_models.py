"""The detectors in work: one per recipe, exchangeable between two inspections."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inspection_cell.cell import Cell
from inspection_cell.errors import ModelError
from inspection_cell.evidence import EvidenceFolder
from inspection_cell.models import (
    ModelFolder,
    check_model_fits,
    find_model,
    load_model_folder,
)
from inspection_cell.observations import Image, ViewKey
from inspection_cell.recipe import Recipe
from inspection_cell.reference import ReferenceMesh, load_reference
from inspection_cell.sections.detection import Detection
from inspection_cell.views.calibrated import raw_score
from inspection_cell.views.detection import DetectionInspector, other_cameras
from inspection_cell.views.detections import Detector
from inspection_cell.views.detectors import FLOOR_SCORE, choose, load_detector
from inspection_cell.views.heads import LOWEST_SCORE
from inspection_cell.views.slicing import detector_for_sensor
from inspection_cell.views.windows import PartWindows

ROUNDING = 1e-6
INSPECTIONS_KEPT = 4  # the robot holds one part at a time: the others have all their images


@dataclass(frozen=True, slots=True)
class RunningModel:
    """A loaded model at work for one recipe."""

    recipe: Recipe
    reference: ReferenceMesh | None
    folder: ModelFolder
    detector: Detector
    inspector: DetectionInspector

    @property
    def part_type(self) -> str:
        """Whose parts it looks at."""
        return self.recipe.part_type

    @property
    def image_size(self) -> int | None:
        """Longest side that the network sees, pixels; None: the image's own."""
        detection = self.recipe.file.detection
        return detection.image_size if detection else None

    @property
    def floor_score(self) -> float:
        """Raw scores below do not count by the recipe."""
        detection = self.recipe.file.detection
        return floor_score(detection, self.folder) if detection else FLOOR_SCORE

    def __str__(self) -> str:
        """What runs, in words: `bracket: simulated_parts 1a2b3c4d5e6f on openvino fp32`."""
        name = f'{self.folder.file.name} {self.folder.sha256[:12]}'
        return f'{self.part_type}: {name} on {self.detector.backend}'

    @property
    def why(self) -> str:
        """Why this backend, in words."""
        return choose(self.folder).why


class RunningModels:
    """Which model looks at which inspection.

    An inspection keeps the model that saw its first image, whatever is put in place meanwhile.
    `make` and `load` may be called from any thread, everything else from one.

    Args:
        cell: whose cameras look.
        recipes: those with a detector count.
        evidence: where the inspectors write, and where promoted models lie.
    """

    def __init__(self, cell: Cell, recipes: Sequence[Recipe], evidence: EvidenceFolder) -> None:
        """Load and warm the model of every recipe; raises ModelError."""
        self._cell = cell
        self._evidence = evidence
        self._running: dict[str, RunningModel] = {}  # by the recipe's sha256
        self._bound: dict[tuple[str, str], RunningModel] = {}
        for recipe in recipes:
            model = self.make(recipe)
            self.hold([*self.running, *([model] if model else [])])

    @property
    def running(self) -> tuple[RunningModel, ...]:
        """What the next inspection by each recipe is looked at with."""
        return tuple(self._running.values())

    def hash_of(self, part_type: str) -> str:
        """The sha256 of the weights that run for a part type; empty where there is no detector."""
        hashes = [model.folder.sha256 for model in self.running if model.part_type == part_type]
        return hashes[-1] if hashes else ''

    def inspector(self, inspection_id: str, recipe_hash: str) -> DetectionInspector | None:
        """Who looks at the views of an inspection."""
        running = self._running.get(recipe_hash)
        if running is None:
            return None
        model = self._bound.setdefault((inspection_id, recipe_hash), running)
        while len(self._bound) > INSPECTIONS_KEPT:
            del self._bound[next(iter(self._bound))]
        return model.inspector

    def load(self, part_type: str, path: Path | None = None) -> RunningModel:
        """Load a model beside the running one of a part type.

        Args:
            part_type: whose recipe it must fit.
            path: the model folder; None: the promoted model, or the one that the recipe names.

        Raises:
            ModelError: for an unknown part type, one whose recipe is being exchanged, and for a
                model that is missing, damaged or does not fit.
        """
        models = [model for model in self.running if model.part_type == part_type]
        if not models:
            known = ', '.join(model.part_type for model in self.running) or 'none'
            raise ModelError(f'part type {part_type!r}: expected one with a detector: {known}')
        if len(models) > 1:
            raise ModelError(f'the recipe of {part_type} is being exchanged; ask again')
        return self._made(models[0].recipe, models[0].reference, path)

    def make(self, recipe: Recipe) -> RunningModel | None:
        """Load the model of a recipe beside those that run; None for one without a detector.

        Raises:
            ModelError: for a model that is missing, damaged or does not fit.
        """
        if recipe.file.detection is None:
            return None
        return self._made(recipe, load_reference(recipe), None)

    def _made(
        self, recipe: Recipe, reference: ReferenceMesh | None, path: Path | None
    ) -> RunningModel:
        """A model that fits the recipe, and is warm."""
        folder = load_model_folder(path or find_model(recipe, self._evidence.data_dir))
        check_model_fits(recipe, folder)
        detection = recipe.file.detection
        size = detection.image_size if detection else None
        floor = floor_score(detection, folder) if detection else FLOOR_SCORE
        shared = self._loaded_already(folder, size, floor)
        detector = shared or load_detector(folder, size, floor_score=floor)
        self._warm(recipe, reference, detector)
        inspector = DetectionInspector(
            recipe, reference, detector, self._evidence, cell=self._cell
        )
        return RunningModel(recipe, reference, folder, detector, inspector)

    def _warm(self, recipe: Recipe, reference: ReferenceMesh | None, detector: Detector) -> None:
        """Look at black images as large as what each camera will show.

        Libraries compile for a size, and grow their buffers, when they first see it: the first
        part must not wait for that. A camera that tells its size only while it runs is left out.
        """
        detection = recipe.file.detection
        if detection is None:
            return
        windows = PartWindows(recipe, reference, self._cell)
        beside = other_cameras(recipe, self._cell)
        for presentation, held in recipe.file.presentations.items():
            for name in held.sensors:
                looking = self._cell.cameras.get(name)
                if looking is None or looking.intrinsics is None:
                    continue
                camera = looking.intrinsics.value()
                window = windows.named_size(ViewKey(presentation, name), camera)
                seeing = detector_for_sensor(detector, detection, name)
                seeing.detect([_black(window or camera.size)], beside[presentation])

    def put(self, model: RunningModel) -> bool:
        """Use a model from the next inspection on; False when its recipe is not held any more."""
        is_held = model.recipe.sha256 in self._running
        if is_held:
            self._running[model.recipe.sha256] = model
        return is_held

    def hold(self, models: Sequence[RunningModel]) -> None:
        """Run these, but for recipes for which another one was put; forget all others."""
        made = {model.recipe.sha256: model for model in models}
        self._running = {name: self._running.get(name, model) for name, model in made.items()}

    def _loaded_already(
        self, folder: ModelFolder, size: int | None, floor: float
    ) -> Detector | None:
        """The detector of another recipe that runs the very same model in the same way."""
        wanted = (folder.file, size, floor)
        for model in self.running:
            if (model.folder.file, model.image_size, model.floor_score) == wanted:
                return model.detector
        return None


def floor_score(detection: Detection, folder: ModelFolder) -> float:
    """Below which raw score nothing counts by the recipe; `FLOOR_SCORE` unless it wants less.

    Thresholds are probabilities: what a calibration lifts above them must not be lost before.
    """
    thresholds = [
        *((label, limit.min_score) for label, limit in detection.classes.items()),
        *((feature.label, feature.min_score) for feature in detection.features),
    ]
    raw = [raw_score(score, label, folder.file.calibration) for label, score in thresholds]
    lowest = min(raw, default=FLOOR_SCORE)
    # A score at the floor is left out, and at the threshold it counts.
    return max(min(FLOOR_SCORE, lowest * (1.0 - ROUNDING)), LOWEST_SCORE)


def _black(size: tuple[int, int]) -> Image:
    width, height = size
    return Image(np.zeros((height, width, 3), dtype=np.uint8))

"""The detectors in work: one per part type, exchangeable between two inspections."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inspection_cell.cell import Cell
from inspection_cell.detection_file import Detection
from inspection_cell.errors import ModelError
from inspection_cell.evidence import EvidenceFolder
from inspection_cell.models import (
    ModelFolder,
    check_model_fits,
    find_model,
    load_model_folder,
)
from inspection_cell.observations import Image
from inspection_cell.recipe import Recipe
from inspection_cell.reference import load_reference
from inspection_cell.views.detection import DetectionInspector
from inspection_cell.views.detections import Detector
from inspection_cell.views.detectors import choose, load_detector
from inspection_cell.views.slicing import detector_for_sensor
from inspection_cell.views.windows import PartWindows

INSPECTIONS_KEPT = 4  # the robot holds one part at a time: the others have all their images


@dataclass(frozen=True, slots=True)
class RunningModel:
    """A loaded model at work for one part type.

    Attributes:
        image_size: longest side that the network sees, pixels; None: the image's own.
        inspectors: by camera.
    """

    part_type: str
    folder: ModelFolder
    image_size: int | None
    detector: Detector
    inspectors: Mapping[str, DetectionInspector]

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
    `load` may be called from any thread, everything else from one.

    Args:
        cell: whose cameras look.
        recipes: those with a detector count.
        evidence: where the inspectors write, and where promoted models lie.
    """

    def __init__(self, cell: Cell, recipes: Sequence[Recipe], evidence: EvidenceFolder) -> None:
        """Load and warm the model of every recipe; raises ModelError."""
        self._cell = cell
        self._evidence = evidence
        self._recipes = {r.part_type: r for r in recipes if r.file.detection is not None}
        self._references = {name: load_reference(r) for name, r in self._recipes.items()}
        self._running: dict[str, RunningModel] = {}
        self._bound: dict[tuple[str, str], RunningModel] = {}
        for part_type in self._recipes:
            self.put(self.load(part_type))

    @property
    def running(self) -> tuple[RunningModel, ...]:
        """What the next inspection of each part type is looked at with."""
        return tuple(self._running.values())

    def hash_of(self, part_type: str) -> str:
        """The sha256 of the weights that run for a part type; empty where there is no detector."""
        model = self._running.get(part_type)
        return model.folder.sha256 if model else ''

    def inspector(
        self, inspection_id: str, part_type: str, sensor: str
    ) -> DetectionInspector | None:
        """Who looks at a view; the same model for all views of an inspection."""
        running = self._running.get(part_type)
        if running is None:
            return None
        model = self._bound.setdefault((inspection_id, part_type), running)
        while len(self._bound) > INSPECTIONS_KEPT:
            del self._bound[next(iter(self._bound))]
        return model.inspectors.get(sensor)

    def load(self, part_type: str, path: Path | None = None) -> RunningModel:
        """Load a model beside the running one, check it against the recipe and warm it.

        Args:
            part_type: whose recipe it must fit.
            path: the model folder; None: the promoted model, or the one that the recipe names.

        Raises:
            ModelError: for an unknown part type, and for a model that is missing, damaged or does
                not fit.
        """
        recipe = self._recipes.get(part_type)
        if recipe is None or recipe.file.detection is None:
            known = ', '.join(self._recipes) or 'none'
            raise ModelError(f'part type {part_type!r}: expected one with a detector: {known}')
        folder = load_model_folder(path or find_model(recipe, self._evidence.data_dir))
        check_model_fits(recipe, folder)
        size = recipe.file.detection.image_size
        shared = self._loaded_already(folder, size)
        detector = shared or load_detector(folder, size)
        by_camera = self._detectors(recipe.file.detection, detector)
        if shared is None or part_type not in self._running:
            # Never one in work: it serves one thread.
            _warm(by_camera, self._images(recipe))
        inspectors = self._inspectors(recipe, detector, by_camera)
        return RunningModel(part_type, folder, size, detector, inspectors)

    def _detectors(self, detection: Detection, detector: Detector) -> dict[str, Detector]:
        """By camera: the very same one on whole images, and one for all that look at tiles."""
        own = {n: detector_for_sensor(detector, detection, n) for n in self._cell.cameras}
        sliced = next((one for one in own.values() if one is not detector), detector)
        return {name: one if one is detector else sliced for name, one in own.items()}

    def _images(self, recipe: Recipe) -> list[dict[str, Image]]:
        """Black images as the cameras' will be seen together in each presentation.

        A camera that tells its size only while it runs is left out.
        """
        windows = PartWindows(recipe, self._references[recipe.part_type])
        known = {
            name: (camera.intrinsics.value(), camera.pose.transform())
            for name, camera in self._cell.cameras.items()
            if camera.intrinsics is not None
        }
        return [
            {
                name: _black(windows.size(presentation, *known[name]) or known[name][0].size)
                for name in held.sensors
                if name in known
            }
            for presentation, held in recipe.file.presentations.items()
        ]

    def _inspectors(
        self, recipe: Recipe, detector: Detector, by_camera: Mapping[str, Detector]
    ) -> dict[str, DetectionInspector]:
        """By camera; those that see alike share one, and its calls. It cuts the tiles itself."""
        reference = self._references[recipe.part_type]
        alike = {
            id(one): DetectionInspector(recipe, reference, detector, self._evidence)
            for one in by_camera.values()
        }
        return {name: alike[id(one)] for name, one in by_camera.items()}

    def put(self, model: RunningModel) -> None:
        """Use a model from the next inspection of its part type on."""
        self._running[model.part_type] = model

    def _loaded_already(self, folder: ModelFolder, size: int | None) -> Detector | None:
        """The detector of another part type that runs the very same model."""
        for model in self.running:
            if (model.folder, model.image_size) == (folder, size):
                return model.detector
        return None


def _warm(detectors: Mapping[str, Detector], seen: Sequence[Mapping[str, Image]]) -> None:
    """Look at black images, each size alone and all that come together at once.

    Libraries compile for a size, and grow their buffers, when they first see it: the first part
    must not wait for that.

    Args:
        detectors: by camera.
        seen: what the cameras show at the same time.
    """
    for detector in {id(one): one for one in detectors.values()}.values():
        own = [
            [image for name, image in together.items() if detectors[name] is detector]
            for together in seen
        ]
        for image in {image.pixels.shape: image for images in own for image in images}.values():
            detector.detect([image])
        for images in own:
            if len(images) > 1:
                detector.detect(images)


def _black(size: tuple[int, int]) -> Image:
    width, height = size
    return Image(np.zeros((height, width, 3), dtype=np.uint8))

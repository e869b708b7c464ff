"""More training images: labelled defects cut out and set into other images of the same data set.

Where good parts are many and defects few, most of what a network should learn lies in the images
already: any defect on any background (cut-paste, Dwibedi et al., ICCV 2017).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection_cell.errors import DataError
from inspection_cell.learning.datasets import LabelledFile
from inspection_cell.learning.label_files import Truth
from inspection_cell.stored_parts import read_image
from inspection_cell.views.eight_bit import to_eight_bit
from inspection_cell.views.overlap import shared_areas

MOST_PASTED = 3  # defects per image
SCALES = (0.75, 1.33)
MARGIN_SHARE = 0.2  # of a box's shorter side: there the defect's surroundings fade out
LEAST_MARGIN_PX = 4.0
AT_EDGE_PX = 2.5  # what ends there ends with the image, and stays at that edge
LARGEST_SHARE = 0.25  # of the image: what is larger is rather the picture than a defect on it
GAINS = (0.5, 2.0)  # by which a defect's brightness follows its new surroundings

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Cutting:
    """A defect with the image around it.

    Attributes:
        pixels: (H, W) or (H, W, 3).
        box: (4,) x0, y0, x1, y1 in those pixels.
        outline: (K, 2), None for a plain box.
    """

    pixels: Floats
    box: NDArray[np.float64]
    outline: NDArray[np.float64] | None
    label: str

    @property
    def size(self) -> NDArray[np.float64]:
        """Width and height of the image, pixels (2,)."""
        return np.array(self.pixels.shape[1::-1], dtype=np.float64)

    @property
    def margin_px(self) -> float:
        """How far around the box its surroundings come along."""
        return max(LEAST_MARGIN_PX, MARGIN_SHARE * float((self.box[2:] - self.box[:2]).min()))

    def mapped(
        self, pixels: Floats, scale: NDArray[np.float64], shift: NDArray[np.float64]
    ) -> '_Cutting':
        """Other pixels, in which a point lies at `point * scale + shift`."""
        corners = self.box.reshape(2, 2) * scale + shift
        box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
        outline = None if self.outline is None else self.outline * scale + shift
        return _Cutting(pixels, box, outline, self.label)


class Pasting:
    """Makes images out of a data set's own.

    Args:
        files: labelled images, some with defects.
        seed: the same files and seed give the same images.

    Raises:
        DataError: when no image shows a defect.
    """

    def __init__(self, files: Sequence[LabelledFile], seed: int) -> None:
        """Sort the defects by class."""
        self._files = tuple(files)
        self._generator = np.random.default_rng(seed)
        self._sources: dict[str, list[tuple[LabelledFile, int]]] = {}
        for file in self._files:
            for index, label in enumerate(file.truth.labels):
                self._sources.setdefault(label, []).append((file, index))
        if not self._sources:
            raise DataError('pasting: expected images with labelled defects, none has any')

    def write(self, count: int, folder: Path) -> tuple[LabelledFile, ...]:
        """Write so many images; every class is drawn as often as any other.

        Raises:
            DataError: for a file that is no readable image.
        """
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for number in range(count):
            pixels, truth = self._make(self._files[self._generator.integers(len(self._files))])
            file = folder / f'pasted_{number:06d}.png'
            cv2.imwrite(str(file), pixels.clip(0, 255).round().astype(np.uint8))
            written.append(LabelledFile(file, truth))
        return tuple(written)

    def _make(self, base: LabelledFile) -> tuple[Floats, Truth]:
        pixels = _read(base.image).copy()
        height, width = pixels.shape[:2]
        size = np.array([width, height], dtype=np.float64)
        boxes, labels = list(base.truth.boxes * np.tile(size, 2)), list(base.truth.labels)
        outlines = [polygon * size for polygon in base.truth.polygons]
        for _ in range(self._generator.integers(1, MOST_PASTED + 1)):
            placed = self._placed(self._cutting(pixels.ndim), pixels, np.reshape(boxes, (-1, 4)))
            if placed is None:
                continue
            boxes.append(placed.box.clip(0, np.tile(size, 2)))
            labels.append(placed.label)
            if placed.outline is not None:
                outlines.append(placed.outline.clip(0, size))
        shares = np.reshape(boxes, (-1, 4)) / np.tile(size, 2)
        return pixels, Truth(shares, tuple(labels), tuple(one / size for one in outlines))

    def _cutting(self, dimensions: int) -> _Cutting:
        """Any defect of any class, mirrored and scaled by chance."""
        draw = self._generator
        label = sorted(self._sources)[draw.integers(len(self._sources))]
        file, index = self._sources[label][draw.integers(len(self._sources[label]))]
        pixels = _with_dimensions(_read(file.image), dimensions)
        size = np.array(pixels.shape[1::-1], dtype=np.float64)
        box = file.truth.boxes[index] * np.tile(size, 2)
        outline = file.truth.polygons[index] * size if file.truth.polygons else None
        found = _Cutting(pixels, box, outline, label)
        for axis in (0, 1):
            if draw.random() < 0.5:
                sign, shift = np.ones(2), np.zeros(2)
                sign[axis], shift[axis] = -1.0, size[axis]
                mirrored = np.ascontiguousarray(np.flip(found.pixels, 1 - axis))
                found = found.mapped(mirrored, sign, shift)
        scale = draw.uniform(*SCALES)
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        scaled = cv2.resize(found.pixels, None, fx=scale, fy=scale, interpolation=how)
        by = np.array(scaled.shape[1::-1]) / found.size
        return found.mapped(scaled.astype(np.float32), by, np.zeros(2))

    def _placed(
        self, cutting: _Cutting, pixels: Floats, boxes: NDArray[np.float64]
    ) -> _Cutting | None:
        """Set a cutting into `pixels`, where it hides nothing; None: it found no place."""
        size = np.array(pixels.shape[1::-1], dtype=np.float64)
        extent, margin = cutting.box[2:] - cutting.box[:2], cutting.margin_px
        if np.prod(extent) > LARGEST_SHARE * np.prod(size) or (extent > size - 2 * margin).any():
            return None
        low = self._generator.uniform(margin, size - extent - margin)
        low = np.where(cutting.box[:2] <= AT_EDGE_PX, 0.0, low)
        low = np.where(cutting.box[2:] >= cutting.size - AT_EDGE_PX, size - extent, low)
        shift = np.round(low - cutting.box[:2])
        placed = cutting.mapped(cutting.pixels, np.ones(2), shift)
        if (shared_areas(boxes, placed.box[None]) > 0).any():
            return None
        _blend(placed, shift.astype(int), pixels)
        return placed


def _blend(placed: _Cutting, shift: NDArray[np.int_], pixels: Floats) -> None:
    """Put box and surroundings into `pixels`; the surroundings fade out, brightness follows."""
    margin = placed.margin_px
    first = np.maximum(np.maximum(placed.box[:2] - margin, shift), 0).astype(int)
    ends = np.minimum(placed.box[2:] + margin, placed.size + shift)
    last = np.minimum(ends, pixels.shape[1::-1]).astype(int)
    if (last - first < 2).any():
        return
    (left, top), (right, bottom) = first, last
    target = pixels[top:bottom, left:right]
    source = placed.pixels[top - shift[1] : bottom - shift[1], left - shift[0] : right - shift[0]]
    rows, columns = np.mgrid[top:bottom, left:right]
    x0, y0, x1, y1 = placed.box
    outside = np.maximum.reduce([x0 - columns, columns - x1, y0 - rows, rows - y1])
    share = np.clip(1.0 - outside / margin, 0.0, 1.0).astype(np.float32)
    around = share < 1.0
    if around.any():
        source = source * np.float32(_gain(source[around], target[around]))
    share = share if pixels.ndim == 2 else share[:, :, None]
    target[:] = share * source.clip(0, 255) + (1.0 - share) * target


def _gain(source: Floats, target: Floats) -> float:
    """How much brighter the new surroundings are than the old ones."""
    return float(np.clip((np.median(target) + 1.0) / (np.median(source) + 1.0), *GAINS))


def _read(file: Path) -> Floats:
    return to_eight_bit(read_image(file)).pixels.astype(np.float32)


def _with_dimensions(pixels: Floats, dimensions: int) -> Floats:
    """Grey or colour, as the image it goes to."""
    if pixels.ndim == dimensions:
        return pixels
    code = cv2.COLOR_BGR2GRAY if dimensions == 2 else cv2.COLOR_GRAY2BGR
    changed: Floats = cv2.cvtColor(pixels, code)
    return changed

"""Small defects in large images: the detector looks at overlapping tiles at full resolution."""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from inspection_cell.observations import Image
from inspection_cell.sections.detection import Detection
from inspection_cell.views.detections import AroundDetector, Detections, Detector
from inspection_cell.views.tiles import (
    concatenated,
    cut_sides,
    cutting,
    merge,
    moved,
    tile_starts,
)


def detector_for_sensor(detector: Detector, detection: Detection, sensor: str) -> Detector:
    """The detector as the recipe wants it for one sensor: on tiles, or on whole images."""
    slicing = detection.slicing
    if slicing is None or (slicing.sensors is not None and sensor not in slicing.sensors):
        return detector
    return SlicedDetector(detector, slicing.tile_px, slicing.overlap_px, slicing.labels)


class SlicedDetector(AroundDetector):
    """Another detector, on tiles; all tiles of all images go in one call.

    As in SAHI (Akyon et al., 2022), but what a seam cuts is joined again, not only suppressed.

    Args:
        detector: looks at the tiles.
        tile_px: side of a tile; a smaller side of an image is taken whole.
        overlap_px: by which neighbours overlap at least.
        labels: classes that come from the tiles, the others from the whole image; None: all.
    """

    def __init__(
        self,
        detector: Detector,
        tile_px: int,
        overlap_px: int,
        labels: Collection[str] | None = None,
    ) -> None:
        """Take the detector as it is."""
        super().__init__(detector)
        self._tile_px, self._overlap_px = tile_px, overlap_px
        self._labels = labels

    def detect(self, images: Sequence[Image], beside: int = 0) -> list[Detections]:
        """The boxes of each 8 bit image, best first; one for what several tiles show."""
        placed = [self.tiles_of(image) for image in images]
        cuttings = [
            cutting(image, tile)
            for image, tiles in zip(images, placed, strict=True)
            for tile in tiles
        ]
        wholes = list(images) if self._labels is not None else []
        found = self._detector.detect([*cuttings, *wholes], beside)
        results, done = [], 0
        for number, (image, tiles) in enumerate(zip(images, placed, strict=True)):
            merged = _from_tiles(found[done : done + len(tiles)], tiles, image)
            done += len(tiles)
            if self._labels is not None:
                merged = self._with_whole(merged, found[len(cuttings) + number])
            results.append(merged)
        return results

    def tiles_of(self, image: Image) -> NDArray[np.intp]:
        """(N, 4) x0, y0, x1, y1 of an image's tiles."""
        height, width = image.pixels.shape[:2]
        return np.array(
            [
                (x, y, min(x + self._tile_px, width), min(y + self._tile_px, height))
                for y in tile_starts(height, self._tile_px, self._overlap_px)
                for x in tile_starts(width, self._tile_px, self._overlap_px)
            ],
            dtype=np.intp,
        )

    def _with_whole(self, tiled: Detections, whole: Detections) -> Detections:
        labels = self._labels or ()
        both = concatenated(
            [
                tiled.chosen([i for i, label in enumerate(tiled.labels) if label in labels]),
                whole.chosen([i for i, label in enumerate(whole.labels) if label not in labels]),
            ]
        )
        return both.chosen(np.argsort(-both.scores, kind='stable'))


def _from_tiles(found: Sequence[Detections], tiles: NDArray[np.intp], image: Image) -> Detections:
    height, width = image.pixels.shape[:2]
    placed = [moved(one, tile) for one, tile in zip(found, tiles, strict=True)]
    cut = [
        cut_sides(one.boxes_px, tile.astype(np.float64), (width, height))
        for one, tile in zip(placed, tiles, strict=True)
    ]
    numbers = np.repeat(np.arange(len(tiles)), [len(one) for one in placed])
    return merge(concatenated(placed), numbers, np.concatenate(cut))

"""One picture of many labelled images, for a person to judge a data set at a glance."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection_cell.learning.labels import Labels

COLUMNS, ROWS, CELL_PX = 8, 6, 240
COLOURS_BGR = ((80, 180, 60), (40, 40, 230), (0, 200, 255), (230, 120, 30))


def write_contact_sheet(
    images: Sequence[tuple[Path, Labels]], classes: Sequence[str], path: Path
) -> None:
    """Write up to 48 images, spread evenly over the data set, with their boxes."""
    sheet = np.zeros((ROWS * CELL_PX, COLUMNS * CELL_PX, 3), dtype=np.uint8)
    chosen = np.linspace(0, len(images) - 1, min(len(images), COLUMNS * ROWS)).astype(int)
    for place, index in enumerate(chosen):
        row, column = divmod(place, COLUMNS)
        y, x = row * CELL_PX, column * CELL_PX
        file, labels = images[index]
        sheet[y : y + CELL_PX, x : x + CELL_PX] = _cell(file, labels, classes)
    cv2.imwrite(str(path), sheet)


def _cell(file: Path, labels: Labels, classes: Sequence[str]) -> NDArray[np.uint8]:
    pixels = cv2.imread(str(file))
    scale = CELL_PX / max(pixels.shape[:2])
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    for label, box in zip(labels.classes, labels.boxes_px, strict=True):
        colour = COLOURS_BGR[label % len(COLOURS_BGR)]
        x0, y0, x1, y1 = (round(float(value) * scale) for value in box)
        cv2.rectangle(small, (x0 - 1, y0 - 1), (x1 + 1, y1 + 1), colour, 1)
        where = (x0, max(y0 - 3, 8))
        cv2.putText(small, classes[label], where, cv2.FONT_HERSHEY_PLAIN, 0.7, colour, 1)
    cell = np.zeros((CELL_PX, CELL_PX, 3), dtype=np.uint8)
    cell[: small.shape[0], : small.shape[1]] = small
    return cell

"""Drawing what was found into an image, for people."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection_cell.findings import Finding, Presence, PresenceStatus

DEFECT_BGR = (40, 40, 230)
FEATURE_BGR = (80, 180, 60)
NEUTRAL_BGR = (200, 200, 200)
NOT_JUDGED_BGR = (150, 150, 150)
_MOST_DASHES = 2000
_FAR_PX = 30_000.0  # beyond any picture, and drawn without overflow

Colour = tuple[int, int, int]
Picture = NDArray[np.uint8]


def annotate(
    pixels: Picture,
    findings: Sequence[Finding],
    features_px: NDArray[np.float64],
    presence: Presence,
) -> Picture:
    """A BGR copy (H, W, 3) with findings in red, found features (N, 4) in green, and presence.

    A finding with an outline is drawn by it, another as a box; one that is not judged is grey.
    """
    picture = canvas(pixels)
    thickness = stroke(picture)
    for box in features_px:
        _draw_box(picture, box, FEATURE_BGR, thickness)
    for finding in sorted(findings, key=lambda finding: not finding.not_judged):
        _draw_finding(picture, finding, thickness)
    proven = presence.status is PresenceStatus.PRESENT
    colour = FEATURE_BGR if proven else NEUTRAL_BGR
    write(picture, f'presence {presence.status.name}', (8, 24 * thickness), colour, thickness)
    return picture


def canvas(pixels: Picture) -> Picture:
    """A BGR copy (H, W, 3) of grey or colour pixels to draw on."""
    picture = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR) if pixels.ndim == 2 else pixels.copy()
    return picture.astype(np.uint8, copy=False)


def stroke(picture: Picture) -> int:
    """How thick lines are, pixels: to be seen however large the picture is."""
    height: int = picture.shape[0]
    return max(round(height / 480), 1)


def draw_outline(
    picture: Picture,
    outline_px: NDArray[np.float64],
    colour: Colour,
    thickness: int,
    *,
    dashed: bool = False,
) -> None:
    """Draw a closed line through (K, 2) points."""
    corners = np.clip(outline_px, -_FAR_PX, _FAR_PX)
    if not dashed:
        whole = [corners.round().astype(np.int32)]
        cv2.polylines(picture, whole, True, colour, thickness, cv2.LINE_AA)
        return
    for start, end in _dashes(corners, 4.0 * thickness):
        cv2.line(picture, start, end, colour, thickness, cv2.LINE_AA)


def write(
    picture: Picture, text: str, origin: tuple[int, int], colour: Colour, thickness: int
) -> None:
    """Write text with a dark rim; `origin` is its lower left corner."""
    size = 0.45 * thickness
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(picture, text, origin, font, size, (0, 0, 0), thickness + 2, cv2.LINE_AA)
    cv2.putText(picture, text, origin, font, size, colour, thickness, cv2.LINE_AA)


def _dashes(
    outline_px: NDArray[np.float64], dash_px: float
) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Every other piece of a closed line, cut at equal lengths."""
    closed = np.concatenate([outline_px, outline_px[:1]])
    travelled = np.concatenate([[0.0], np.linalg.norm(np.diff(closed, axis=0), axis=1).cumsum()])
    count = 2 * min(max(round(travelled[-1] / dash_px / 2), 2), _MOST_DASHES)
    steps = np.linspace(0.0, travelled[-1], count, endpoint=False)
    along = np.column_stack([np.interp(steps, travelled, closed[:, axis]) for axis in (0, 1)])
    points = [(round(x), round(y)) for x, y in along.tolist()]
    return list(zip(points[::2], points[1::2], strict=True))


def _draw_finding(picture: Picture, finding: Finding, thickness: int) -> None:
    if finding.box_px is None:
        return
    colour = NOT_JUDGED_BGR if finding.not_judged else DEFECT_BGR
    text = f'{finding.label} {finding.score:.2f}'
    if finding.not_judged:
        text += f': {finding.not_judged}'
    if finding.polygon_px is None:
        _draw_box(picture, finding.box_px, colour, thickness)
    else:
        draw_outline(picture, finding.polygon_px, colour, thickness)
    x0, y0 = (round(float(value)) for value in finding.box_px[:2])
    write(picture, text, (x0, max(y0 - 6, 12)), colour, thickness)


def _draw_box(
    picture: Picture, box_px: NDArray[np.float64], colour: Colour, thickness: int
) -> None:
    x0, y0, x1, y1 = (round(float(value)) for value in box_px)
    cv2.rectangle(picture, (x0 - 2, y0 - 2), (x1 + 2, y1 + 2), colour, thickness)

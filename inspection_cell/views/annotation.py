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
    picture = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR) if pixels.ndim == 2 else pixels.copy()
    thickness = max(round(picture.shape[0] / 480), 1)
    for box in features_px:
        _draw_box(picture, box, FEATURE_BGR, thickness)
    for finding in sorted(findings, key=lambda finding: not finding.not_judged):
        _draw_finding(picture, finding, thickness)
    proven = presence.status is PresenceStatus.PRESENT
    colour = FEATURE_BGR if proven else NEUTRAL_BGR
    _write(picture, f'presence {presence.status.name}', (8, 24 * thickness), colour, thickness)
    return picture.astype(np.uint8, copy=False)


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
        outline = finding.polygon_px.round().astype(np.int32)
        cv2.polylines(picture, [outline], True, colour, thickness, cv2.LINE_AA)
    x0, y0 = (round(float(value)) for value in finding.box_px[:2])
    _write(picture, text, (x0, max(y0 - 6, 12)), colour, thickness)


def _draw_box(
    picture: Picture, box_px: NDArray[np.float64], colour: Colour, thickness: int
) -> None:
    x0, y0, x1, y1 = (round(float(value)) for value in box_px)
    cv2.rectangle(picture, (x0 - 2, y0 - 2), (x1 + 2, y1 + 2), colour, thickness)


def _write(
    picture: Picture, text: str, origin: tuple[int, int], colour: Colour, thickness: int
) -> None:
    size = 0.45 * thickness
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(picture, text, origin, font, size, (0, 0, 0), thickness + 2, cv2.LINE_AA)
    cv2.putText(picture, text, origin, font, size, colour, thickness, cv2.LINE_AA)

"""Where a picture really shows a mark: the pixels that would be otherwise without it."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection_cell.geometry import invert, transform_points
from inspection_cell.sim.body import Body
from inspection_cell.sim.lighting import Floats
from inspection_cell.sim.marks import Mark
from inspection_cell.sim.renderer import BLUR_PX, SUBPIXELS, Shot, grey_levels, rays_in_part

LEAST_GREY = 4.0  # grey levels that a pixel must change by to be seen at all
NOISE_SIGMAS = 2.0  # and so many standard deviations of the camera's noise
MEAN_SIGMAS = 2.5  # how far the mark as a whole must stand out of noise and texture around it
FINE_PX = 4.0  # texture is what varies over less than this
PAD_PX = 4


@dataclass(frozen=True, slots=True)
class Change:
    """What one mark changes in a picture.

    Attributes:
        corner_px: column and row of the window's first pixel.
        grey: (H, W) change of the brightness in the window, grey levels, without sign.
        texture: robust standard deviation of the fine structure of the window without the mark,
            grey levels: what the mark must stand out of.
    """

    corner_px: tuple[int, int]
    grey: Floats
    texture: float

    def seen(self, image_noise: float) -> NDArray[np.bool_]:
        """Pixels (H, W) of the window in which the mark can be made out; none if it drowns."""
        seen: NDArray[np.bool_] = self.grey > max(LEAST_GREY, NOISE_SIGMAS * image_noise)
        around = float(np.hypot(image_noise, self.texture))
        if not seen.any() or self.grey[seen].mean() < MEAN_SIGMAS * around:
            return np.zeros_like(seen)
        return seen


def mark_change(body: Body, mark: Mark, shot: Shot, light: Floats) -> Change | None:
    """How a mark changes the picture `light` (H, W, 3) of `body`; None where it is out of view.

    Only the rays around the mark are cast: the mark multiplies the light by known factors, so
    the picture without it is the picture divided by them.
    """
    window = _window(mark, shot)
    if window is None:
        return None
    factors = _factors(body, mark, shot, window)
    blurred = cv2.GaussianBlur(factors, (0, 0), BLUR_PX)
    shown = light[window]
    without = grey_levels(shown / blurred[..., None]).mean(axis=2)
    grey = np.abs(grey_levels(shown).mean(axis=2) - without)
    rows, columns = window
    return Change((columns.start, rows.start), grey, _texture(without))


def _texture(grey: Floats) -> float:
    fine = np.abs(grey - cv2.GaussianBlur(grey, (0, 0), FINE_PX))
    return float(np.median(fine) / 0.6745)


def _factors(body: Body, mark: Mark, shot: Shot, window: tuple[slice, slice]) -> Floats:
    """Mean factor (H, W) on the light of each pixel of the window."""
    rows, columns = window
    y, x = np.mgrid[rows, columns]
    samples = (np.stack([x.ravel(), y.ravel()], axis=1)[:, None] + np.array(SUBPIXELS)).reshape(
        -1, 2
    )
    directions = shot.intrinsics.rays(samples).astype(np.float32)
    hits = body.cast(rays_in_part(shot.transform_camera_to_part, directions))
    factors = np.ones(len(samples), dtype=np.float32)
    near, found = mark.factors(hits.points, hits.normals, shot.mark_edge_m)
    factors[hits.rows[near]] = found
    mean: Floats = factors.reshape(*y.shape, len(SUBPIXELS)).mean(axis=2)
    return mean


def _window(mark: Mark, shot: Shot) -> tuple[slice, slice] | None:
    points = transform_points(invert(shot.transform_camera_to_part), mark.footprint())
    pixels = shot.intrinsics.project(points)
    if np.isnan(pixels).any():
        return None
    size = (shot.intrinsics.width, shot.intrinsics.height)
    x0, y0 = np.clip(np.floor(pixels.min(axis=0)).astype(int) - PAD_PX, 0, size)
    x1, y1 = np.clip(np.ceil(pixels.max(axis=0)).astype(int) + PAD_PX + 1, 0, size)
    if x0 >= x1 or y0 >= y1:
        return None
    return slice(int(y0), int(y1)), slice(int(x0), int(x1))

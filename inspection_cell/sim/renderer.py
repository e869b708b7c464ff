"""Camera images by ray casting on the CPU: shading, soft shadows, smooth edges, lens and noise."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection_cell.geometry import (
    Intrinsics,
    Transform,
    invert,
    transform_points,
)
from inspection_cell.observations import Image
from inspection_cell.sim.body import Body, Hits, tangents
from inspection_cell.sim.lighting import Floats, Lighting, Shade, reflected

MARK_EDGE_M = 0.00013  # about a pixel of the demo cell's cameras
COARSE = 4  # pixels per shadow sample
SKY_RAYS = 8
SKY_REACH_M = 0.05
BACKGROUND = 0.022
BLUR_PX = 0.55
MARGIN_PX = 3
SUBPIXELS = ((-0.25, -0.25), (0.25, -0.25), (-0.25, 0.25), (0.25, 0.25))


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture to be taken.

    Attributes:
        background: (H, W, 3) light from behind the part; None: evenly dark.
    """

    intrinsics: Intrinsics
    transform_camera_to_cell: Transform
    transform_part_to_cell: Transform
    lighting: Lighting
    background: Floats | None = None

    @property
    def transform_camera_to_part(self) -> Transform:
        """Pose of the camera in the part frame."""
        pose: Transform = invert(self.transform_part_to_cell) @ self.transform_camera_to_cell
        return pose

    @property
    def mark_edge_m(self) -> float:
        """Width of the soft edge of marks: about a pixel, finer for finer cameras."""
        distance_m = float(np.linalg.norm(self.transform_camera_to_part[:3, 3]))
        return min(MARK_EDGE_M, distance_m / self.intrinsics.fx)


def render(body: Body | None, shot: Shot) -> Floats:
    """Light (H, W, 3) in B, G, R on the sensor, about [0, 1], without noise; None: no part."""
    size = (shot.intrinsics.height, shot.intrinsics.width)
    picture = np.full((*size, 3), BACKGROUND, dtype=np.float32)
    if shot.background is not None:
        picture[:] = shot.background
    window = None if body is None else _window(body, shot)
    if body is not None and window is not None:
        picture[window] = _render_window(body, shot, window, picture[window])
        picture[window] = cv2.GaussianBlur(picture[window], (0, 0), BLUR_PX)
    return picture


def expose(light: Floats, noise: float, generator: np.random.Generator) -> Image:
    """The camera's answer to `light`: vignetting, shoulder, noise in grey levels, 8 bits."""
    height, width = light.shape[:2]
    values = grey_levels(light * _vignetting(height, width)[..., None])
    if noise > 0:
        grain = generator.standard_normal((height, width), dtype=np.float32) * np.float32(noise)
        for channel in range(3):
            shift = tuple(generator.integers(0, (height, width)))
            values[..., channel] += np.roll(grain, shift, axis=(0, 1))
    return Image(cv2.convertScaleAbs(np.maximum(values, 0)))


def grey_levels(light: Floats) -> Floats:
    """What the camera makes of light, before noise and rounding: up to 255."""
    values: Floats = light * np.float32(235.0)
    bright = values > 200.0  # soft shoulder instead of hard clipping
    values[bright] = 200.0 + 55.0 * (1 - np.exp((200.0 - values[bright]) / 55.0))
    return values


def _render_window(
    body: Body, shot: Shot, window: tuple[slice, slice], background: Floats
) -> Floats:
    rows, columns = window
    shape = (rows.stop - rows.start, columns.stop - columns.start)
    to_part = shot.transform_camera_to_part
    directions = pixel_rays(shot.intrinsics)[window].reshape(-1, 3)
    rays = rays_in_part(to_part, directions)
    hits = body.cast(rays)
    shade_map = _shade_map(body, shot, hits, shape)
    light = background.reshape(-1, 3).copy()
    light[hits.rows] = _shaded(body, shot, hits, rays, shade_map, hits.rows)
    edges = _edge_pixels(hits, shape)
    if len(edges):
        behind = background.reshape(-1, 3)[edges]
        light[edges] = _supersampled(body, shot, edges, window, shade_map, behind)
    return light.reshape(*shape, 3)


def _shaded(
    body: Body, shot: Shot, hits: Hits, rays: Floats, shade_map: Floats, pixels: NDArray[np.intp]
) -> Floats:
    shade = Shade(shade_map[pixels, 0], shade_map[pixels, 1])
    to_part = invert(shot.transform_part_to_cell)
    light = reflected(hits, rays[hits.rows, 3:], shot.lighting, to_part, shade)
    for mark in body.marks:
        mark.paint(light, hits.points, hits.normals, shot.mark_edge_m)
    return light


def _supersampled(
    body: Body,
    shot: Shot,
    edges: NDArray[np.intp],
    window: tuple[slice, slice],
    shade_map: Floats,
    behind: Floats,
) -> Floats:
    width = window[1].stop - window[1].start
    pixels = np.column_stack([edges % width + window[1].start, edges // width + window[0].start])
    samples = (pixels[:, None] + np.array(SUBPIXELS)).reshape(-1, 2)
    rays = rays_in_part(
        shot.transform_camera_to_part, shot.intrinsics.rays(samples).astype(np.float32)
    )
    hits = body.cast(rays)
    light = np.repeat(behind, len(SUBPIXELS), axis=0)
    pixel_of_hit = np.repeat(edges, len(SUBPIXELS))[hits.rows]
    light[hits.rows] = _shaded(body, shot, hits, rays, shade_map, pixel_of_hit)
    mean: Floats = light.reshape(-1, len(SUBPIXELS), 3).mean(axis=1)
    return mean


def _edge_pixels(hits: Hits, shape: tuple[int, int]) -> NDArray[np.intp]:
    """Pixels of the window at outlines and creases, where one ray is not enough."""
    code = np.zeros(shape[0] * shape[1], dtype=np.float32)
    weights = np.array([1.0, 1.7, 2.9], dtype=np.float32)
    code[hits.rows] = 10.0 + hits.normals @ weights + hits.ranges * np.float32(150.0)
    code = code.reshape(shape)
    step = np.zeros(shape, dtype=np.bool_)
    across = np.abs(np.diff(code, axis=1)) > 0.3
    down = np.abs(np.diff(code, axis=0)) > 0.3
    step[:, 1:] |= across
    step[:, :-1] |= across
    step[1:] |= down
    step[:-1] |= down
    return np.flatnonzero(step)


def _shade_map(body: Body, shot: Shot, hits: Hits, shape: tuple[int, int]) -> Floats:
    """(pixels of the window, 2): open sky and visible key light, sampled coarsely."""
    height, width = shape
    row, column = np.divmod(hits.rows, width)
    chosen = np.flatnonzero((row % COARSE == COARSE // 2) & (column % COARSE == COARSE // 2))
    coarse = np.zeros((height // COARSE + 1, width // COARSE + 1, 3), dtype=np.float32)
    if len(chosen):
        at = (row[chosen] // COARSE, column[chosen] // COARSE)
        start = hits.outer[chosen] + hits.faces[chosen] * np.float32(5e-5)
        phase = (at[0] % 2) * 2 + at[1] % 2
        coarse[at[0], at[1], 0] = _open_sky(body, start, hits.faces[chosen], phase)
        coarse[at[0], at[1], 1] = _key_light(body, shot, start, phase)
        coarse[at[0], at[1], 2] = 1.0
    coarse = cv2.blur(coarse, (3, 3), borderType=cv2.BORDER_CONSTANT)
    coarse[..., :2] /= np.maximum(coarse[..., 2:], 1e-3)
    coarse[coarse[..., 2] == 0, :2] = 1.0
    full = cv2.resize(coarse[..., :2], None, fx=COARSE, fy=COARSE, interpolation=cv2.INTER_LINEAR)
    shade: Floats = full[:height, :width].reshape(-1, 2)
    return shade


def _open_sky(body: Body, start: Floats, normals: Floats, phase: NDArray[np.intp]) -> Floats:
    """Share of the hemisphere over each point that nothing near hides (ambient occlusion)."""
    helper = np.where(np.abs(normals[:, :1]) < 0.7, [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
    tangent = np.cross(helper, normals)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    across = np.cross(normals, tangent)
    free = np.zeros(len(start), dtype=np.float32)
    for number in range(SKY_RAYS):
        height = np.sqrt((number + 0.5) / SKY_RAYS)  # cosine weighted
        angle = 2.4 * number + phase * (np.pi / 8)
        flat = np.sqrt(1 - height**2)
        rays = np.empty((len(start), 6), dtype=np.float32)
        rays[:, :3] = start
        rays[:, 3:] = height * normals + flat * (
            np.cos(angle)[:, None] * tangent + np.sin(angle)[:, None] * across
        )
        free += ~body.occluded(rays, SKY_REACH_M)
    return np.float32(0.25) + np.float32(0.75 / SKY_RAYS) * free


def _key_light(body: Body, shot: Shot, start: Floats, phase: NDArray[np.intp]) -> Floats:
    """Share of the first panel that each point sees, softened to a shadow never black."""
    to_part = invert(shot.transform_part_to_cell)
    panel = np.array([shot.lighting.panels[0].position_m])
    centre = transform_points(to_part, panel)[0]
    first, second = tangents(centre / np.linalg.norm(centre))
    free = np.zeros(len(start), dtype=np.float32)
    spots = ((-0.09, -0.03), (0.03, -0.09), (0.09, 0.03), (-0.03, 0.09))
    for u, v in spots:
        turn = phase * (np.pi / 8)
        spot_u, spot_v = u * np.cos(turn) - v * np.sin(turn), u * np.sin(turn) + v * np.cos(turn)
        goal = centre + spot_u[:, None] * first + spot_v[:, None] * second
        rays = np.empty((len(start), 6), dtype=np.float32)
        rays[:, :3] = start
        towards = goal - start
        rays[:, 3:] = towards / np.linalg.norm(towards, axis=1, keepdims=True)
        free += ~body.occluded(rays, 0.2)
    return np.float32(0.25) + np.float32(0.75 / len(spots)) * free


def rays_in_part(transform_sensor_to_part: Transform, directions: Floats) -> Floats:
    """Rays (N, 6) in the part frame from the sensor's origin along (N, 3) directions."""
    rays = np.empty((len(directions), 6), dtype=np.float32)
    rays[:, :3] = transform_sensor_to_part[:3, 3]
    rays[:, 3:] = directions @ transform_sensor_to_part[:3, :3].T.astype(np.float32)
    return rays


@lru_cache(maxsize=8)
def pixel_rays(intrinsics: Intrinsics) -> Floats:
    """Unit directions (H, W, 3) of all pixels."""
    columns, rows = np.meshgrid(np.arange(intrinsics.width), np.arange(intrinsics.height))
    pixels = np.column_stack([columns.ravel(), rows.ravel()])
    directions = intrinsics.rays(pixels).astype(np.float32)
    directions.flags.writeable = False
    return directions.reshape(intrinsics.height, intrinsics.width, 3)


@lru_cache(maxsize=8)
def _vignetting(height: int, width: int) -> Floats:
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    falloff: Floats = (1 - 0.06 * (x**2 + y**2)).astype(np.float32)
    return falloff


def _window(body: Body, shot: Shot) -> tuple[slice, slice] | None:
    """Rows and columns that the part's bounding box covers; None when it is out of view."""
    low, high = body.vertices.min(axis=0) - 0.003, body.vertices.max(axis=0) + 0.003
    corners = np.array(
        [
            [x, y, z]
            for x in (low[0], high[0])
            for y in (low[1], high[1])
            for z in (low[2], high[2])
        ]
    )
    pixels = shot.intrinsics.project(
        transform_points(invert(shot.transform_camera_to_part), corners)
    )
    if np.isnan(pixels).any():
        return slice(0, shot.intrinsics.height), slice(0, shot.intrinsics.width)
    first = np.floor(pixels.min(axis=0)).astype(int) - MARGIN_PX
    last = np.ceil(pixels.max(axis=0)).astype(int) + MARGIN_PX + 1
    size = (shot.intrinsics.width, shot.intrinsics.height)
    (x0, y0), (x1, y1) = np.clip(first, 0, size), np.clip(last, 0, size)
    if x0 >= x1 or y0 >= y1:
        return None
    return slice(int(y0), int(y1)), slice(int(x0), int(x1))

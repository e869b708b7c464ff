"""Overlapping tiles of an image: where they lie, and how what crosses their seams is joined."""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from inspection_cell.observations import Image
from inspection_cell.views.detections import Detections
from inspection_cell.views.outlines import outline_of
from inspection_cell.views.overlap import areas, iou_matrix, shared_areas

Boxes = NDArray[np.float64]
SAME_IOU = 0.5  # two tiles that show the whole thing agree by at least this
COVERED = 0.7  # share of a cut box that lies in the box of the whole
EDGE_PX = 4.0  # boxes this near to a tile's border may be cut by it


def tile_starts(length: int, tile_px: int, overlap_px: int) -> tuple[int, ...]:
    """First pixels of tiles along one side, spread evenly; the last ends with the image."""
    if length <= tile_px:
        return (0,)
    count = -(-(length - overlap_px) // (tile_px - overlap_px))
    return tuple(int(start) for start in np.linspace(0, length - tile_px, count).round())


def cutting(image: Image, tile: NDArray[np.intp]) -> Image:
    """The pixels of a tile (4,) x0, y0, x1, y1; nothing is copied."""
    x0, y0, x1, y1 = tile
    return Image(image.pixels[y0:y1, x0:x1])


def moved(found: Detections, tile: NDArray[np.intp]) -> Detections:
    """What a tile shows, in pixels of its image."""
    corner = tile[:2].astype(np.float64)
    return Detections(
        found.boxes_px + np.tile(corner, 2),
        found.scores,
        found.labels,
        tuple(polygon + corner for polygon in found.polygons_px),
    )


def cut_sides(found: Boxes, tile: Boxes, size: tuple[int, int]) -> NDArray[np.bool_]:
    """(N, 4) which sides of boxes (left, top, right, bottom) a tile's inner border may have cut.

    Args:
        found: (N, 4) boxes in the image.
        tile: (4,) of the tile.
        size: width and height of the image; its own borders cut nothing.
    """
    width, height = size
    inner = np.array([tile[0] > 0, tile[1] > 0, tile[2] < width, tile[3] < height])
    cut: NDArray[np.bool_] = (np.abs(found - tile) <= EDGE_PX) & inner
    return cut


def merge(found: Detections, tiles: NDArray[np.intp], cut: NDArray[np.bool_]) -> Detections:
    """One finding for each thing that several tiles show, best first.

    Boxes of one label from different tiles are the same thing when they agree (both whole), when
    one is the cut part of the other, or when both are cut and continue each other.

    Args:
        found: boxes of all tiles, image pixels.
        tiles: (N,) which tile each is of.
        cut: (N, 4) as from `cut_sides`.
    """
    if len(found) < 2:
        return found
    rows, columns = np.nonzero(_same(found, tiles, cut))
    links = coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(found), len(found)))
    count, groups = connected_components(links, directed=False)
    joined = [_joined(found, np.flatnonzero(groups == group), cut) for group in range(count)]
    whole = concatenated(joined)
    return whole.chosen(np.argsort(-whole.scores, kind='stable'))


def concatenated(parts: list[Detections]) -> Detections:
    """All of several detections, in their order."""
    polygons = tuple(polygon for part in parts for polygon in part.polygons_px)
    return Detections(
        np.concatenate([part.boxes_px for part in parts] or [np.empty((0, 4))]),
        np.concatenate([part.scores for part in parts] or [np.empty(0)]),
        tuple(label for part in parts for label in part.labels),
        polygons,
    )


def _same(found: Detections, tiles: NDArray[np.intp], cut: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(N, N) which pairs show the same thing."""
    boxes, labels = found.boxes_px, np.array(found.labels)
    shared, own = shared_areas(boxes, boxes), areas(boxes)
    any_cut: NDArray[np.bool_] = np.any(cut, axis=1)
    agree = iou_matrix(boxes, boxes) >= SAME_IOU
    part = any_cut[:, None] & (shared >= COVERED * own[:, None])  # row lies in column
    # Row reaches over its right or lower border, column over its left or upper one.
    onward = (cut[:, None, 2] & cut[None, :, 0]) | (cut[:, None, 3] & cut[None, :, 1])
    continued = onward & (shared > 0)
    related = agree | part | part.T | continued | continued.T
    other_tile = tiles[:, None] != tiles[None, :]
    same: NDArray[np.bool_] = related & other_tile & (labels[:, None] == labels[None, :])
    return same


def _joined(found: Detections, members: NDArray[np.intp], cut: NDArray[np.bool_]) -> Detections:
    """One group as one: the best box that shows all of it and what is cut, or all together."""
    order = members[np.argsort(-found.scores[members], kind='stable')]
    group = found.chosen(order)
    if len(group) == 1:
        return group
    boxes = group.boxes_px
    shared, own = shared_areas(boxes, boxes), areas(boxes)
    is_cut = cut[order].any(axis=1)
    covers = (shared >= COVERED * own[:, None]).all(axis=0) & ~is_cut
    if covers.any():
        group = group.chosen([int(np.argmax(covers)), *np.flatnonzero(is_cut)])
    low, high = group.boxes_px[:, :2].min(axis=0), group.boxes_px[:, 2:].max(axis=0)
    score, label = found.scores[order[:1]], (found.labels[order[0]],)
    if (group.boxes_px[0] == [*low, *high]).all():
        return Detections(group.boxes_px[:1], score, label, group.polygons_px[:1])
    outline = (_united(group.polygons_px),) if group.polygons_px else ()
    return Detections(np.concatenate([low, high])[None], score, label, outline)


def _united(polygons: tuple[NDArray[np.float64], ...]) -> NDArray[np.float64]:
    """The outline around several: of oriented boxes an oriented box."""
    points = np.concatenate(polygons)
    if all(len(polygon) == 4 for polygon in polygons):
        corners = cv2.boxPoints(cv2.minAreaRect(points.astype(np.float32)))
        return np.asarray(corners, dtype=np.float64)
    corner = np.floor(points.min(axis=0)) - 1
    width, height = (np.ceil(points.max(axis=0)) - corner + 2).astype(int)
    mask = np.zeros((height, width), dtype=np.uint8)
    for polygon in polygons:
        cv2.fillPoly(mask, [(polygon - corner).round().astype(np.int32)], 1)
    outline: NDArray[np.float64] = outline_of(mask) + corner
    return outline

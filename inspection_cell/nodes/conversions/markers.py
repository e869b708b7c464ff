"""What is shown of a verdict, as markers for RViz.

Every name here is a marker namespace, so that a viewer can hide one kind of marker. All move with
their frame, and the first message of an array deletes what was shown before.
"""

from collections.abc import Iterable

import numpy as np
from geometry_msgs.msg import Point
from numpy.typing import NDArray
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from inspection_cell.frames import Frames
from inspection_cell.geometry import Points
from inspection_cell.nodes.conversions.poses import point_to_msg
from inspection_cell.showing.part_markers import ColouredSurface, DefectMark, Frustum, PartMarkers

TEXT = 0.06  # height of the headline, as a share of the part's size
LABEL = 0.045
ARROW = 0.15  # length
SHAFT, HEAD = 0.008, 0.02  # diameters
LINE_M = 0.0008


def markers_to_msg(shown: PartMarkers, frames: Frames) -> MarkerArray:
    """All markers of one verdict, after one that deletes those of the verdict before."""
    defects = enumerate(shown.defects, start=1)
    markers = [
        Marker(action=Marker.DELETEALL),
        *(_surface(surface, frames) for surface in shown.surfaces if len(surface.corners)),
        *(m for number, mark in defects for m in _defect(number, mark, shown.size_m, frames)),
        *(_frustum(frustum, frames) for frustum in shown.frusta),
        _headline(shown, frames),
    ]
    return MarkerArray(markers=markers)


def colour_to_msg(colour: str, alpha: float = 1.0) -> ColorRGBA:
    """A colour `#rrggbb` with its opacity, 0 to 1."""
    red, green, blue = (level / 255.0 for level in bytes.fromhex(colour[1:]))
    return ColorRGBA(r=red, g=green, b=blue, a=alpha)


def _marker(kind: int, namespace: str, frame: str, colour: ColorRGBA, number: int = 0) -> Marker:
    marker = Marker(type=kind, ns=namespace, id=number, color=colour, frame_locked=True)
    marker.header.frame_id = frame
    return marker


def _scaled(marker: Marker, x: float, y: float = 0.0, z: float = 0.0) -> Marker:
    marker.scale.x, marker.scale.y, marker.scale.z = x, y, z
    return marker


def _surface(surface: ColouredSurface, frames: Frames) -> Marker:
    colour = colour_to_msg(surface.colour)
    marker = _marker(Marker.TRIANGLE_LIST, surface.name, frames.part, colour)
    marker.points = _points(surface.corners.reshape(-1, 3))
    return _scaled(marker, 1.0, 1.0, 1.0)


def _defect(number: int, mark: DefectMark, size_m: float, frames: Frames) -> Iterable[Marker]:
    sphere = _marker(
        Marker.SPHERE, 'defects', frames.part, colour_to_msg(mark.colour, 0.6), number
    )
    sphere.pose.position = point_to_msg(mark.position_m)
    yield _scaled(sphere, mark.diameter_m, mark.diameter_m, mark.diameter_m)
    colour = colour_to_msg(mark.colour)
    tail = mark.position_m
    if mark.normal is not None:
        tail = tail + ARROW * size_m * mark.normal
        arrow = _marker(Marker.ARROW, 'normals', frames.part, colour, number)
        arrow.points = [point_to_msg(tail), point_to_msg(mark.position_m)]
        yield _scaled(arrow, SHAFT * size_m, HEAD * size_m)
    yield _text('labels', mark.text, tail, LABEL * size_m, frames, colour, number)


def _headline(shown: PartMarkers, frames: Frames) -> Marker:
    colour, height_m = colour_to_msg(shown.colour), TEXT * shown.size_m
    return _text('verdict', shown.headline, shown.headline_at_m, height_m, frames, colour)


def _text(
    namespace: str,
    text: str,
    at_m: NDArray[np.float64],
    height_m: float,
    frames: Frames,
    colour: ColorRGBA,
    number: int = 0,
) -> Marker:
    marker = _marker(Marker.TEXT_VIEW_FACING, namespace, frames.part, colour, number)
    marker.pose.position, marker.text = point_to_msg(at_m), text
    return _scaled(marker, 0.0, 0.0, height_m)


def _frustum(frustum: Frustum, frames: Frames) -> Marker:
    colour, frame = colour_to_msg(frustum.colour, 0.7), frames.optical(frustum.sensor)
    marker = _marker(Marker.LINE_LIST, f'{frustum.sensor} looks', frame, colour)
    corners = frustum.corners_m
    sides = np.stack([np.zeros_like(corners), corners], axis=1)
    rim = np.stack([corners, np.roll(corners, -1, axis=0)], axis=1)
    marker.points = _points(np.concatenate([sides, rim]).reshape(-1, 3))
    return _scaled(marker, LINE_M)


def _points(points: Points) -> list[Point]:
    return [Point(x=x, y=y, z=z) for x, y, z in points.tolist()]

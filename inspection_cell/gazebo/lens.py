"""A camera's geometry as SDF's `<camera>` says it, and what SDF cannot say."""

import math
from xml.etree.ElementTree import Element

from inspection_cell.cell import Camera, CameraIntrinsics, Scanner
from inspection_cell.gazebo.xml_text import child, numbers

LEAST_FOV_RAD = 0.1  # of SDF 1.9
NEAR_M, FAR_M = 0.02, 10.0
HALF_PIXEL = 0.5  # from the corner of a pixel, where Gazebo counts from, to its middle


def lens_problem(sensor: Camera | Scanner) -> tuple[str, str] | None:
    """What of a sensor's intrinsics SDF cannot express: the value and what is allowed."""
    lens = sensor.intrinsics
    if lens is None:
        return None
    if horizontal_fov_rad(lens) < LEAST_FOV_RAD:
        degrees = math.degrees(horizontal_fov_rad(lens))
        return f'a field of view of {degrees:.2f}°', 'SDF has 5.73° and more'
    if lens.distortion_model == 'equidistant' or any(lens.distortion):
        if isinstance(sensor, Scanner):
            return lens.distortion_model, "Gazebo's depth sensors have no distortion"
        if lens.distortion_model != 'plumb_bob':
            return lens.distortion_model, 'SDF has the distortion of plumb_bob only'
    return None


def horizontal_fov_rad(lens: CameraIntrinsics) -> float:
    """The full angle that the image's width spans, radians."""
    return 2.0 * math.atan(lens.width / (2.0 * lens.fx))


def is_distorted(lens: CameraIntrinsics) -> bool:
    """Whether the image is not that of a pinhole."""
    return any(lens.distortion)


def add_camera(
    sensor: Element, lens: CameraIntrinsics, trigger_topic: str, noise: float, image_format: str
) -> None:
    """Add `<camera>`; `noise` is the standard deviation, of 1 for a full image, or metres."""
    camera = child(sensor, 'camera')
    child(camera, 'triggered', 'true')
    child(camera, 'trigger_topic', trigger_topic)
    child(camera, 'horizontal_fov', numbers(horizontal_fov_rad(lens)))
    image = child(camera, 'image')
    child(image, 'width', str(lens.width))
    child(image, 'height', str(lens.height))
    child(image, 'format', image_format)
    clip = child(camera, 'clip')
    child(clip, 'near', numbers(NEAR_M))
    child(clip, 'far', numbers(FAR_M))
    if noise > 0:
        grain = child(camera, 'noise')
        child(grain, 'type', 'gaussian')
        child(grain, 'mean', '0')
        child(grain, 'stddev', numbers(noise))
    if is_distorted(lens):
        _add_distortion(camera, lens)
    intrinsics = child(child(camera, 'lens'), 'intrinsics')
    values = {'fx': lens.fx, 'fy': lens.fy, 'cx': lens.cx + HALF_PIXEL, 'cy': lens.cy + HALF_PIXEL}
    for name, value in (values | {'s': 0.0}).items():
        child(intrinsics, name, numbers(value))


def _add_distortion(camera: Element, lens: CameraIntrinsics) -> None:
    k1, k2, p1, p2, k3 = (*lens.distortion, 0.0)[:5]
    distortion = child(camera, 'distortion')
    for name, value in {'k1': k1, 'k2': k2, 'k3': k3, 'p1': p1, 'p2': p2}.items():
        child(distortion, name, numbers(value))
    middle = (lens.cx + HALF_PIXEL) / lens.width, (lens.cy + HALF_PIXEL) / lens.height
    child(distortion, 'center', numbers(*middle))

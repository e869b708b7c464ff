"""The world as SDF 1.9: sensors where the cell has them, light, and the parts that wait.

A part is a static model: nothing moves it but the service `set_pose`, which the adapter calls;
so it stands exactly where it was put, and neither gravity nor a controller has a say. Parts that
wait stand below the floor, beyond what any sensor sees.
"""

from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element

from inspection_cell.cell import Camera, CellFile, Scanner
from inspection_cell.gazebo.cell_in_gazebo import intrinsics_of
from inspection_cell.gazebo.lens import add_camera, is_distorted
from inspection_cell.gazebo.names import PART_LINK, Names
from inspection_cell.gazebo.xml_text import add_pose, child, document, numbers
from inspection_cell.geometry import TRANSFORM_X_FORWARD_TO_OPTICAL, Transform, rigid
from inspection_cell.sections.simulation import Simulation
from inspection_cell.sim.lighting import Lighting
from inspection_cell.sim.renderer import BACKGROUND

STEP_S = 0.005  # of simulated time: nothing moves by itself, and every step goes to every node
SYSTEMS = {
    'gz-sim-physics-system': 'gz::sim::systems::Physics',
    'gz-sim-sensors-system': 'gz::sim::systems::Sensors',
    'gz-sim-user-commands-system': 'gz::sim::systems::UserCommands',
    'gz-sim-scene-broadcaster-system': 'gz::sim::systems::SceneBroadcaster',
}
# Ogre 2 renders faster and finer, and has no lens distortion.
ENGINE, ENGINE_WITH_DISTORTION = 'ogre2', 'ogre'
WAITING_M = -50.0
APART_M = 1.0
LIGHT_RANGE_M = 5.0
LEAST_RATE_HZ = 10.0  # a trigger does not wait for it, but Gazebo divides by it


def world_text(names: Names, file: CellFile, meshes: Mapping[str, str], lighting: Lighting) -> str:
    """The SDF file.

    Args:
        names: of the world and its topics.
        file: the cell as Gazebo plays it.
        meshes: of each part, by its id: a path relative to the file.
        lighting: panels in the cell frame, which is the world's.
    """
    root = Element('sdf', {'version': '1.9'})
    world = child(root, 'world', name=names.world)
    physics = child(world, 'physics', name='steps', type='ignored')
    child(physics, 'max_step_size', numbers(STEP_S))
    child(physics, 'real_time_factor', '1.0')
    cameras = [sensor for sensor in file.sensors.values() if isinstance(sensor, Camera)]
    _add_systems(world, distorted=any(is_distorted(intrinsics_of(one)) for one in cameras))
    _add_light(world, lighting)
    for name, sensor in file.sensors.items():
        if isinstance(sensor, Camera | Scanner):
            _add_sensor(world, names, name, sensor, file.simulation)
    for place, (part_id, mesh) in enumerate(meshes.items()):
        _add_part(world, part_id, mesh, waiting_pose(place))
    return document(root)


def waiting_pose(place: int) -> Transform:
    """Where the part with this number waits, `transform_part_to_cell`, metres."""
    return rigid(rotation=[[1, 0, 0], [0, 1, 0], [0, 0, 1]], translation_m=_waiting_m(place))


def _waiting_m(place: int) -> Sequence[float]:
    return place * APART_M, 0.0, WAITING_M


def _add_systems(world: Element, *, distorted: bool) -> None:
    for file, name in SYSTEMS.items():
        system = child(world, 'plugin', filename=file, name=name)
        if name.endswith('Sensors'):
            child(system, 'render_engine', ENGINE_WITH_DISTORTION if distorted else ENGINE)


def _add_light(world: Element, lighting: Lighting) -> None:
    scene = child(world, 'scene')
    child(scene, 'ambient', numbers(*[lighting.ambient] * 3, 1.0))
    child(scene, 'background', numbers(*[BACKGROUND] * 3, 1.0))
    child(scene, 'shadows', 'true')
    child(scene, 'grid', 'false')
    child(scene, 'origin_visual', 'false')
    for number, panel in enumerate(lighting.panels):
        light = child(world, 'light', name=f'panel_{number + 1}', type='point')
        child(light, 'pose', numbers(*panel.position_m, 0, 0, 0))
        child(light, 'cast_shadows', 'true' if number == 0 else 'false')
        child(light, 'diffuse', numbers(*[panel.strength] * 3, 1.0))
        child(light, 'specular', numbers(*[panel.strength] * 3, 1.0))
        attenuation = child(light, 'attenuation')
        child(attenuation, 'range', numbers(LIGHT_RANGE_M))
        child(attenuation, 'constant', '1.0')
        child(attenuation, 'linear', '0.0')
        child(attenuation, 'quadratic', '0.0')


def _add_sensor(
    world: Element, names: Names, name: str, sensor: Camera | Scanner, simulation: Simulation
) -> None:
    if sensor.pose is None:
        raise AssertionError('checked before')
    model = child(world, 'model', name=f'sensor_{name}')
    child(model, 'static', 'true')
    add_pose(model, sensor.pose.transform() @ TRANSFORM_X_FORWARD_TO_OPTICAL)
    is_camera = isinstance(sensor, Camera)
    kind = 'camera' if is_camera else 'depth_camera'
    element = child(child(model, 'link', name='link'), 'sensor', name=name, type=kind)
    child(element, 'always_on', 'true')
    child(element, 'update_rate', numbers(LEAST_RATE_HZ))
    child(element, 'topic', names.sensor(name))
    noise = simulation.image_noise / 255.0 if is_camera else simulation.range_noise_mm / 1000.0
    image_format = 'R8G8B8' if is_camera else 'R_FLOAT32'
    add_camera(element, intrinsics_of(sensor), names.trigger(name), noise, image_format)


def _add_part(world: Element, part_id: str, mesh: str, pose: Transform) -> None:
    model = child(world, 'model', name=part_id)
    child(model, 'static', 'true')
    add_pose(model, pose)
    visual = child(child(model, 'link', name=PART_LINK), 'visual', name='surface')
    child(child(child(visual, 'geometry'), 'mesh'), 'uri', mesh)

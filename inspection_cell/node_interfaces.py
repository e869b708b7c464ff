"""What each node of a cell says and hears: its topics, services and actions, by cell.yaml.

For whoever has to allow them (SROS 2, firewalls, bridges). A test compares it with the graph of
the running nodes. Names are relative to the cell's namespace, or begin with a slash.
"""

from dataclasses import dataclass

from inspection_cell.cell import Camera, Cell, ProcessSensor, Scanner, Trigger
from inspection_cell.showing.topics import MARKERS, annotated_topic, deviation_topic

Names = tuple[str, ...]
HOLD = 'hold_recipes'
PARAMETERS: Names = (
    *('describe_parameters', 'get_parameter_types', 'get_parameters', 'get_type_description'),
    *('list_parameters', 'set_parameters', 'set_parameters_atomically'),
)
LIFECYCLE: Names = (
    *('change_state', 'get_state', 'get_available_states'),
    *('get_available_transitions', 'get_transition_graph'),
)


@dataclass(frozen=True, slots=True)
class Interfaces:
    """What one node does in the ROS graph.

    Attributes:
        publishes: topics.
        subscribes: topics.
        serves: services.
        calls: services of others.
        executes: actions.
        sends: actions of others, to which it sends goals.
    """

    publishes: Names = ()
    subscribes: Names = ()
    serves: Names = ()
    calls: Names = ()
    executes: Names = ()
    sends: Names = ()


def cell_interfaces(cell: Cell) -> dict[str, Interfaces]:
    """The nodes of a cell by name, as `bringup.cell_nodes` starts them."""
    made = {
        'cell_node': _cell_node(cell),
        'view_node': Interfaces(
            (MARKERS, '/tf', '/tf_static'), ('capture', 'verdict'), (f'view_node/{HOLD}',)
        ),
    }
    if not cell.file.disposition.only_watches:
        made['reject_node'] = _reject_node(cell)
    if cell.cameras:
        shown = [annotated_topic(name) for name in cell.cameras]
        infos = [one.camera_info_topic for one in cell.cameras.values() if one.camera_info_topic]
        made['detection_node'] = _inspector(
            'detection_node', cell, cell.cameras, shown, infos, ['swap_model']
        )
    if cell.scanners:
        shown = [deviation_topic(name) for name in cell.scanners]
        made['surface_node'] = _inspector('surface_node', cell, cell.scanners, shown, ['verdict'])
    if cell.process_sensors:
        made['process_node'] = _inspector('process_node', cell, cell.process_sensors)
    if cell.file.robot.led_by == 'program':
        made['program_node'] = _program_node(cell)
    return {name: _managed(name, own) for name, own in made.items()}


def _managed(name: str, own: Interfaces) -> Interfaces:
    """With what every managed node has."""
    services = (f'{name}/{service}' for service in (*PARAMETERS, *LIFECYCLE))
    topics = ('/parameter_events', '/rosout', f'{name}/transition_event')
    return Interfaces(
        (*own.publishes, *topics),
        own.subscribes,
        (*own.serves, *services),
        own.calls,
        own.executes,
        own.sends,
    )


def _cell_node(cell: Cell) -> Interfaces:
    file = cell.file
    triggers = [sensor.trigger for sensor in cell.sensors.values()]
    exposures = [camera.exposure.topic for camera in cell.cameras.values() if camera.exposure]
    arrivals = () if file.disposition.part_present_topic else ('part_arrived',)
    inspectors = {
        'detection_node': cell.cameras,
        'surface_node': cell.scanners,
        'process_node': cell.process_sensors,
    }
    holders = [*(name for name, own in inspectors.items() if own), 'view_node', 'sim_node']
    return Interfaces(
        publishes=(
            *('/diagnostics', 'capture', 'cell_state', 'release', 'verdict', *arrivals),
            *_topics(triggers),
            *(light.topic for light in file.lights.values()),
            *exposures,
        ),
        subscribes=('captured', 'disposition', 'findings', 'shot_captured'),
        serves=('load_recipe',),
        calls=(
            *(trigger.service for trigger in triggers if trigger.service),
            *(f'{holder}/{HOLD}' for holder in holders),
        ),
        executes=('inspect_part',),
        sends=(file.robot.action,),
    )


def _topics(triggers: list[Trigger]) -> Names:
    return tuple(trigger.topic for trigger in triggers if trigger.topic)


def _inspector(
    name: str,
    cell: Cell,
    sensors: dict[str, Camera] | dict[str, Scanner] | dict[str, ProcessSensor],
    shown: list[str] | tuple[()] = (),
    heard: list[str] | tuple[()] = (),
    served: list[str] | tuple[()] = (),
) -> Interfaces:
    moves = any(key in cell.posed_sensors and cell.posed_sensors[key].from_tf for key in sensors)
    held = cell.file.robot.part_from_tf and set(sensors) & set(cell.posed_sensors)
    tf = ('/tf', '/tf_static') if moves or held else ()
    topics = (sensor.topic for sensor in sensors.values())
    return Interfaces(
        publishes=('/diagnostics', 'captured', 'findings', 'shot_captured', *shown),
        subscribes=('capture', *topics, *heard, *tf),
        serves=(f'{name}/{HOLD}', *served),
    )


def _reject_node(cell: Cell) -> Interfaces:
    settings = cell.file.disposition
    pulses = (settings.pulse_topic,) if settings.pulse_topic else ()
    arrivals = settings.part_present_topic or 'part_arrived'
    return Interfaces(
        publishes=('/diagnostics', 'actuator_command', 'disposition', *pulses),
        subscribes=('actuator_confirmation', arrivals, 'cell_state', 'release', 'verdict'),
    )


def _program_node(cell: Cell) -> Interfaces:
    return Interfaces(
        publishes=('actuator_confirmation',),
        subscribes=('actuator_command',),
        serves=('begin_part', 'capture_presentation', 'finish_part', 'part_placed'),
        executes=(cell.file.robot.action,),
        sends=('inspect_part',),
    )

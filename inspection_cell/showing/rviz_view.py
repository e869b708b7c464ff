"""The RViz configuration of a cell: the file that `rviz2 -d` opens."""

from collections.abc import Mapping

import yaml

from inspection_cell.cell import Cell
from inspection_cell.frames import Frames
from inspection_cell.showing.topics import CLOUD, IMAGE, MARKER_ARRAY, ShownTopic, shown_topics

# RViz's own names, by type of message.
PLUGINS = {
    MARKER_ARRAY: 'rviz_default_plugins/MarkerArray',
    CLOUD: 'rviz_default_plugins/PointCloud2',
    IMAGE: 'rviz_default_plugins/Image',
}
LOOKS: Mapping[str, Mapping[str, object]] = {
    MARKER_ARRAY: {'Namespaces': {}},
    CLOUD: {
        'Color Transformer': 'RGB8',  # the field rgb: the colour scale of the reports
        'Position Transformer': 'XYZ',
        'Style': 'Points',
        'Size (Pixels)': 2,
        'Decay Time': 0,
        'Alpha': 1,
        'Selectable': True,
    },
    IMAGE: {'Normalize Range': False, 'Median window': 5},
}
TOOLS = ('Interact', 'MoveCamera', 'Select', 'FocusCamera', 'Measure')


def rviz_config(cell: Cell, namespace: str) -> str:
    """YAML that shows all that the nodes of a cell show.

    Args:
        cell: whose sensors have displays.
        namespace: that the nodes run in, without slashes at its ends.
    """
    frames = Frames.of(namespace, cell)
    shown = [_display(topic, namespace) for topic in shown_topics(cell)]
    config = {
        'Panels': [
            {'Class': 'rviz_common/Displays', 'Name': 'Displays'},
            {'Class': 'rviz_common/Views', 'Name': 'Views'},
        ],
        'Visualization Manager': {
            'Class': '',
            'Name': 'root',
            'Enabled': True,
            'Value': True,
            'Global Options': {
                'Background Color': '38; 40; 44',
                'Fixed Frame': frames.cell,
                'Frame Rate': 30,
            },
            'Displays': [_grid(), _tf(), *shown],
            'Tools': [{'Class': f'rviz_default_plugins/{name}'} for name in TOOLS],
            'Transformation': {'Current': {'Class': 'rviz_default_plugins/TF'}},
            'Views': {'Current': _view(frames), 'Saved': None},
        },
        'Window Geometry': {'Width': 1600, 'Height': 1000},
    }
    return str(yaml.safe_dump(config, sort_keys=False, allow_unicode=True))


def _display(topic: ShownTopic, namespace: str) -> dict[str, object]:
    return {
        **_head(PLUGINS[topic.message], topic.label),
        **LOOKS[topic.message],
        'Topic': {
            'Value': f'/{namespace}/{topic.name}' if namespace else f'/{topic.name}',
            'Depth': 1 if topic.latched else 5,
            'History Policy': 'Keep Last',
            'Reliability Policy': 'Reliable' if topic.latched else 'Best Effort',
            'Durability Policy': 'Transient Local' if topic.latched else 'Volatile',
        },
    }


def _grid() -> dict[str, object]:
    return {
        **_head('rviz_default_plugins/Grid', 'floor, 100 mm'),
        'Cell Size': 0.1,
        'Plane Cell Count': 20,
        'Reference Frame': '<Fixed Frame>',
        'Color': '90; 92; 96',
    }


def _tf() -> dict[str, object]:
    return {
        **_head('rviz_default_plugins/TF', 'frames'),
        'Marker Scale': 0.2,
        'Show Arrows': False,
        'Show Axes': True,
        'Show Names': True,
        'Frame Timeout': 15,
    }


def _head(plugin: str, name: str) -> dict[str, object]:
    return {'Class': plugin, 'Name': name, 'Enabled': True, 'Value': True}


def _view(frames: Frames) -> dict[str, object]:
    """Looks at the part, wherever it is held, from in front and above."""
    return {
        'Class': 'rviz_default_plugins/Orbit',
        'Name': 'Current View',
        'Target Frame': frames.part,
        'Value': 'Orbit (rviz_default_plugins)',
        'Distance': 0.7,
        'Pitch': 0.6,
        'Yaw': -1.2,
        'Near Clip Distance': 0.01,
        'Focal Point': {'X': 0, 'Y': 0, 'Z': 0},
    }

"""The RViz configuration shows what the nodes of the cell show, in the way that they send it."""

import pytest
import yaml

from inspection_cell.cell import load_cell
from inspection_cell.locations import demo_cell, share_folder
from inspection_cell.showing.rviz_view import PLUGINS, rviz_config
from inspection_cell.showing.topics import shown_topics

SHIPPED = share_folder() / 'config' / 'inspection_cell.rviz'
WITHOUT_TOPIC = {'rviz_default_plugins/Grid', 'rviz_default_plugins/TF'}


@pytest.fixture(scope='module')
def cell():
    return load_cell(demo_cell())


def displays(text):
    return yaml.safe_load(text)['Visualization Manager']['Displays']


def test_the_shipped_file_is_that_of_the_demo_cell(cell):
    assert yaml.safe_load(SHIPPED.read_text()) == yaml.safe_load(rviz_config(cell, 'demo'))


def test_every_display_shows_a_topic_of_our_nodes_with_the_plugin_for_its_type(cell):
    ours = {f'/demo/{topic.name}': PLUGINS[topic.message] for topic in shown_topics(cell)}
    shown = [d for d in displays(SHIPPED.read_text()) if d['Class'] not in WITHOUT_TOPIC]
    assert {display['Topic']['Value']: display['Class'] for display in shown} == ours
    assert len({display['Name'] for display in shown}) == len(shown) == 5


def test_displays_stand_in_the_frames_of_the_namespace_that_the_nodes_run_in(cell):
    manager = yaml.safe_load(rviz_config(cell, 'hall/west'))['Visualization Manager']
    assert manager['Global Options']['Fixed Frame'] == 'hall/west/cell'
    assert manager['Views']['Current']['Target Frame'] == 'hall/west/part'
    topics = [d['Topic']['Value'] for d in manager['Displays'] if 'Topic' in d]
    assert all(topic.startswith('/hall/west/') for topic in topics)

"""Lighting sequences: the real cell and detection nodes, and a camera under two lights."""

import time

import numpy as np
from action_msgs.msg import GoalStatus
from inspection_cell_msgs.msg import Decision, ViewFindings

from inspection_cell.cell import load_cell
from inspection_cell.nodes.conversions.findings import view_findings_from_msg
from inspection_cell.observations import ImageSeries, Observation, ShotImage, ViewKey
from inspection_cell.pipeline import Pipeline
from inspection_cell.recipe import load_recipe
from inspection_cell.records.store import RecordStore
from inspection_cell.views.detection import DetectionInspector

EXPOSURES = """\
exposure: {topic: left/exposure_us, settle_ms: 5}
    shots:
      short: {lights: [ring], exposure_us: 900}
      long: {lights: [ring], exposure_us: 15000}
"""


def test_each_shot_is_exposed_under_its_own_light_and_all_is_dark_before_and_after(lit):
    cell = lit()
    verdict = cell.verdict()
    assert verdict.decision.value == Decision.ACCEPT
    cell.world.until(lambda: not cell.driver.on)
    assert cell.driver.events == [
        'right in nothing',  # not beside a sequence
        'ring on',
        'left in ring',
        'ring off',
        'bar on',
        'left in bar',
        'bar off',
    ]
    assert [(order.shot, list(order.sensors)) for order in cell.captures] == [
        ('', ['right']),
        ('bright', ['left']),
        ('dark', ['left']),
    ]
    taken = [(answer.shot, answer.ok) for answer in cell.shots]
    assert taken == [('bright', True), ('dark', True)]
    cell.world.until(lambda: len(cell.captured) == 2)
    assert [(answer.sensor, answer.shot) for answer in cell.captured] == [
        ('right', ''),
        ('left', ''),
    ]


def test_a_camera_that_runs_freely_gives_each_shot_the_first_frame_of_its_light(lit):
    cell = lit(free_running='left')
    cell.driver.scratched = True
    view = cell.view(cell.verdict())
    assert view.status == ViewFindings.OK
    assert [(f.label, list(f.shots)) for f in view.findings] == [('scratch', ['dark'])]
    cell.world.until(lambda: not cell.driver.on)


def test_what_only_one_light_shows_rejects_the_part_and_says_which(lit):
    cell = lit()
    cell.driver.scratched = True
    verdict = cell.verdict()
    assert verdict.decision.value == Decision.REJECT
    view = cell.view(verdict)
    assert [(f.label, list(f.shots)) for f in view.findings] == [('scratch', ['dark'])]
    names = sorted(file.name.split('/')[-1] for file in view.evidence)
    assert names == ['top.left.bright.image.jpg', 'top.left.dark.image.jpg']
    assert len({file.sha256 for file in view.evidence}) == 2


def test_a_missing_second_image_is_never_an_accept_and_the_light_goes_off(lit):
    cell = lit()
    cell.driver.silent_in = ('bar',)
    verdict = cell.verdict()
    assert verdict.decision.value == Decision.UNKNOWN
    view = cell.view(verdict)
    assert view.status == ViewFindings.MISSING
    assert view.reason.startswith('shot dark: no frame came after its light had settled')
    cell.world.until(lambda: not cell.driver.on)
    cell.driver.silent_in = ()
    assert cell.verdict().decision.value == Decision.ACCEPT


def test_a_missing_first_image_ends_the_sequence(lit):
    cell = lit()
    cell.driver.silent_in = ('ring',)
    verdict = cell.verdict()
    assert verdict.decision.value == Decision.UNKNOWN
    assert cell.view(verdict).reason.startswith('shot bright: ')
    assert 'bar on' not in cell.driver.events
    cell.world.until(lambda: not cell.driver.on)


def test_an_image_from_under_the_light_before_is_refused_for_the_next_shot(lit):
    cell = lit()
    cell.driver.answers_old_in = ('bar',)
    verdict = cell.verdict()
    assert verdict.decision.value == Decision.UNKNOWN
    view = cell.view(verdict)
    assert view.status == ViewFindings.REFUSED
    assert view.reason.startswith('shot dark: 1 refused (1 exposed before its light had settled)')


def test_two_cameras_with_sequences_take_turns(lit):
    cell = lit(right='shots: {low: {lights: [bar]}, both: {lights: [ring, bar]}}')
    assert cell.verdict().decision.value == Decision.ACCEPT
    exposed = [event for event in cell.driver.events if ' in ' in event]
    assert exposed == ['left in ring', 'left in bar', 'right in bar', 'right in bar+ring']


def test_exposure_times_are_set_before_their_shots(lit):
    cell = lit(left=EXPOSURES)
    assert cell.verdict().decision.value == Decision.ACCEPT
    assert [event for event in cell.driver.events if 'right' not in event] == [
        'exposure 900',
        'ring on',
        'left in ring',
        'exposure 15000',  # the light stays on
        'left in ring',
        'ring off',
    ]


def test_a_goal_that_is_taken_back_leaves_no_light_on(lit):
    cell = lit()
    cell.driver.silent_in = ('bar',)
    handle = cell.send()
    cell.world.until(lambda: 'left in bar' in cell.driver.events)
    began_s = time.monotonic()
    answer = handle.get_result_async()
    handle.cancel_goal_async()
    cell.world.until(lambda: not cell.driver.on)
    assert time.monotonic() - began_s < 1.2  # not only at the view's deadline
    cell.world.until(answer.done)
    assert answer.result().status == GoalStatus.STATUS_CANCELED


def test_a_cell_that_stops_leaves_no_light_on(lit):
    cell = lit()
    cell.driver.silent_in = ('bar',)
    cell.send()
    cell.world.until(lambda: 'left in bar' in cell.driver.events)
    cell.world.stop(cell.cell)
    cell.world.until(lambda: not cell.driver.on)


def test_without_an_inspector_the_light_goes_off_and_the_shot_is_named(lit):
    cell = lit()
    cell.world.stop(cell.detection)
    verdict = cell.verdict()
    assert verdict.decision.value == Decision.UNKNOWN
    assert 'shot bright: no inspector answered within 1.5 s' in cell.view(verdict).reason
    cell.world.until(lambda: not cell.driver.on)


def test_the_nodes_and_the_pipeline_without_ros_find_the_same(lit, files, tmp_path):
    cell = lit()
    cell.driver.scratched = True
    verdict = cell.verdict()
    taken = cell.driver.images
    described, recipe = load_cell(files.cell), load_recipe(files.recipe)
    series = ImageSeries(
        (
            ShotImage('bright', taken['left', 'ring']),
            ShotImage('dark', taken['left', 'bar']),
        )
    )
    pose = recipe.file.presentations['top'].pose.transform()
    observations = [
        Observation('i', ViewKey('top', name), 1, data, pose, np.eye(4))
        for name, data in (('left', series), ('right', taken['right', 'nothing']))
    ]
    inspector = DetectionInspector(recipe, None, cell.detector, None)
    store, both = RecordStore(tmp_path / 'own'), dict.fromkeys(('left', 'right'), inspector)
    pipeline = Pipeline(described, recipe, None, both, store)
    own = pipeline.inspect('i', 'p', observations, 1)
    store.close()
    assert own.decision.value == verdict.decision.value
    for mine in own.views:
        theirs = view_findings_from_msg(cell.view(verdict, mine.view.sensor))
        assert (theirs.status, theirs.presence) == (mine.status, mine.presence)
        assert [(f.label, f.score, f.shots, f.box_px.tolist()) for f in theirs.findings] == [
            (f.label, f.score, f.shots, f.box_px.tolist()) for f in mine.findings
        ]

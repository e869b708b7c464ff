"""Models are exchanged between two inspections, never within one, and only by one that fits."""

import shutil
import threading

import pytest
from inspection_cell_msgs.msg import ViewFindings
from inspection_cell_msgs.srv import SwapModel

from inspection_cell.models import load_model_folder
from inspection_cell.swap_request import request_swap


@pytest.fixture
def hashes(models):
    return {name: load_model_folder(models / name).sha256 for name in ('model', 'other')}


@pytest.fixture
def swap(bench):
    """Sends a request; the answer is the future's result."""
    client = bench.world.probe.create_client(SwapModel, 'swap_model')
    bench.world.until(client.service_is_ready)

    def ask(part_type='sheet', model=''):
        return client.call_async(SwapModel.Request(part_type=part_type, model=str(model)))

    return ask


@pytest.fixture
def swapped(bench, swap):
    """The answer to a request."""

    def ask(*arguments):
        answer = swap(*arguments)
        bench.world.until(answer.done)
        return answer.result()

    return ask


@pytest.fixture
def held(bench):
    """Loading begins, and waits until it is told to go on."""
    models, started, release = bench.node._models, threading.Event(), threading.Event()
    load = models.load

    def slow(*arguments):
        started.set()
        assert release.wait(60)
        return load(*arguments)

    models.load = slow
    yield started, release
    release.set()


def look(bench, recipe, inspection_id, cameras=('left',)):
    """The model that each camera's view was looked at with."""
    bench.order(recipe, inspection_id, sensors=cameras)
    for camera in cameras:
        bench.show(camera)
    found = bench.findings_of(inspection_id, len(cameras))
    assert {view.status for view in found.values()} == {ViewFindings.OK}
    return {view.model_hash for view in found.values()}


def test_an_inspection_in_work_keeps_its_model_and_the_next_one_gets_the_new(
    bench, pictures, models, hashes, swapped
):
    assert look(bench, pictures.recipe, 'i-1') == {hashes['model']}
    answer = swapped('sheet', models / 'other')
    assert (answer.success, answer.model_hash) == (True, hashes['other'])
    assert 'pytorch' in answer.message
    bench.findings.clear()
    assert look(bench, pictures.recipe, 'i-1', ('right',)) == {hashes['model']}
    assert look(bench, pictures.recipe, 'i-2', ('left', 'right')) == {hashes['other']}


def test_a_part_type_that_shares_the_model_keeps_it(bench, pictures, models, hashes, swapped):
    assert swapped('plate', models / 'other').success
    bench.calibrate()
    assert look(bench, pictures.recipe.parent / 'mesh.yaml', 'i-1') == {hashes['other']}
    assert look(bench, pictures.recipe, 'i-2') == {hashes['model']}


def test_a_model_that_cannot_serve_is_refused_with_a_reason_and_the_old_one_works_on(
    bench, pictures, models, hashes, swapped
):
    for part_type, model, why in (
        ('sheet', models / 'nothing', 'expected a model folder'),
        ('sheet', models / 'damaged', 'damaged or exchanged'),
        ('sheet', models / 'strange', 'hole, burr'),
        ('sheat', models / 'other', 'expected one with a detector: sheet, plate'),
    ):
        answer = swapped(part_type, model)
        assert not answer.success
        assert why in answer.message
        assert answer.model_hash == ('' if part_type == 'sheat' else hashes['model'])
    assert look(bench, pictures.recipe, 'i-1') == {hashes['model']}


def test_without_a_folder_the_promoted_model_is_taken(bench, pictures, models, hashes, swapped):
    shutil.copytree(models / 'other', pictures.data / 'models' / 'sheet')
    assert swapped('sheet').model_hash == hashes['other']
    assert look(bench, pictures.recipe, 'i-1') == {hashes['other']}


def test_while_a_model_is_loaded_images_are_inspected_and_a_second_swap_is_refused(
    bench, pictures, models, hashes, swap, swapped, held
):
    started, release = held
    first = swap('sheet', models / 'other')
    bench.world.until(started.is_set)
    second = swapped('sheet', models / 'other')
    assert not second.success
    assert 'another model is being loaded' in second.message
    assert look(bench, pictures.recipe, 'i-1') == {hashes['model']}
    release.set()
    bench.world.until(first.done)
    assert first.result().success
    assert look(bench, pictures.recipe, 'i-2') == {hashes['other']}


def test_a_model_that_is_ready_too_late_is_not_used(
    bench, pictures, models, hashes, swapped, held, monkeypatch
):
    monkeypatch.setattr('inspection_cell.nodes.model_swap.SWAP_WITHIN_S', 0.2)
    answer = swapped('sheet', models / 'other')
    assert (answer.success, answer.model_hash) == (False, hashes['model'])
    assert 'was not loaded within 0.2 s' in answer.message
    held[1].set()
    bench.world.until(lambda: not bench.node._swap._loading.is_busy)
    assert look(bench, pictures.recipe, 'i-1') == {hashes['model']}


def test_a_node_that_is_deactivated_while_it_loads_answers_and_can_be_activated_again(
    bench, pictures, models, hashes, swap, swapped, held
):
    answer = swap('sheet', models / 'other')
    bench.world.until(held[0].is_set)
    threading.Timer(0.3, held[1].set).start()
    bench.node.trigger_deactivate()
    bench.world.until(answer.done)
    assert not answer.result().success
    assert 'deactivated' in answer.result().message
    bench.node.trigger_activate()
    bench.world.until(lambda: bench.images['left'].get_subscription_count())
    bench.world.until(lambda: bench.orders.get_subscription_count())
    assert swapped('sheet', models / 'other').model_hash == hashes['other']


def test_every_inspection_has_all_views_of_one_model_while_models_come_and_go(
    bench, pictures, models, hashes, swap
):
    used, answer = [], None
    for number in range(12):
        if answer is None or answer.done():
            assert answer is None or answer.result().success
            answer = swap('sheet', models / ('other', 'model')[number % 2])
        (model,) = look(bench, pictures.recipe, f'i-{number}', ('left', 'right'))
        used.append(model)
    assert set(used) <= set(hashes.values())


def test_the_command_finds_the_only_cell_and_brings_its_answer(bench, models, hashes):
    answers = []
    asking = threading.Thread(
        target=lambda: answers.append(request_swap('sheet', models / 'other'))
    )
    asking.start()
    bench.world.until(lambda: not asking.is_alive())
    assert (answers[0].success, answers[0].model_hash) == (True, hashes['other'])

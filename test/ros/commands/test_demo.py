import json
import os
import signal

import pytest
import yaml
from waiting import wait_until

from inspection_cell.recipe import load_recipe
from inspection_cell.records.store import FILE_NAME, RecordStore


def finished(process, timeout_s=110.0):
    stdout, stderr = process.communicate(timeout=timeout_s)
    return process.returncode, stdout, stderr


def test_every_simulated_part_gets_a_verdict_a_record_and_a_place(
    command, scanner_cell, nodes, shared_memory
):
    demo = command('demo', '--parts', 2, '--seed', 1, *scanner_cell.options, '--json')
    status, stdout, stderr = finished(demo)
    assert status == 0, stderr
    summary = json.loads(stdout.splitlines()[-1])
    assert (summary['parts'], summary['good'], summary['defective']) == (2, 1, 1)
    assert (summary['escapes'], summary['unknown']) == (0, 0)
    assert summary['verdict_latency_ms']['p95'] > 0
    assert summary['release_latency_ms']['p99'] >= 0
    recipes = {recipe.part_type: recipe for recipe in map(load_recipe, scanner_cell.recipes)}
    store = RecordStore(scanner_cell.data_dir)
    records = {record.verdict.part_id: record for record in store.list()}
    store.close()
    for entry in summary['inspections']:
        record = records[entry['part_id']]
        assert record.verdict.decision.name == entry['decision']
        assert record.disposition.confirmed
        assert record.verdict.recipe_hash == recipes[record.verdict.part_type].sha256
        for view in record.verdict.views:
            assert view.evidence
            for file in view.evidence:
                assert (scanner_cell.data_dir / file.name).is_file()
    assert (nodes(), shared_memory()) == ({}, set())


@pytest.fixture
def led_by_program(scanner_cell):
    content = yaml.safe_load(scanner_cell.cell.read_text())
    content['robot'] |= {'led_by': 'program'}
    scanner_cell.cell.write_text(yaml.safe_dump(content))


def test_a_robot_whose_program_leads_has_its_parts_inspected_and_puts_them_away(
    command, scanner_cell, led_by_program, nodes
):
    demo = command('demo', '--parts', 2, '--seed', 1, *scanner_cell.options, '--json')
    status, stdout, stderr = finished(demo)
    assert status == 0, stderr
    summary = json.loads(stdout.splitlines()[-1])
    assert (summary['parts'], summary['escapes'], summary['unknown']) == (2, 0, 0)
    store = RecordStore(scanner_cell.data_dir)
    records = store.list()
    store.close()
    assert all(record.disposition.confirmed for record in records)  # by part_placed
    assert nodes() == {}


def test_ctrl_c_ends_everything_without_a_trace(command, scanner_cell, nodes, shared_memory):
    demo = command('demo', '--parts', 50, *scanner_cell.options)
    assert wait_until(lambda: 'client_node' in nodes())  # the last to start
    demo.send_signal(signal.SIGINT)
    status, _, stderr = finished(demo, 30)
    assert (status, 'Traceback' in stderr) == (0, False)
    assert (nodes(), shared_memory()) == ({}, set())


@pytest.mark.parametrize('deadline_s', [2.0])
def test_parts_in_flight_are_diverted_when_an_inspector_is_killed(command, scanner_cell, nodes):
    demo = command('demo', '--parts', 3, '--seed', 1, *scanner_cell.options)
    demo.stdout.readline()  # the first part is through
    os.kill(nodes()['surface_node'], signal.SIGKILL)
    status, stdout, stderr = finished(demo)
    assert status == 1
    assert 'surface_node ended with signal 9' in stderr
    last = next(line for line in stdout.splitlines() if 'part_0003' in line)
    assert 'UNKNOWN' in last
    assert 'diverted to review' in last


def test_a_node_that_cannot_start_ends_the_demo_with_its_own_words(command, scanner_cell):
    (scanner_cell.data_dir / FILE_NAME).mkdir(parents=True)  # where the store wants a file
    demo = command('demo', '--parts', 1, *scanner_cell.options)
    status, _, stderr = finished(demo, 60)
    assert status == 1
    assert 'cell_node ended with status 1' in stderr


def test_run_keeps_the_nodes_of_the_cell_until_ctrl_c(command, scanner_cell, nodes, shared_memory):
    cell = command('run', *scanner_cell.options)
    expected = {'cell_node', 'reject_node', 'surface_node', 'view_node'}
    assert wait_until(lambda: set(nodes()) == expected)
    assert 'Ctrl-C ends them' in cell.stdout.readline()
    cell.send_signal(signal.SIGINT)
    status, _, stderr = finished(cell, 30)
    assert (status, 'Traceback' in stderr) == (0, False)
    assert (nodes(), shared_memory()) == ({}, set())

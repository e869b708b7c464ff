"""`doctor` looks at a cell that runs, and at one that does not."""

import json

from waiting import wait_until


def findings(command, scanner_cell):
    doctor = command('doctor', '--cell', scanner_cell.cell, '--recipe', scanner_cell.recipes[0],
                     '--data-dir', scanner_cell.data_dir, '--json')  # fmt: skip
    stdout, stderr = doctor.communicate(timeout=100)
    assert stdout, stderr
    return doctor.returncode, {one['name']: one for one in json.loads(stdout)['findings']}


def test_a_running_cell_is_found_ready_with_its_sensors(command, scanner_cell, nodes):
    command('demo', '--parts', 50, *scanner_cell.options)
    assert wait_until(lambda: 'client_node' in nodes())

    seen = []

    def well():
        seen.append(findings(command, scanner_cell))
        return seen[-1][0] == 0

    assert wait_until(well), seen[-1]
    assert seen[-1][1]['cell /scanner_cell']['seen'] in ('ready', 'inspecting')
    assert seen[-1][1]['scanner']['level'] == 'ok'


def test_without_a_cell_it_says_what_nobody_does_and_what_to_do(command, scanner_cell):
    status, found = findings(command, scanner_cell)
    assert status == 1
    assert found['cell /scanner_cell']['seen'] == 'no cell_state is heard'
    assert found['scanner']['seen'] == 'nobody publishes scanner/points'
    assert 'driver' in found['scanner']['advice']

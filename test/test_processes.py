import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from waiting import wait_until

from inspection_cell.bringup import NodeSpec
from inspection_cell.processes import NodeProcesses

CHILD = """
import signal, sys, time
if 'stubborn' in sys.argv[0]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if 'broken' in sys.argv[0]:
    sys.exit('the model is damaged')
print('ready', flush=True)
time.sleep(60)
"""


@pytest.fixture
def environment(tmp_path):
    for name in ('patient', 'stubborn', 'broken'):
        (tmp_path / f'{name}.py').write_text(CHILD)
    return {**os.environ, 'PYTHONPATH': str(tmp_path)}


def spec(module: str) -> NodeSpec:
    return NodeSpec(module, module, 'demo')


def lives(pid: int) -> bool:
    status = Path(f'/proc/{pid}/status')
    return status.exists() and 'State:\tZ' not in status.read_text()


def test_leaving_the_block_ends_every_child(environment):
    with NodeProcesses(environment) as processes:
        stdout = processes.start(spec('patient'), piped=True)
        assert stdout.readline() == b'ready\n'
        pids = [child.pid for child in processes._children.values()]
        assert all(lives(pid) for pid in pids)
    assert not any(lives(pid) for pid in pids)


def test_a_child_that_ignores_the_polite_signal_is_killed(environment, monkeypatch):
    monkeypatch.setattr('inspection_cell.processes.GRACE_S', 0.3)
    processes = NodeProcesses(environment)
    stdout = processes.start(spec('stubborn'), piped=True)
    assert stdout.readline() == b'ready\n'
    pid = processes._children['stubborn'].pid
    processes.stop()
    assert not lives(pid)


def test_a_child_that_dies_is_reported_with_its_last_words(environment, tmp_path):
    with NodeProcesses(environment, tmp_path / 'log') as processes:
        processes.start(spec('patient'))
        processes.start(spec('broken'))
        assert wait_until(lambda: processes.ended() is not None, 20.0)
        ended = processes.ended()
    assert (ended.name, ended.status, ended.last_lines) == (
        'broken', 1, ('the model is damaged',)
    )  # fmt: skip


def test_the_end_of_a_child_that_is_not_essential_is_nothing_to_report(environment):
    with NodeProcesses(environment) as processes:
        processes.start(spec('patient'))
        processes.start(replace(spec('broken'), essential=False))
        child = processes._children['broken']
        assert wait_until(lambda: child.poll() is not None, 20.0)
        assert processes.ended() is None


def test_children_do_not_outlive_a_killed_parent(environment, tmp_path):
    parent = tmp_path / 'parent.py'
    parent.write_text(
        'import os, time\n'
        'from inspection_cell.bringup import NodeSpec\n'
        'from inspection_cell.processes import NodeProcesses\n'
        'processes = NodeProcesses(os.environ)\n'
        "stdout = processes.start(NodeSpec('patient', 'patient', 'demo'), piped=True)\n"
        'stdout.readline()\n'
        "print(processes._children['patient'].pid, flush=True)\n"
        'time.sleep(60)\n'
    )
    with subprocess.Popen(
        [sys.executable, parent], env=environment, stdout=subprocess.PIPE
    ) as killed:
        pid = int(killed.stdout.readline())
        killed.send_signal(signal.SIGKILL)
    assert wait_until(lambda: not lives(pid), 20.0)

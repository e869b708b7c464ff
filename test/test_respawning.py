"""Nodes that end are started again, at once the first time, then ever later."""

import pytest

from inspection_cell import pauses
from inspection_cell.bringup import NodeSpec
from inspection_cell.processes import Ended
from inspection_cell.respawning import Respawning


class Clock:
    def __init__(self):
        self.now_s = 1000.0

    def monotonic(self):
        return self.now_s


class Processes:
    """Two children; the test says who has ended."""

    def __init__(self):
        self.down, self.started = set(), []

    def all_ended(self):
        return tuple(Ended(name, -9, ('killed',)) for name in sorted(self.down))

    def start(self, spec):
        self.started.append(spec.name)
        self.down.discard(spec.name)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr('inspection_cell.pauses.time', clock)
    monkeypatch.setattr('inspection_cell.respawning.time', clock)
    return clock


@pytest.fixture
def respawning(clock):
    processes, told = Processes(), []
    specs = [NodeSpec('module', name, 'cell') for name in ('cell_node', 'view_node')]
    kept = Respawning(processes, specs, lambda ended, pause_s: told.append((ended.name, pause_s)))
    return kept, processes, told


def test_only_who_has_ended_is_started_again_after_its_pause(respawning, clock):
    kept, processes, told = respawning
    kept.step()
    processes.down.add('view_node')
    kept.step()
    assert (processes.started, told) == ([], [('view_node', pauses.FIRST_S)])
    clock.now_s += pauses.FIRST_S
    kept.step()
    kept.step()
    assert (processes.started, len(told)) == (['view_node'], 1)


def test_pauses_grow_to_a_minute_and_begin_anew_once_the_node_has_worked(respawning, clock):
    kept, processes, told = respawning
    for _ in range(8):
        processes.down.add('cell_node')
        kept.step()
        clock.now_s += told[-1][1]
        kept.step()
    assert [pause_s for _, pause_s in told] == [2, 4, 8, 16, 32, 60, 60, 60]
    clock.now_s += pauses.LONGEST_S + 1
    processes.down.add('cell_node')
    kept.step()
    assert told[-1] == ('cell_node', pauses.FIRST_S)

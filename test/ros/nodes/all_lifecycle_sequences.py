"""All 625 sequences of four transitions, for each node (minutes; not collected by itself).

PYTHONPATH=test/ros/nodes pytest test/ros/nodes/all_lifecycle_sequences.py
"""

from itertools import product

import pytest
from test_lifecycle import CLASSES, LEADS_TO, UNCONFIGURED, Managed

TRANSITIONS = ('configure', 'activate', 'deactivate', 'cleanup', 'shutdown')


@pytest.mark.timeout(3600)
@pytest.mark.parametrize('name', sorted(CLASSES))
def test_every_sequence_leaves_the_node_in_the_state_of_the_standard(make_world, name):
    world = make_world('autostart:=false')
    sequences = list(product(TRANSITIONS, repeat=4))
    assert len(sequences) == 625
    for sequence in sequences:
        managed, state = Managed(world, name), UNCONFIGURED
        for transition in sequence:
            expected = LEADS_TO.get((state, transition))
            done, now = managed.ask(transition)
            assert (sequence, done, now) == (sequence, expected is not None, expected or state)
            state = now
        managed.end()

"""Without a valid permit of its own every part is diverted, and every part gets one command."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from inspection_cell.cell import Disposition as DispositionSettings
from inspection_cell.disposition import Action, Command, Disposition, RejectSide, destination
from inspection_cell.findings import Decision

S = 1_000_000_000
ROBOT = DispositionSettings(release_valid_s=1.0, decide_within_s=10.0, confirm_within_s=2.0)
BELT = DispositionSettings(kind='belt', buffer=3, decide_within_s=1.0)


def commands(*steps):
    return [step for group in steps for step in group if isinstance(step, Command)]


def released(side, name='i1', now_ns=0):
    side.permit(name, 'p', 1.0, now_ns)
    (command,) = commands(side.part_arrived(name, 'p', now_ns))
    return command


def test_a_part_with_a_valid_permit_is_released_at_once():
    command = released(RejectSide(ROBOT))
    assert (command.action, command.bin, command.inspection_id) == (Action.RELEASE, 'good', 'i1')


def test_a_permit_that_comes_while_the_part_waits_releases_it():
    side = RejectSide(ROBOT)
    assert side.part_arrived('i1', 'p', 0) == ()
    (command,) = commands(side.permit('i1', 'p', 1.0, 3 * S))
    assert command.action is Action.RELEASE


def test_a_part_without_a_permit_is_diverted_when_its_time_is_over_and_not_before():
    side = RejectSide(ROBOT)
    side.part_arrived('i1', 'p', 0)
    assert side.tick(10 * S - 1) == ()
    (command,) = commands(side.tick(10 * S))
    assert (command.action, command.bin) == (Action.DIVERT, 'review')
    assert 'no valid permit within 10 s' in command.reason


def test_a_permit_that_is_not_repeated_expires():
    side = RejectSide(ROBOT)
    side.permit('i1', 'p', 1.0, 0)
    assert side.part_arrived('i1', 'p', S) == ()
    assert commands(side.tick(11 * S))[0].action is Action.DIVERT


def test_repeating_a_permit_extends_it():
    side = RejectSide(ROBOT)
    side.permit('i1', 'p', 1.0, 0)
    side.permit('i1', 'p', 1.0, S // 2)
    assert commands(side.part_arrived('i1', 'p', S))[0].action is Action.RELEASE


def test_no_permit_holds_longer_than_the_cell_file_allows():
    side = RejectSide(ROBOT)
    side.permit('i1', 'p', 1e6, 0)
    assert side.part_arrived('i1', 'p', 2 * S) == ()


@pytest.mark.parametrize('valid_for_s', [0.0, -1.0, float('nan'), float('inf')])
def test_a_permit_without_a_sensible_validity_is_none(valid_for_s):
    side = RejectSide(ROBOT)
    side.permit('i1', 'p', valid_for_s, 0)
    assert side.part_arrived('i1', 'p', 0) == ()


def test_a_withdrawn_permit_diverts_and_never_comes_back():
    side = RejectSide(ROBOT)
    side.permit('i1', 'p', 1.0, 0)
    side.permit('i1', 'p', 0.0, 1, withdrawn=True)
    side.permit('i1', 'p', 1.0, 2)
    (command,) = commands(side.part_arrived('i1', 'p', 3))
    assert (command.action, command.bin) == (Action.DIVERT, 'review')


def test_a_permit_for_another_part_releases_nothing():
    side = RejectSide(ROBOT)
    side.permit('i2', 'p', 1.0, 0)
    assert side.part_arrived('i1', 'p', 0) == ()


def test_a_permit_without_an_inspection_releases_nothing():
    side = RejectSide(ROBOT)
    side.permit('', 'p', 1.0, 0)
    (command,) = commands(side.part_arrived('', 'p', 0))
    assert command.action is Action.DIVERT


@pytest.mark.parametrize(
    ('decision', 'bin_name'),
    [(Decision.REJECT, 'scrap'), (Decision.REVIEW, 'review'), (Decision.UNKNOWN, 'review')],
)
def test_a_verdict_other_than_accept_diverts_at_once_to_its_bin(decision, bin_name):
    side = RejectSide(ROBOT)
    side.part_arrived('i1', 'p', 0)
    (command,) = commands(side.verdict('i1', 'p', decision, S))
    assert (command.action, command.bin) == (Action.DIVERT, bin_name)
    assert command.reason == f'the verdict is {decision.name}'


def test_a_permit_that_contradicts_the_verdict_releases_nothing():
    side = RejectSide(ROBOT)
    side.verdict('i1', 'p', Decision.REJECT, 0)
    side.permit('i1', 'p', 1.0, 0)
    assert commands(side.part_arrived('i1', 'p', 1))[0].action is Action.DIVERT


def test_an_accept_alone_is_no_permit_and_its_part_never_lands_among_the_good():
    side = RejectSide(ROBOT)
    side.verdict('i1', 'p', Decision.ACCEPT, 0)
    side.part_arrived('i1', 'p', 0)
    (command,) = commands(side.tick(10 * S))
    assert (command.action, command.bin) == (Action.DIVERT, 'review')
    assert destination(ROBOT, Action.DIVERT, Decision.ACCEPT) == 'review'


def test_a_second_part_of_a_released_inspection_is_diverted():
    side = RejectSide(ROBOT)
    released(side)
    side.permit('i1', 'p', 1.0, 1)
    (command,) = commands(side.part_arrived('i1', 'p', 1))
    assert command.action is Action.DIVERT
    assert 'second part' in command.reason


def test_a_nameless_part_is_the_one_part_in_flight():
    side = RejectSide(ROBOT)
    side.permit('i1', 'p', 1.0, 0)
    (command,) = commands(side.part_arrived('', '', 1))
    assert (command.inspection_id, command.action) == ('i1', Action.RELEASE)


def test_a_nameless_part_that_nobody_announced_is_diverted():
    (command,) = commands(RejectSide(ROBOT).part_arrived('', '', 0))
    assert (command.inspection_id, command.action, command.bin) == ('', Action.DIVERT, 'review')


def test_when_counts_disagree_nothing_that_was_announced_is_released():
    side = RejectSide(ROBOT)
    side.permit('i1', 'p', 1.0, 0)
    side.permit('i2', 'p', 1.0, 0)
    steps = [side.part_arrived(name, '', 1) for name in ('', 'i1', 'i2')]
    assert [command.action for command in commands(*steps)] == [Action.DIVERT] * 3


def test_a_nameless_part_on_a_belt_with_several_places_is_diverted():
    side = RejectSide(BELT)
    side.permit('i1', 'p', 1.0, 0)
    assert commands(side.part_arrived('', '', 1))[0].action is Action.DIVERT


def test_parts_on_a_belt_are_commanded_in_the_order_of_their_arrival():
    side = RejectSide(BELT)
    side.part_arrived('i1', 'p1', 0)
    side.part_arrived('i2', 'p2', 1)
    assert side.permit('i2', 'p2', 1.0, 2) == ()
    given_out = commands(side.verdict('i1', 'p1', Decision.REJECT, 3))
    assert [(c.inspection_id, c.action) for c in given_out] == [
        ('i1', Action.DIVERT),
        ('i2', Action.RELEASE),
    ]


def test_a_full_buffer_diverts_the_part_that_waits_longest():
    side = RejectSide(BELT)
    steps = [side.part_arrived(f'i{i}', 'p', i) for i in range(4)]
    (command,) = commands(*steps)
    assert (command.inspection_id, command.action) == ('i0', Action.DIVERT)


def test_a_confirmed_command_becomes_a_confirmed_disposition():
    side = RejectSide(ROBOT)
    command = released(side)
    (done,) = side.confirmation(command.sequence, 'i1', True, 'good', '', S)
    assert done == Disposition(command, True, 'good', 'permit is valid')
    assert side.tick(10 * S) == ()


def test_nothing_of_a_second_part_is_told_of_the_first():
    side = RejectSide(ROBOT)
    first = released(side)
    (second,) = commands(side.part_arrived('i1', 'p', S))
    assert (first.inspection_id, second.inspection_id) == ('i1', '')
    assert second.action is Action.DIVERT
    assert 'second part came as inspection i1' in second.reason


def test_a_reject_side_that_stops_diverts_what_waits_and_tells_of_every_open_command():
    side = RejectSide(BELT)
    open_one = released(side)
    side.part_arrived('i2', 'p', 1)
    command, *told = side.stop(2)
    assert (command.inspection_id, command.action) == ('i2', Action.DIVERT)
    assert [(d.command.sequence, d.confirmed) for d in told] == [
        (open_one.sequence, False),
        (command.sequence, False),
    ]
    assert all('the reject side stops' in one.reason for one in told)
    assert side.due_ns is None


@pytest.mark.parametrize(
    ('ok', 'bin_name', 'words'),
    [(False, 'good', 'the actuator failed: jammed'), (True, 'scrap', "expected 'good'")],
)
def test_an_actuator_that_failed_or_misplaced_the_part_is_not_confirmed(ok, bin_name, words):
    side = RejectSide(ROBOT)
    command = released(side)
    (done,) = side.confirmation(command.sequence, 'i1', ok, bin_name, 'jammed', S)
    assert not done.confirmed
    assert words in done.reason


def test_a_missing_confirmation_is_told_once():
    side = RejectSide(ROBOT)
    released(side)
    assert side.tick(2 * S - 1) == ()
    (done,) = side.tick(2 * S)
    assert not done.confirmed
    assert 'no confirmation within 2 s' in done.reason
    assert side.tick(3 * S) == ()


def test_a_confirmation_after_its_time_is_told_once():
    side = RejectSide(ROBOT)
    command = released(side)
    assert len(side.tick(3 * S)) == 1
    (done,) = side.confirmation(command.sequence, 'i1', True, 'good', '', 4 * S)
    assert done.confirmed
    assert 'confirmed late' in done.reason
    assert side.confirmation(command.sequence, 'i1', True, 'good', '', 5 * S) == ()


def test_confirmations_that_fit_no_command_are_ignored():
    side = RejectSide(ROBOT)
    command = released(side)
    assert side.confirmation(command.sequence + 1, 'i1', True, 'good', '', 1) == ()
    assert side.confirmation(command.sequence, 'i2', True, 'good', '', 1) == ()


def test_when_the_cell_falls_silent_the_waiting_part_is_diverted_and_told_why():
    side = RejectSide(ROBOT)
    side.part_arrived('i1', 'p', 0)
    (command,) = commands(side.cell_lost('the heartbeat stopped', S))
    assert (command.action, command.bin) == (Action.DIVERT, 'review')
    assert 'the heartbeat stopped' in command.reason


def test_a_permit_from_before_the_silence_releases_nothing_after_it():
    side = RejectSide(ROBOT)
    side.permit('i1', 'p', 1.0, 0)
    side.cell_lost('the heartbeat stopped', S // 4)
    side.permit('i1', 'p', 1.0, S // 2)  # the cell is back and repeats itself
    assert commands(side.part_arrived('i1', 'p', S // 2))[0].action is Action.DIVERT


def test_the_latency_counts_from_the_receipt_of_the_permit():
    side = RejectSide(ROBOT)
    side.part_arrived('i1', 'p', 0)
    assert commands(side.permit('i1', 'p', 1.0, 3 * S))[0].latency_s == 0.0


def test_ten_thousand_parts_leave_nothing_behind():
    side = RejectSide(ROBOT)
    for i in range(10_000):
        command = released(side, f'i{i}', i)
        side.confirmation(command.sequence, f'i{i}', True, 'good', '', i)
        side.permit(f'never-came-{i}', 'p', 1.0, i)
    assert len(side._known) <= 4096
    assert len(side._disposed) <= 4096
    assert not side._waiting
    assert not side._unconfirmed


NAMES = st.sampled_from(['i1', 'i2', 'i3', ''])


class AnyTraffic(RuleBasedStateMachine):
    """Whatever comes in whatever order: no release without a permit that is valid right now."""

    settings_of_the_cell = ROBOT

    def __init__(self):
        super().__init__()
        self.side = RejectSide(self.settings_of_the_cell)
        self.now_ns = 0
        self.permits = {}
        self.blocked = set()
        self.arrivals = 0
        self.given_out = []

    def take(self, steps):
        for command in commands(steps):
            self.given_out.append(command)
            if command.action is Action.RELEASE:
                assert self.now_ns < self.permits[command.inspection_id]
                assert command.inspection_id not in self.blocked
            else:
                assert command.bin != 'good'

    @rule(name=NAMES, valid_s=st.floats(0.1, 2))
    def permit(self, name, valid_s):
        self.permits[name] = self.now_ns + round(min(valid_s, 1.0) * S)
        self.take(self.side.permit(name, 'p', valid_s, self.now_ns))

    @rule(name=NAMES)
    def withdraw(self, name):
        self.blocked.add(name)
        self.take(self.side.permit(name, 'p', 1.0, self.now_ns, withdrawn=True))

    @rule(name=NAMES, decision=st.sampled_from(list(Decision)))
    def verdict(self, name, decision):
        if decision is not Decision.ACCEPT:
            self.blocked.add(name)
        self.take(self.side.verdict(name, 'p', decision, self.now_ns))

    @rule(name=NAMES)
    def arrive(self, name):
        self.arrivals += 1
        self.take(self.side.part_arrived(name, 'p', self.now_ns))

    @rule(seconds=st.floats(0, 3))
    def wait(self, seconds):
        self.now_ns += round(seconds * S)
        due_ns = self.side.due_ns
        is_due = due_ns is not None and due_ns <= self.now_ns
        if is_due:
            assert not self.side.tick(due_ns - 1)  # before, `tick` need not be called
        steps = self.side.tick(self.now_ns)
        assert bool(steps) == is_due
        self.take(steps)

    @invariant()
    def no_more_commands_than_parts_and_each_inspection_released_once(self):
        assert len(self.given_out) <= self.arrivals
        names = [c.inspection_id for c in self.given_out if c.action is Action.RELEASE]
        assert len(names) == len(set(names))

    def teardown(self):
        self.now_ns += 100 * S
        self.take(self.side.tick(self.now_ns))
        assert len(self.given_out) == self.arrivals
        numbers = [command.sequence for command in self.given_out]
        assert numbers == list(range(1, self.arrivals + 1))


class BeltTraffic(AnyTraffic):
    """The same with a buffer of several parts."""

    settings_of_the_cell = BELT


AnyTraffic.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
BeltTraffic.TestCase.settings = AnyTraffic.TestCase.settings
TestRobotPlace = AnyTraffic.TestCase
TestBelt = BeltTraffic.TestCase


@given(st.lists(st.sampled_from(['i1', 'i2', '']), max_size=8))
def test_without_any_permit_every_part_is_diverted(names):
    side = RejectSide(ROBOT)
    steps = [side.part_arrived(name, 'p', i) for i, name in enumerate(names)]
    given_out = commands(*steps, side.tick(1000 * S))
    assert [command.action for command in given_out] == [Action.DIVERT] * len(names)

"""What the cell does not wait for any more can be no evidence."""

import time

from inspection_cell.findings import ViewFindings, ViewStatus
from inspection_cell.nodes.board import Board
from inspection_cell.nodes.conversions.capturing import CaptureAnswer
from inspection_cell.observations import ViewKey

LEFT, RIGHT = ViewKey('top', 'left'), ViewKey('top', 'right')


def findings(view):
    return ViewFindings('i', view, ViewStatus.OK)


def test_a_view_that_was_not_captured_before_the_robot_moved_on_stays_missing():
    board = Board()
    board.open('i')
    board.put_answer(CaptureAnswer('i', RIGHT, True, stamp_ns=1))
    board.give_up('i', [LEFT, RIGHT])
    board.put_answer(CaptureAnswer('i', LEFT, True, stamp_ns=2))
    assert board.answer('i', LEFT) is None
    assert not board.put_findings(findings(LEFT))
    assert board.put_findings(findings(RIGHT))
    assert [found.view for found in board.findings('i')] == [RIGHT]


def test_what_was_given_up_for_one_part_is_taken_for_the_next():
    board = Board()
    for name in ('i', 'j'):
        board.open(name)
    board.give_up('i', [LEFT])
    board.put_answer(CaptureAnswer('j', LEFT, True, stamp_ns=2))
    assert board.answer('j', LEFT) is not None


def test_a_wait_that_is_over_says_so():
    board = Board()
    board.open('i')
    assert not board.wait(lambda: False, time.monotonic() + 0.01, lambda: None)

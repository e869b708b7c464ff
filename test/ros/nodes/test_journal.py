"""Verdicts and dispositions reach the disk, also when it cannot be written for a while."""

import sqlite3
from dataclasses import replace

import pytest
from kept_log import KeptLog

from inspection_cell.cell import load_cell
from inspection_cell.disposition import Action, Command, Disposition
from inspection_cell.findings import Decision, Verdict
from inspection_cell.nodes.journal import WAITING, Journal
from inspection_cell.records.store import RecordStore

VERDICT = Verdict('i1', 'p7', 'plate', Decision.ACCEPT, stamp_ns=5)
COMMAND = Command(1, 'i1', 'p7', Action.RELEASE, 'good', Decision.ACCEPT, 'permit is valid', 0.004)
RELEASED = Disposition(COMMAND, True, 'good', 'permit is valid')


@pytest.fixture
def store(tmp_path):
    store = RecordStore(tmp_path)
    yield store
    store.close()


@pytest.fixture
def journal(store, files):
    return Journal(store, load_cell(files.cell), KeptLog())


def of(name):
    return replace(RELEASED, command=replace(COMMAND, inspection_id=name))


def test_a_disposition_that_comes_before_the_verdict_is_written_with_it(journal, store):
    journal.dispose(RELEASED)
    journal.record(VERDICT)
    assert store.get('i1').disposition.bin == 'good'
    assert journal.reading.problem == ''


def test_a_disposition_that_the_disk_refused_is_written_with_the_next_part(journal, store):
    journal.record(VERDICT)
    with sqlite3.connect(store.path, isolation_level=None) as other:
        other.execute('BEGIN EXCLUSIVE')  # a backup, or somebody who looks into it
        journal.dispose(RELEASED)
        other.execute('ROLLBACK')
    assert store.get('i1').disposition is None
    assert '1 dispositions are not recorded yet' in journal.reading.problem
    journal.record(replace(VERDICT, inspection_id='i2'))
    assert store.get('i1').disposition.bin == 'good'
    assert journal.reading.problem == ''


def test_dispositions_of_parts_without_a_record_do_not_pile_up(journal):
    for number in range(WAITING + 5):
        journal.dispose(of(f'never {number}'))
    assert len(journal._waiting) == WAITING

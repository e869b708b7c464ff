"""What the store took is on the disk; what it cannot take raises, and leaves nothing half done."""

import sqlite3
import threading
from dataclasses import replace

import numpy as np
import pytest

from inspection_cell.disposition import Action, Command, Disposition
from inspection_cell.errors import StoreError
from inspection_cell.findings import Decision, EvidenceFile, Verdict, ViewFindings, ViewStatus
from inspection_cell.observations import ViewKey
from inspection_cell.records import store as store_module
from inspection_cell.records.serialisation import verdict_to_json
from inspection_cell.records.store import RecordStore, free_disk_mb

IMAGE = EvidenceFile('evidence/i1/top.left.image.jpg', 'ab12', 'image', 'host-a')
VIEW = ViewFindings(
    'i1',
    ViewKey('top', 'left'),
    ViewStatus.OK,
    evidence=(IMAGE,),
    seen=np.array([True, False]),
    model_hash='m1',
)
VERDICT = Verdict('i1', 'p7', 'plate', Decision.ACCEPT, views=(VIEW,), stamp_ns=5)
COMMAND = Command(1, 'i1', 'p7', Action.RELEASE, 'good', Decision.ACCEPT, 'permit is valid', 0.004)


@pytest.fixture
def store(tmp_path):
    store = RecordStore(tmp_path)
    yield store
    store.close()


def test_a_verdict_comes_back_with_its_evidence_from_another_process_life(tmp_path):
    first = RecordStore(tmp_path)
    first.add(VERDICT)
    first.close()
    record = RecordStore(tmp_path).get('i1')
    assert verdict_to_json(record.verdict) == verdict_to_json(VERDICT)
    assert record.evidence == (IMAGE,)
    assert record.disposition is None


def test_the_columns_can_be_read_by_plain_sql(store):
    store.add(VERDICT)
    with sqlite3.connect(store.path) as connection:
        query = 'SELECT part_id, decision, model_hashes, stamp_ns FROM inspections'
        assert connection.execute(query).fetchall() == [('p7', 'ACCEPT', 'm1', 5)]
        query = 'SELECT name, sha256, kind, host, view FROM evidence'
        rows = connection.execute(query).fetchall()
    assert rows == [(IMAGE.name, 'ab12', 'image', 'host-a', 'left at top')]


def test_every_commit_is_written_through_to_the_disk(store):
    with store._engine.connect() as connection:
        assert connection.exec_driver_sql('PRAGMA journal_mode').scalar() == 'wal'
        assert connection.exec_driver_sql('PRAGMA synchronous').scalar() == 2


def test_an_inspection_is_recorded_only_once(store):
    store.add(VERDICT)
    with pytest.raises(StoreError, match='i1'):
        store.add(replace(VERDICT, decision=Decision.REJECT))
    assert store.get('i1').verdict.decision is Decision.ACCEPT


def test_the_disposition_is_added_to_its_inspection(store):
    store.add(VERDICT)
    store.set_disposition(Disposition(COMMAND, True, 'good', 'permit is valid'))
    done = store.get('i1').disposition
    assert (done.action, done.bin, done.confirmed) == (Action.RELEASE, 'good', True)
    assert done.latency_s == 0.004


def test_the_disposition_of_an_unknown_inspection_is_refused(store):
    with pytest.raises(StoreError, match="no inspection 'i1'"):
        store.set_disposition(Disposition(COMMAND, True, 'good', ''))


def test_an_inspection_that_is_not_there_is_refused_by_name(store):
    with pytest.raises(StoreError, match="no inspection 'i9'"):
        store.get('i9')


def test_the_newest_come_first_and_can_be_selected(store):
    for i, decision in enumerate([Decision.ACCEPT, Decision.REJECT, Decision.ACCEPT]):
        store.add(replace(VERDICT, inspection_id=f'i{i}', decision=decision, stamp_ns=i, views=()))
    assert [r.verdict.inspection_id for r in store.list()] == ['i2', 'i1', 'i0']
    accepted = store.list(decision=Decision.ACCEPT, limit=1)
    assert [r.verdict.inspection_id for r in accepted] == ['i2']
    assert store.list(part_type='ring') == ()


def test_a_full_disk_is_a_store_error_and_the_row_is_not_there(store):
    store.add(replace(VERDICT, inspection_id='i0', views=()))
    with store._engine.connect() as connection:
        pages = connection.exec_driver_sql('PRAGMA page_count').scalar()
        connection.exec_driver_sql(f'PRAGMA max_page_count={pages}')
        big = replace(VERDICT, part_type='x' * 1_000_000)
        connection.close()
        with pytest.raises(StoreError, match='full'):
            store.add(big)
    with pytest.raises(StoreError, match='no inspection'):
        store.get('i1')


def test_a_locked_store_is_a_store_error(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, 'BUSY_TIMEOUT_S', 0.05)
    store = RecordStore(tmp_path)
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute('BEGIN EXCLUSIVE')
    with pytest.raises(StoreError, match='locked'):
        store.add(VERDICT)
    other.execute('ROLLBACK')
    other.close()
    store.add(VERDICT)
    assert store.get('i1').verdict.part_id == 'p7'


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / 'records.sqlite').write_bytes(b'no database, whatever the name says' * 100)
    with pytest.raises(StoreError, match=r'records\.sqlite'):
        RecordStore(tmp_path)


def test_a_data_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / 'file').write_text('in the way')
    with pytest.raises(StoreError, match='data folder'):
        RecordStore(tmp_path / 'file' / 'data')


def test_several_threads_may_write_at_once(store):
    def add(i):
        store.add(replace(VERDICT, inspection_id=f'i{i}', views=()))

    threads = [threading.Thread(target=add, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.list()) == 8


def test_the_free_space_is_known_and_a_missing_folder_is_refused(tmp_path):
    assert free_disk_mb(tmp_path) > 0
    with pytest.raises(StoreError, match='nowhere'):
        free_disk_mb(tmp_path / 'nowhere')

"""A worker does its jobs in its threads; a job that fails fails alone."""

import threading

import pytest
from kept_log import KeptLog

from inspection_cell.nodes.worker import Worker

WAIT_S = 10


class Ended:
    """Counts jobs until all have ended, well or not."""

    def __init__(self, expected):
        self.done, self.failed, self._left = [], [], threading.Semaphore(0)
        self._expected = expected

    def well(self, job):
        self.done.append(job)
        self._left.release()

    def badly(self, job, why):
        self.failed.append((job, why))
        self._left.release()

    def wait(self):
        for _ in range(self._expected):
            assert self._left.acquire(timeout=WAIT_S)


def test_one_thread_does_the_jobs_in_their_order():
    ended = Ended(5)
    worker = Worker('tester', 5, ended.well, ended.badly, KeptLog())
    for job in 'abcde':
        assert worker.submit(job)
    ended.wait()
    worker.stop()
    assert ended.done == list('abcde')


def test_of_the_jobs_that_wait_the_one_of_the_smallest_rank_is_done_first():
    ended, release, begun = Ended(6), threading.Event(), threading.Event()

    def work(job):
        begun.set()
        assert release.wait(WAIT_S)
        ended.well(job)

    worker = Worker('tester', 5, work, ended.badly, KeptLog())
    assert worker.submit('first', (9.0,))
    assert begun.wait(WAIT_S)
    later = {'b': (2.0, -1.0), 'c': (2.0, 0.0), 'd': (2.0, 0.0), 'e': (3.0, -9.0), 'a': (1.0, 0.0)}
    for job, rank in later.items():
        assert worker.submit(job, rank)
    release.set()
    ended.wait()
    worker.stop()
    assert ended.done == ['first', *'abcde']


def test_several_threads_work_at_the_same_time_and_no_more_of_them():
    together, ended = threading.Barrier(3), Ended(6)

    def work(job):
        together.wait(WAIT_S)  # breaks unless three come
        ended.well(job)

    worker = Worker('tester', 6, work, ended.badly, KeptLog(), threads=3)
    for job in range(6):
        assert worker.submit(job)
    ended.wait()
    worker.stop()
    assert sorted(ended.done) == list(range(6))


@pytest.mark.parametrize('threads', [1, 2])
def test_one_bad_job_fails_alone_and_no_other_is_done_twice(threads):
    ended, log = Ended(3), KeptLog()

    def work(job):
        if job == 'bad':
            raise ValueError(job)
        ended.well(job)

    worker = Worker('tester', 5, work, ended.badly, log, threads)
    for job in ('a', 'bad', 'b'):
        assert worker.submit(job)
    ended.wait()
    worker.stop()
    assert sorted(ended.done) == ['a', 'b']
    assert ended.failed == [('bad', 'ValueError: bad')]
    assert 'Traceback' in log.lines[0]


@pytest.mark.parametrize('threads', [1, 3])
def test_jobs_are_refused_when_too_many_wait(threads):
    release, begun = threading.Event(), threading.Semaphore(0)

    def work(_job):
        begun.release()
        assert release.wait(WAIT_S)

    worker = Worker('tester', 2, work, lambda _job, _why: None, KeptLog(), threads)
    for job in range(threads):
        assert worker.submit(job)
        assert begun.acquire(timeout=WAIT_S)
    assert worker.submit('waits')
    assert worker.submit('waits too')
    assert not worker.submit('one too many')
    assert worker.waiting == 2
    release.set()
    worker.stop()


@pytest.mark.parametrize('waiting', [0, 1, 2])
def test_stopping_ends_all_threads_and_drops_what_waits(waiting):
    release, begun, done = threading.Event(), threading.Semaphore(0), []

    def work(job):
        begun.release()
        assert release.wait(WAIT_S)
        done.append(job)

    worker = Worker('stopped', 2, work, lambda _job, _why: None, KeptLog(), threads=4)
    assert worker.submit('in work')
    assert begun.acquire(timeout=WAIT_S)
    others = [worker.submit(f'waits {number}') for number in range(waiting)]
    assert all(others)
    for _ in range(waiting):
        assert begun.acquire(timeout=WAIT_S)
    stopping = threading.Thread(target=worker.stop)
    stopping.start()
    release.set()
    stopping.join(WAIT_S)
    assert not [one for one in threading.enumerate() if one.name.startswith('stopped')]
    assert 'in work' in done

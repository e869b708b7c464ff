"""A worker hands over what waits together, and only the guilty job fails."""

import threading

import pytest

from inspection_cell.nodes.worker import Worker, one_by_one


class Log:
    def __init__(self):
        self.lines = []

    def error(self, message):
        self.lines.append(message)
        return True


class Line:
    """A worker whose first job waits until the others are in the queue."""

    def __init__(self, work, at_once):
        self.failed, self.release, self.started = [], threading.Event(), threading.Event()
        self.work = work
        self.worker = Worker('tester', 5, self._work, self._failed, Log(), at_once)
        self.worker.submit('first')
        assert self.started.wait(10)

    def _work(self, jobs):
        self.started.set()
        assert self.release.wait(10)
        yield from self.work(jobs)

    def _failed(self, job, why):
        self.failed.append((job, why))

    def finish(self, jobs):
        for job in jobs:
            assert self.worker.submit(job)
        self.release.set()
        ended = threading.Event()
        work, self.work = self.work, lambda given: self._until_end(work, given, ended)
        assert self.worker.submit('end')
        assert ended.wait(10)
        self.worker.stop()

    @staticmethod
    def _until_end(work, jobs, ended):
        yield from work([job for job in jobs if job != 'end'])
        if 'end' in jobs:
            ended.set()
            yield 'end'


def test_jobs_that_wait_are_handed_over_together_up_to_the_bound():
    together = []

    def work(jobs):
        together.append(list(jobs))
        yield from jobs

    Line(work, at_once=3).finish(['a', 'b', 'c', 'd'])
    assert together[:2] == [['first'], ['a', 'b', 'c']]
    assert together[2] == ['d']


def test_one_bad_job_fails_alone_and_no_other_is_done_twice():
    done = []

    def work(jobs):
        for job in jobs:
            if job == 'bad':
                raise ValueError(job)
            done.append(job)
            yield job

    line = Line(work, at_once=5)
    line.finish(['a', 'bad', 'b'])
    assert done == ['first', 'a', 'b']
    assert line.failed == [('bad', 'ValueError: bad')]


def test_what_fails_after_a_job_was_done_does_not_undo_it():
    def work(jobs):
        yield from jobs
        if 'a' in jobs:
            raise RuntimeError('nobody could be shown the picture')

    line = Line(work, at_once=1)
    line.finish(['a'])
    assert line.failed == []


@pytest.mark.parametrize('at_once', [1, 2])
def test_a_worker_survives_failing_jobs_tells_about_them_and_refuses_when_full(at_once):
    done, failed, release, taken = [], [], threading.Event(), threading.Event()

    def work(job):
        taken.set()
        release.wait(10)
        if not job:
            raise ValueError('zero')
        done.append(job)

    worker = Worker(
        'tester', 2, one_by_one(work), lambda job, why: failed.append((job, why)), Log(), at_once
    )
    assert worker.submit(0)
    assert taken.wait(10)
    assert worker.submit(1)
    assert worker.submit(2)
    assert not worker.submit(3)
    release.set()
    while len(done) < 2:
        pass
    worker.stop()
    assert (done, failed) == ([1, 2], [(0, 'ValueError: zero')])

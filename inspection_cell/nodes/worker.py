"""Work outside the executor: one thread, a bounded queue, and every failure told."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Generic, TypeVar

from inspection_cell.nodes.run import Logger, guarded

T = TypeVar('T')

JOIN_S = 10.0


class Worker(Generic[T]):
    """One thread that takes jobs from a bounded queue, outside the executor.

    It hands over the jobs that wait together. When `work` raises, those that it has not yielded
    yet are done again one by one, so that only the guilty one fails.
    """

    def __init__(
        self,
        name: str,
        capacity: int,
        work: Callable[[Sequence[T]], Iterable[T]],
        failed: Callable[[T, str], None],
        logger: Logger,
        at_once: int = 1,
    ) -> None:
        """Start the thread.

        Args:
            name: of the thread, for the log.
            capacity: jobs that may wait.
            work: does jobs; yields each when it is done.
            failed: told the job and why, when `work` raised for it alone.
            logger: of the node.
            at_once: jobs that `work` is given together at most.
        """
        self._jobs: queue.Queue[T | None] = queue.Queue(maxsize=capacity)
        self._work = work
        self._failed = failed
        self._logger = logger
        self._at_once = at_once
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Jobs in the queue."""
        return self._jobs.qsize()

    def submit(self, job: T) -> bool:
        """Queue a job; False when the queue is full."""
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            return False
        return True

    def stop(self) -> None:
        """Finish the job in work, drop the others and end the thread."""
        self._stopped.set()
        with suppress(queue.Full):  # a full queue wakes the thread as well
            self._jobs.put_nowait(None)
        self._thread.join(JOIN_S)

    def _run(self) -> None:
        while not self._stopped.is_set():
            jobs = self._taken()
            if None in jobs:
                return
            self._do([job for job in jobs if job is not None])

    def _taken(self) -> list[T | None]:
        """The first job, as soon as there is one, and those that wait behind it."""
        jobs = [self._jobs.get()]
        with suppress(queue.Empty):
            while len(jobs) < self._at_once:
                jobs.append(self._jobs.get_nowait())
        return jobs

    def _do(self, jobs: Sequence[T]) -> None:
        undone = list(jobs)
        why = guarded(self._logger, self._thread.name, partial(self._work_off, undone))
        if why and len(jobs) > 1:
            for job in undone:
                self._do([job])
        elif why:
            for job in undone:
                guarded(self._logger, self._thread.name, partial(self._failed, job, why))

    def _work_off(self, undone: list[T]) -> None:
        """Work on jobs and take each from the list once it is done."""
        for done in self._work(tuple(undone)):
            undone[:] = [job for job in undone if job is not done]


def one_by_one(work: Callable[[T], None]) -> Callable[[Sequence[T]], Iterator[T]]:
    """What a worker is given where a job has nothing to gain from others."""

    def all_of(jobs: Sequence[T]) -> Iterator[T]:
        for job in jobs:
            work(job)
            yield job

    return all_of

"""Work outside the executor: a bounded queue, one thread or several, and every failure told."""

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Generic, TypeVar

from inspection_cell.nodes.run import Logger, guarded

T = TypeVar('T')

JOIN_S = 10.0

Rank = tuple[float, ...]  # smaller ones are done first


@dataclass(frozen=True, slots=True, order=True)
class _Queued(Generic[T]):
    """A job in its place in the queue; None wakes a thread."""

    rank: Rank
    number: int
    job: T | None = field(compare=False)


class Worker(Generic[T]):
    """Threads that take jobs from a bounded queue, by rank and in their order, off the executor.

    Several threads end jobs in any order, and `work` is called by all of them.
    """

    def __init__(
        self,
        name: str,
        capacity: int,
        work: Callable[[T], None],
        failed: Callable[[T, str], None],
        logger: Logger,
        threads: int = 1,
    ) -> None:
        """Start the threads.

        Args:
            name: of the threads, for the log.
            capacity: jobs that may wait.
            work: does one job.
            failed: told the job and why, when `work` raised for it.
            logger: of the node.
            threads: jobs that may be in work at the same time.
        """
        self._name = name
        self._jobs: queue.PriorityQueue[_Queued[T]] = queue.PriorityQueue(maxsize=capacity)
        self._numbers = count()
        self._work = work
        self._failed = failed
        self._logger = logger
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name=f'{name} {number}', daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """Jobs in the queue."""
        return self._jobs.qsize()

    def submit(self, job: T, rank: Rank = ()) -> bool:
        """Queue a job, behind those of its rank; False when the queue is full."""
        try:
            self._jobs.put_nowait(_Queued(rank, next(self._numbers), job))
        except queue.Full:
            return False
        return True

    def stop(self) -> None:
        """Finish the jobs in work, drop the others and end the threads."""
        self._stopped.set()
        self._wake()
        for thread in self._threads:
            thread.join(JOIN_S)

    def _wake(self) -> None:
        with suppress(queue.Full):  # a full queue wakes a thread as well
            self._jobs.put_nowait(_Queued((), next(self._numbers), None))

    def _run(self) -> None:
        while True:
            job = self._jobs.get().job
            if job is None or self._stopped.is_set():
                self._wake()  # the next thread
                return
            why = guarded(self._logger, self._name, partial(self._work, job))
            if why:
                guarded(self._logger, self._name, partial(self._failed, job, why))

"""Ids of inspections: unique, ordered by time, fit for a file name."""

import random
import threading
from datetime import UTC, datetime


class InspectionIds:
    """Makes ids like `20261120T230501.123Z-0007-9f3a1c`; safe to use from several threads."""

    def __init__(self, generator: random.Random) -> None:
        """Take the generator of the suffix; a seeded one for exact replay."""
        self._generator = generator
        self._count = 0
        self._lock = threading.Lock()

    def next(self, now_ns: int) -> str:
        """The id of an inspection that begins now (ROS clock)."""
        with self._lock:
            self._count += 1
            time = datetime.fromtimestamp(now_ns // 1_000_000 / 1000, UTC)
            stamp = time.strftime('%Y%m%dT%H%M%S') + f'.{time.microsecond // 1000:03d}Z'
            return f'{stamp}-{self._count:04d}-{self._generator.getrandbits(24):06x}'

"""JSON lines that the processes of a measurement write to stdout."""

import json
import queue
import threading
from typing import IO, Any

from inspection_cell.errors import DataError


class Reports:
    """Reads a child's stdout in a thread, so that waiting for a line has an end."""

    def __init__(self, name: str, stdout: IO[bytes] | None) -> None:
        """Begin to read."""
        self._name = name
        self._lines: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=self._read, args=(stdout,), daemon=True).start()

    def next(self, timeout_s: float) -> Any:  # noqa: ANN401  (what JSON holds)
        """The next line's content.

        Raises:
            DataError: when the process ended, said something else, or said nothing in time.
        """
        try:
            line = self._lines.get(timeout=timeout_s)
        except queue.Empty:
            raise DataError(f'{self._name}: said nothing in {timeout_s:g} s') from None
        try:
            return json.loads(line)
        except ValueError:
            said = line.decode(errors='replace').strip() or 'nothing more: it has ended'
            raise DataError(f'{self._name}: expected a line of JSON, got {said}') from None

    def _read(self, stdout: IO[bytes] | None) -> None:
        for line in stdout or ():
            self._lines.put(line)
        self._lines.put(b'')

"""Nodes as child processes that never outlive their parent and end without a trace."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from inspection_cell.bringup import NodeSpec
from inspection_cell.shared_memory import remove_dead

PR_SET_PDEATHSIG = 1
GRACE_S = 9.0  # a model that is being loaded is loaded to its end first
LAST_LINES = 12
CLEAN = (signal.SIGTERM, signal.SIGINT)  # these leave no shared memory behind

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Ended:
    """A child that has ended: its exit status (negative: the signal) and its last words."""

    name: str
    status: int
    last_lines: tuple[str, ...]


class NodeProcesses:
    """Starts nodes and ends them all, also when the block around it is left by an exception.

    Must be used from the main thread: the kernel ends a child when the *thread* that started it
    ends (PR_SET_PDEATHSIG).
    """

    def __init__(self, environment: Mapping[str, str], log_folder: Path | None = None) -> None:
        """Keep the environment of the children.

        Args:
            environment: all variables that the children see.
            log_folder: takes `<node>.log` with what each node says; None: it goes to our stderr.
        """
        self._environment = dict(environment)
        self._log_folder = log_folder
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._essential: set[str] = set()
        self._left_traces = False

    def __enter__(self) -> Self:
        """Nothing is started yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End every child."""
        self.stop()

    def start(self, spec: NodeSpec, *, piped: bool = False) -> IO[bytes] | None:
        """Start one node, also in the place of one that has ended.

        Args:
            spec: which node, with what.
            piped: whether its stdout is wanted; else it joins its stderr.

        Returns:
            The node's stdout, when wanted.
        """
        command = [sys.executable, '-m', spec.module, *spec.arguments()]
        with self._log(spec.name) as log:
            child = subprocess.Popen(
                command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if piped else log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches us alone; we end the children in order
                preexec_fn=_in_child,
            )
        former = self._children.get(spec.name)
        self._left_traces |= former is not None and _is_unclean(former.poll())
        self._children[spec.name] = child
        if spec.essential:
            self._essential.add(spec.name)
        return child.stdout

    def ended(self) -> Ended | None:
        """The first essential child that has ended by itself, or None while all run."""
        return next((one for one in self.all_ended() if one.name in self._essential), None)

    def all_ended(self) -> tuple[Ended, ...]:
        """The children that have ended by themselves."""
        statuses = {name: child.poll() for name, child in self._children.items()}
        return tuple(
            Ended(name, status, self.last_lines(name))
            for name, status in statuses.items()
            if status is not None
        )

    def wait(self, name: str) -> int:
        """Let a child end by itself, for a while; its exit status (negative: the signal)."""
        child = self._children[name]
        try:
            return child.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            return child.wait()

    def last_lines(self, name: str, count: int = LAST_LINES) -> tuple[str, ...]:
        """The last lines that a node has logged."""
        if self._log_folder is None:
            return ()
        try:
            lines = (self._log_folder / f'{name}.log').read_text(errors='replace').splitlines()
        except FileNotFoundError:
            return ()
        return tuple(lines[-count:])

    def stop(self) -> None:
        """SIGTERM to all, then SIGKILL to those that remain.

        rclpy ends cleanly on SIGTERM; a node that is still importing ends at once, where SIGINT
        would leave a traceback.
        """
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + GRACE_S
        while time.monotonic() < deadline and self._running():
            time.sleep(0.02)
        self._signal(signal.SIGKILL)
        statuses = [child.wait() for child in self._children.values()]
        self._children.clear()
        if self._left_traces or any(_is_unclean(status) for status in statuses):
            remove_dead(int(self._environment.get('ROS_DOMAIN_ID', '0')))

    def _signal(self, number: signal.Signals) -> None:
        for child in self._running():
            child.send_signal(number)

    def _running(self) -> list[subprocess.Popen[bytes]]:
        return [child for child in self._children.values() if child.poll() is None]

    def _log(self, name: str) -> IO[bytes]:
        if self._log_folder is None:
            return os.fdopen(os.dup(2), 'wb')
        self._log_folder.mkdir(parents=True, exist_ok=True)
        return (self._log_folder / f'{name}.log').open('wb')


def _is_unclean(status: int | None) -> bool:
    return status is not None and status < 0 and -status not in CLEAN


def _in_child() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a background job ignores it
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)

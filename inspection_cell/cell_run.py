"""A cell without hardware from start to end: its nodes, its parts, and what became of them."""

import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from inspection_cell.bringup import (
    NodeSpec,
    Simulated,
    Stored,
    cell_nodes,
    client_node,
    source_node,
)
from inspection_cell.cell import Cell
from inspection_cell.environment import process_environment
from inspection_cell.errors import DataError
from inspection_cell.outcome import Outcome, PartOrder, outcome_from_json, write_orders
from inspection_cell.processes import Ended, NodeProcesses
from inspection_cell.recipe import Recipe

DOMAINS = 101  # above, the ports of a domain meet those that Linux gives away
AFTER_DEATH_S = 45.0  # the parts in flight are still diverted and told of
POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Followed:
    """What became of the parts; `failure` says which node died, in words, or is empty."""

    outcomes: tuple[Outcome, ...]
    failure: str


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who is told what happens: each outcome, and what the start waits for."""

    outcome: Callable[[Outcome], None]
    waiting: Callable[[str], None]
    trouble: Callable[[str], None]


def isolated_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a cell that neither sees nor disturbs others on this machine.

    A domain that the user has set is kept.
    """
    environment = process_environment(environ, local_only=True)
    environment.setdefault('ROS_DOMAIN_ID', str(_free_domain(os.getpid())))
    return environment


def run_parts(
    cell: Cell,
    recipes: Sequence[Recipe],
    source: Simulated | Stored,
    orders: Sequence[PartOrder],
    data_dir: Path,
    watcher: Watcher,
) -> Followed:
    """Inspect every ordered part through the real nodes; all of them end before this returns.

    Raises:
        DataError: when the data folder cannot be written.
    """
    run_folder = data_dir / 'runs' / f'{time.strftime("%Y%m%d-%H%M%S")}-{os.getpid()}'
    parts_file = run_folder / 'parts.jsonl'
    try:
        write_orders(parts_file, orders)
    except OSError as error:
        raise DataError(f'{parts_file}: cannot be written: {error.strerror}') from error
    environment = isolated_environment()
    environment.setdefault('ROS_LOG_DIR', str(run_folder / 'ros'))
    nodes = (source_node(cell, recipes, source), *cell_nodes(cell, recipes, data_dir))
    with NodeProcesses(environment, run_folder) as processes:
        for node in nodes:
            processes.start(node)
        return _follow(processes, client_node(cell, parts_file), watcher)


def _follow(processes: NodeProcesses, client: NodeSpec, watcher: Watcher) -> Followed:
    stdout = processes.start(client, piped=True)
    lines: queue.Queue[bytes | None] = queue.Queue()
    reader = threading.Thread(target=_read, args=(stdout, lines), daemon=True)
    reader.start()
    outcomes: list[Outcome] = []
    failure, deadline_s = '', float('inf')
    while time.monotonic() < deadline_s:
        try:
            line = lines.get(timeout=POLL_S)
        except queue.Empty:
            if not outcomes:
                watcher.waiting(_last_words(processes, client.name))
        else:
            if line is None:
                break
            outcomes.append(outcome_from_json(line.decode()))
            watcher.outcome(outcomes[-1])
        ended = processes.ended()
        if ended is not None and ended.name != client.name and not failure:
            failure = in_words(ended)
            watcher.trouble(f'{ended.name} has died; parts in flight are diverted')
            deadline_s = time.monotonic() + (AFTER_DEATH_S if outcomes else 0.0)
    return Followed(tuple(outcomes), failure or _client_failure(processes, client.name))


def in_words(ended: Ended) -> str:
    """Which node ended how, with the last lines that it logged."""
    how = f'signal {-ended.status}' if ended.status < 0 else f'status {ended.status}'
    lines = ''.join(f'\n  {line}' for line in ended.last_lines)
    return f'{ended.name} ended with {how}{lines}'


def _client_failure(processes: NodeProcesses, name: str) -> str:
    status = processes.wait(name)
    if status == 0:
        return ''
    return in_words(Ended(name, status, processes.last_lines(name)))


def _read(stdout: IO[bytes] | None, lines: 'queue.Queue[bytes | None]') -> None:
    for line in stdout or ():
        lines.put(line)
    lines.put(None)


def _last_words(processes: NodeProcesses, name: str) -> str:
    lines = processes.last_lines(name, count=1)
    return lines[0].rpartition(']: ')[2] if lines else 'the nodes start'


def _free_domain(first: int) -> int:
    """A domain in which nobody on this machine takes part, as far as its ports tell."""
    for offset in range(DOMAINS):
        domain = 1 + (first + offset) % DOMAINS
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(('', 7400 + 250 * domain + 10))  # first participant, DDSI-RTPS 9.6.1
            except OSError:
                continue
        return domain
    raise DataError('every ROS domain from 1 to 101 is in use; set ROS_DOMAIN_ID')

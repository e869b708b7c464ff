"""Row `release`: from the verdict of an accepted part to the actuator's command."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from inspection_cell.bench.machine import busy_share
from inspection_cell.bench.reports import Reports
from inspection_cell.bench.result import Figure, Result, Settings
from inspection_cell.bench.subject import bench_recipe
from inspection_cell.bench.transport import tuned_environment
from inspection_cell.bringup import NodeSpec, Parameter, cell_nodes
from inspection_cell.cell import load_cell
from inspection_cell.errors import DataError
from inspection_cell.locations import demo_cell
from inspection_cell.processes import NodeProcesses

PERMITS = 500
ANSWER_S = 180.0


def measure(settings: Settings, bar: str) -> Result:
    """Through the real reject_node in a process of its own; there is no peer."""
    others = busy_share()
    latencies_ms = release_latencies_ms(tuned_environment(), PERMITS)
    median, p99 = np.percentile(latencies_ms, [50, 99])
    return Result(
        key='release',
        unit='ms',
        ours=round(float(p99), 2),
        peer=None,
        ratio=None,
        measured=(
            f'p99 of {PERMITS} accepted parts that wait at reject_node: from publishing the '
            'verdict in one process to the actuator_command that comes back from another'
        ),
        bar=bar,
        figures=(
            Figure('busy_share_before', round(others, 3)),
            Figure('latency_p50_ms', round(float(median), 2)),
            Figure('latency_max_ms', round(float(latencies_ms.max()), 2)),
        ),
    )


def release_latencies_ms(environment: Mapping[str, str], permits: int) -> NDArray[np.float64]:
    """(N,) one latency per permit; raises DataError when a process fails."""
    cell = load_cell(demo_cell())
    source = NodeSpec(
        'inspection_cell.nodes.permit_source',
        'permit_source',
        cell.file.name,
        (Parameter('permits', permits),),
    )
    with TemporaryDirectory(prefix='inspection_cell_bench_') as folder:
        nodes = cell_nodes(cell, [bench_recipe()], Path(folder))
        reject_side = next(node for node in nodes if node.name == 'reject_node')
        surroundings = {**environment, 'ROS_LOG_DIR': folder}
        with NodeProcesses(surroundings, Path(folder)) as processes:
            processes.start(reject_side)
            reports = Reports(source.name, processes.start(source, piped=True))
            try:
                report = reports.next(ANSWER_S)
            except DataError as error:
                said = [*processes.last_lines(source.name), *processes.last_lines('reject_node')]
                raise DataError('\n  '.join([str(error), *said])) from error
    return np.array(report['latencies_ms'], dtype=np.float64)

"""Row `transport`: big images from one process into detection_node's way in, under load."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inspection_cell.bench.machine import busy_share, processor_time
from inspection_cell.bench.reports import Reports
from inspection_cell.bench.result import Figure, Result, Settings
from inspection_cell.bench.subject import bench_model
from inspection_cell.bringup import NodeSpec, Parameter
from inspection_cell.cell_run import isolated_environment
from inspection_cell.environment import MALLOC_SETTINGS, PROFILE_VARIABLES
from inspection_cell.errors import DataError
from inspection_cell.processes import NodeProcesses

READY_S = 120.0  # importing torch beside other work
FOUND_S = 60.0
ARRIVE_S = 0.5  # for images that are still on their way when the last was sent


@dataclass(frozen=True, slots=True)
class Traffic:
    """What is sent, and to whom.

    Attributes:
        model: folder of the detector that keeps the processors busy; None: nothing does.
    """

    seconds: float
    model: Path | None = None
    reliable: bool = False
    width: int = 1920
    height: int = 1200
    rate_hz: float = 30.0


@dataclass(frozen=True, slots=True)
class Passage:
    """What became of the images.

    Attributes:
        latencies_ms: (N,) from the stamp, set just before publishing, to the callback.
        busy: share of all processors' time while images were sent, by anybody.
        inferences: images that the detector looked at meanwhile.
    """

    sent: int
    latencies_ms: NDArray[np.float64]
    busy: float
    inferences: int

    @property
    def received_share(self) -> float:
        """Of the images that were sent."""
        return len(self.latencies_ms) / self.sent if self.sent else 0.0

    def figures(self, prefix: str) -> tuple[Figure, ...]:
        """All of it as numbers for people."""
        figures = [
            Figure(f'{prefix}_sent', self.sent),
            Figure(f'{prefix}_received', len(self.latencies_ms)),
            Figure(f'{prefix}_busy_share', round(self.busy, 3)),
            Figure(f'{prefix}_inferences', self.inferences),
        ]
        if len(self.latencies_ms):
            median, p95 = np.percentile(self.latencies_ms, [50, 95])
            figures.append(Figure(f'{prefix}_latency_p50_ms', round(float(median), 2)))
            figures.append(Figure(f'{prefix}_latency_p95_ms', round(float(p95), 2)))
        return tuple(figures)


def measure(settings: Settings, bar: str) -> Result:
    """Our settings and the stock ones, each under load and idle; ratio of the shares received."""
    model = bench_model(settings).path
    others = busy_share()
    loaded, idle = Traffic(settings.seconds, model), Traffic(settings.seconds)
    ours = pass_images(tuned_environment(), loaded)
    peer = pass_images(stock_environment(), loaded)
    ours_reliable = pass_images(tuned_environment(), Traffic(settings.seconds, model, True))
    ours_idle = pass_images(tuned_environment(), idle)
    peer_idle = pass_images(stock_environment(), idle)
    return Result(
        key='transport',
        unit='share of images received under load',
        ours=round(ours.received_share, 4),
        peer=round(peer.received_share, 4),
        ratio=round(ours.received_share / peer.received_share, 2) if peer.received_share else None,
        measured=(
            f'1920x1200 bgr8 at 30 Hz for {settings.seconds:g} s, best effort, one process to the '
            f"capture edge of another whose worker runs the detector; peer: the middleware's "
            f'stock settings in the same run; ours_reliable: a driver that offers reliable QoS'
        ),
        bar=bar,
        figures=(
            Figure('busy_share_before', round(others, 3)),
            *ours.figures('ours_loaded'),
            *ours_reliable.figures('ours_loaded_reliable'),
            *ours_idle.figures('ours_idle'),
            *peer.figures('peer_loaded'),
            *peer_idle.figures('peer_idle'),
        ),
    )


def tuned_environment() -> dict[str, str]:
    """The variables of a cell of ours, whatever this shell has set."""
    return isolated_environment(_bare())


def stock_environment() -> dict[str, str]:
    """The same without the transport profile and the memory settings."""
    ours = {*PROFILE_VARIABLES, *MALLOC_SETTINGS}
    return {key: value for key, value in tuned_environment().items() if key not in ours}


def pass_images(environment: Mapping[str, str], traffic: Traffic) -> Passage:
    """Start both processes, let the images pass, and end both.

    Raises:
        DataError: when a process fails or says nothing in time.
    """
    with (
        tempfile.TemporaryDirectory(prefix='inspection_cell_bench_') as folder,
        NodeProcesses({**environment, 'ROS_LOG_DIR': folder}, Path(folder)) as processes,
    ):
        try:
            return _pass_images(processes, traffic)
        except DataError as error:
            said = [*processes.last_lines('sink'), *processes.last_lines('source')]
            raise DataError('\n  '.join([str(error), *said])) from error


def _pass_images(processes: NodeProcesses, traffic: Traffic) -> Passage:
    sink = Reports('sink', processes.start(_sink(traffic), piped=True))
    sink.next(READY_S)
    source = Reports('source', processes.start(_source(traffic), piped=True))
    source.next(FOUND_S)
    before = processor_time()
    sent = source.next(traffic.seconds * 3 + FOUND_S)['sent']
    busy = processor_time().busy_share_since(before)
    busy_share(ARRIVE_S)
    processes.stop()
    report = sink.next(READY_S)
    latencies_ms = np.array(report['latencies_ms'], dtype=np.float64)
    return Passage(sent, latencies_ms, busy, report['inferences'])


def _source(traffic: Traffic) -> NodeSpec:
    parameters = (
        Parameter('width', traffic.width),
        Parameter('height', traffic.height),
        Parameter('rate_hz', float(traffic.rate_hz)),
        Parameter('seconds', float(traffic.seconds)),
        Parameter('reliable', traffic.reliable),
    )
    return NodeSpec('inspection_cell.nodes.transport_source', 'source', 'bench', parameters)


def _sink(traffic: Traffic) -> NodeSpec:
    model = (Parameter('model', str(traffic.model)),) if traffic.model else ()
    return NodeSpec('inspection_cell.nodes.transport_sink', 'sink', 'bench', model)


def _bare() -> dict[str, str]:
    ours = {*PROFILE_VARIABLES, *MALLOC_SETTINGS}
    return {key: value for key, value in os.environ.items() if key not in ours}

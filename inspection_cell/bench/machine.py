"""How busy the machine's processors are: a number without it says little."""

import time
from dataclasses import dataclass
from pathlib import Path

STAT = Path('/proc/stat')


@dataclass(frozen=True, slots=True)
class ProcessorTime:
    """Clock ticks of all processors since the start of the machine."""

    busy: int
    total: int

    def busy_share_since(self, earlier: 'ProcessorTime') -> float:
        """Share of all processors' time that was used since `earlier`, in [0, 1]."""
        passed = self.total - earlier.total
        return (self.busy - earlier.busy) / passed if passed > 0 else 0.0


def processor_time(stat: Path = STAT) -> ProcessorTime:
    """Read the kernel's counters (proc(5), first line of /proc/stat)."""
    ticks = [int(word) for word in stat.read_text().splitlines()[0].split()[1:9]]
    idle = ticks[3] + ticks[4]  # idle, iowait
    return ProcessorTime(sum(ticks) - idle, sum(ticks))


def busy_share(seconds: float = 1.0) -> float:
    """Share of all processors' time that is used by others while this process sleeps."""
    before = processor_time()
    time.sleep(seconds)
    return processor_time().busy_share_since(before)

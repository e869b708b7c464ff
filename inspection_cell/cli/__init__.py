"""The `inspection_cell` command; the only place that prints."""

import os
import signal
from types import FrameType


def main() -> None:
    """Run the command line; Ctrl-C is heeded even while the libraries are being loaded."""
    signal.signal(signal.SIGINT, _leave)
    from inspection_cell.cli.app import run_app  # takes a second or two

    run_app()


def _leave(number: int, frame: FrameType | None) -> None:
    """End at once: nothing has been started yet that must be ended first."""
    os._exit(0)

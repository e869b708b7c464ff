"""Ultralytics and PyTorch, imported so that nothing is fetched, installed or printed."""

import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

os.environ.setdefault('YOLO_OFFLINE', 'true')
os.environ.setdefault('YOLO_AUTOINSTALL', 'false')
os.environ.setdefault('YOLO_VERBOSE', 'false')
_threads_variable_given = 'OMP_NUM_THREADS' in os.environ

# The variables above are read at import.
import torch  # noqa: E402
import ultralytics  # noqa: E402
import ultralytics.data.base  # noqa: E402
import ultralytics.data.utils  # noqa: E402
from ultralytics import YOLO  # noqa: E402

if not _threads_variable_given:  # Ultralytics sets it to 1, which would slow children down
    os.environ.pop('OMP_NUM_THREADS', None)

# The data set check would fetch a font for plots that are not drawn.
vars(ultralytics.data.utils)['check_font'] = lambda *_arguments: None


class _Silent:
    """A progress bar that shows nothing."""

    desc = ''

    def __init__(self, steps: Iterable[Any]) -> None:
        self._steps = steps

    def __iter__(self) -> Iterator[Any]:
        return iter(self._steps)

    def close(self) -> None:
        """Nothing to end."""


# One of its progress bars shows whatever it was told.
vars(ultralytics.data.base)['TQDM'] = lambda steps, **_options: _Silent(steps)

__all__ = ['YOLO', 'converting', 'torch', 'ultralytics']


@contextmanager
def converting() -> Iterator[None]:
    """Converters within neither report their use over the network nor warn of their internals."""
    before = {name: os.environ.get(name) for name in ('CI', 'NNCF_CI')}
    os.environ.update(dict.fromkeys(before, 'true'))  # the only switches that both converters have
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

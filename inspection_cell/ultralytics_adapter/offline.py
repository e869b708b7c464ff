"""Ultralytics and PyTorch, imported so that nothing is fetched, installed or printed."""

import os

os.environ.setdefault('YOLO_OFFLINE', 'true')
os.environ.setdefault('YOLO_AUTOINSTALL', 'false')
os.environ.setdefault('YOLO_VERBOSE', 'false')
_threads_variable_given = 'OMP_NUM_THREADS' in os.environ

# The variables above are read at import.
import torch  # noqa: E402
import ultralytics.data.utils  # noqa: E402
from ultralytics import YOLO  # noqa: E402

if not _threads_variable_given:  # Ultralytics sets it to 1, which would slow children down
    os.environ.pop('OMP_NUM_THREADS', None)

# The data set check would fetch a font for plots that are not drawn.
vars(ultralytics.data.utils)['check_font'] = lambda *_arguments: None

__all__ = ['YOLO', 'torch']

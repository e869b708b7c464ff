"""What is computed once per mesh and kept in a folder of caches."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def kept_file(folder: Path, made_of: str, suffix: str) -> Path:
    """Where the answer to something is kept.

    Args:
        folder: of the caches.
        made_of: all that the answer depends on, its format included.
        suffix: with the dot.
    """
    return folder / f'{hashlib.sha256(made_of.encode()).hexdigest()[:32]}{suffix}'


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A file beside `path` to write to, which then takes its place: nobody reads half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f'{path.stem}.{os.getpid()}{path.suffix}')
    yield unfinished
    unfinished.replace(path)

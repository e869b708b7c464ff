"""One set of colours for coverage everywhere: from seen by nobody to seen by many.

Red and orange against blues: told apart with the common kinds of colour blindness, and in print.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

COLOURS = ('#b2182b', '#f58a3c', '#d6e8f3', '#92c5de', '#3f87b8')
MANY = 2  # views more than enough: the darkest


def levels(views: NDArray[np.integer], enough: int) -> NDArray[np.intp]:
    """(N,) which of `COLOURS` places have that (N,) views saw."""
    more = (views - enough).clip(0, MANY) + 2
    return np.where(views == 0, 0, np.where(views < enough, 1, more)).astype(np.intp)


def legend(enough: int) -> Sequence[tuple[str, str]]:
    """Colours with what they mean, for a recipe that demands so many views."""
    words = [
        'seen by nobody',
        f'seen by fewer than {enough} views',
        *(f'seen by {enough + more} view{"s" if enough + more > 1 else ""}' for more in range(2)),
        f'seen by {enough + MANY} or more',
    ]
    entries = list(zip(COLOURS, words, strict=True))
    return entries if enough > 1 else [entries[0], *entries[2:]]

"""One colour scale for deviations everywhere: it steps where the tolerance ends.

Pale within the tolerance, blue below and orange to red above: told apart with the common kinds of
colour blindness, and in print.
"""

import numpy as np
from numpy.typing import NDArray

SCALE_TOLERANCES = 3.0  # the scale ends at this many times the tolerance
FAR_BELOW, BELOW = '#08206b', '#5b93e6'
WITHIN_LOW, WITHIN, WITHIN_HIGH = '#5fae9f', '#f2f2df', '#cdbb4e'
ABOVE, FAR_ABOVE = '#f58a3c', '#9c0f15'


def scale_mm(tolerance_mm: tuple[float, float]) -> tuple[float, float]:
    """Deviations at the ends of the scale, mm."""
    return SCALE_TOLERANCES * tolerance_mm[0], SCALE_TOLERANCES * tolerance_mm[1]


def scale_ticks_mm(tolerance_mm: tuple[float, float]) -> list[float]:
    """Ends, limits and zero."""
    low, high = tolerance_mm
    start, end = scale_mm(tolerance_mm)
    return [start, low, 0.0, high, end]


def colour_stops(tolerance_mm: tuple[float, float]) -> list[tuple[float, str]]:
    """Places on the scale, 0 to 1, with their colours; two at each limit make the step."""
    start, low, zero, high, end = scale_ticks_mm(tolerance_mm)
    length = end - start
    return [
        (0.0, FAR_BELOW),
        ((low - start) / length, BELOW),
        ((low - start) / length, WITHIN_LOW),
        ((zero - start) / length, WITHIN),
        ((high - start) / length, WITHIN_HIGH),
        ((high - start) / length, ABOVE),
        (1.0, FAR_ABOVE),
    ]


def deviation_rgb(
    deviation_mm: NDArray[np.floating], tolerance_mm: tuple[float, float]
) -> NDArray[np.uint8]:
    """Colours (N, 3) of deviations (N,); beyond the scale they are those of its ends."""
    start, end = scale_mm(tolerance_mm)
    stops = colour_stops(tolerance_mm)
    places_mm = start + (end - start) * np.array([place for place, _ in stops])
    levels = np.array([tuple(bytes.fromhex(colour[1:])) for _, colour in stops])
    channels = [np.interp(deviation_mm, places_mm, level) for level in levels.T]
    colours: NDArray[np.uint8] = np.column_stack(channels).round().astype(np.uint8)
    return colours

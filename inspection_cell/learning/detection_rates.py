"""How many of the things of a size one view finds: `detection_rate` of a recipe's class."""

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

BINS = 5
LEAST = 15  # true things in each bin

Rate = tuple[tuple[float, float], ...]  # sizes in pixels, rising, with shares


def detection_rate(sizes_px: NDArray[np.floating], found: NDArray[np.bool_]) -> Rate:
    """Share of true things that are found, by size; larger ones are never found more rarely.

    Bins of equally many things, with Laplace's rule of succession, because no finite number of
    things found proves that all are, and isotonic regression over the bins.

    Args:
        sizes_px: (N,) longest extents in the image.
        found: (N,) whether each was found.

    Returns:
        Sizes (geometric means of the bins) with shares; empty for less than LEAST things.
    """
    order = np.argsort(sizes_px, kind='stable')
    bins = np.array_split(order, min(len(order) // LEAST, BINS)) if len(order) >= LEAST else []
    if not bins:
        return ()
    sizes = [round(float(np.exp(np.log(sizes_px[one]).mean())), 1) for one in bins]
    shares = [(found[one].sum() + 1) / (len(one) + 2) for one in bins]
    rising = IsotonicRegression().fit_transform(sizes, shares, sample_weight=[*map(len, bins)])
    known = dict(zip(sizes, rising, strict=True))  # bins of one size: isotonic makes them equal
    return tuple((size, round(float(share), 3)) for size, share in known.items())

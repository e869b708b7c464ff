"""How probable it is that a merged defect is real, given who saw it and who did not."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import exp, log, prod

from inspection_cell.findings import Contribution
from inspection_cell.observations import ViewKey

CERTAIN = 0.99  # no single view is believed more than this
LOWEST_MISS_RATE = 0.01
LEAST = 1e-4  # probabilities are told from each other within [LEAST, 1 - LEAST]


@dataclass(frozen=True, slots=True)
class Testimony:
    """What the views say about one place on the part.

    Attributes:
        shown: best score of each camera view that saw a defect there.
        measured: best score of each scan (or signal) that measured one.
        missed: of each valid camera view that shows the place without a finding: how probable
            that is if the defect is real, in (0, 1].
    """

    shown: Mapping[ViewKey, float] = field(default_factory=dict)
    measured: Mapping[ViewKey, float] = field(default_factory=dict)
    missed: Mapping[ViewKey, float] = field(default_factory=dict)

    @property
    def views(self) -> tuple[ViewKey, ...]:
        """All that speak, in a canonical order."""
        return tuple(sorted({*self.shown, *self.measured, *self.missed}))

    def hears(self, view: ViewKey) -> bool:
        """Whether a view speaks."""
        return view in self.shown or view in self.measured or view in self.missed

    def without(self, view: ViewKey) -> 'Testimony':
        """What is left when one view is not heard."""
        kept = (
            {key: value for key, value in part.items() if key != view}
            for part in (self.shown, self.measured, self.missed)
        )
        return Testimony(*kept)

    @property
    def probability(self) -> float:
        """Of the defect, in [0, 1]."""
        return probability(self.shown.values(), self.measured.values(), self.missed.values())


def probability(
    camera_scores: Iterable[float], scan_scores: Iterable[float], misses: Iterable[float] = ()
) -> float:
    """Noisy-or of the views that saw a defect, tempered by a view that should have.

    The cameras' evidence is `1 - Π(1 - score)` over the best score of each view. A view that
    shows the place and found nothing multiplies the odds by its likelihood ratio
    P(nothing found | defect) / P(nothing found | no defect), with the latter taken as 1. Views of
    one place miss a defect for the same reasons (light, gloss), so they are no independent
    witnesses: only the one that would have seen it best counts. Scans measure depth and are
    independent of what cameras can see: their evidence joins by noisy-or, untempered.

    Args:
        camera_scores: best score of each camera view that saw the defect.
        scan_scores: best score of each scan that measured it.
        misses: of each clean view, P(nothing found | defect).

    Returns:
        A probability in [0, 1]; more clean views never raise it, fewer never lower it.
    """
    missed: float = prod(1.0 - min(score, CERTAIN) for score in camera_scores)
    clean = min((min(max(miss, LOWEST_MISS_RATE), 1.0) for miss in misses), default=1.0)
    seen = (1.0 - missed) * clean
    odds_share = seen / (seen + missed)  # odds / (1 + odds) of the tempered odds seen / missed
    doubt: float = prod(1.0 - min(score, CERTAIN) for score in scan_scores)
    return min(max(1.0 - (1.0 - odds_share) * doubt, 0.0), 1.0)


def any_of(probabilities: Iterable[float]) -> float:
    """That at least one of several independent defects is real."""
    return min(max(1.0 - prod(1.0 - one for one in probabilities), 0.0), 1.0)


def contributions(
    views: Sequence[ViewKey], of_all: float, without: Callable[[ViewKey], float]
) -> tuple[Contribution, ...]:
    """By how much each view moves a probability: log odds with it less those without it."""
    whole = _log_odds(of_all)
    return tuple(Contribution(view, whole - _log_odds(without(view))) for view in views)


def miss_of(rate: Sequence[tuple[float, float]], size_px: float) -> float:
    """P(not found | defect) of a defect this large in the image.

    Args:
        rate: sizes in pixels, rising, with the share of defects of that size that are found;
            linear in the logarithm of the size between them, and as at the ends beyond.
        size_px: longest extent that the view would show.
    """
    if size_px <= rate[0][0]:
        return 1.0 - rate[0][1] * size_px / rate[0][0]
    for (low, found_low), (high, found_high) in pairwise(rate):
        if size_px <= high:
            share = log(size_px / low) / log(high / low)
            return 1.0 - (found_low + share * (found_high - found_low))
    return 1.0 - rate[-1][1]


def beyond_probability(value: float, limit: float, uncertainty: float) -> float:
    """That a measured value is really beyond its limit, by the logistic form of the normal.

    Args:
        value: measured.
        limit: on the side of `value`.
        uncertainty: expanded (k = 2), in the unit of `value`.
    """
    if uncertainty <= 0.0:
        return 1.0 if abs(value) > abs(limit) else 0.0
    sigmas = 2.0 * (abs(value) - abs(limit)) / uncertainty
    return 1.0 / (1.0 + exp(-min(max(1.702 * sigmas, -60.0), 60.0)))


def _log_odds(probability: float) -> float:
    clipped = min(max(probability, LEAST), 1.0 - LEAST)
    return log(clipped / (1.0 - clipped))

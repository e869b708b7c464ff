"""How probable it is that a merged defect is real, given who saw it and who did not."""

from collections.abc import Iterable
from math import prod

CERTAIN = 0.99  # no single view is believed more than this
LOWEST_MISS_RATE = 0.01


def probability(
    camera_scores: Iterable[float],
    scan_scores: Iterable[float],
    miss_rate: float,
    clean_weights: Iterable[float],
) -> float:
    """Noisy-or of the views that saw a defect, tempered by a view that should have.

    The cameras' evidence is `1 - Π(1 - score)` over the best score of each view. A view that
    shows the place and found nothing multiplies the odds by `miss_rate ** weight`: its likelihood
    ratio P(nothing found | defect) / P(nothing found | no defect), with the latter taken as 1.
    Views of one place miss a defect for the same reasons (light, gloss), so they are no
    independent witnesses: only the best placed clean view counts. Scans measure depth and are
    independent of what cameras can see: their evidence joins by noisy-or, untempered.

    Args:
        camera_scores: best score of each camera view that saw the defect.
        scan_scores: best score of each scan that measured it.
        miss_rate: share of visible defects that one view misses.
        clean_weights: of each valid view that shows the place without a finding: its resolution
            there over that of the views that saw the defect, in [0, 1].

    Returns:
        A probability in [0, 1]; more clean views never raise it, fewer never lower it.
    """
    missed: float = prod(1.0 - min(score, CERTAIN) for score in camera_scores)
    strongest = max((min(max(weight, 0.0), 1.0) for weight in clean_weights), default=0.0)
    seen: float = (1.0 - missed) * max(miss_rate, LOWEST_MISS_RATE) ** strongest
    odds_share = seen / (seen + missed)  # odds / (1 + odds) of the tempered odds seen / missed
    doubt: float = prod(1.0 - min(score, CERTAIN) for score in scan_scores)
    return min(max(1.0 - (1.0 - odds_share) * doubt, 0.0), 1.0)

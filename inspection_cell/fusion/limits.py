"""What a defect measures, and what the recipe allows of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from inspection_cell.findings import Conformity
from inspection_cell.fusion.projection import Located, length_mm
from inspection_cell.observations import ViewKey
from inspection_cell.recipe import Recipe
from inspection_cell.sections.detection import ClassLimit

EDGE_PX = 2.0  # boxes this near to the border of an image may be cut by it


@dataclass(frozen=True, slots=True)
class Measure:
    """One judged quantity of a defect; a limit of 0 means that none is good.

    Attributes:
        score: of the strongest finding with this label.
    """

    label: str
    score: float
    value: float
    limit: float
    unit: str
    uncertainty: float = 0.0
    conformity: Conformity = Conformity.UNKNOWN

    @property
    def beyond(self) -> bool:
        """Whether it is beyond its limit; a measurement knows by itself."""
        if self.conformity is not Conformity.UNKNOWN:
            return self.conformity is Conformity.BREAKS
        return exceeds(self.value, self.limit)


def exceeds(value: float, limit: float) -> bool:
    """Whether a value is beyond its limit; limits below zero bound from below, 0 allows none."""
    if limit == 0.0:
        return True
    return value < limit if limit < 0.0 else value > limit


def class_limit(recipe: Recipe, label: str) -> ClassLimit:
    """What the recipe allows of a class; of a class that it does not name, nothing."""
    detection = recipe.file.detection
    return (detection.classes.get(label) if detection else None) or ClassLimit()


def worst_measure(
    recipe: Recipe, scanned: Sequence[Located], imaged: Sequence[Located]
) -> Measure:
    """The quantity that decides about a defect: beyond its limit first, then the strongest."""
    measures = [_of_region(recipe, located) for located in scanned]
    for label in sorted({located.finding.label for located in imaged}):
        measures.append(_of_class(recipe, label, imaged))
    return max(measures, key=_severity)


def _severity(measure: Measure) -> tuple[bool, bool, float, float, str]:
    ratio = inf if measure.limit == 0.0 else measure.value / measure.limit
    uncertain = measure.conformity is Conformity.UNCERTAIN
    return measure.beyond, uncertain, measure.score, ratio, measure.label


def _of_region(recipe: Recipe, located: Located) -> Measure:
    finding = located.finding
    if finding.unit:
        value, limit, unit = finding.value, finding.limit, finding.unit
    else:
        low, high = recipe.file.surface.tolerance_mm if recipe.file.surface else (0.0, 0.0)
        value, limit, unit = finding.peak_mm, high if finding.peak_mm > 0 else low, 'mm'
    return Measure(
        finding.label, finding.score, value, limit, unit, finding.uncertainty, finding.conformity
    )


def _of_class(recipe: Recipe, label: str, imaged: Sequence[Located]) -> Measure:
    """Length of a detected class."""
    own = [located for located in imaged if located.finding.label == label]
    score = max(located.finding.score for located in own)
    if any(located.position_m is None for located in own):
        return Measure(label, score, 0.0, 0.0, '')  # a length nobody could measure is not allowed
    limit = class_limit(recipe, label).max_length_mm
    return Measure(label, score, longest_mm(own), limit, 'mm')


def longest_mm(found: Sequence[Located]) -> float:
    """Length of a thing: the longest that any one view shows, all its pieces together, mm.

    What reaches out of an image is as long as all views show it together.
    """
    if any(_reaches_out(located) for located in found):
        return length_mm(found)
    views: set[ViewKey] = {located.view for located in found}
    return max(length_mm([one for one in found if one.view == view]) for view in views)


def _reaches_out(located: Located) -> bool:
    """Whether the image ends within the finding."""
    camera, box = located.camera, located.finding.box_px
    if camera is None or box is None:
        return False
    inside = (box[:2] > EDGE_PX).all() and (box[2:] < np.array(camera.size) - EDGE_PX).all()
    return not inside

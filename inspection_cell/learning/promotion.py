"""A candidate becomes a recipe's model: only proven, fitting, and not worse than the incumbent.

Not worse means non-inferior: both run on the same challenge images, the images are drawn anew
with replacement (paired bootstrap, Efron and Tibshirani 1993, section 16), and in 95 % of the
draws the candidate's mAP50 is at least the incumbent's minus a margin. The same holds for recall
and precision at the recipe's thresholds, because a cell judges by those: two models of equal
mAP50 may be calibrated apart. A set that is too small to show it does not: the candidate is
refused until there are more images.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inspection_cell.errors import ModelError
from inspection_cell.learning.average_precision import Matched, match_truth
from inspection_cell.learning.challenge import (
    CHALLENGE,
    Challenge,
    find_challenge,
    load_challenge,
)
from inspection_cell.learning.evaluation import Thresholds
from inspection_cell.learning.parity import run_challenge
from inspection_cell.learning.promoted import History, PromotedModels
from inspection_cell.models import (
    ModelFolder,
    check_model_fits,
    find_model,
    has_model,
    load_model_folder,
)
from inspection_cell.recipe import Recipe
from inspection_cell.views.calibrated import calibrated
from inspection_cell.views.detections import Detections
from inspection_cell.views.detectors import choose, load_detector
from inspection_cell.views.heads import LOWEST_SCORE
from inspection_cell.views.slicing import detector_for_sensor

DRAWS = 1000
CONFIDENCE = 0.95
MARGIN = 0.02  # what one may be worse by and count as not worse
Progress = Callable[[str, int, int], None]
Figure = Callable[[Matched, NDArray[np.float64] | None], float]


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure of both, and the difference's bound.

    Attributes:
        name: of the figure.
        lower: of candidate minus incumbent; one-sided, at 95 %.
    """

    name: str
    candidate: float
    incumbent: float
    lower: float


@dataclass(frozen=True, slots=True)
class Advantage:
    """The candidate beside the incumbent.

    Attributes:
        differences: mAP50, and recall and precision at the recipe's thresholds.
        images: of the challenge set.
    """

    differences: tuple[Difference, ...]
    images: int

    @property
    def lower(self) -> float:
        """The least of the bounds."""
        return min(one.lower for one in self.differences)


@dataclass(frozen=True, slots=True)
class Promotion:
    """What was done.

    Attributes:
        folder: where the recipe's model lies now.
        replaced: the model before it; None where there was none.
        advantage: over that one; None where there was none.
    """

    folder: Path
    sha256: str
    replaced: str | None
    advantage: Advantage | None


@dataclass(frozen=True, slots=True)
class _Examined:
    """Detections matched with the truth.

    Attributes:
        ranked: all of them, for average precision.
        judged: those that the recipe's thresholds let pass.
    """

    ranked: Matched
    judged: Matched


def promote(
    candidate: Path,
    recipe: Recipe,
    data_dir: Path,
    *,
    challenge: Path | None = None,
    margin: float = MARGIN,
    seed: int = 0,
    progress: Progress = lambda _what, _done, _all: None,
) -> Promotion:
    """Make a candidate the recipe's model, in the data folder; refused: nothing changes.

    Args:
        candidate: model folder; it is copied.
        recipe: of the one part type that it is for.
        data_dir: the data folder.
        challenge: labelled images; None: the incumbent's stored ones, else the candidate's, so
            that a candidate does not bring its own examination.
        margin: what any figure may be worse by.
        seed: of the bootstrap.
        progress: called with what is done, images done and images in all.

    Raises:
        ModelError: with every reason against it.
    """
    folder = load_model_folder(candidate)
    _check(folder, recipe)
    models = PromotedModels(recipe, data_dir)
    with models.locked():
        incumbent = _incumbent(recipe, data_dir)
        advantage = None
        if incumbent is not None:
            place = challenge or _stored(incumbent) or find_challenge(folder)
            advantage = _advantage((folder, incumbent), recipe, place, seed, progress)
            _refuse_worse(advantage, folder, incumbent, margin)
        lower = None if advantage is None else advantage.lower
        put = models.put(folder, History.of(folder, incumbent, lower))
    return Promotion(put, folder.sha256, incumbent.sha256 if incumbent else None, advantage)


def rollback(recipe: Recipe, data_dir: Path) -> Path:
    """Put the model before the last promotion back, and return its folder.

    Raises:
        ModelError: when there is no promotion to take back, or the model before it is damaged.
    """
    models = PromotedModels(recipe, data_dir)
    with models.locked():
        models.take_back()
    return find_model(recipe, data_dir)


def lower_bound(
    candidate: Matched,
    incumbent: Matched,
    seed: int,
    count: int = DRAWS,
    figure: Figure = Matched.map50,
) -> float:
    """One-sided 95 % lower bound of the difference of a figure, candidate minus incumbent."""
    generator = np.random.default_rng(seed)
    equal = np.full(candidate.images, 1.0 / candidate.images)
    draws = generator.multinomial(candidate.images, equal, size=count).astype(np.float64)
    differences = [figure(candidate, draw) - figure(incumbent, draw) for draw in draws]
    return float(np.quantile(differences, 1.0 - CONFIDENCE))


def _check(folder: ModelFolder, recipe: Recipe) -> None:
    check_model_fits(recipe, folder)
    choice = choose(folder)
    if choice.export is None:
        raise ModelError(
            f'{folder.path}: expected a proven export: {choice.why}; run export first'
        )


def _incumbent(recipe: Recipe, data_dir: Path) -> ModelFolder | None:
    """The model in use; None where there is nothing. A damaged one is not passed over."""
    if not has_model(recipe, data_dir):
        return None
    return load_model_folder(find_model(recipe, data_dir))


def _stored(folder: ModelFolder) -> Path | None:
    stored = folder.path / CHALLENGE
    return stored if stored.is_dir() else None


def _advantage(
    pair: tuple[ModelFolder, ModelFolder],
    recipe: Recipe,
    place: Path,
    seed: int,
    progress: Progress,
) -> Advantage:
    challenge = load_challenge(place, tuple(dict.fromkeys(pair[0].classes + pair[1].classes)))
    known = [label for label in pair[0].classes if label in pair[1].classes]
    first = _examined(pair[0], recipe, challenge, known, 'candidate', progress)
    second = first
    if _judge(pair[0]) != _judge(pair[1]):
        second = _examined(pair[1], recipe, challenge, known, 'incumbent', progress)
    differences = (
        _difference('mAP50', first.ranked, second.ranked, seed, Matched.map50),
        _difference('recall', first.judged, second.judged, seed, Matched.recall),
        _difference('precision', first.judged, second.judged, seed, Matched.precision),
    )
    return Advantage(differences, len(challenge.images))


def _difference(
    name: str, candidate: Matched, incumbent: Matched, seed: int, figure: Figure
) -> Difference:
    bound = lower_bound(candidate, incumbent, seed, figure=figure)
    return Difference(name, figure(candidate, None), figure(incumbent, None), bound)


def _judge(folder: ModelFolder) -> tuple[str, str | None, str | None]:
    """What would run: the same files, computed in the same way, need not run twice."""
    export = choose(folder).export
    if export is None:
        return folder.sha256, None, None
    return folder.sha256, export.sha256, export.precision


def _examined(
    folder: ModelFolder,
    recipe: Recipe,
    challenge: Challenge,
    known: Sequence[str],
    what: str,
    progress: Progress,
) -> _Examined:
    """As it would run: the fastest proven export, at the recipe's image size and thresholds.

    In tiles where the recipe slices every sensor's images: whose these are is not known.
    """
    compared = _compared(recipe, challenge, known)
    detection = recipe.file.detection
    size = detection.image_size if detection else None
    detector = load_detector(folder, size, floor_score=LOWEST_SCORE, calibrated=False)
    if detection and detection.slicing and detection.slicing.sensors is None:
        detector = detector_for_sensor(detector, detection, '')
    raw = run_challenge(detector, challenge, lambda *done: progress(what, *done)).detections
    truths = [one.truth for one in challenge.images]
    thresholds = Thresholds.of_recipe(recipe, folder.classes)
    judged = [thresholds.passed(_probable(found, folder)) for found in raw]
    return _Examined(match_truth(raw, truths, compared), match_truth(judged, truths, compared))


def _probable(found: Detections, folder: ModelFolder) -> Detections:
    calibrations = folder.file.calibration
    return found if calibrations is None else calibrated(found, calibrations)


def _compared(recipe: Recipe, challenge: Challenge, known: Sequence[str]) -> list[str]:
    """Classes that both models know and the images show; all of the recipe's must be shown."""
    shown = {label for one in challenge.images for label in one.truth.labels}
    compared = [label for label in known if label in shown]
    detection = recipe.file.detection
    named = {*detection.classes, *(one.label for one in detection.features)} if detection else ()
    lacking = sorted(label for label in named if label in known and label not in shown)
    if lacking or not compared:
        raise ModelError(
            f'{challenge.path}: expected images that show every class of {recipe.path} that both '
            f'models know; none shows {", ".join(lacking) or "any"}'
        )
    return compared


def _refuse_worse(
    advantage: Advantage, folder: ModelFolder, incumbent: ModelFolder, margin: float
) -> None:
    worse = [one for one in advantage.differences if one.lower < -margin]
    if not worse:
        return
    figures = '; '.join(
        f'{one.name} {one.candidate:.3f} against {one.incumbent:.3f}, difference at least '
        f'{one.lower:+.3f} in {CONFIDENCE:.0%} of the draws, allowed {-margin:+.3f}'
        for one in worse
    )
    raise ModelError(
        f'{folder.path}: not shown to be as good as {incumbent.file.name} '
        f'{incumbent.sha256[:12]} on {advantage.images} images: {figures}; '
        'it is worse, or the challenge set is too small to tell'
    )

"""A candidate becomes a recipe's model: only proven, fitting, and not worse than the incumbent.

Not worse means non-inferior: both run on the same challenge images, the images are drawn anew
with replacement (paired bootstrap, Efron and Tibshirani 1993, section 16), and in 95 % of the
draws the candidate's mAP50 is at least the incumbent's minus a margin. A set that is too small to
show that does not: the candidate is refused until there are more images.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inspection_cell.errors import ModelError
from inspection_cell.learning.average_precision import Matched, match_truth
from inspection_cell.learning.challenge import (
    CHALLENGE,
    Challenge,
    find_challenge,
    load_challenge,
)
from inspection_cell.learning.parity import run_challenge
from inspection_cell.learning.promoted import History, PromotedModels
from inspection_cell.models import ModelFolder, check_model_fits, find_model, load_model_folder
from inspection_cell.recipe import Recipe
from inspection_cell.views.detectors import choose, load_detector
from inspection_cell.views.heads import LOWEST_SCORE

DRAWS = 1000
CONFIDENCE = 0.95
MARGIN = 0.02  # mAP50: what one may be worse by and count as not worse
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Advantage:
    """The candidate's mAP50 minus the incumbent's, with its lower bound.

    Attributes:
        lower: one-sided, at 95 %.
    """

    candidate_map50: float
    incumbent_map50: float
    lower: float
    images: int

    @property
    def mean(self) -> float:
        """On the challenge set as it is."""
        return self.candidate_map50 - self.incumbent_map50


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


def promote(
    candidate: Path,
    recipes: Sequence[Recipe],
    data_dir: Path,
    *,
    challenge: Path | None = None,
    margin: float = MARGIN,
    seed: int = 0,
    progress: Progress = lambda _what, _done, _all: None,
) -> Promotion:
    """Make a candidate the model of the recipes, in the data folder; refused: nothing changes.

    Args:
        candidate: model folder; it is copied.
        recipes: all that share the model by its name.
        data_dir: the data folder.
        challenge: labelled images; None: the incumbent's stored ones, else the candidate's, so
            that a candidate does not bring its own examination.
        margin: mAP50 that it may be worse by.
        seed: of the bootstrap.
        progress: called with what is done, images done and images in all.

    Raises:
        ModelError: with every reason against it.
    """
    folder = load_model_folder(candidate)
    _check(folder, recipes)
    incumbent = _incumbent(recipes[0], data_dir)
    models = PromotedModels(recipes[0], data_dir)
    with models.locked():
        advantage = None
        if incumbent is not None:
            place = challenge or _stored(incumbent) or find_challenge(folder)
            advantage = _advantage((folder, incumbent), recipes, place, seed, progress)
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


def lower_bound(candidate: Matched, incumbent: Matched, seed: int, count: int = DRAWS) -> float:
    """One-sided 95 % lower bound of the difference of mAP50, candidate minus incumbent."""
    generator = np.random.default_rng(seed)
    equal = np.full(candidate.images, 1.0 / candidate.images)
    draws = generator.multinomial(candidate.images, equal, size=count).astype(np.float64)
    differences = [candidate.map50(draw) - incumbent.map50(draw) for draw in draws]
    return float(np.quantile(differences, 1.0 - CONFIDENCE))


def _check(folder: ModelFolder, recipes: Sequence[Recipe]) -> None:
    if not recipes:
        raise ModelError(f'{folder.path}: expected at least one recipe to promote it for')
    problems = []
    for recipe in recipes:
        try:
            check_model_fits(recipe, folder)
        except ModelError as error:
            problems.append(str(error))
    names = {Path(r.file.detection.model).name for r in recipes if r.file.detection}
    if len(names) > 1:
        problems.append(f'the recipes name several models: {", ".join(sorted(names))}')
    choice = choose(folder)
    if choice.export is None:
        problems.append(f'{folder.path}: expected a proven export: {choice.why}; run export first')
    if problems:
        raise ModelError('\n'.join(problems))


def _incumbent(recipe: Recipe, data_dir: Path) -> ModelFolder | None:
    """The model in use; None where the recipe names one that does not exist anywhere."""
    try:
        place = find_model(recipe, data_dir)
    except ModelError:
        return None
    return load_model_folder(place)


def _stored(folder: ModelFolder) -> Path | None:
    stored = folder.path / CHALLENGE
    return stored if stored.is_dir() else None


def _advantage(
    pair: tuple[ModelFolder, ModelFolder],
    recipes: Sequence[Recipe],
    place: Path,
    seed: int,
    progress: Progress,
) -> Advantage:
    known = [label for label in pair[0].classes if label in pair[1].classes]
    challenge = load_challenge(place, tuple(dict.fromkeys(pair[0].classes + pair[1].classes)))
    compared = [label for label in known if label in challenge.classes]
    if not compared:
        raise ModelError(f'{place}: expected a class that both models know, there is none')
    first = _matched(pair[0], recipes[0], challenge, compared, 'candidate', progress)
    second = first
    if _network(pair[0]) != _network(pair[1]):
        second = _matched(pair[1], recipes[0], challenge, compared, 'incumbent', progress)
    bound = lower_bound(first, second, seed)
    return Advantage(first.map50(), second.map50(), bound, first.images)


def _network(folder: ModelFolder) -> tuple[str, str | None]:
    """What would run: the same files need not run twice."""
    export = choose(folder).export
    return folder.sha256, export.sha256 if export else None


def _matched(
    folder: ModelFolder,
    recipe: Recipe,
    challenge: Challenge,
    compared: Sequence[str],
    what: str,
    progress: Progress,
) -> Matched:
    """As it would run: the fastest proven export, at the recipe's image size."""
    size = recipe.file.detection.image_size if recipe.file.detection else None
    detector = load_detector(folder, size, floor_score=LOWEST_SCORE, calibrated=False)
    run = run_challenge(detector, challenge, lambda *done: progress(what, *done))
    return match_truth(run.detections, [one.truth for one in challenge.images], compared)


def _refuse_worse(
    advantage: Advantage, folder: ModelFolder, incumbent: ModelFolder, margin: float
) -> None:
    if advantage.lower >= -margin:
        return
    raise ModelError(
        f'{folder.path}: not shown to be as good as {incumbent.file.name} '
        f'{incumbent.sha256[:12]} on {advantage.images} images: mAP50 '
        f'{advantage.candidate_map50:.3f} against {advantage.incumbent_map50:.3f}, difference at '
        f'least {advantage.lower:+.3f} in {CONFIDENCE:.0%} of the draws, allowed {-margin:+.3f}; '
        'it is worse, or the challenge set is too small to tell'
    )

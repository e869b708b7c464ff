"""What fusion is worth: stored views of simulated parts, fused and judged, against simpler rules.

    python test/acceptance/part_views.py PARTS.jsonl --parts 200 --seed 52001
    python test/acceptance/fusion_study.py PARTS.jsonl [--weaken] [--json]

It tells the part-level AUROC beside those of the best single view, the OR of all views and the
mean score (all on the same findings), escapes and false rejects of the decisions, recall per kind
and size decile, how many defects are one-to-one with the truth, and how far their places are off.
`--weaken` drops camera findings at random, adds false alarms, and shows how each rule degrades.
"""

import argparse
import json
import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import roc_auc_score

from inspection_cell.cell import load_cell
from inspection_cell.findings import Decision, Defect, Finding, Verdict, ViewFindings
from inspection_cell.fusion.fuse import Fuser
from inspection_cell.fusion.limits import exceeds
from inspection_cell.locations import demo_cell, demo_recipes
from inspection_cell.measurements import is_feature
from inspection_cell.recipe import Recipe, load_recipe
from inspection_cell.records.serialisation import verdict_from_json
from inspection_cell.reference import load_reference
from inspection_cell.verdict import judge

FAR_M = 0.006  # a defect farther from a true one's middle than half its extent and this is none
DROPPED = (0.0, 0.1, 0.2, 0.33, 0.5)
ALARMS_PER_VIEW = 0.05
DECILES = 10
LOG = logging.getLogger('fusion_study')


@dataclass(frozen=True, slots=True)
class Part:
    """One stored part."""

    part_id: str
    part_type: str
    good: bool
    truth: Sequence[Mapping[str, object]]
    views: tuple[ViewFindings, ...]


class Judge:
    """Fuses and judges with the recipes as shipped."""

    def __init__(self) -> None:
        self.cell = load_cell(demo_cell())
        recipes = [load_recipe(path) for path in demo_recipes()]
        self.recipes = {recipe.part_type: recipe for recipe in recipes}
        self.fusers = {r.part_type: Fuser(r, self.cell, load_reference(r)) for r in recipes}

    @property
    def review_probability(self) -> float:
        """From which on a person must look, the lowest of the recipes."""
        return min(recipe.file.decision.review_probability for recipe in self.recipes.values())

    def admitted(self, part: Part) -> tuple[ViewFindings, ...]:
        """The views with what the recipe takes for a finding."""
        recipe = self.recipes[part.part_type]
        return tuple(
            replace(view, findings=tuple(f for f in view.findings if _counts(recipe, f)))
            for view in part.views
        )

    def verdict(self, part: Part, views: Sequence[ViewFindings]) -> Verdict:
        """As the cell would judge."""
        return judge(
            self.recipes[part.part_type],
            self.fusers[part.part_type].fuse(views),
            views,
            inspection_id=part.part_id,
            part_id=part.part_id,
            stamp_ns=1,
            cell_hash=self.cell.sha256,
        )


def _counts(recipe: Recipe, finding: Finding) -> bool:
    detection = recipe.file.detection
    limit = detection.classes.get(finding.label) if detection else None
    missing = finding.label.startswith('missing_') and finding.box_px is not None
    return limit is None or missing or finding.score >= limit.min_score


def read(path: Path) -> list[Part]:
    """The stored parts."""
    parts = []
    for line in path.read_text(encoding='utf-8').splitlines():
        one = json.loads(line)
        views = verdict_from_json(one['verdict']).views
        parts.append(Part(one['part_id'], one['part_type'], one['good'], one['truth'], views))
    return parts


def scores_by_view(views: Sequence[ViewFindings]) -> dict[str, float]:
    """The best score of each view; a region of a scan counts by how sure it breaks its limit."""
    found: dict[str, float] = {}
    for view in views:
        own = [f.score for f in view.findings if not f.not_judged and not is_feature(f)]
        found[str(view.view)] = max(own, default=0.0)
    return found


def auroc(bad: Sequence[bool], scores: Sequence[float]) -> float:
    """Area under the receiver operating characteristic, part by part."""
    return round(float(roc_auc_score(bad, scores)), 4)


def fewest_errors(bad: Sequence[bool], scores: Sequence[float]) -> int:
    """Parts judged wrongly at the limit that suits a rule best on these very parts."""
    is_bad, score = np.array(bad), np.array(scores)
    limits = np.append(np.unique(score), 2.0)
    return min(int(((score >= limit) != is_bad).sum()) for limit in limits)


def compared(judge_: Judge, parts: Sequence[Part], views: Sequence[tuple[ViewFindings, ...]]):
    """Fusion and the three simple rules on the same findings."""
    verdicts = [judge_.verdict(part, of) for part, of in zip(parts, views, strict=True)]
    bad = [not part.good for part in parts]
    by_view = [scores_by_view(of) for of in views]
    names = sorted({name for one in by_view for name in one})
    single = {name: auroc(bad, [one.get(name, 0.0) for one in by_view]) for name in names}
    best = max(single, key=lambda name: single[name])
    rules = {
        'fused': [verdict.bad_probability for verdict in verdicts],
        'best_single_view': [one.get(best, 0.0) for one in by_view],
        'or': [max(one.values()) for one in by_view],
        'mean': [float(np.mean(list(one.values()))) for one in by_view],
    }
    areas = {name: auroc(bad, scores) for name, scores in rules.items()}
    errors = {name: fewest_errors(bad, scores) for name, scores in rules.items()}
    return verdicts, {**areas, 'best_view': best, 'fewest_errors': errors}


def decisions(parts: Sequence[Part], verdicts: Sequence[Verdict]) -> dict[str, object]:
    """Escapes, false rejects, and what was left to people."""
    pairs = list(zip(parts, verdicts, strict=True))
    good = sum(part.good for part in parts)
    undecided = sum(v.decision in (Decision.REVIEW, Decision.UNKNOWN) for v in verdicts)
    escapes = [p for p, v in pairs if not p.good and v.decision is Decision.ACCEPT]
    rejects = [(p, v) for p, v in pairs if p.good and v.decision is not Decision.ACCEPT]
    return {
        'parts': len(parts),
        'good': good,
        'escapes': len(escapes),
        'escaped': [[f'{d["kind"]} {d["size_mm"]:.2f}' for d in part.truth] for part in escapes],
        'false_rejects': len(rejects),
        'false_reject_share': round(len(rejects) / max(good, 1), 4),
        'why': [f'{v.decision.name}: {v.reasons[0].text}' for _, v in rejects],
        'review_or_unknown_share': round(undecided / max(len(parts), 1), 4),
    }


def rules(
    parts: Sequence[Part],
    views: Sequence[tuple[ViewFindings, ...]],
    verdicts: Sequence[Verdict],
    limit: float,
) -> dict[str, object]:
    """What each rule does at one limit, and how far it keeps good and bad parts apart."""
    by_view = [list(scores_by_view(of).values()) for of in views]
    bad = np.array([not part.good for part in parts])
    scores = {
        'fused': [verdict.bad_probability for verdict in verdicts],
        'or': [max(one) for one in by_view],
        'mean': [float(np.mean(one)) for one in by_view],
    }
    found: dict[str, object] = {'limit': limit}
    for name, values in scores.items():
        score = np.array(values)
        found[name] = {
            'false_rejects': int((score[~bad] >= limit).sum()),
            'escapes': int((score[bad] < limit).sum()),
            'margin': round(float(score[bad].min() - score[~bad].max()), 3),
        }
    return found


def false_alarms(judge_: Judge, parts: Sequence[Part]) -> dict[str, int]:
    """Findings of the classes' `min_score` or more in images of good parts."""
    images = [(part, view) for part in parts for view in part.views if part.good]
    images = [(part, view) for part, view in images if view.intrinsics is not None]
    found = 0
    for part, view in images:
        detection = judge_.recipes[part.part_type].file.detection
        limits = {} if detection is None else detection.classes
        found += sum(
            finding.label in limits and finding.score >= limits[finding.label].min_score
            for finding in view.findings
        )
    return {'findings': found, 'images': len(images)}


def matched(part: Part, verdict: Verdict, limits: float) -> Iterator[tuple[dict, Defect | None]]:
    """Each true defect with the merged one nearest to it, one to one; then what is left over."""
    found = [d for d in verdict.defects if d.probability >= limits and _beyond(d)]
    truth = list(part.truth)
    cost = np.full((len(truth), len(found)), 1e3)
    for i, one in enumerate(truth):
        for j, defect in enumerate(found):
            if defect.position_m is not None:
                away = float(np.linalg.norm(defect.position_m - np.array(one['position_m'])))
                if away <= FAR_M + float(one['extent_mm']) / 2000.0:
                    cost[i, j] = away
    rows, columns = linear_sum_assignment(cost)
    pairs = {i: j for i, j in zip(rows, columns, strict=True) if cost[i, j] < 1e3}
    for i, one in enumerate(truth):
        yield dict(one), found[pairs[i]] if i in pairs else None
    for j, defect in enumerate(found):
        if j not in pairs.values():
            yield {}, defect


def _beyond(defect: Defect) -> bool:
    return defect.conformity != 0 or exceeds(defect.value, defect.limit)


def one_to_one(judge_: Judge, parts: Sequence[Part], verdicts: Sequence[Verdict]):
    """How well merged defects and true ones correspond, by kind and size."""
    by_kind = defaultdict(list)
    away_mm, found, surplus, surplus_words = [], 0, 0, []
    for part, verdict in zip(parts, verdicts, strict=True):
        limits = judge_.recipes[part.part_type].file.decision.review_probability
        for truth, defect in matched(part, verdict, limits):
            if not truth and defect is not None:
                surplus += 1
                seen_by = ', '.join(str(source.view) for source in defect.sources)
                surplus_words.append(
                    f'{part.part_id}: {defect.label} {defect.probability:.2f} of {seen_by}'
                )
                continue
            by_kind[truth['kind']].append((truth['size_mm'], defect is not None))
            if defect is not None:
                found += 1
                away = np.linalg.norm(defect.position_m - np.array(truth['position_m']))
                away_mm.append(float(away) * 1e3)
    return {
        'true_defects_found': found,
        'surplus_defects': surplus,
        'one_to_one_share': round(found / max(found + surplus, 1), 4),
        'position_error_mm': {
            'p50': round(float(np.percentile(away_mm, 50)), 2),
            'p95': round(float(np.percentile(away_mm, 95)), 2),
        },
        'recall': {kind: _recall(sorted(by_kind[kind])) for kind in sorted(by_kind)},
        'surplus': surplus_words,
    }


def _recall(found: Sequence[tuple[float, bool]]) -> dict[str, object]:
    groups = np.array_split(np.arange(len(found)), min(DECILES, len(found)))
    return {
        'count': len(found),
        'recall': round(float(np.mean([hit for _, hit in found])), 4),
        'deciles': [
            [round(found[group[-1]][0], 2), round(float(np.mean([found[i][1] for i in group])), 2)]
            for group in groups
        ],
    }


def weakened(
    views: Sequence[ViewFindings],
    share: float,
    scores: Sequence[float],
    generator: np.random.Generator,
) -> tuple[ViewFindings, ...]:
    """Camera findings dropped at random, and false alarms at random places on the part.

    A weak detector is as sure of its false alarms as of what it finds: their scores are drawn
    from those of its findings.
    """
    changed = []
    for view in views:
        if view.intrinsics is None:
            changed.append(view)
            continue
        kept = tuple(f for f in view.findings if generator.random() >= share)
        for _ in range(generator.poisson(ALARMS_PER_VIEW * share / DROPPED[-2])):
            camera = view.intrinsics
            middle = generator.normal(
                (camera.cx, camera.cy), (camera.width / 8, camera.height / 8)
            )
            half = generator.uniform(8.0, 40.0, 2)
            box = np.concatenate([middle - half, middle + half])
            score = float(generator.choice(scores))
            kept += (Finding('stain', score, limit=1.0, unit='mm', box_px=box),)
        changed.append(replace(view, findings=kept))
    return tuple(changed)


def averaged(runs: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """The mean over several draws: areas, and wrong parts at each rule's best limit."""
    names = list(runs[0]['fewest_errors'])
    return {
        'auroc': {name: round(float(np.mean([run[name] for run in runs])), 4) for name in names},
        'fewest_errors': {
            name: round(float(np.mean([run['fewest_errors'][name] for run in runs])), 1)
            for name in names
        },
    }


def camera_scores(views: Sequence[tuple[ViewFindings, ...]]) -> list[float]:
    """Of all defects that cameras found."""
    seen = [view for of in views for view in of if view.intrinsics is not None]
    return [finding.score for view in seen for finding in view.findings]


def main() -> None:
    """Judge, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('parts', type=Path)
    parser.add_argument('--weaken', action='store_true')
    parser.add_argument('--repeats', type=int, default=10, help='draws of each weakening')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--json', action='store_true')
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    parts, judge_ = read(given.parts), Judge()
    views = [judge_.admitted(part) for part in parts]
    verdicts, areas = compared(judge_, parts, views)
    report = {
        'auroc': areas,
        'rules': rules(parts, views, verdicts, judge_.review_probability),
        'false_alarms_on_good_parts': false_alarms(judge_, parts),
        'decisions': decisions(parts, verdicts),
        'defects': one_to_one(judge_, parts, verdicts),
    }
    if given.weaken:
        report['weakened'] = []
        scores = camera_scores(views)
        for share in DROPPED:
            runs = []
            for number in range(given.repeats):
                generator = np.random.default_rng([given.seed, number])
                weak = [weakened(of, share, scores, generator) for of in views]
                runs.append(compared(judge_, parts, weak)[1])
            report['weakened'].append({'dropped': share, **averaged(runs)})
    LOG.info(json.dumps(report, indent=None if given.json else 1))


if __name__ == '__main__':
    main()

"""Render simulated parts, look at them with the shipped detector and scan comparison, and store.

    python test/acceptance/part_views.py OUT.jsonl --parts 200 --seed 52001

Each line is one part: its truth, and the verdict of this version with all its views and findings.
Detections count from a score of 0.1 on, so that `fusion_study.py` can judge them under any
recipe. A file that was begun is gone on with. `--purpose` has seeds of its own.
"""

import argparse
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from inspection_cell.cell import Cell, load_cell
from inspection_cell.evidence import EvidenceFolder
from inspection_cell.findings import ViewFindings
from inspection_cell.fusion.admission import required_views
from inspection_cell.fusion.fuse import fuse
from inspection_cell.locations import demo_cell, demo_recipes
from inspection_cell.observations import Observation, Scan, ViewKey
from inspection_cell.recipe import Recipe, load_recipe
from inspection_cell.records.serialisation import verdict_to_json
from inspection_cell.reference import load_reference
from inspection_cell.sim.plan import PlannedPart, plan_parts
from inspection_cell.sim.seeds import Purpose
from inspection_cell.sim.station import Station
from inspection_cell.verdict import judge
from inspection_cell.views.running_models import RunningModels
from inspection_cell.views.surface import SurfaceInspector

FLOOR = 0.1
DEFECTS = (1, 3)
LOG = logging.getLogger('part_views')


def open_minded(recipe: Recipe) -> Recipe:
    """The recipe with the least scores lowered to `FLOOR`."""
    detection = recipe.file.detection
    assert detection is not None
    classes = {
        label: limit.model_copy(update={'min_score': min(limit.min_score, FLOOR)})
        for label, limit in detection.classes.items()
    }
    lowered = detection.model_copy(update={'classes': classes})
    return replace(recipe, file=recipe.file.model_copy(update={'detection': lowered}))


class Inspectors:
    """The inspectors of the whole cell, in this process."""

    def __init__(self, cell: Cell, recipes: list[Recipe], station: Station, folder: Path) -> None:
        self.cell, self.station = cell, station
        evidence = EvidenceFolder(folder)
        self.recipes = {recipe.part_type: recipe for recipe in recipes}
        self.references = {r.part_type: load_reference(r) for r in recipes}
        self.models = RunningModels(cell, recipes, evidence)
        self.surfaces = {
            name: SurfaceInspector(self.recipes[name], reference, evidence)
            for name, reference in self.references.items()
            if reference is not None
        }

    def verdict_json(self, part: PlannedPart) -> str:
        """Inspect every view of one part and judge it."""
        recipe = self.recipes[part.part_type]
        views = list(self._views(part, recipe))
        fused = fuse(recipe, self.cell, self.references[part.part_type], views)
        verdict = judge(
            recipe,
            fused,
            views,
            inspection_id=part.part_id,
            part_id=part.part_id,
            stamp_ns=1,
            cell_hash=self.cell.sha256,
        )
        return verdict_to_json(verdict)

    def _views(self, part: PlannedPart, recipe: Recipe) -> Iterator[ViewFindings]:
        presented = {name: self.station.present(part, name) for name in recipe.file.presentations}
        for key in required_views(recipe):
            shown = presented[key.presentation]
            data = self.station.observe(shown, key.sensor)
            sensor = self.cell.sensors[key.sensor]
            given = getattr(sensor, 'intrinsics', None)
            observation = Observation(
                part.part_id,
                key,
                1,
                data,
                shown.transform_part_to_cell_reported,
                sensor.pose.transform(),
                None if isinstance(data, Scan) or given is None else given.value(),
            )
            yield self._inspect(observation, key, part)

    def _inspect(self, observation: Observation, key: ViewKey, part: PlannedPart) -> ViewFindings:
        if isinstance(observation.data, Scan):
            return self.surfaces[part.part_type].inspect(observation).view_findings
        inspector = self.models.inspector(part.part_id, self.recipes[part.part_type].sha256)
        assert inspector is not None
        return inspector.inspect(observation).view_findings


def truth_of(part: PlannedPart) -> list[dict[str, object]]:
    """What is wrong with a part, as JSON."""
    return [
        {
            'kind': str(defect.kind),
            'position_m': defect.position_m.tolist(),
            'size_mm': defect.size_mm,
            'extent_mm': defect.extent_mm,
        }
        for defect in part.defects
    ]


def main() -> None:
    """Render, inspect, store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('out', type=Path)
    parser.add_argument('--parts', type=int, default=200)
    parser.add_argument('--seed', type=int, required=True)
    parser.add_argument('--purpose', choices=['tune', 'test'], default='test')
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    cell = load_cell(demo_cell())
    recipes = [open_minded(load_recipe(path)) for path in demo_recipes()]
    purpose = Purpose[given.purpose.upper()]
    plan = plan_parts(
        cell, recipes, given.parts, given.seed, purpose=purpose, defects_per_part=DEFECTS
    )
    station = Station(cell, recipes, given.seed, purpose=purpose)
    done = len(given.out.read_text().splitlines()) if given.out.is_file() else 0
    with TemporaryDirectory(prefix='part_views_') as folder, given.out.open('a') as lines:
        inspectors = Inspectors(cell, recipes, station, Path(folder))
        for part in plan[done:]:
            line = {'part_id': part.part_id, 'part_type': part.part_type, 'good': part.good}
            line |= {'truth': truth_of(part), 'verdict': inspectors.verdict_json(part)}
            lines.write(json.dumps(line) + '\n')
            lines.flush()
            for file in Path(folder).glob('evidence/*/*'):
                file.unlink()
            LOG.info('%s', part.part_id)


if __name__ == '__main__':
    main()

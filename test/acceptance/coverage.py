"""Coverage against brute force, and what becomes of a verdict when a camera is taken away.

    PYTHONPATH=test/support python test/acceptance/coverage.py [--poses 50] [--json]

Brute force cuts the mesh of both demo parts into triangles of at most 1.5 mm and casts a ray from
each to each camera. Poses are off from the named ones as the demo's robot is (`robot`: what is
kept between parts serves), or turned at random (`anywhere`: everything is computed anew).
"""

import argparse
import json
import sys
import time

import numpy as np
from covered_part import Covered

from inspection_cell.findings import Decision
from inspection_cell.fusion.fuse import fuse
from inspection_cell.verdict import judge

EDGE_M = 1.5e-3
PARTS = ('bracket', 'ring')
LIMIT = 0.005
MARGIN = 0.01  # so much more than is seen without the camera is demanded of a zone


def main() -> None:
    """Measure, print a line each, and one line of JSON at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--poses', type=int, default=50)
    parser.add_argument('--json', action='store_true', help='print the line of JSON alone')
    options = parser.parse_args()
    found = {}
    for part_type in PARTS:
        covered = Covered.demo(part_type, EDGE_M, by='camera')
        for kind in ('robot', 'anywhere'):
            found[f'{part_type}, {kind}'] = against_brute_force(covered, kind, options.poses)
        found[f'{part_type}, camera removed'] = without_cameras(covered)
    if not options.json:
        for name, row in found.items():
            sys.stdout.write(f'{name}: {json.dumps(row)}\n')
    met = all(row['met'] for row in found.values())
    sys.stdout.write(json.dumps({'met': met, 'poses': options.poses, 'rows': found}) + '\n')


def against_brute_force(covered: Covered, kind: str, count: int) -> dict[str, object]:
    """Differences of shares, in percent of the surface or the zone."""
    generator = np.random.default_rng(20_261_201)
    cache = covered.cache()
    whole, zones, seconds = [], [], [0.0, 0.0]
    for _ in range(count):
        cameras = covered.cameras(covered.held(generator, anywhere=kind == 'anywhere'))
        start = time.process_time()
        product = covered.product(cameras, cache)
        middle = time.process_time()
        seen = covered.exact(cameras) > 0
        seconds[0] += middle - start
        seconds[1] += time.process_time() - middle
        whole.append(100 * (product.share - covered.brute.share(seen)))
        exact = {name: covered.brute.share(seen, own) for name, own in covered.members.items()}
        zones += [100 * (zone.share - exact[zone.name]) for zone in product.zones]
    worst = float(np.abs(whole).max())
    return {
        'met': worst <= 100 * LIMIT,
        'worst_percent': round(worst, 3),
        'rms_percent': round(float(np.sqrt(np.mean(np.square(whole)))), 3),
        'zones_worst_percent': round(float(np.abs(zones).max()), 2),
        'zones_rms_percent': round(float(np.sqrt(np.mean(np.square(zones)))), 2),
        'views_reused': cache.reused,
        'views_cast': cache.cast,
        'cpu_ms_per_part': round(1e3 * seconds[0] / count, 2),
        'brute_force_cpu_ms': round(1e3 * seconds[1] / count, 1),
    }


def without_cameras(covered: Covered) -> dict[str, object]:
    """Take each camera from the recipe: what falls, by brute force, and what the verdict says."""
    poses = covered.held(np.random.default_rng(20_261_202))
    before = covered.exact(covered.cameras(poses)) > 0
    rows: dict[str, object] = {'met': True}
    for name in covered.cell.cameras:
        after = covered.exact(covered.cameras(poses, {name})) > 0
        falls = {
            zone: covered.brute.share(before, own) - covered.brute.share(after, own)
            for zone, own in covered.members.items()
        }
        zone = max(falls, key=lambda one: falls[one])
        rows[name] = row = _judged_without(covered, poses, name, zone, after)
        row['zone_falls_percent'] = round(100 * falls[zone], 2)
        row['met'] = bool(
            row['decision'] != 'ACCEPT' and row['zone_named'] and row['differs_percent'] <= 0.5
        )
        rows['met'] = rows['met'] and row['met']
    return rows


def _judged_without(
    covered: Covered, poses: dict, camera: str, zone: str, after: np.ndarray
) -> dict[str, object]:
    """One zone demands a little more than is seen without the camera; the rest is good."""
    left = covered.brute.share(after, covered.members[zone])
    demand = {'by': 'camera', 'zones': {zone: {'minimum': min(left + MARGIN, 1.0)}}}
    presentations = {
        name: held.model_dump() | {'sensors': [one for one in held.sensors if one != camera]}
        for name, held in covered.recipe.file.presentations.items()
    }
    one = covered.with_recipe(coverage=demand, presentations=presentations)
    views = one.views(poses)
    fused = fuse(one.recipe, one.cell, one.reference, views)
    verdict = judge(
        one.recipe,
        fused,
        views,
        inspection_id='i1',
        part_id='p1',
        stamp_ns=0,
        cell_hash='',
    )
    asked = [reason for reason in verdict.reasons if reason.decision is not Decision.ACCEPT]
    return {
        'zone': zone,
        'decision': verdict.decision.name,
        'zone_named': fused.coverage.unseen == (zone,) and any(zone in r.text for r in asked),
        'reasons': [reason.text for reason in asked],
        'differs_percent': round(100 * abs(fused.coverage.share - covered.brute.share(after)), 3),
    }


if __name__ == '__main__':
    main()

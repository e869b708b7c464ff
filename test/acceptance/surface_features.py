"""Features of simulated scans against their truth: errors, uncertainties that cover, time.

    PYTHONPATH=test/support python test/acceptance/surface_features.py [--seeds 60] [--json]

Each seed is another part (diameters, places and angles drawn) under about 280 000 points: noise of
σ 0.03 mm along each axis, 5 % dropouts, 2 % flying points. The forms of its top take turns (flat,
dome, twist, wave of 40 mm), and so does the wall that is seen of its bores (the full turn, 200°).
"""

import argparse
import json
import sys
import time
from collections import defaultdict

import numpy as np
from featured_part import (
    FORMS,
    featured_features,
    featured_mesh,
    featured_zones,
    simulate,
)

from inspection_cell.surface.deviation import DeviationField
from inspection_cell.surface.features.measure import FeatureMeter

FIRST_SEED = 83_000
TURNS_DEG = (360.0, 200.0)


def main() -> None:
    """Measure, print the table, and one line of JSON at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seeds', type=int, default=60)
    parser.add_argument('--json', action='store_true', help='print the line of JSON alone')
    options = parser.parse_args()
    rows: dict[str, list[tuple[float, float]]] = defaultdict(list)
    seconds, points, reasons = [], [], []
    reference = featured_mesh()
    field = DeviationField(reference)
    meter = FeatureMeter(featured_features(), featured_zones(reference), reference)
    forms = list(FORMS)
    for index in range(options.seeds):
        form, turn_deg = forms[index % len(forms)], TURNS_DEG[index // len(forms) % 2]
        scan = simulate(FIRST_SEED + index, form, seen_deg=turn_deg)
        outward = field.measure(scan.points).outward
        begin = time.perf_counter()
        measured = meter.measure(scan.points, outward)
        seconds.append(time.perf_counter() - begin)
        points.append(len(scan.points))
        for found in measured:
            if found.reason:
                reasons.append(str(found))
                continue
            kind = form if found.kind == 'flatness' else f'{turn_deg:.0f} deg'
            plain = found.name in {'step_height', 'slant_angle'}
            row = found.name if plain else f'{found.name}, {kind}'
            rows[row].append((found.value - scan.truth[found.name], found.uncertainty))
    summary = {name: _summary(values) for name, values in rows.items()}
    if not options.json:
        _print_table(summary, reasons)
    milliseconds = 1e3 * np.array(seconds)
    sys.stdout.write(
        json.dumps(
            {
                'seeds': options.seeds,
                'points': int(np.median(points)),
                'not_measured': len(reasons),
                'measure_ms': {
                    'p50': round(float(np.median(milliseconds)), 1),
                    'p95': round(float(np.quantile(milliseconds, 0.95)), 1),
                },
                'features': summary,
            }
        )
        + '\n'
    )


def _summary(values: list[tuple[float, float]]) -> dict[str, float]:
    """Errors in µm or 0.001 degrees."""
    errors, uncertainties = np.array(values).T
    return {
        'count': len(values),
        'bias': round(1e3 * float(errors.mean()), 2),
        'worst': round(1e3 * float(np.abs(errors).max()), 2),
        'uncertainty': round(1e3 * float(np.median(uncertainties)), 2),
        'covered': round(float((np.abs(errors) <= uncertainties).mean()), 3),
    }


def _print_table(summary: dict[str, dict[str, float]], reasons: list[str]) -> None:
    _line(f'{"feature (µm, 0.001°)":32}{"seeds":>7}{"bias":>9}{"worst":>9}{"U":>9}{"covered":>9}')
    for name in sorted(summary):
        row = summary[name]
        _line(
            f'{name:32}{row["count"]:7}{row["bias"]:9.2f}{row["worst"]:9.2f}'
            f'{row["uncertainty"]:9.2f}{row["covered"]:9.0%}'
        )
    for reason in reasons:
        _line(reason)


def _line(text: str) -> None:
    sys.stdout.write(f'{text}\n')


if __name__ == '__main__':
    main()

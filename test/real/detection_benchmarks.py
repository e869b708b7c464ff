"""Train from scratch on public data sets and measure: the figures that the README gives.

    python test/real/detection_benchmarks.py neu_det       DATA/neu_det       OUT
    python test/real/detection_benchmarks.py deeppcb       DATA/deeppcb       OUT
    python test/real/detection_benchmarks.py magnetic_tile DATA/magnetic_tile OUT

DATA holds each set in YOLO layout (`<split>/images`, `<split>/labels`, `classes.txt`). A set is
trained in at most `--max-hours` (here: 1.55, on two cores), the five folds of the magnetic tiles
together; fewer hours give fewer epochs with a schedule that fits them.
Models go to OUT/<set>, pictures and `evaluation.json` to OUT/<set>/report. `--resume` goes on
with a training that was interrupted.

- NEU-DET: Song and Yan, Northeastern University surface defect database.
- DeepPCB: Tang et al., https://github.com/tangsanli5201/DeepPCB, MIT.
- Magnetic tile: Huang et al., "Saliency of magnetic tile surface defects".
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import mean, stdev

FOLDS = 5
HOURS = 1.55
COMMON = (
    *('--augmentation', 'surfaces', '--optimizer', 'AdamW', '--seed', '0'),
    # From so few images the NMS-free head learns less: 0.58 against 0.66 in the middle of NEU-DET.
    *('--head', 'nms'),
)
# Small batches: from scratch the number of steps is what lacks.
TRAINING = {
    'neu_det': ('--image-size', '224', '--epochs', '260', '--batch', '8', '--set', 'lr0=0.0015'),
    'deeppcb': ('--image-size', '448', '--epochs', '160', '--batch', '4', '--set', 'lr0=0.001'),
    'magnetic_tile': (
        *('--image-size', '320', '--epochs', '100', '--batch', '4', '--set', 'lr0=0.001'),
        *('--folds', str(FOLDS), '--paste', '1000'),  # 35 to 69 images of each defect are few
    ),
}


def command(*words: str) -> dict[str, object]:
    """Run `inspection_cell`; its last line of output is one JSON object."""
    words = (sys.executable, '-c', 'from inspection_cell.cli import main; main()', *words)
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def evaluated(model: Path, data: Path, split: str) -> dict[str, object]:
    """Measure one model, with pictures, and keep the figures beside them."""
    report = model / 'report'
    places = ('--model', str(model), '--data', str(data), '--report', str(report))
    found = command('evaluate', *places, '--split', split, '--json')
    (report / 'evaluation.json').write_text(json.dumps(found, indent=1))
    return found


def main() -> None:
    """Train, measure and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('name', choices=sorted(TRAINING))
    parser.add_argument('data', type=Path)
    parser.add_argument('out', type=Path)
    parser.add_argument('--resume', action='store_true')
    parser.add_argument('--max-hours', type=float, default=HOURS)
    given = parser.parse_args()
    folded = '--folds' in TRAINING[given.name]
    each = given.max_hours / (FOLDS if folded else 1)
    place = given.out / given.name
    words = ('--data', str(given.data), '--out', str(place), '--name', given.name)
    words += ('--max-hours', f'{each:.3f}')
    again = ('--resume',) if given.resume else ()
    command('train', *words, *TRAINING[given.name], *COMMON, *again, '--json')
    models = [place / f'fold_{index}' for index in range(FOLDS)] if folded else [place]
    found = [evaluated(model, given.data, 'fold' if folded else 'val') for model in models]
    map50 = [float(one['map50']) for one in found]
    alarms = [one['false_alarms_per_defect_free_image'] for one in found]
    clean = [float(value) for value in alarms if value is not None]
    result = {
        'map50': mean(map50),
        'map50_sd': stdev(map50) if len(map50) > 1 else None,
        'map50_95': mean(float(one['map50_95']) for one in found),
        'false_alarms_per_defect_free_image': mean(clean) if clean else None,
    }
    sys.stdout.write(json.dumps(result) + '\n')


if __name__ == '__main__':
    main()

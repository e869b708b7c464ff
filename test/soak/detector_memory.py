"""Memory of a detector over many images: run by hand, prints the resident size as it goes.

    python test/soak/detector_memory.py MODEL_FOLDER [--images 10000] [--size 1280x960]

Images of several sizes come in calls of one to four, as from a cell with different cameras. Exit
status 1 when the resident size grew by more than 5 % after the first tenth.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from inspection_cell.models import load_model_folder
from inspection_cell.observations import Image
from inspection_cell.views.detectors import choose, load_detector

GROWTH = 1.05


def resident_mb() -> float:
    """Resident size of this process."""
    lines = Path('/proc/self/status').read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith('VmRSS')) / 1024


def say(line: str) -> None:
    """A line on stdout, at once."""
    sys.stdout.write(line + '\n')
    sys.stdout.flush()


def main() -> int:
    """Detect, print and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('model', type=Path)
    parser.add_argument('--images', type=int, default=10_000)
    parser.add_argument('--size', default='1280x960', help='of the largest camera, pixels')
    options = parser.parse_args()
    width, height = map(int, options.size.split('x'))
    folder = load_model_folder(options.model)
    detector = load_detector(folder)
    say(f'{detector.backend}: {choose(folder).why}')
    generator = np.random.default_rng(0)
    shapes = [(height, width, 3), (height // 2, width // 2), (height, width // 2, 3)]
    pictures = [Image(generator.integers(0, 255, shape, dtype=np.uint8)) for shape in shapes]
    marks = sorted({1, *(options.images * tenth // 10 for tenth in range(1, 11))})
    done, sizes_mb = 0, []
    while done < options.images:
        call = [
            pictures[n] for n in generator.integers(0, len(pictures), generator.integers(1, 5))
        ]
        detector.detect(call)
        done += len(call)
        while marks and done >= marks[0]:
            sizes_mb.append(resident_mb())
            say(f'{marks.pop(0):6d} images: {sizes_mb[-1]:.1f} MB')
    grown = max(sizes_mb[2:]) / sizes_mb[1]
    say(f'after the first tenth: {100 * (grown - 1):+.1f} %')
    return int(grown > GROWTH)


if __name__ == '__main__':
    sys.exit(main())

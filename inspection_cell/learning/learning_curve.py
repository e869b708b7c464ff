"""How a training went, epoch by epoch: from the trainer's table to a picture."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from inspection_cell.errors import DataError

MAP50, MAP50_95 = 'metrics/mAP50(B)', 'metrics/mAP50-95(B)'


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """Values after each epoch.

    Attributes:
        map50: on the held out images.
        map50_95: on the held out images.
        losses: of the training, by name.
    """

    map50: tuple[float, ...]
    map50_95: tuple[float, ...]
    losses: Mapping[str, tuple[float, ...]]

    @property
    def epochs(self) -> int:
        """How many there were."""
        return len(self.map50)

    @property
    def best_epoch(self) -> int:
        """The one with the best mAP50-95, whose weights are kept; the first one is 1."""
        return max(range(self.epochs), key=lambda index: self.map50_95[index]) + 1


def read_curve(results: Path) -> LearningCurve:
    """Read the trainer's `results.csv`; raises DataError for a table without epochs."""
    with results.open(encoding='utf-8', newline='') as file:
        rows = [{key.strip(): value for key, value in row.items()} for row in csv.DictReader(file)]
    if not rows or MAP50 not in rows[0]:
        raise DataError(f'{results}: expected a table with the column {MAP50}')
    columns = {
        key: tuple(float(row[key] or 0.0) for row in rows)
        for key in rows[0]
        if key in (MAP50, MAP50_95) or key.startswith('train/')
    }
    losses = {
        key.removeprefix('train/'): values
        for key, values in columns.items()
        if key.startswith('train/')
    }
    return LearningCurve(columns[MAP50], columns[MAP50_95], losses)


def draw_curve(curve: LearningCurve, title: str, file: Path) -> None:
    """Draw precision and losses over the epochs into a PNG."""
    figure = Figure(figsize=(9, 4), layout='constrained')
    left, right = figure.subplots(1, 2)
    epochs = range(1, curve.epochs + 1)
    left.plot(epochs, curve.map50, label='mAP50', marker='.')
    left.plot(epochs, curve.map50_95, label='mAP50-95', marker='.')
    left.axvline(curve.best_epoch, color='grey', linestyle=':', label='best epoch, kept')
    left.set(title=title, xlabel='epoch', ylabel='on held out images', ylim=(0, 1))
    left.grid(alpha=0.3)
    left.legend(loc='lower right')
    for name, values in curve.losses.items():
        right.plot(epochs, values, label=name, marker='.')
    right.set(title='losses in training', xlabel='epoch', yscale='log')
    right.grid(alpha=0.3)
    right.legend()
    figure.savefig(file, dpi=110)

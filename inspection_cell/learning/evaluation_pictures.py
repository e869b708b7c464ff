"""Pictures of an evaluation: precision over recall, confusion matrix, reliability of scores."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from inspection_cell.learning.calibration import Bin, Fitted
from inspection_cell.learning.coco import RECALLS
from inspection_cell.learning.evaluation import Evaluation

DPI = 110
PR_CURVES, CONFUSION, RELIABILITY = 'pr_curves.png', 'confusion_matrix.png', 'reliability.png'


def draw_evaluation(evaluation: Evaluation, folder: Path) -> tuple[Path, ...]:
    """Draw precision-recall curves and the confusion matrix into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    _draw_curves(evaluation, folder / PR_CURVES)
    _draw_confusion(evaluation, folder / CONFUSION)
    return folder / PR_CURVES, folder / CONFUSION


def draw_reliability(fitted: Fitted, folder: Path) -> Path:
    """Draw the share of true detections over the score, before and after calibration."""
    folder.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(9, 4.4), layout='constrained')
    sides = (
        ('raw scores', fitted.bins_before, fitted.error_before),
        ('calibrated, not fitted on these', fitted.bins, fitted.error),
    )
    for axes, (name, bins, error) in zip(figure.subplots(1, 2), sides, strict=True):
        axes.plot([0, 1], [0, 1], color='grey', linestyle=':')
        axes.plot([b.score for b in bins], [b.hit_share for b in bins], marker='o')
        for one, up in _labelled(bins):
            axes.annotate(
                str(one.count),
                (one.score, one.hit_share),
                xytext=(0, 7 if up else -14),
                textcoords='offset points',
                fontsize=7,
                ha='center',
            )
        axes.set(
            title=f'{name}: error {error:.3f}',
            xlabel='score',
            ylabel='share of true detections',
            xlim=(0, 1),
            ylim=(0, 1.05),
        )
        axes.grid(alpha=0.3)
    figure.savefig(folder / RELIABILITY, dpi=DPI)
    return folder / RELIABILITY


def _labelled(bins: Sequence[Bin]) -> list[tuple[Bin, bool]]:
    return [(one, one.hit_share <= one.score) for one in bins]


def _draw_curves(evaluation: Evaluation, file: Path) -> None:
    figure = Figure(figsize=(7.5, 5), layout='constrained')
    axes = figure.subplots()
    for label, one in evaluation.per_class.items():
        if one.map50 is None:
            continue
        text = f'{label}: AP50 {one.map50:.3f}, {one.truths} true'
        (line,) = axes.plot(RECALLS, one.precisions, label=text)
        if one.recall is not None and one.precision is not None:
            axes.plot(one.recall, one.precision, 'o', color=line.get_color())
    axes.set(
        title=f'mAP50 {evaluation.map50:.3f}, mAP50-95 {evaluation.map50_95:.3f}, '
        f'{evaluation.images} images (dots: at the thresholds)',
        xlabel='recall',
        ylabel='precision at 50 % overlap',
        xlim=(0, 1.01),
        ylim=(0, 1.05),
    )
    axes.grid(alpha=0.3)
    axes.legend(loc='lower left', fontsize=8)
    figure.savefig(file, dpi=DPI)


def _draw_confusion(evaluation: Evaluation, file: Path) -> None:
    counts = evaluation.confusion
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    labels = list(evaluation.per_class)
    size = 2.5 + 0.75 * len(counts)
    figure = Figure(figsize=(size + 1, size), layout='constrained')
    axes = figure.subplots()
    axes.imshow(shares, cmap='Blues', vmin=0, vmax=1)
    for row, column in np.argwhere(counts > 0):
        colour = 'white' if shares[row, column] > 0.6 else 'black'
        axes.text(column, row, counts[row, column], ha='center', va='center', color=colour)
    places = range(len(counts))
    axes.set_xticks(places, [*labels, 'nothing'], rotation=45, ha='right')
    axes.set_yticks(places, [*labels, 'nothing'])
    axes.set(title='at the thresholds', xlabel='found', ylabel='really there')
    figure.savefig(file, dpi=DPI)

"""Which of the reference's samples a scan shows."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from inspection_cell.reference import ReferenceMesh
from inspection_cell.surface.candidates import MIN_SUPPORT, search_radius_m
from inspection_cell.surface.cubes import Cubes
from inspection_cell.surface.deviation import Deviations

SPACINGS = 1.5  # a sample is seen where a point lies this near
LEAST_M = 0.5e-3
_SAME_SIDE = 0.5  # cosine: a sample on the far side of a thin wall is not seen
_WIDER = 1.1  # steps in which cubes become wider, so that they need not be sorted for every scan
_ITSELF_FIRST = sorted(np.ndindex(3, 3, 3), key=lambda step: sum(abs(s - 1) for s in step))


@dataclass(frozen=True, slots=True)
class SampleCubes:
    """The small cubes around a reference's samples, numbered.

    Attributes:
        cubes: over all samples, as wide as points may lie from them.
        number_of: (cubes,) of each cube; 0 for those without a sample near.
        around: (27, M) numbers of the cubes around each sample, its own first.
    """

    cubes: Cubes
    number_of: NDArray[np.int32]
    around: NDArray[np.int32]


def seen_samples(
    deviations: Deviations, reference: ReferenceMesh, spacing_m: float
) -> NDArray[np.bool_]:
    """(M,) samples with a point of the same side near them.

    Points are sorted into cubes about as wide as the reach; one point speaks for its cube, and a
    sample asks the cubes around it.

    Args:
        deviations: of a registered scan.
        reference: with the samples.
        spacing_m: typical distance between neighbouring points.
    """
    reach_m = max(SPACINGS * spacing_m, LEAST_M)
    side_m = LEAST_M * _WIDER ** float(np.ceil(np.log(reach_m / LEAST_M) / np.log(_WIDER)))
    prepared = _sample_cubes(reference, side_m)
    numbers = prepared.number_of.take(prepared.cubes.ids(deviations.points), mode='wrap')
    counts = np.bincount(numbers, minlength=int(prepared.around.max()) + 1)
    speaker = np.full(len(counts), -1, dtype=np.int32)
    speaker[numbers] = np.arange(len(numbers), dtype=np.int32)
    counts[0], speaker[0] = 0, -1
    seen = np.zeros(len(reference.samples), dtype=np.bool_)
    left = np.flatnonzero(counts[prepared.around].sum(axis=0) >= _needed(side_m, spacing_m))
    for numbers in prepared.around:
        rows = speaker[numbers[left]]
        some, asked = left[rows >= 0], rows[rows >= 0]
        apart = deviations.points[asked] - reference.samples[some]
        near = np.einsum('ij,ij->i', apart, apart) <= reach_m**2
        same = np.einsum('ij,ij->i', deviations.outward[asked], reference.sample_normals[some])
        seen[some] = near & (same > _SAME_SIDE)
        left = left[~seen[left]]
    return seen


def _needed(side_m: float, spacing_m: float) -> float:
    """Points in the cubes around a place where a deviation would find enough neighbours.

    Sparse places, such as walls along the line of sight, show no defects: they are not seen.
    """
    return MIN_SUPPORT * 9 * side_m**2 / (np.pi * search_radius_m(spacing_m) ** 2)


@lru_cache(maxsize=4)
def _sample_cubes(reference: ReferenceMesh, side_m: float) -> SampleCubes:
    """The same for all scans with about the same spacing."""
    samples = reference.samples
    cubes = Cubes.around(samples.min(axis=0), samples.max(axis=0), side_m, rim=2)
    places = np.stack(np.unravel_index(cubes.ids(samples), cubes.shape))
    steps: NDArray[np.intp] = np.array(_ITSELF_FIRST).T - 1  # (3, 27)
    around = np.ravel_multi_index(tuple(places[:, None] + steps[:, :, None]), cubes.shape)
    known, numbers = np.unique(around, return_inverse=True)
    number_of = np.zeros(int(np.prod(cubes.shape)) + 1, dtype=np.int32)  # the last one: outside
    number_of[known] = np.arange(1, len(known) + 1)
    around = numbers.reshape(around.shape).astype(np.int32) + 1
    return SampleCubes(cubes, number_of, around)

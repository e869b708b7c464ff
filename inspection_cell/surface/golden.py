"""A reference learned from good parts: where the surface is usually, and how much it varies.

A point is judged by how far it lies from the usual deviation there, against the tolerance or the
variation of good parts, whichever is larger.
"""

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from inspection_cell.errors import DataError
from inspection_cell.geometry import Points
from inspection_cell.recipe import Recipe
from inspection_cell.reference import ReferenceMesh
from inspection_cell.surface.limits import Limits, PointLimits, limits_of
from inspection_cell.zones import SurfaceZone

SIGMAS = 3.0
_FORMAT = 1
_ARRAYS = ('format', 'vertices_m', 'mean_mm', 'sigma_mm', 'seen', 'scans', 'mesh_sha256')
_LEAST_MM = 1e-3  # a limit keeps its sign however the mean shifts it


@dataclass(frozen=True)
class GoldenReference:
    """Mean and spread of the signed deviation of good parts from their learned mesh.

    Attributes:
        vertices: (V, 3) of the learned mesh, part frame, metres.
        mean_mm: (V,) usual deviation; 0 where too few scans tell.
        sigma_mm: (V,) standard deviation between good parts; 0 where too few scans tell, so that
            the plain tolerance rules there.
        seen: (V,) how many scans showed the place.
        scans: how many it was learned from.
        mesh_sha256: of the mesh file that it belongs to.
    """

    vertices: Points
    mean_mm: NDArray[np.float64]
    sigma_mm: NDArray[np.float64]
    seen: NDArray[np.intp]
    scans: int
    mesh_sha256: str

    def __post_init__(self) -> None:
        """Refuse what no point could be judged by."""
        count = len(self.vertices)
        if count == 0 or self.vertices.shape != (count, 3):
            raise DataError(f'golden reference: vertices of shape {self.vertices.shape}')
        for name, values in (('mean_mm', self.mean_mm), ('sigma_mm', self.sigma_mm)):
            if values.shape != (count,) or not np.isfinite(values).all():
                raise DataError(f'golden reference: {name} must hold {count} finite numbers')
        if self.seen.shape != (count,) or (self.sigma_mm < 0).any():
            raise DataError('golden reference: seen must fit, sigma_mm must not be negative')

    def expected(
        self, points: NDArray[np.floating]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and sigma (N,) of the deviation at points (N, 3), part frame, metres."""
        nearest = self._tree.query(points)[1]
        return self.mean_mm[nearest], self.sigma_mm[nearest]

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self.vertices)

    def save(self, path: Path) -> None:
        """Write an `.npz`; raises DataError where it cannot be written."""
        try:
            with path.open('wb') as file:
                np.savez_compressed(
                    file,
                    format=_FORMAT,
                    vertices_m=self.vertices.astype(np.float32),
                    mean_mm=self.mean_mm.astype(np.float32),
                    sigma_mm=self.sigma_mm.astype(np.float32),
                    seen=self.seen.astype(np.int32),
                    scans=self.scans,
                    mesh_sha256=self.mesh_sha256,
                )
        except OSError as error:
            raise DataError(f'{path}: cannot be written: {error.strerror}') from error

    def belongs_to(self, reference: ReferenceMesh, path: Path) -> Self:
        """Itself; raises DataError when it was learned with another mesh."""
        if self.mesh_sha256 != reference.sha256:
            raise DataError(
                f'{path}: belongs to the mesh {self.mesh_sha256[:16]}, the reference is '
                f'{reference.sha256[:16]}; use the reference.ply that was learned with it'
            )
        return self


def load_golden(path: Path, reference: ReferenceMesh | None = None) -> GoldenReference:
    """Read what `learn-reference` wrote.

    Args:
        path: of `golden.npz`.
        reference: the loaded mesh that it must belong to; None: not checked.

    Raises:
        DataError: for a file that is missing, damaged, or of another mesh.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            values = {name: file[name] for name in _ARRAYS}
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        expected = 'expected golden.npz as learn-reference writes it'
        raise DataError(f'{path}: {expected}: {" ".join(str(error).split())}') from error
    if int(values['format']) != _FORMAT:
        raise DataError(f'{path}: format {values["format"]}, this version reads {_FORMAT}')
    golden = GoldenReference(
        values['vertices_m'].astype(np.float64),
        values['mean_mm'].astype(np.float64),
        values['sigma_mm'].astype(np.float64),
        values['seen'].astype(np.intp),
        int(values['scans']),
        str(values['mesh_sha256']),
    )
    return golden if reference is None else golden.belongs_to(reference, path)


@dataclass(frozen=True)
class GoldenLimits(Limits):
    """Limits that follow the usual deviation and are never tighter than good parts vary."""

    golden: GoldenReference | None = None
    sigmas: float = SIGMAS

    @cached_property
    def tightest_mm(self) -> tuple[float, float]:
        """The tightest lower and upper limit anywhere, the usual deviation included."""
        low, high = super().tightest_mm
        if self.golden is None:
            return low, high
        spread_mm = self.sigmas * self.golden.sigma_mm
        lows = np.minimum(low, -spread_mm) + self.golden.mean_mm
        highs = np.maximum(high, spread_mm) + self.golden.mean_mm
        return min(float(lows.max()), -_LEAST_MM), max(float(highs.min()), _LEAST_MM)

    def at(self, closest: Points, faces: NDArray[np.integer]) -> PointLimits:
        """Limits at points (N, 3) of the surface, each on a triangle (N,)."""
        plain = super().at(closest, faces)
        if self.golden is None:
            return plain
        mean_mm, sigma_mm = self.golden.expected(closest)
        spread_mm = self.sigmas * sigma_mm
        low = np.minimum(plain.low_mm, -spread_mm) + mean_mm
        high = np.maximum(plain.high_mm, spread_mm) + mean_mm
        return replace(
            plain, low_mm=np.minimum(low, -_LEAST_MM), high_mm=np.maximum(high, _LEAST_MM)
        )


def golden_limits(limits: Limits, golden: GoldenReference, sigmas: float = SIGMAS) -> GoldenLimits:
    """The same limits, widened where good parts vary by more."""
    plain = {one.name: getattr(limits, one.name) for one in fields(Limits)}
    return GoldenLimits(**plain, golden=golden, sigmas=sigmas)


def recipe_limits(
    recipe: Recipe, reference: ReferenceMesh, zones: Mapping[str, SurfaceZone]
) -> Limits:
    """What the recipe allows where, with the learned reference where it names one.

    Raises:
        DataError: for a recipe without the section `surface`, or a learned reference that is
            damaged or belongs to another mesh.
    """
    surface = recipe.file.surface
    if surface is None:
        raise DataError(f'{recipe.path}: expected the section `surface`, there is none')
    limits = limits_of(surface, zones)
    if surface.golden is None:
        return limits
    golden = load_golden(recipe.path.parent / surface.golden, reference)
    return golden_limits(limits, golden, surface.golden_sigmas)

"""A recipe folder to start from: made from a mesh and a cell, with what only people know marked.

Nothing is accepted by it: it demands that the whole surface has been seen, until somebody lowers
that to what the coverage preview shows.
"""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from inspection_cell.cell import Camera, Cell, Scanner
from inspection_cell.errors import DataError
from inspection_cell.models import load_model_folder
from inspection_cell.recipe_draft_text import Draft, recipe_text
from inspection_cell.reference import load_mesh

MeshUnits = Literal['mm', 'm']
RECIPE_FILE = 'recipe.yaml'
LEAST_MM = 3.0  # diagonal, in units of the file: from here on it is taken for millimetres
FILLS = 0.7  # of the image's smaller side, by the part's diagonal: a good distance
FAR = 4.0  # diagonals: the distance of a sensor whose field of view is not known
_DISTANCE_WEIGHT = 1e-3  # against the axes: it decides only where they do not cross


@dataclass(frozen=True, slots=True)
class Drafted:
    """What was written.

    Attributes:
        guess: how the units were found, in words; empty when they were given.
    """

    recipe: Path
    mesh: Path
    part_type: str
    units: MeshUnits
    guess: str
    extent_mm: tuple[float, float, float]
    position_mm: tuple[float, float, float]
    model: Path | None


def draft_recipe(
    mesh: Path,
    cell: Cell,
    folder: Path | None = None,
    *,
    units: MeshUnits | None = None,
    model: Path | None = None,
) -> Drafted:
    """Write `recipe.yaml` and a copy of the mesh.

    Args:
        mesh: of the part (ply, stl, obj).
        cell: whose sensors look at it.
        folder: to write to, new or empty; default: one named like the part type, here.
        units: of the mesh; default: guessed from its size.
        model: folder of the detector, for a cell with cameras.

    Raises:
        DataError: for a mesh that cannot be a reference, a folder that is not empty, and a cell
            without a sensor that looks at parts.
        ModelError: for a folder that holds no model.
    """
    if not any(sensor.nominal for sensor in cell.posed_sensors.values()):
        raise DataError(
            f'{cell.path}: expected a camera or a scanner that looks at the part, with a `pose`, '
            'or with `from_tf.nominal`'
        )
    part_type = part_type_of(mesh)
    folder = folder or Path(part_type)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f'{folder}: expected a new or empty folder for the recipe')
    known, guess = (units, '') if units else guessed_units(mesh)
    reference = load_mesh(mesh, known)
    low, high = reference.bounds_m
    middle_m = held_middle(cell, reference.diagonal_m)
    position_mm = 1e3 * (middle_m - (low + high) / 2.0)
    labels = load_model_folder(model).file.classes if model and cell.cameras else ()
    copy = _copied(mesh, folder, part_type)
    draft = Draft(
        part_type,
        copy.name,
        known,
        _triple(1e3 * (high - low)),
        _triple(position_mm),
        cell,
        _from(folder, model) if labels and model else '',
        tuple(labels),
    )
    recipe = folder / RECIPE_FILE
    recipe.write_text(recipe_text(draft), encoding='utf-8')
    return Drafted(
        recipe,
        copy,
        part_type,
        known,
        guess,
        draft.extent_mm,
        draft.position_mm,
        model if labels else None,
    )


def _copied(mesh: Path, folder: Path, part_type: str) -> Path:
    """The mesh beside the recipe, under the part type's name."""
    copy = folder / f'{part_type}{mesh.suffix.lower()}'
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(mesh, copy)
    except OSError as error:
        raise DataError(f'{folder}: cannot be written: {error.strerror}') from error
    return copy


def part_type_of(mesh: Path) -> str:
    """A name that a part type may have, from the mesh file's."""
    name = re.sub(r'[^a-z0-9]+', '_', mesh.stem.lower()).strip('_')
    return (name if name[:1].isalpha() else f'part_{name}')[:40].rstrip('_')


def guessed_units(mesh: Path) -> tuple[MeshUnits, str]:
    """The unit that gives a part of a size that robots hold, and the reason in words."""
    low, high = load_mesh(mesh, 'm').bounds_m  # in units of the file
    size = high - low
    units: MeshUnits = 'mm' if float(np.linalg.norm(size)) >= LEAST_MM else 'm'
    words = ' × '.join(f'{value:.3g}' for value in size)
    return units, f'{mesh.name} measures {words}: taken as {units}; --units says otherwise'


def held_middle(cell: Cell, diagonal_m: float) -> NDArray[np.float64]:
    """(3,) where the middle of a part belongs: nearest to all optical axes, cell frame, metres.

    Least squares over the distances from the axes. Along axes that do not cross, the distance
    decides at which a part of this diagonal fills most of the image, or the middle of the focus.
    """
    normal, target = np.zeros((3, 3)), np.zeros(3)
    for sensor in cell.posed_sensors.values():
        if sensor.nominal is None:
            continue  # only TF knows where it is
        pose = sensor.nominal.transform()
        eye, axis = pose[:3, 3], pose[:3, 2]
        along = np.outer(axis, axis)
        weights = np.eye(3) - along + _DISTANCE_WEIGHT * along
        normal += weights
        target += weights @ (eye + _distance_m(sensor, diagonal_m) * axis)
    return np.asarray(np.linalg.solve(normal, target), dtype=np.float64)


def _distance_m(sensor: Camera | Scanner, diagonal_m: float) -> float:
    focus = sensor.focus_mm if isinstance(sensor, Camera) else None
    if focus is not None:
        return (focus[0] + focus[1]) / 2000.0
    if sensor.intrinsics is None:
        return FAR * diagonal_m
    size_px = min(sensor.intrinsics.width, sensor.intrinsics.height)
    return diagonal_m * sensor.intrinsics.fx / (FILLS * size_px)


def _triple(values_mm: NDArray[np.floating]) -> tuple[float, float, float]:
    x, y, z = (round(float(value), 1) + 0.0 for value in values_mm)
    return x, y, z


def _from(folder: Path, model: Path) -> str:
    """The model as the recipe names it: relative where both lie in one place, else absolute."""
    model = model.resolve()
    if folder.resolve().parent.parent in model.parents:
        return os.path.relpath(model, folder.resolve())
    return str(model)

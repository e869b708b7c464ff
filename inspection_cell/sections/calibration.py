"""A camera's calibration as ROS's camera_calibration writes it (`cameracalibrator`).

The format of camera_calibration_parsers: size, `camera_matrix` (K), distortion model and
coefficients (D), rectification and projection (R and P, not used: images come unrectified).
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from inspection_cell.errors import ConfigError, Problem
from inspection_cell.geometry import DISTORTION_MODELS, Intrinsics
from inspection_cell.schema import load_yaml

Pixels = Annotated[int, Field(ge=1, le=20_000)]
CAMERA_MATRIX = 'expected fx 0 cx 0 fy cy 0 0 1 with fx and fy above 0, pixels'


class _Foreign(BaseModel):
    """Keys that are not needed here may stand."""

    model_config = ConfigDict(extra='ignore', frozen=True, allow_inf_nan=False)


class _Matrix(_Foreign):
    rows: int | None = None
    cols: int | None = None
    data: tuple[float, ...]

    @model_validator(mode='after')
    def _complete(self) -> Self:
        rows, cols = self.rows, self.cols
        if rows is not None and cols is not None and rows * cols != len(self.data):
            raise ValueError(f'expected {rows}×{cols} numbers in data, got {len(self.data)}')
        return self


class _Calibration(_Foreign):
    image_width: Pixels
    image_height: Pixels
    camera_matrix: _Matrix
    distortion_model: str = 'plumb_bob'
    distortion_coefficients: _Matrix = Field(default=_Matrix(data=()), validate_default=True)
    rectification_matrix: _Matrix | None = None
    projection_matrix: _Matrix | None = None

    @field_validator('camera_matrix')
    @classmethod
    def _pinhole(cls, matrix: _Matrix) -> _Matrix:
        _sized(matrix, 3, 3)
        fx, *between, fy, _, zero, bottom, one = (matrix.data[i] for i in (0, 1, 3, 4, 5, 6, 7, 8))
        if not (fx > 0 and fy > 0) or any([*between, zero, bottom]) or one != 1:
            raise ValueError(CAMERA_MATRIX)
        return matrix

    @field_validator('distortion_model')
    @classmethod
    def _known(cls, model: str) -> str:
        if model not in DISTORTION_MODELS:
            raise ValueError(f'expected one of {", ".join(DISTORTION_MODELS)}')
        return model

    @field_validator('distortion_coefficients')
    @classmethod
    def _fitting(cls, matrix: _Matrix, info: ValidationInfo) -> _Matrix:
        model = info.data.get('distortion_model')
        counts = DISTORTION_MODELS.get(model or '', (len(matrix.data),))
        if len(matrix.data) not in counts:
            allowed = ' or '.join(map(str, counts))
            raise ValueError(f'{model} has {allowed} coefficients, got {len(matrix.data)}')
        return matrix

    @field_validator('rectification_matrix')
    @classmethod
    def _square(cls, matrix: _Matrix | None) -> _Matrix | None:
        return matrix and _sized(matrix, 3, 3)

    @field_validator('projection_matrix')
    @classmethod
    def _projecting(cls, matrix: _Matrix | None) -> _Matrix | None:
        return matrix and _sized(matrix, 3, 4)


def read_calibration(path: Path) -> tuple[Intrinsics, str]:
    """Read and check a calibration file.

    Returns:
        The camera's geometry and the sha256 of the file's bytes.

    Raises:
        ConfigError: with every problem of the file.
    """
    file, sha256 = load_yaml(path, _Calibration)
    fx, _, cx, _, fy, cy = file.camera_matrix.data[:6]
    camera = Intrinsics(
        file.image_width,
        file.image_height,
        fx=fx,
        fy=fy,
        cx=cx,
        cy=cy,
        distortion_model=file.distortion_model,
        distortion=file.distortion_coefficients.data,
    )
    return camera, sha256


def read_calibrations(
    cell: Path, cell_sha256: str, files: Mapping[str, str]
) -> tuple[dict[str, Intrinsics], str]:
    """Read the calibration files that a `cell.yaml` names.

    Args:
        cell: the `cell.yaml`; the files are relative to its folder.
        cell_sha256: of its bytes.
        files: by camera.

    Returns:
        The geometry of each camera, and one sha256 of the cell and all these files.

    Raises:
        ConfigError: with every problem of all files.
    """
    known, hashes, problems = {}, [cell_sha256], []
    for name, file in files.items():
        try:
            known[name], sha256 = read_calibration(cell.parent / file)
        except ConfigError as error:
            key = f'sensors.{name}.calibration_file'
            problems += [
                Problem(key, f'{error.file}: {one.key}: {one.value}', one.allowed)
                for one in error.problems
            ]
        else:
            hashes.append(sha256)
    if problems:
        raise ConfigError(cell, problems)
    return known, hashlib.sha256(' '.join(hashes).encode()).hexdigest()


def _sized(matrix: _Matrix, rows: int, cols: int) -> _Matrix:
    shape = matrix.rows or rows, matrix.cols or cols
    if shape != (rows, cols) or len(matrix.data) != rows * cols:
        got = f'{shape[0]}×{shape[1]} with {len(matrix.data)}'
        raise ValueError(f'expected {rows}×{cols} numbers in data, got {got}')
    return matrix

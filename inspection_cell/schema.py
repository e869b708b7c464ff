"""What `cell.yaml` and `recipe.yaml` share: the strict model, poses, and loading.

Every field carries a description and a unit, so that the exported JSON schema is documentation.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from inspection_cell.errors import ConfigError, Problem
from inspection_cell.geometry import Transform, from_quaternion, from_rpy, look_at

Name = Annotated[str, Field(pattern=r'^[a-z][a-z0-9_]{0,39}$')]
Vector = tuple[float, float, float]
Share = Annotated[float, Field(ge=0.0, le=1.0)]

# Not finite ones are refused with their key, by StrictModel.
PLAIN_NUMBER = re.compile(
    r'[-+]?((0|[1-9]\d*)?(\.\d*)?([eE][-+]?\d+)?|\.(inf|nan))', re.IGNORECASE
)
M = TypeVar('M', bound=BaseModel)


class StrictModel(BaseModel):
    """Immutable; unknown keys and non-finite numbers are refused."""

    model_config = ConfigDict(
        extra='forbid', frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Pose(StrictModel):
    """A pose in the cell frame: a position and exactly one kind of orientation."""

    position_mm: Vector
    """Origin in the cell frame, mm."""
    rpy_deg: Vector | None = None
    """Fixed-axis roll, pitch, yaw (REP 103), degrees."""
    quaternion_xyzw: tuple[float, float, float, float] | None = None
    """Unit quaternion x, y, z, w."""
    look_at_mm: Vector | None = None
    """For sensors: the point in the cell that the optical axis passes through, mm."""

    @model_validator(mode='after')
    def _one_orientation(self) -> Self:
        given = [self.rpy_deg, self.quaternion_xyzw, self.look_at_mm]
        if sum(value is not None for value in given) != 1:
            raise ValueError('give exactly one of rpy_deg, quaternion_xyzw, look_at_mm')
        if self.quaternion_xyzw is not None:
            norm = sum(value * value for value in self.quaternion_xyzw) ** 0.5
            if abs(norm - 1.0) > 1e-3:
                raise ValueError(f'quaternion_xyzw must have length 1, has {norm:.4f}')
        if self.look_at_mm is not None and self.look_at_mm == self.position_mm:
            raise ValueError('look_at_mm must differ from position_mm')
        return self

    def transform(self) -> Transform:
        """This pose as `transform_x_to_cell`, metres."""
        position_m = [value / 1000.0 for value in self.position_mm]
        if self.look_at_mm is not None:
            return look_at(position_m, [value / 1000.0 for value in self.look_at_mm])
        if self.quaternion_xyzw is not None:
            return from_quaternion(position_m, self.quaternion_xyzw)
        radians = [value * 3.141592653589793 / 180.0 for value in self.rpy_deg or (0.0,) * 3]
        return from_rpy(position_m, radians)


def load_yaml(path: Path, model: type[M]) -> tuple[M, str]:
    """Read and check a YAML file.

    Returns:
        The checked model and the sha256 of the file's bytes.

    Raises:
        ConfigError: with every problem of the file.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(path, [Problem('(file)', error.strerror or '', 'readable')]) from error
    try:
        values = yaml.load(content, Loader=_UniqueKeys)
        plain = json.dumps(values)
    except (yaml.YAMLError, ValueError, LookupError, TypeError, RecursionError) as error:
        text = ' '.join(str(error).split())
        raise ConfigError(path, [Problem('(file)', text, 'valid YAML')]) from error
    if not isinstance(values, dict):
        raise ConfigError(path, [Problem('(file)', type(values).__name__, 'a mapping of keys')])
    try:
        # Strict: `yes` is no number and '5' neither. From JSON, where a list is a tuple too.
        checked = model.model_validate_json(plain, strict=True)
    except ValidationError as error:
        raise ConfigError(path, [_problem(dict(entry)) for entry in error.errors()]) from error
    return checked, hashlib.sha256(content).hexdigest()


def _problem(entry: dict[str, Any]) -> Problem:
    key = '.'.join(str(part) for part in entry['loc']) or '(file)'
    if entry['type'] == 'missing':
        return Problem(key, 'missing', 'required')
    value = repr(entry['input'])
    shown = value if len(value) <= 60 else value[:57] + '...'
    if entry['type'] == 'extra_forbidden':
        return Problem(key, shown, 'unknown key; see the JSON schema for known ones')
    return Problem(key, shown, str(entry['msg']).removeprefix('Value error, '))


class _UniqueKeys(yaml.SafeLoader):
    """A SafeLoader that refuses a key given twice, which YAML would silently overwrite."""


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [
        loader.construct_object(key, deep=True)
        for key, _ in node.value
        if key.tag != 'tag:yaml.org,2002:merge'
    ]
    mapping = loader.construct_mapping(node, deep=True)  # refuses keys that are lists or mappings
    twice = {key for key in keys if keys.count(key) > 1}
    if twice:
        raise yaml.constructor.ConstructorError(
            None, None, f'key {sorted(map(str, twice))[0]!r} is given twice', node.start_mark
        )
    for key in mapping:
        if not isinstance(key, str):
            raise yaml.constructor.ConstructorError(
                None, None, f'key {key!r} must be text; put it in quotes', node.start_mark
            )
    return mapping


def _plain_number(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    """YAML 1.1 reads 010 as 8, 1:30 as 90 and 1_0 as 10: nobody means that in a recipe."""
    if not PLAIN_NUMBER.fullmatch(node.value):
        raise yaml.constructor.ConstructorError(
            None, None, f'{node.value}: expected a plain decimal number', node.start_mark
        )
    if node.tag.endswith(':int'):
        return int(loader.construct_yaml_int(node))
    return float(loader.construct_yaml_float(node))


for _kind in ('int', 'float'):
    _UniqueKeys.add_constructor(f'tag:yaml.org,2002:{_kind}', _plain_number)
_UniqueKeys.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)

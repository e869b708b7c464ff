"""Verdicts as JSON and back, exactly: floats keep every bit, arrays their shape."""

import dataclasses
import json
from enum import IntEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from inspection_cell.errors import DataError
from inspection_cell.findings import Coverage, Defect, Finding, Verdict, ViewFindings

FORMAT = 1
Json = dict[str, Any] | list[Any] | str | float | bool | None
# Keys that came after 0.1.0, with what they mean in its records.
ADDED: dict[type, dict[str, Json]] = {
    Verdict: {'model_hash': '', 'bad_probability': 0.0, 'contributions': []},
    Finding: {'not_judged': '', 'shots': []},
    ViewFindings: {'transform_sensor_to_cell': None},
    Defect: {'position_sigma_mm': 0.0, 'contributions': [], 'reach_mm': 0.0},
    Coverage: {'zones': []},
}

T = TypeVar('T')


def verdict_to_json(verdict: Verdict) -> str:
    """The whole verdict with its views and findings as one line of JSON."""
    content = {'format': FORMAT, **cast('dict[str, Json]', _encoded(verdict))}
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(',', ':'))


def verdict_from_json(text: str) -> Verdict:
    """The verdict that `verdict_to_json` wrote.

    Raises:
        DataError: for anything else: no JSON, another format, keys missing or unknown.
    """
    try:
        content = json.loads(text)
    except ValueError as error:
        raise DataError(f'verdict: expected JSON: {error}') from error
    if not isinstance(content, dict) or content.pop('format', None) != FORMAT:
        raise DataError(f'verdict: expected a mapping with format {FORMAT}')
    return cast('Verdict', _decoded(Verdict, content, 'verdict'))


def _encoded(value: object) -> Json:
    if isinstance(value, IntEnum):
        return value.name
    if isinstance(value, np.ndarray):
        return _encoded_array(value)
    if isinstance(value, tuple):
        return [_encoded(entry) for entry in value]
    if dataclasses.is_dataclass(value):
        return {f.name: _encoded(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return cast('Json', value)


def _encoded_array(array: NDArray[Any]) -> Json:
    if array.dtype == np.bool_:
        return {'count': len(array), 'packed': np.packbits(array).tobytes().hex()}
    return cast('Json', array.tolist())


def _decoded(kind: object, value: Json, where: str) -> object:
    """`value` as the annotated type `kind`; raises DataError that names the place."""
    try:
        return _decoded_as(kind, value, where)
    except (TypeError, ValueError, KeyError) as error:
        raise DataError(f'{where}: expected {kind}, got {value!r:.80}: {error}') from error


def _decoded_as(kind: object, value: Json, where: str) -> object:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        (own,) = (option for option in arguments if option is not NoneType)
        return None if value is None else _decoded(own, value, where)
    if origin is tuple:
        items = enumerate(_expected(list, value))
        return tuple(_decoded(arguments[0], item, f'{where}[{i}]') for i, item in items)
    if origin is np.ndarray:
        return _decoded_array(value)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _decoded_dataclass(kind, value, where)
    if isinstance(kind, type) and issubclass(kind, IntEnum):
        return kind[_expected(str, value)]
    if kind is float and type(value) is int:
        return float(value)
    return _expected(cast('type[object]', kind), value)


def _expected(kind: type[T], value: Json) -> T:
    if type(value) is not kind:
        raise TypeError(f'a {type(value).__name__}')
    return value


def _decoded_array(value: Json) -> NDArray[np.bool_] | NDArray[np.float64]:
    if isinstance(value, dict):
        packed = np.frombuffer(bytes.fromhex(value['packed']), dtype=np.uint8)
        return np.unpackbits(packed, count=value['count']).astype(np.bool_)
    return np.array(value, dtype=np.float64)


def _decoded_dataclass(kind: type, value: Json, where: str) -> object:
    hints = _hints(kind)
    if isinstance(value, dict):
        value = {**ADDED.get(kind, {}), **value}
    if not isinstance(value, dict) or value.keys() != hints.keys():
        keys = sorted(value) if isinstance(value, dict) else type(value).__name__
        raise DataError(f'{where}: expected the keys {sorted(hints)}, got {keys}')
    decoded = {name: _decoded(hints[name], value[name], f'{where}.{name}') for name in hints}
    return cast('object', kind(**decoded))


@cache
def _hints(kind: type) -> dict[str, object]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}

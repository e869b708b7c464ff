"""`inspection_cell check`: every problem of configuration files, and their JSON schemas."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from inspection_cell.cell import Cell, CellFile, load_cell
from inspection_cell.errors import DataError, InspectionCellError
from inspection_cell.feature_places import check_features, check_seen
from inspection_cell.models import MODEL_FILE, check_model_fits, find_model, load_model_folder
from inspection_cell.recipe import Recipe, RecipeFile, check_coverable, check_fit, load_recipe
from inspection_cell.reference import load_reference
from inspection_cell.schema import StrictModel
from inspection_cell.zones import resolve_zones

SCHEMAS: dict[str, type[StrictModel]] = {'cell': CellFile, 'recipe': RecipeFile}
DIALECT = 'https://json-schema.org/draft/2020-12/schema'


@dataclass(frozen=True, slots=True)
class Checked:
    """One file: what it is, in words, and everything that is wrong with it."""

    path: Path
    content: str
    problems: tuple[str, ...]


def check_files(paths: Sequence[Path]) -> tuple[Checked, ...]:
    """Check each file by itself, then every recipe against every cell that was named."""
    cells: list[Cell] = []
    recipes: list[Recipe] = []
    checked = [_check(path, cells, recipes) for path in paths]
    for recipe in recipes:
        problems = [text for cell in cells if (text := _refusal(_check_together, recipe, cell))]
        if problems:
            checked.append(Checked(recipe.path, 'recipe with cell', tuple(problems)))
    return tuple(checked)


def write_schemas(folder: Path) -> tuple[Path, ...]:
    """Write `<name>.schema.json` of every file format, for editors."""
    paths = tuple(folder / f'{name}.schema.json' for name in SCHEMAS)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, (name, model) in zip(paths, SCHEMAS.items(), strict=True):
            path.write_text(schema_text(model, name), encoding='utf-8')
    except OSError as error:
        raise DataError(f'{folder}: the schemas cannot be written: {error.strerror}') from error
    return paths


def schema_text(model: type[StrictModel], name: str) -> str:
    """The JSON schema of one file format."""
    schema = {'$schema': DIALECT, '$id': f'{name}.schema.json', **model.model_json_schema()}
    return json.dumps(schema, indent=2, ensure_ascii=False) + '\n'


def _check(path: Path, cells: list[Cell], recipes: list[Recipe]) -> Checked:
    kind = _kind(path)
    try:
        if kind == 'model':
            folder = load_model_folder(path.parent)
            return Checked(path, f'model {folder.file.name}', ())
        if kind == 'cell':
            cell = load_cell(path)
            cells.append(cell)
            return Checked(path, f'cell {cell.file.name} with {", ".join(cell.sensors)}', ())
        recipe = load_recipe(path)
    except InspectionCellError as error:
        return Checked(path, kind, tuple(str(error).splitlines()))
    recipes.append(recipe)
    return Checked(path, f'recipe of {recipe.part_type}', tuple(_beside_recipe(recipe)))


def _beside_recipe(recipe: Recipe) -> list[str]:
    """What is wrong with the mesh, the zones on it and the model that a recipe names."""
    problems = _refusal(_check_zones, recipe).splitlines()
    if recipe.file.detection is not None:
        problems.append(_refusal(_check_model, recipe))
    return [problem for problem in problems if problem]


def _check_zones(recipe: Recipe) -> None:
    reference = load_reference(recipe)
    if reference is not None:
        resolve_zones(recipe, reference)
        check_features(recipe, reference)


def _check_together(recipe: Recipe, cell: Cell) -> None:
    check_fit(recipe, cell)
    check_coverable(recipe, cell)
    reference = load_reference(recipe)
    if reference is not None:
        check_seen(recipe, reference, cell)


def _check_model(recipe: Recipe) -> None:
    check_model_fits(recipe, load_model_folder(find_model(recipe)))


def _refusal(check: Callable[..., object], *values: object) -> str:
    try:
        check(*values)
    except InspectionCellError as error:
        return str(error)
    return ''


def _kind(path: Path) -> str:
    """Which format a file means to be, by its keys, else by its name."""
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, yaml.YAMLError, ValueError, LookupError, TypeError, RecursionError):
        content = None
    keys = set(content) if isinstance(content, dict) else set()
    if path.name == MODEL_FILE or 'weights_sha256' in keys:
        return 'model'
    if keys & {'presentations', 'part_type'} or (not keys and path.stem == 'recipe'):
        return 'recipe'
    return 'cell'

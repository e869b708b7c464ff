"""The report of a compared scan: a turnable page, or a picture."""

from collections.abc import Mapping
from pathlib import Path

from inspection_cell.errors import DataError
from inspection_cell.showing.surface_page import page
from inspection_cell.showing.surface_picture import draw
from inspection_cell.surface_files import SurfaceResult
from inspection_cell.zones import SurfaceZone

SUFFIXES = ('.png', '.html')


def write_report(
    path: Path, result: SurfaceResult, zones: Mapping[str, SurfaceZone] | None = None
) -> None:
    """Write a `.png` with three sides, or an `.html` that needs nothing but a browser.

    Args:
        path: where to; the suffix says which.
        result: of the comparison.
        zones: of the recipe, resolved on the same reference; shown on the page by name.

    Raises:
        DataError: for another suffix, or where the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise DataError(f'{path}: expected a report name that ends in .png or .html')
    content = draw(result) if suffix == '.png' else page(result, zones or {}).encode()
    try:
        path.write_bytes(content)
    except OSError as error:
        raise DataError(f'{path}: cannot write the report: {error.strerror}') from error

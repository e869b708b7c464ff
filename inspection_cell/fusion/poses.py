"""Where the part stood before each sensor, as well as anybody knows."""

from collections.abc import Iterable

from inspection_cell.cell import Cell
from inspection_cell.findings import ViewFindings
from inspection_cell.geometry import Transform, invert


def pose_corrections(cell: Cell, views: Iterable[ViewFindings]) -> dict[str, Transform]:
    """What registered scans say about the robot's error, by presentation.

    Returns:
        `transform_part_to_reported` per presentation: maps the part as registered to the part as
        the robot reported it. The first registered scan in the order of `views` speaks.
    """
    corrections: dict[str, Transform] = {}
    for view in views:
        reported, refined = view.transform_part_to_sensor, view.transform_part_to_cell_refined
        known = view.view.sensor in cell.scanners and view.view.presentation not in corrections
        if not view.is_evidence or reported is None or refined is None or not known:
            continue
        scanner_to_cell = _held(cell, view)
        if scanner_to_cell is None:
            continue
        corrections[view.view.presentation] = invert(scanner_to_cell @ reported) @ refined
    return corrections


def _held(cell: Cell, view: ViewFindings) -> Transform | None:
    """Where the scanner was at the exposure; None where an old record does not tell."""
    if view.transform_sensor_to_cell is not None:
        return view.transform_sensor_to_cell
    pose = cell.scanners[view.view.sensor].pose
    return None if pose is None else pose.transform()


def best_pose(view: ViewFindings, corrections: dict[str, Transform]) -> Transform | None:
    """`transform_part_to_sensor`: refined where a scan registered, as reported otherwise."""
    reported = view.transform_part_to_sensor
    correction = corrections.get(view.view.presentation)
    if reported is None or correction is None:
        return reported
    corrected: Transform = reported @ correction
    return corrected

"""The scanned part of `test/support`."""

# Fixtures, found by their names.
from scanned_part import (  # noqa: F401
    dented_part,
    field,
    part,
    part_points,
    scan_of,
    scanner_pose,
    stepless_part,
)

"""The scanned part of `test/support`."""

from scanned_part import *  # noqa: F403  (fixtures, found by their names)

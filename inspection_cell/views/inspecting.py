"""The views of one part, inspected one after the other; what cannot be inspected says why."""

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

from inspection_cell.errors import InspectionCellError
from inspection_cell.findings import ViewFindings, ViewStatus
from inspection_cell.observations import Observation, ViewKey
from inspection_cell.recipe import Recipe
from inspection_cell.views.joint_scans import JointScans, joint_scans


class Inspection(Protocol):
    """What an inspector gives for one view."""

    @property
    def view_findings(self) -> ViewFindings:
        """All that the view says."""


class Inspector(Protocol):
    """Looks at what one sensor delivered."""

    def inspect(self, observation: Observation) -> Inspection:
        """Inspect one view."""


@runtime_checkable
class JointInspector(Protocol):
    """Looks at what a sensor delivered in several presentations."""

    def inspect_together(self, scans: JointScans) -> Inspection:
        """Inspect them as one view."""


def inspect_views(
    recipe: Recipe,
    inspectors: Mapping[str, Inspector],
    inspection_id: str,
    captured: Mapping[ViewKey, Observation | None],
) -> list[ViewFindings]:
    """What each view of a part says, and what scans say together where the recipe wants that.

    Args:
        recipe: of the part.
        inspectors: by sensor name.
        inspection_id: of the part.
        captured: the required views in the recipe's order; None where nothing was observed.
    """
    views = [
        _inspected(inspectors[view.sensor], inspection_id, view, seen)
        for view, seen in captured.items()
    ]
    required = recipe.file.joint_scans
    if required:
        seen = [observation for observation in captured.values() if observation is not None]
        scans = joint_scans(inspection_id, required, views, seen)
        inspector = inspectors[required[0].sensor]
        assert isinstance(inspector, JointInspector)
        views.append(
            _checked(inspection_id, scans.view, lambda: inspector.inspect_together(scans))
        )
    return views


def _inspected(
    inspector: Inspector, inspection_id: str, view: ViewKey, observation: Observation | None
) -> ViewFindings:
    if observation is None:
        return ViewFindings(inspection_id, view, ViewStatus.MISSING, 'nothing was observed')
    return _checked(inspection_id, view, lambda: inspector.inspect(observation))


def _checked(inspection_id: str, view: ViewKey, inspect: Callable[[], Inspection]) -> ViewFindings:
    try:
        return inspect().view_findings
    except InspectionCellError as error:
        reason = f'{type(error).__name__}: {error}'
        return ViewFindings(inspection_id, view, ViewStatus.ERROR, reason)

"""The whole inspection in reading order, without ROS; the nodes call the same functions."""

from collections.abc import Mapping, Sequence

from inspection_cell.capture.series import whole_series
from inspection_cell.cell import Cell
from inspection_cell.disposition import Command, Disposition, RejectSide
from inspection_cell.errors import DataError
from inspection_cell.findings import Decision, Verdict
from inspection_cell.fusion.admission import required_views
from inspection_cell.fusion.fuse import Fuser
from inspection_cell.observations import Observation, ViewKey
from inspection_cell.recipe import Recipe, check_fit
from inspection_cell.records.store import RecordStore, free_disk_mb
from inspection_cell.reference import ReferenceMesh
from inspection_cell.verdict import judge, withhold
from inspection_cell.views.inspecting import Inspector, inspect_views


class Pipeline:
    """Capture → inspect the views → fuse → judge → record → dispose."""

    def __init__(
        self,
        cell: Cell,
        recipe: Recipe,
        reference: ReferenceMesh | None,
        inspectors: Mapping[str, Inspector],
        store: RecordStore,
    ) -> None:
        """Take `inspectors` by sensor name; raises ConfigError or DataError for what lacks."""
        check_fit(recipe, cell)
        lacking = {view.sensor for view in required_views(recipe)} - set(inspectors)
        if lacking:
            raise DataError(f'{recipe.path}: no inspector for {", ".join(sorted(lacking))}')
        self._cell = cell
        self._recipe = recipe
        self._fuser = Fuser(recipe, cell, reference)
        self._inspectors = inspectors
        self._store = store

    def inspect(
        self, inspection_id: str, part_id: str, observations: Sequence[Observation], stamp_ns: int
    ) -> Verdict:
        """Inspect one part of which everything has been observed.

        Raises:
            StoreError: when the verdict cannot be made durable; then there is none.
        """
        captured = self._capture(inspection_id, observations)
        views = inspect_views(self._recipe, self._inspectors, inspection_id, captured)
        views = whole_series(self._cell, captured, views)
        fused = self._fuser.fuse(views)
        verdict = judge(
            self._recipe,
            fused,
            views,
            inspection_id=inspection_id,
            part_id=part_id,
            stamp_ns=stamp_ns,
            cell_hash=self._cell.sha256,
            reference=self._fuser.reference,
        )
        verdict = self._record(verdict)
        self._dispose(verdict)
        return verdict

    def _capture(
        self, inspection_id: str, observations: Sequence[Observation]
    ) -> dict[ViewKey, Observation | None]:
        """The observation of each required view; None where there is none of this inspection."""
        own = {o.view: o for o in observations if o.inspection_id == inspection_id}
        return {view: own.get(view) for view in required_views(self._recipe)}

    def _record(self, verdict: Verdict) -> Verdict:
        """Make the verdict durable before anybody learns of it."""
        free_mb = free_disk_mb(self._store.path.parent)
        minimum_mb = self._cell.file.limits.min_free_disk_mb
        if free_mb < minimum_mb:
            words = f'{free_mb:.0f} MB of disk free; at least {minimum_mb:.0f} MB'
            verdict = withhold(verdict, 'disk_full', words)
        self._store.add(verdict)
        return verdict

    def _dispose(self, verdict: Verdict) -> None:
        """Command the part's release or diversion as the reject side would, and record it."""
        side = RejectSide(self._cell.file.disposition)
        ids = (verdict.inspection_id, verdict.part_id)
        if verdict.decision is Decision.ACCEPT:
            side.permit(*ids, self._cell.file.disposition.release_valid_s, 0)
        side.verdict(*ids, verdict.decision, 0)
        for step in side.part_arrived(*ids, 0):
            if isinstance(step, Command):
                reason = f'{step.reason}; no actuator answers here'
                self._store.set_disposition(Disposition(step, False, step.bin, reason))

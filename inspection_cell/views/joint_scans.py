"""Scans of one part that are judged together: which take part, and those that wait for others."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from inspection_cell.findings import Presence, PresenceStatus, ViewFindings, ViewStatus
from inspection_cell.observations import Observation, Scan, ViewKey, joint_key


@dataclass(frozen=True, slots=True)
class JointScan:
    """One scan that is to be judged with others.

    Attributes:
        own: what its own view said; only a scan whose view is OK takes part.
        observation: the scan; None where there is none.
    """

    own: ViewFindings
    observation: Observation | None

    @property
    def takes_part(self) -> bool:
        """Whether it can be judged."""
        seen = self.observation
        if seen is None or not isinstance(seen.data, Scan):
            return False
        return self.own.status is ViewStatus.OK


@dataclass(frozen=True, slots=True)
class JointScans:
    """All scans of one part that the recipe wants judged together, in its order."""

    inspection_id: str
    scans: tuple[JointScan, ...]

    @property
    def view(self) -> ViewKey:
        """The view that their findings belong to."""
        return joint_key([scan.own.view for scan in self.scans])

    @property
    def taking_part(self) -> tuple[Observation, ...]:
        """The scans that can be judged."""
        return tuple(
            scan.observation
            for scan in self.scans
            if scan.takes_part and scan.observation is not None
        )

    def tell(self, findings: ViewFindings) -> ViewFindings:
        """The findings of the joint view, with words for which scans took part."""
        if findings.status is not ViewStatus.OK:
            reason = f'{findings.reason}; {self._words}'
            absent = Presence(PresenceStatus.ABSENT, reason, findings.presence.score)
            return replace(findings, reason=reason, presence=absent)
        evidence = f'{findings.presence.evidence}; {self._words}'
        return replace(findings, presence=replace(findings.presence, evidence=evidence))

    def nothing(self) -> ViewFindings:
        """The findings of the joint view where no scan takes part."""
        statuses = {scan.own.status for scan in self.scans}
        refused = ViewStatus.NOT_REGISTERED
        status = refused if statuses == {refused} else ViewStatus.MISSING
        return ViewFindings(self.inspection_id, self.view, status, self._words)

    @property
    def _words(self) -> str:
        taking = [str(scan.own.view) for scan in self.scans if scan.takes_part]
        lacking = [
            f'{scan.own.view} ({scan.own.status.name})'
            for scan in self.scans
            if not scan.takes_part
        ]
        text = f'one surface of {" and ".join(taking) or "no scan"}'
        return f'{text}; without {" and ".join(lacking)}' if lacking else text


def joint_scans(
    inspection_id: str,
    required: Sequence[ViewKey],
    said: Sequence[ViewFindings],
    observed: Sequence[Observation],
) -> JointScans:
    """Scans in the order of the recipe, whatever the order in which they came.

    Args:
        inspection_id: of the part.
        required: `joint_scans` of the recipe.
        said: by the scans' own views; one that said nothing is MISSING.
        observed: the scans, as far as they came.
    """
    own = {findings.view: findings for findings in said}
    seen = {observation.view: observation for observation in observed}
    missing = ViewStatus.MISSING
    return JointScans(
        inspection_id,
        tuple(
            JointScan(
                own.get(view, ViewFindings(inspection_id, view, missing, 'it said nothing')),
                seen.get(view),
            )
            for view in required
        ),
    )

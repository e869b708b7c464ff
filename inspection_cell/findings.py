"""The values that travel from the inspectors to the verdict, and the verdict itself."""

import math
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from inspection_cell.errors import DataError
from inspection_cell.geometry import Intrinsics, Transform, checked_transform, read_only
from inspection_cell.observations import ViewKey


class Decision(IntEnum):
    """What is to be done with the part; a value never filled in is not an ACCEPT."""

    UNKNOWN = 0
    ACCEPT = 1
    REJECT = 2
    REVIEW = 3


class ViewStatus(IntEnum):
    """How the inspection of one view ended; only OK counts as evidence."""

    UNKNOWN = 0  # never filled in
    OK = 1  # inspected
    MISSING = 2  # nothing arrived within the view's deadline
    LATE = 3  # the inspector answered after the deadline
    REFUSED = 4  # frames came, but none belonged to this view
    MALFORMED = 5  # the message could not be decoded
    NOT_REGISTERED = 6  # the scan does not fit the reference
    OVERLOADED = 7  # the inspector's queue was full
    ERROR = 8  # the inspector failed; the reason names the exception
    NO_POSE = 9  # TF did not tell where the sensor or the part was at the exposure


class PresenceStatus(IntEnum):
    """Whether the view proves that this part, of this type, was there."""

    UNKNOWN = 0  # not judged
    PRESENT = 1
    ABSENT = 2


FEATURE = 'feature_'  # begins the label of a measured feature


class Conformity(IntEnum):
    """What a measurement says about its limit, its uncertainty considered (ISO 14253-1)."""

    UNKNOWN = 0  # not a measurement: value and limit decide
    CONFORMS = 1  # within the limit by more than the uncertainty
    UNCERTAIN = 2  # nearer to the limit than the uncertainty
    BREAKS = 3  # beyond the limit by more than the uncertainty


@dataclass(frozen=True, slots=True)
class Presence:
    """Positive evidence of the part in one view, in words, with its measure in [0, 1]."""

    status: PresenceStatus = PresenceStatus.UNKNOWN
    evidence: str = ''
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that one view shows.

    Attributes:
        label: class of the detector, kind of a surface region (dent, burr, ...),
            `feature_<name>` of a measured feature, or `process_<measure>` of a signal.
        score: confidence in [0, 1]; 1.0 for a measured region or signal.
        value: the measured quantity in `unit`, judged against `limit`; 0 where there is none.
        uncertainty: of `value`, expanded (k = 2); 0 where it is not known.
        conformity: what a measurement says about its limit.
        box_px: (4,) x0, y0, x1, y1 in the image, for cameras.
        polygon_px: (K, 2) outline in the image, where the model gives one.
        position_m: (3,) in the part frame, where the view knows it (scans do).
        normal: (3,) unit, outward, part frame.
        length_mm: longest extent on the surface.
        width_mm: extent across the longest.
        volume_mm3: between surface and reference.
        peak_mm: largest signed deviation, positive outward.
        not_judged: why it does not count (a mask, a region of interest); empty: it does.
        shots: of a lighting sequence, those that show it; empty: the view is one image, or the
            finding is that all its shots lack something.
    """

    label: str
    score: float
    value: float = 0.0
    limit: float = 0.0
    unit: str = ''
    box_px: NDArray[np.float64] | None = None
    polygon_px: NDArray[np.float64] | None = None
    position_m: NDArray[np.float64] | None = None
    normal: NDArray[np.float64] | None = None
    area_mm2: float = 0.0
    length_mm: float = 0.0
    width_mm: float = 0.0
    volume_mm3: float = 0.0
    peak_mm: float = 0.0
    uncertainty: float = 0.0
    conformity: Conformity = Conformity.UNKNOWN
    not_judged: str = ''
    shots: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check ranges and shapes once, and freeze the arrays."""
        if not 0.0 <= self.score <= 1.0:
            raise DataError(f'finding {self.label!r}: score {self.score} is not in [0, 1]')
        _refuse_nan(self, f'finding {self.label!r}')
        for name, shape in (
            ('box_px', (4,)),
            ('polygon_px', (None, 2)),
            ('position_m', (3,)),
            ('normal', (3,)),
        ):
            value = getattr(self, name)
            if value is not None:
                frozen = read_only(value, shape, f'finding {self.label!r}: {name}')
                object.__setattr__(self, name, frozen)


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """A file that an inspector wrote: name relative to the data folder, hash, what it shows."""

    name: str
    sha256: str
    kind: str  # 'image', 'scan', 'deviation', 'signal'
    host: str = ''


@dataclass(frozen=True, slots=True)
class ViewFindings:
    """All that one view says about one part.

    Attributes:
        stamp_ns: begin of exposure on the ROS clock; 0 when nothing was captured.
        inspect_s: seconds from captured frame to findings.
        transform_part_to_sensor: pose of the part as reported, in the optical frame.
        transform_sensor_to_cell: pose of the optical frame at the exposure; None in old records:
            the sensor stood where the cell says.
        transform_part_to_cell_refined: the scan's registration; None for cameras.
        intrinsics: of the camera, for projection onto the part; None for scanners.
        seen: (M,) bool over the reference's sample points that this scan saw; None for cameras
            (their visibility follows from pose and intrinsics) and for scans that are judged
            together, of which the joint view tells.
        model_hash: sha256 of the detector's weights; empty for scanners.
        reference_hash: sha256 of the reference mesh that a scan was compared with.
    """

    inspection_id: str
    view: ViewKey
    status: ViewStatus = ViewStatus.UNKNOWN
    reason: str = ''
    presence: Presence = Presence()
    findings: tuple[Finding, ...] = ()
    evidence: tuple[EvidenceFile, ...] = ()
    stamp_ns: int = 0
    inspect_s: float = 0.0
    transform_part_to_sensor: Transform | None = None
    transform_part_to_cell_refined: Transform | None = None
    intrinsics: Intrinsics | None = None
    seen: NDArray[np.bool_] | None = None
    model_hash: str = ''
    reference_hash: str = ''
    transform_sensor_to_cell: Transform | None = None

    def __post_init__(self) -> None:
        """Check and freeze the arrays."""
        for name in (
            'transform_part_to_sensor',
            'transform_part_to_cell_refined',
            'transform_sensor_to_cell',
        ):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, checked_transform(value, f'{self.view}: {name}'))
        if self.seen is not None:
            seen = np.array(self.seen, dtype=np.bool_)
            seen.flags.writeable = False
            object.__setattr__(self, 'seen', seen)

    @property
    def is_evidence(self) -> bool:
        """Whether this view was inspected and proves the part's presence."""
        return self.status is ViewStatus.OK and self.presence.status is PresenceStatus.PRESENT


@dataclass(frozen=True, slots=True)
class Source:
    """One finding that a defect was merged from."""

    view: ViewKey
    label: str
    score: float

    def is_of(self, view: ViewKey, finding: Finding) -> bool:
        """Whether it names this finding of this view."""
        return (self.view, self.label, self.score) == (view, finding.label, finding.score)


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one view says about a defect, or about the whole part.

    Attributes:
        log_odds: natural logarithm of the factor by which the view changes the odds: above 0 it
            speaks for a defect, below 0 it shows the place and saw none.
    """

    view: ViewKey
    log_odds: float

    def __post_init__(self) -> None:
        """Refuse what cannot be added."""
        if not math.isfinite(self.log_odds):
            raise DataError(f'{self.view}: log_odds {self.log_odds} is not finite')


@dataclass(frozen=True, slots=True)
class Defect:
    """A physical thing on the part, merged from findings of one or several views.

    Attributes:
        position_m: (3,) in the part frame; None where no view could place it.
        normal: (3,) unit, outward, part frame.
        probability: that it is real, in [0, 1].
        value: the measured quantity in `unit` that the recipe limits (length, area or peak).
        uncertainty: of `value`, expanded (k = 2); 0 where it is not known.
        conformity: what a measurement says about its limit; UNKNOWN for what cameras saw.
        position_sigma_mm: standard uncertainty of the position on the surface; 0: not known.
        reach_mm: greatest distance from the position of anything that belongs to it.
        contributions: of each view that shows the place, in the order of the views.
    """

    label: str
    probability: float
    position_m: NDArray[np.float64] | None = None
    normal: NDArray[np.float64] | None = None
    length_mm: float = 0.0
    width_mm: float = 0.0
    area_mm2: float = 0.0
    volume_mm3: float = 0.0
    peak_mm: float = 0.0
    value: float = 0.0
    limit: float = 0.0
    unit: str = ''
    uncertainty: float = 0.0
    conformity: Conformity = Conformity.UNKNOWN
    sources: tuple[Source, ...] = ()
    position_sigma_mm: float = 0.0
    contributions: tuple[Contribution, ...] = ()
    reach_mm: float = 0.0

    def __post_init__(self) -> None:
        """Check the probability and freeze the arrays."""
        if not 0.0 <= self.probability <= 1.0:
            raise DataError(f'defect {self.label!r}: probability {self.probability} not in [0, 1]')
        _refuse_nan(self, f'defect {self.label!r}')
        for name in ('position_m', 'normal'):
            value = getattr(self, name)
            if value is not None:
                frozen = read_only(value, (3,), f'defect {self.label!r}: {name}')
                object.__setattr__(self, name, frozen)


@dataclass(frozen=True, slots=True)
class ZoneCoverage:
    """The share of one zone of the reference that valid views saw, against what is demanded."""

    name: str
    share: float
    minimum: float

    def __post_init__(self) -> None:
        """Refuse shares that no comparison with the minimum could judge."""
        _refuse_no_share(f'coverage of zone {self.name}', self.share, self.minimum)


@dataclass(frozen=True, slots=True)
class Coverage:
    """The share of the reference surface that valid views saw, against what is demanded."""

    share: float
    minimum: float
    unseen: tuple[str, ...] = ()  # names of zones (or required views) that fall short
    zones: tuple[ZoneCoverage, ...] = ()  # each zone that the recipe makes a demand of

    def __post_init__(self) -> None:
        """Refuse shares that no comparison with the minimum could judge."""
        _refuse_no_share('coverage', self.share, self.minimum)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a decision was taken: a code for machines, words for people, value against limit."""

    code: str
    text: str
    value: float = 0.0
    limit: float = 0.0
    decision: Decision = Decision.UNKNOWN  # what this reason alone leads to


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision on one part with all that led to it."""

    inspection_id: str
    part_id: str
    part_type: str
    decision: Decision = Decision.UNKNOWN
    reasons: tuple[Reason, ...] = ()
    defects: tuple[Defect, ...] = ()
    coverage: Coverage | None = None
    views: tuple[ViewFindings, ...] = field(default=())
    stamp_ns: int = 0  # when it was reached, ROS clock
    recipe_hash: str = ''
    cell_hash: str = ''
    software_version: str = ''
    model_hash: str = ''  # the one detector of all camera views; empty: none, or several
    bad_probability: float = 0.0  # that the part has a defect beyond its limit
    contributions: tuple[Contribution, ...] = ()  # of each view to that probability

    def __post_init__(self) -> None:
        """Check the probability."""
        if not 0.0 <= self.bad_probability <= 1.0:
            raise DataError(f'verdict: bad_probability {self.bad_probability} not in [0, 1]')


MEASURES = (
    *('value', 'limit', 'uncertainty'),
    *('area_mm2', 'length_mm', 'width_mm', 'volume_mm3', 'peak_mm'),
)


def _refuse_nan(measured: Finding | Defect, where: str) -> None:
    """A NaN exceeds no limit: it would let a defect pass."""
    for name in MEASURES:
        if math.isnan(getattr(measured, name)):
            raise DataError(f'{where}: {name} is not a number')


def _refuse_no_share(where: str, share: float, minimum: float) -> None:
    if not (0.0 <= share <= 1.0 and 0.0 <= minimum <= 1.0):
        raise DataError(f'{where}: {share} of {minimum} demanded: not in [0, 1]')

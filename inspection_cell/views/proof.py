"""Which proof of presence a recipe and a view allow, and what it says."""

from collections.abc import Sequence

import numpy as np

from inspection_cell.findings import Presence, PresenceStatus
from inspection_cell.observations import Image, Observation
from inspection_cell.reference import ReferenceMesh
from inspection_cell.sections.detection import Detection, Silhouette
from inspection_cell.views.detections import Detections
from inspection_cell.views.presence import (
    Expected,
    counted_presence,
    expect_features,
    feature_presence,
    silhouette_presence,
)


class PresenceProof:
    """Expected features where the view shows enough of them, else the outline."""

    def __init__(
        self, detection: Detection, silhouette: Silhouette | None, reference: ReferenceMesh | None
    ) -> None:
        """Take what a recipe demands."""
        self._features = detection.features
        self._silhouette = silhouette
        self._reference = reference

    def expected(self, observation: Observation, detections: Detections) -> tuple[Expected, ...]:
        """The features that the view should show, each with what was found there."""
        if self._reference is None or observation.intrinsics is None:
            return ()
        return tuple(
            expect_features(
                feature,
                self._reference,
                observation.intrinsics,
                observation.transform_part_to_sensor,
                detections,
            )
            for feature in self._features
            if feature.positions_mm
        )

    def presence(
        self,
        observation: Observation,
        image: Image,
        detections: Detections,
        expected: Sequence[Expected],
    ) -> Presence:
        """Whether the part was in the view; UNKNOWN where nothing could tell."""
        presence = feature_presence(expected)
        counted = [feature for feature in self._features if feature.count is not None]
        if counted:
            times = counted_presence(counted, detections)
            presence = times if presence is None else _both(presence, times)
        if presence is not None:
            return presence
        if self._silhouette and self._reference and observation.intrinsics:
            return silhouette_presence(
                self._silhouette,
                self._reference,
                observation.intrinsics,
                observation.transform_part_to_sensor,
                image.pixels.astype(np.uint8, copy=False),
            )
        return Presence(evidence='this view has nothing that could prove presence')


def _both(placed: Presence, counted: Presence) -> Presence:
    """Features at their places and features that are counted, where a recipe demands both."""
    proven = placed.status is counted.status is PresenceStatus.PRESENT
    return Presence(
        PresenceStatus.PRESENT if proven else PresenceStatus.ABSENT,
        f'{placed.evidence}; {counted.evidence}',
        min(placed.score, counted.score),
    )

"""Camera views: detections become findings, with presence and evidence files."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection_cell.errors import DataError, ModelError, StoreError
from inspection_cell.evidence import EvidenceFolder
from inspection_cell.findings import (
    EvidenceFile,
    Finding,
    Presence,
    ViewFindings,
    ViewStatus,
)
from inspection_cell.observations import Image, Observation
from inspection_cell.recipe import Recipe
from inspection_cell.reference import ReferenceMesh
from inspection_cell.views.annotation import annotate
from inspection_cell.views.detections import Detections, Detector
from inspection_cell.views.eight_bit import to_eight_bit
from inspection_cell.views.presence import (
    Expected,
    counted_presence,
    expect_features,
    feature_presence,
    missing_findings,
    silhouette_presence,
)

JPEG_QUALITY = 95


@dataclass(frozen=True, slots=True)
class ImageInspection:
    """Findings of one camera view and the picture that shows them.

    Attributes:
        annotated: BGR (H, W, 3); None when the observation was no usable image.
    """

    view_findings: ViewFindings
    annotated: NDArray[np.uint8] | None


class DetectionInspector:
    """Looks at camera images of one part type.

    Args:
        reference: the recipe's mesh; None for `reference: none`.
        evidence: where image and annotated image are written; None: nowhere.
        steady_s: a monotonic clock in seconds, for the time that an inspection takes.
    """

    def __init__(
        self,
        recipe: Recipe,
        reference: ReferenceMesh | None,
        detector: Detector,
        evidence: EvidenceFolder | None,
        steady_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Refuse a recipe without detection."""
        if recipe.file.detection is None:
            raise ModelError(f'{recipe.path}: expected a section `detection`')
        self._detection = recipe.file.detection
        self._silhouette = recipe.file.silhouette
        self._reference = reference
        self._detector = detector
        self._evidence = evidence
        self._steady_s = steady_s

    def inspect(self, observation: Observation) -> ImageInspection:
        """Findings, presence and evidence of one image; bad data becomes a status."""
        began = self._steady_s()
        try:
            image = _usable(observation)
        except DataError as error:
            return self._failed(observation, ViewStatus.MALFORMED, str(error), None)
        detections = self._detector.detect([image])[0]
        expected = self._expected(observation, detections)
        presence = self._presence(observation, image, detections, expected)
        findings = self._findings(detections, expected)
        features = _feature_boxes(detections, [one.label for one in self._detection.features])
        annotated = annotate(_pixels(image), findings, features, presence)
        try:
            evidence = self._write_evidence(observation, image, annotated)
        except StoreError as error:
            return self._failed(observation, ViewStatus.ERROR, str(error), annotated)
        view_findings = ViewFindings(
            inspection_id=observation.inspection_id,
            view=observation.view,
            status=ViewStatus.OK,
            presence=presence,
            findings=findings,
            evidence=evidence,
            stamp_ns=observation.stamp_ns,
            inspect_s=self._steady_s() - began,
            transform_part_to_sensor=observation.transform_part_to_sensor,
            intrinsics=observation.intrinsics,
            model_hash=self._detector.model_hash,
        )
        return ImageInspection(view_findings, annotated)

    def inspect_many(self, observations: Sequence[Observation]) -> list[ImageInspection]:
        """The same for several views; none depends on the others."""
        return [self.inspect(observation) for observation in observations]

    def _expected(self, observation: Observation, detections: Detections) -> tuple[Expected, ...]:
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
            for feature in self._detection.features
            if feature.positions_mm
        )

    def _presence(
        self,
        observation: Observation,
        image: Image,
        detections: Detections,
        expected: Sequence[Expected],
    ) -> Presence:
        presence = feature_presence(expected)
        counted = [one for one in self._detection.features if one.count is not None]
        if presence is None and counted:
            presence = counted_presence(counted, detections)
        if presence is not None:
            return presence
        if self._silhouette and self._reference and observation.intrinsics:
            return silhouette_presence(
                self._silhouette,
                self._reference,
                observation.intrinsics,
                observation.transform_part_to_sensor,
                _pixels(image),
            )
        return Presence(evidence='this view has nothing that could prove presence')

    def _findings(
        self, detections: Detections, expected: Sequence[Expected]
    ) -> tuple[Finding, ...]:
        findings = [
            Finding(label, float(score), limit=limit.max_length_mm, unit='mm', box_px=box)
            for label, score, box in zip(
                detections.labels, detections.scores, detections.boxes_px, strict=True
            )
            if (limit := self._detection.classes.get(label)) and score >= limit.min_score
        ]
        shown = {_key(finding) for finding in findings}
        for one in expected:
            absent = missing_findings(one, detections)
            findings += [finding for finding in absent if _key(finding) not in shown]
        return tuple(findings)

    def _write_evidence(
        self, observation: Observation, image: Image, annotated: NDArray[np.uint8]
    ) -> tuple[EvidenceFile, ...]:
        if self._evidence is None:
            return ()
        return tuple(
            self._evidence.write(
                observation.inspection_id, observation.view, kind, '.jpg', _jpeg(pixels)
            )
            for kind, pixels in (('image', _pixels(image)), ('annotated', annotated))
        )

    def _failed(
        self,
        observation: Observation,
        status: ViewStatus,
        reason: str,
        annotated: NDArray[np.uint8] | None,
    ) -> ImageInspection:
        view_findings = ViewFindings(
            inspection_id=observation.inspection_id,
            view=observation.view,
            status=status,
            reason=reason,
            stamp_ns=observation.stamp_ns,
            model_hash=self._detector.model_hash,
        )
        return ImageInspection(view_findings, annotated)


def _usable(observation: Observation) -> Image:
    if not isinstance(observation.data, Image):
        kind = type(observation.data).__name__
        raise DataError(f'{observation.view}: expected an image, got a {kind}')
    image = to_eight_bit(observation.data)
    height, width = image.pixels.shape[:2]
    camera = observation.intrinsics
    if camera is not None and (camera.width, camera.height) != (width, height):
        raise DataError(
            f'{observation.view}: expected {camera.width}×{camera.height} pixels as the '
            f'calibration says, got {width}×{height}'
        )
    return image


def _pixels(image: Image) -> NDArray[np.uint8]:
    return image.pixels.astype(np.uint8, copy=False)


def _feature_boxes(detections: Detections, labels: Sequence[str]) -> NDArray[np.float64]:
    found = [label in labels for label in detections.labels]
    boxes: NDArray[np.float64] = detections.boxes_px[np.array(found, dtype=np.bool_)]
    return boxes


def _key(finding: Finding) -> tuple[str, bytes]:
    return finding.label, b'' if finding.box_px is None else finding.box_px.tobytes()


def _jpeg(pixels: NDArray[np.uint8]) -> bytes:
    done, buffer = cv2.imencode('.jpg', pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise DataError(f'image {pixels.shape}: cannot be written as JPEG')
    return bytes(buffer)

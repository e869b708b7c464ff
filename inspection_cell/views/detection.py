"""Camera views: detections become findings, with presence and evidence files."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_cell.errors import DataError, ModelError, StoreError
from inspection_cell.evidence import EvidenceFolder
from inspection_cell.findings import Finding, Presence, ViewFindings, ViewStatus
from inspection_cell.observations import Image, Observation
from inspection_cell.recipe import Recipe
from inspection_cell.reference import ReferenceMesh
from inspection_cell.views.annotation import annotate
from inspection_cell.views.detections import Detections, Detector
from inspection_cell.views.eight_bit import to_eight_bit
from inspection_cell.views.image_evidence import write_images
from inspection_cell.views.masks import Masks
from inspection_cell.views.presence import Expected, missing_findings
from inspection_cell.views.proof import PresenceProof
from inspection_cell.views.slicing import detector_for_sensor
from inspection_cell.views.tiles import cutting, moved
from inspection_cell.views.windows import PartWindows


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
        self._proof = PresenceProof(self._detection, recipe.file.silhouette, reference)
        self._masks = Masks(recipe, reference)
        self._windows = PartWindows(recipe, reference)
        self._detector = detector
        self._sliced: Detector | None = None
        self._evidence = evidence
        self._steady_s = steady_s

    def inspect(self, observation: Observation) -> ImageInspection:
        """Findings, presence and evidence of one image; bad data becomes a status."""
        return next(self.inspect_each([observation]))

    def inspect_many(self, observations: Sequence[Observation]) -> list[ImageInspection]:
        """The same for several views, by one call of the detector; none depends on the others."""
        return list(self.inspect_each(observations))

    def inspect_each(self, observations: Sequence[Observation]) -> Iterator[ImageInspection]:
        """As `inspect_many`; each is yielded, in their order, before the next one's files.

        An observation that is no usable image gets its status and does not reach the detector.
        What the detector raises is not caught: which image is to blame is not known here.
        """
        began = self._steady_s()
        usable: dict[int, Image] = {}
        refused: dict[int, ImageInspection] = {}
        for index, observation in enumerate(observations):
            try:
                usable[index] = _usable(observation)
            except DataError as error:
                refused[index] = self._malformed(observation, error)
        found = self._detect(observations, usable)
        for index, observation in enumerate(observations):
            if index in refused:
                yield refused[index]
            else:
                yield self._inspected(observation, usable[index], found[index], began)

    def _detect(
        self, observations: Sequence[Observation], usable: dict[int, Image]
    ) -> dict[int, Detections]:
        """Detections by index: one call for those seen at once, one for those that are sliced."""
        calls: dict[int, list[int]] = {}
        detectors: dict[int, Detector] = {}
        for index in usable:
            detector = self._detector_of(observations[index].view.sensor)
            detectors[id(detector)] = detector
            calls.setdefault(id(detector), []).append(index)
        detections: dict[int, Detections] = {}
        windows = {index: self._windows.of(observations[index]) for index in usable}
        for key, indices in calls.items():
            seen = [_seen(usable[index], windows[index]) for index in indices]
            found = detectors[key].detect(seen)
            detections.update(zip(indices, found, strict=True))
        return {
            index: found if (window := windows[index]) is None else moved(found, window)
            for index, found in detections.items()
        }

    def _detector_of(self, sensor: str) -> Detector:
        """The recipe has one section `slicing`: all sensors that it names share a detector."""
        detector = detector_for_sensor(self._detector, self._detection, sensor)
        if detector is self._detector:
            return detector
        self._sliced = self._sliced or detector
        return self._sliced

    def _inspected(
        self, observation: Observation, image: Image, detections: Detections, began_s: float
    ) -> ImageInspection:
        expected = self._proof.expected(observation, detections)
        presence = self._proof.presence(observation, image, detections, expected)
        findings = self._masks.apply(self._findings(detections, expected), observation)
        annotated = self._annotated(image, findings, detections, presence)
        try:
            evidence = write_images(self._evidence, observation, image, annotated)
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
            inspect_s=self._steady_s() - began_s,
            transform_part_to_sensor=observation.transform_part_to_sensor,
            intrinsics=observation.intrinsics,
            model_hash=self._detector.model_hash,
        )
        return ImageInspection(view_findings, annotated)

    def _findings(
        self, detections: Detections, expected: Sequence[Expected]
    ) -> tuple[Finding, ...]:
        findings = [
            Finding(
                label,
                float(detections.scores[index]),
                limit=limit.max_length_mm,
                unit='mm',
                box_px=detections.boxes_px[index],
                polygon_px=detections.polygon(index),
            )
            for index, label in enumerate(detections.labels)
            if (limit := self._detection.classes.get(label))
            and detections.scores[index] >= limit.min_score
        ]
        shown = {_key(finding) for finding in findings}
        for one in expected:
            absent = missing_findings(one, detections)
            findings += [finding for finding in absent if _key(finding) not in shown]
        return tuple(findings)

    def _annotated(
        self,
        image: Image,
        findings: Sequence[Finding],
        detections: Detections,
        presence: Presence,
    ) -> NDArray[np.uint8]:
        features = {feature.label for feature in self._detection.features}
        found = np.array([label in features for label in detections.labels], dtype=np.bool_)
        pixels = image.pixels.astype(np.uint8, copy=False)
        return annotate(pixels, findings, detections.boxes_px[found], presence)

    def _malformed(self, observation: Observation, error: DataError) -> ImageInspection:
        return self._failed(observation, ViewStatus.MALFORMED, str(error), None)

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


def _seen(image: Image, window: NDArray[np.intp] | None) -> Image:
    return image if window is None else cutting(image, window)


def _key(finding: Finding) -> tuple[str, bytes]:
    return finding.label, b'' if finding.box_px is None else finding.box_px.tobytes()

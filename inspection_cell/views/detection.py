"""Camera views: detections become findings, with presence and evidence files."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from inspection_cell.cell import Cell
from inspection_cell.errors import DataError, ModelError, StoreError
from inspection_cell.evidence import EvidenceFolder
from inspection_cell.feature_places import check_features
from inspection_cell.findings import Finding, Presence, ViewFindings, ViewStatus
from inspection_cell.observations import Image, Observation, ShotImage
from inspection_cell.recipe import Recipe
from inspection_cell.reference import ReferenceMesh
from inspection_cell.views.annotation import annotate
from inspection_cell.views.detections import Detections, Detector
from inspection_cell.views.image_evidence import write_images
from inspection_cell.views.masks import Masks
from inspection_cell.views.presence import Expected, missing_findings
from inspection_cell.views.proof import PresenceProof
from inspection_cell.views.shots import Together, best_presence, looks_of, together
from inspection_cell.views.slicing import detector_for_sensor
from inspection_cell.views.tiles import cutting, moved
from inspection_cell.views.windows import PartWindows


@dataclass(frozen=True, slots=True)
class ImageInspection:
    """Findings of one camera view, and how to show them.

    Attributes:
        annotated: draws what was found, BGR (H, W, 3), the shots of a lighting sequence side by
            side; None when the observation was no usable image.
    """

    view_findings: ViewFindings
    annotated: Callable[[], NDArray[np.uint8]] | None


class DetectionInspector:
    """Looks at camera images of one part type.

    Args:
        reference: the recipe's mesh; None for `reference: none`.
        evidence: where the image is written; None: nowhere.
        cell: says which cameras look together and where they are meant to be; None: each looks
            alone, from where the observation says.
        steady_s: a monotonic clock in seconds, for the time that an inspection takes.
    """

    def __init__(
        self,
        recipe: Recipe,
        reference: ReferenceMesh | None,
        detector: Detector,
        evidence: EvidenceFolder | None,
        steady_s: Callable[[], float] = time.monotonic,
        cell: Cell | None = None,
    ) -> None:
        """Refuse a recipe without detection."""
        if recipe.file.detection is None:
            raise ModelError(f'{recipe.path}: expected a section `detection`')
        if reference is not None:
            check_features(recipe, reference)
        self._detection = recipe.file.detection
        self._min_scores = {one.label: one.min_score for one in self._detection.features}
        self._min_scores |= {n: limit.min_score for n, limit in self._detection.classes.items()}
        self._proof = PresenceProof(self._detection, recipe.file.silhouette, reference)
        self._masks = Masks(recipe, reference)
        self._windows = PartWindows(recipe, reference, cell)
        self._beside = other_cameras(recipe, cell) if cell else {}
        self._detector = detector
        self._evidence = evidence
        self._steady_s = steady_s

    def inspect(self, observation: Observation) -> ImageInspection:
        """Findings, presence and evidence of one view; bad data becomes a status.

        What the detector raises is not caught. Several threads may call at the same time.
        """
        began_s = self._steady_s()
        try:
            looks = looks_of(observation)
        except DataError as error:
            return self._malformed(observation, error)
        found = self._detect(observation, [look.image for look in looks])
        counted = [self._counted(look.shot, one) for look, one in zip(looks, found, strict=True)]
        return self._inspected(observation, looks, counted, began_s)

    def _detect(self, observation: Observation, images: Sequence[Image]) -> list[Detections]:
        """Detections in pixels of each image, looked for in the part's window of it."""
        view, window = observation.view, self._windows.of(observation)
        detector = detector_for_sensor(self._detector, self._detection, view.sensor)
        beside = self._beside.get(view.presentation, 0)
        if window is None:
            return detector.detect(images, beside)
        found = detector.detect([cutting(image, window) for image in images], beside)
        return [moved(one, window) for one in found]

    def _counted(self, shot: str, found: Detections) -> Detections:
        """Those that count in this shot."""
        labels = self._detection.look(shot).labels
        if labels is None:
            return found
        return found.chosen([i for i, label in enumerate(found.labels) if label in labels])

    def _inspected(
        self,
        observation: Observation,
        looks: Sequence[ShotImage],
        found: Sequence[Detections],
        began_s: float,
    ) -> ImageInspection:
        seen = together(looks, found, self._min_scores)
        expected = self._proof.expected(observation, seen.detections)
        presence = self._presence(observation, looks, found, expected)
        findings = self._masks.apply(self._findings(seen, expected), observation)
        annotated = partial(self._annotated, looks, findings, found, presence)
        try:
            evidence = write_images(self._evidence, observation, looks)
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
            transform_sensor_to_cell=observation.transform_sensor_to_cell,
            intrinsics=observation.intrinsics,
            model_hash=self._detector.model_hash,
        )
        return ImageInspection(view_findings, annotated)

    def _presence(
        self,
        observation: Observation,
        looks: Sequence[ShotImage],
        found: Sequence[Detections],
        expected: Sequence[Expected],
    ) -> Presence:
        """By those shots that may prove it; `expected` is by all of them."""
        if len(looks) == 1:
            return self._proof.presence(observation, looks[0].image, found[0], expected)
        proving = self._detection.proving([look.shot for look in looks])
        return best_presence(
            [
                self._proof.presence(
                    observation, look.image, one, self._proof.expected(observation, one)
                )
                for look, one in zip(looks, found, strict=True)
                if look.shot in proving
            ]
        )

    def _findings(self, seen: Together, expected: Sequence[Expected]) -> tuple[Finding, ...]:
        detections = seen.detections
        findings = [
            Finding(
                label,
                float(detections.scores[index]),
                limit=limit.max_length_mm,
                unit='mm',
                box_px=detections.boxes_px[index],
                polygon_px=detections.polygon(index),
                shots=seen.shots[index],
            )
            for index, label in enumerate(detections.labels)
            if (limit := self._detection.classes.get(label))
            and detections.scores[index] >= limit.min_score
        ]
        by_place = {_key(finding): finding for finding in findings}
        for one in expected:
            for absent in missing_findings(one, detections):
                shown = by_place.get(_key(absent), absent)
                # The detector's own weak box there is no sign that the feature is there.
                by_place[_key(absent)] = replace(shown, score=max(shown.score, absent.score))
        return tuple(by_place.values())

    def _annotated(
        self,
        looks: Sequence[ShotImage],
        findings: Sequence[Finding],
        found: Sequence[Detections],
        presence: Presence,
    ) -> NDArray[np.uint8]:
        features = {feature.label for feature in self._detection.features}
        pictures = []
        for look, one in zip(looks, found, strict=True):
            of_shot = [
                finding for finding in findings if look.shot in (finding.shots or (look.shot,))
            ]
            chosen = np.array([label in features for label in one.labels], dtype=np.bool_)
            pixels = look.image.pixels.astype(np.uint8, copy=False)
            pictures.append(annotate(pixels, of_shot, one.boxes_px[chosen], presence))
        return np.hstack(pictures)

    def _malformed(self, observation: Observation, error: DataError) -> ImageInspection:
        return self._failed(observation, ViewStatus.MALFORMED, str(error), None)

    def _failed(
        self,
        observation: Observation,
        status: ViewStatus,
        reason: str,
        annotated: Callable[[], NDArray[np.uint8]] | None,
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


def other_cameras(recipe: Recipe, cell: Cell) -> dict[str, int]:
    """By presentation: how many cameras look beside each one."""
    return {
        name: len(cell.cameras.keys() & set(held.sensors)) - 1
        for name, held in recipe.file.presentations.items()
    }


def _key(finding: Finding) -> tuple[str, bytes]:
    return finding.label, b'' if finding.box_px is None else finding.box_px.tobytes()

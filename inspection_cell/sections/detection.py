"""The section `detection` of `recipe.yaml`: detector, classes, and what proves presence."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from inspection_cell.schema import Name, Share, StrictModel
from inspection_cell.sections.masks import Mask, Region
from inspection_cell.sections.surface import PositiveMm

PositivePx = Annotated[float, Field(gt=0.0, le=100_000.0)]


class Feature(StrictModel):
    """Something that a good part shows, found by the detector: proof of presence."""

    label: str
    """Class of the detector."""
    positions_mm: tuple[tuple[float, float, float], ...] = ()
    """Where the features are on the part, part frame, mm; those visible in a view are expected."""
    count: int | None = Field(default=None, ge=1)
    """How many each view must show; only where there are no positions (`reference: none`)."""
    gate_mm: PositiveMm = 4.0
    """Greatest distance of a detection from its expected position, mm on the part."""
    min_score: Share = 0.4
    """Detections below do not count."""

    @model_validator(mode='after')
    def _positions_or_count(self) -> Self:
        if bool(self.positions_mm) == (self.count is not None):
            raise ValueError('give either positions_mm or count')
        return self


class ClassLimit(StrictModel):
    """What is allowed of one class of the detector."""

    min_score: Share = 0.4
    """Detections below are not findings."""
    max_length_mm: float = Field(default=0.0, ge=0)
    """Longest extent that is still good, mm; 0: none is good. Ignored without a reference mesh."""
    view_miss_rate: Share = 0.2
    """Share of visible defects of this class that one view misses; for the fused probability."""
    detection_rate: tuple[tuple[PositivePx, Share], ...] = ()
    """Instead of `view_miss_rate`, where it is known: sizes in the image in pixels, rising, each
    with the share of visible defects of that size that one view finds."""

    @model_validator(mode='after')
    def _rising(self) -> Self:
        sizes = [size for size, _ in self.detection_rate]
        if sizes != sorted(set(sizes)):
            raise ValueError('detection_rate: sizes must rise')
        return self


class Slicing(StrictModel):
    """Small defects in large images: the detector looks at overlapping tiles."""

    tile_px: int = Field(ge=64, le=8192)
    """Side of a tile, pixels of the image; `image_size` then is what a tile is scaled to."""
    overlap_px: int = Field(ge=8, le=4096)
    """By which neighbours overlap at least, pixels: more than the size of small defects."""
    sensors: tuple[Name, ...] | None = None
    """Cameras whose images are sliced; default: all."""
    labels: tuple[str, ...] | None = None
    """Classes that come from the tiles, the others come from the whole image; default: all."""

    @model_validator(mode='after')
    def _overlap_within_tile(self) -> Self:
        if 2 * self.overlap_px > self.tile_px:
            raise ValueError('overlap_px must be at most half of tile_px')
        return self


class ShotLook(StrictModel):
    """What counts in one shot of a camera's lighting sequence."""

    labels: tuple[str, ...] | None = None
    """Classes and features that are looked for in this shot; default: all."""
    presence: bool = False
    """Whether this shot may prove presence; where no shot of a sequence is named so, the first
    does."""


class Detection(StrictModel):
    """The detector and its classes."""

    model: str
    """Model folder, relative to the recipe's folder or to the data folder's models."""
    image_size: int | None = Field(default=None, ge=32, le=8192)
    """Longest side that the network sees, pixels; default: the image's own."""
    window: Literal['part', 'image'] = 'part'
    """What of an image the network sees: the part with a margin, where calibration, mesh and pose
    tell where it is and `image_size` is not given; or all of it."""
    classes: dict[str, ClassLimit] = Field(default={})
    """Defect classes and what is allowed of them."""
    features: tuple[Feature, ...] = ()
    """Expected features."""
    masks: tuple[Mask, ...] = ()
    """Where on the part findings are shown and recorded, but not judged."""
    regions: tuple[Region, ...] = ()
    """Where alone on the part findings are judged; none: everywhere."""
    ignore: tuple[str, ...] = ()
    """Classes of the model that mean nothing for this part. A class of the model that is named
    nowhere is refused: its findings would be lost without a word."""
    slicing: Slicing | None = None
    """Detection on tiles; none: on whole images."""
    shots: dict[Name, ShotLook] = Field(default={})
    """For cameras with `shots` in the cell: what counts in which of them, by the shot's name;
    default: everything in each."""

    def look(self, shot: str) -> ShotLook:
        """What counts in a shot, or in a view of one image (no name)."""
        return self.shots.get(shot) or ShotLook()

    def proving(self, shots: Sequence[str]) -> tuple[str, ...]:
        """Which shots of a sequence may prove presence: those named so, else the first."""
        return tuple(shot for shot in shots if self.look(shot).presence) or tuple(shots[:1])

    @model_validator(mode='after')
    def _ignored_nowhere_else(self) -> Self:
        features = {feature.label for feature in self.features}
        if len(features) < len(self.features):  # one detection would prove both entries
            raise ValueError('features: expected each label once, with all its positions')
        for label in sorted(features & self.classes.keys()):
            raise ValueError(f'classes: {label!r} is a feature too, which a good part shows')
        used = {*self.classes, *features}
        for label in self.ignore:
            if label in used:
                raise ValueError(f'ignore: {label!r} is a class or feature too')
        for label in (self.slicing and self.slicing.labels) or ():
            if label not in used:
                raise ValueError(f'slicing.labels: {label!r} is no class or feature')
        for shot, look in self.shots.items():
            for label in look.labels or ():
                if label not in used:
                    raise ValueError(f'shots.{shot}.labels: {label!r} is no class or feature')
        return self


class Silhouette(StrictModel):
    """Agreement of the image's foreground with the rendered reference as proof of presence."""

    min_iou: float = Field(default=0.85, ge=0.5, le=1)
    """Intersection over union that proves presence."""
    background: Literal['dark', 'bright'] = 'dark'
    """How the background looks beside the part."""

"""How much pictures for training vary around the cell's own: domain randomisation.

After Tobin et al., "Domain randomization for transferring deep neural networks from simulation to
the real world" (2017): what the network should not depend on is drawn at random. A share of the
parts keeps the cell's own look, so that this look is always inside the domain.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection_cell.cell import Cell
from inspection_cell.geometry import Intrinsics
from inspection_cell.sections.simulation import Simulation
from inspection_cell.sim.defects import TrueDefect
from inspection_cell.sim.lighting import Floats, Lighting, Panel
from inspection_cell.sim.marks import Mark
from inspection_cell.sim.renderer import BACKGROUND

OWN_LOOK_SHARE = 0.4  # of the parts keep the cell's light, background and kinds of marks
CLUTTER_SHARE = 0.4  # of the varied backgrounds show things
MAX_THINGS = 12


@dataclass(frozen=True, slots=True)
class Domain:
    """Draws the look of one part's pictures.

    Attributes:
        own_look: leaves everything as the cell has it.
    """

    generator: np.random.Generator
    own_look: bool

    @classmethod
    def draw(cls, generator: np.random.Generator, *, varied: bool) -> 'Domain':
        """The domain of one part; not `varied`: always the cell's own look."""
        own = generator.random() < OWN_LOOK_SHARE
        return cls(generator, own or not varied)

    def cell(self, cell: Cell) -> Cell:
        """The cell with other errors of pose and camera."""
        if self.own_look:
            return cell
        random, simulation = self.generator, cell.file.simulation
        varied: Simulation = simulation.model_copy(
            update={
                'pose_error_mm': simulation.pose_error_mm + 2.0 * random.random(),
                'pose_error_deg': simulation.pose_error_deg + 2.0 * random.random(),
                'light_variation': min(simulation.light_variation * 2.0, 0.3),
                'image_noise': simulation.image_noise * random.uniform(0.5, 1.7),
            }
        )
        return replace(cell, file=cell.file.model_copy(update={'simulation': varied}))

    def lighting(self, lighting: Lighting) -> Lighting:
        """Panels moved and dimmed, another colour of light, other tool marks."""
        if self.own_look:
            return lighting
        random = self.generator
        panels = tuple(
            Panel(
                _moved(panel.position_m, random.normal(0.0, 0.08, 3)),
                panel.strength * float(random.uniform(0.6, 1.4)),
            )
            for panel in lighting.panels
        )
        blue, green, red = random.uniform(0.9, 1.1, 3)
        return Lighting(
            panels,
            lighting.ambient * float(random.uniform(0.75, 1.25)),
            float(random.uniform(0.75, 1.2)),
            (float(blue), float(green), float(red)),
            float(random.uniform(0.5, 1.6)),
        )

    def background(self, camera: Intrinsics) -> Floats | None:
        """Light (H, W, 3) behind the part: another grey, shaded, with things in it or not."""
        if self.own_look:
            return None
        random, size = self.generator, (camera.height, camera.width)
        small = random.uniform(0.2, 4.0) * BACKGROUND * random.uniform(0.5, 1.5, (3, 4, 3))
        picture = cv2.resize(small.astype(np.float32), size[::-1], interpolation=cv2.INTER_CUBIC)
        if random.random() < CLUTTER_SHARE:
            for _ in range(int(random.integers(1, MAX_THINGS))):
                _draw_thing(picture, random)
            picture = cv2.GaussianBlur(picture, (0, 0), random.uniform(1.0, 6.0))
        background: Floats = picture.clip(0.0, 1.0).astype(np.float32)
        return background

    def defects(self, defects: Sequence[TrueDefect]) -> tuple[TrueDefect, ...]:
        """Marks of other contrast and shape, in the same places."""
        if self.own_look:
            return tuple(defects)
        return tuple(
            replace(defect, cause=self._mark(defect.cause))
            if isinstance(defect.cause, Mark)
            else defect
            for defect in defects
        )

    def developed(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """An image (H, W, 3) blurred a little, and as a JPEG file would give it back."""
        random, found = self.generator, pixels
        if self.own_look:
            return found
        if random.random() < 0.4:
            found = cv2.GaussianBlur(found, (0, 0), random.uniform(0.3, 0.9)).astype(np.uint8)
        if random.random() < 0.3:
            quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(60, 96))]
            found = cv2.imdecode(cv2.imencode('.jpg', found, quality)[1], cv2.IMREAD_COLOR).astype(
                np.uint8
            )
        return found

    def _mark(self, mark: Mark) -> Mark:
        random = self.generator
        gain = 1 + (mark.gain - 1) * random.uniform(0.8, 1.3)
        if mark.round:
            return replace(
                mark,
                gain=max(gain, 0.1),
                width_m=mark.width_m * random.uniform(0.75, 1.0),
                wobble=(random.uniform(0.0, 0.15), random.uniform(0.0, 0.08)),
                turn_rad=random.uniform(0.0, 2 * np.pi),
                softness=random.uniform(0.05, 0.3),
            )
        return replace(
            mark,
            gain=max(gain, 0.1),
            width_m=mark.width_m * random.uniform(0.8, 1.4),
            bend=random.uniform(-0.08, 0.08),
            gaps=_gaps(random),
        )


def _gaps(random: np.random.Generator) -> tuple[tuple[float, float], ...]:
    """Up to two breaks of a scratch, away from its ends."""
    middles = random.uniform(-0.3, 0.3, int(random.integers(0, 3)))
    return tuple(
        (float(m - w), float(m + w))
        for m, w in zip(middles, random.uniform(0.02, 0.06, len(middles)), strict=True)
    )


def _moved(
    position_m: tuple[float, float, float], shift_m: NDArray[np.float64]
) -> tuple[float, float, float]:
    x, y, z = np.add(position_m, shift_m)
    return (float(x), float(y), float(z))


def _draw_thing(picture: Floats, random: np.random.Generator) -> None:
    """A box, a disc or a bar of some grey anywhere."""
    height, width = picture.shape[:2]
    colour = tuple((random.uniform(0.0, 0.35) * random.uniform(0.8, 1.2, 3)).tolist())
    x, y = (int(value) for value in random.integers(0, (width, height)))
    size = int(random.integers(10, max(width // 4, 11)))
    kind = random.integers(3)
    if kind == 0:
        cv2.rectangle(picture, (x, y), (x + size, y + int(random.integers(10, 300))), colour, -1)
    elif kind == 1:
        cv2.circle(picture, (x, y), size // 2, colour, -1)
    else:
        end = (int(random.integers(0, width)), int(random.integers(0, height)))
        cv2.line(picture, (x, y), end, colour, int(random.integers(2, 30)))

"""The simulated station: a robot that presents parts and sensors that look at them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from inspection_cell.cell import Cell
from inspection_cell.errors import DataError
from inspection_cell.geometry import Transform, rigid
from inspection_cell.observations import Image, Scan, ViewKey
from inspection_cell.recipe import Recipe
from inspection_cell.sim.body import Body
from inspection_cell.sim.labels import Label, labels
from inspection_cell.sim.lighting import Floats, Lighting, panels_above
from inspection_cell.sim.parts import defective_body, reference_body
from inspection_cell.sim.plan import Fault, PlannedPart
from inspection_cell.sim.renderer import Shot, expose, render
from inspection_cell.sim.scanner import scan
from inspection_cell.sim.seeds import Purpose, stream
from inspection_cell.sim.shots import lit_body, lit_defect, shot_lighting
from inspection_cell.sim.viewpoints import Viewpoint, viewpoint

KEPT_BODIES = 16


@dataclass(frozen=True, slots=True)
class Presented:
    """A part as the robot holds it.

    Attributes:
        transform_part_to_cell_reported: what the robot says: the recipe's pose.
        transform_part_to_cell_true: where the part really is.
    """

    planned: PlannedPart
    presentation: str
    transform_part_to_cell_reported: Transform
    transform_part_to_cell_true: Transform


@dataclass(frozen=True, slots=True)
class Pictured:
    """A camera's image of a presented part with the truth about what it shows."""

    image: Image
    labels: tuple[Label, ...]


class Station:
    """Answers what each sensor sees; the same for a part and view whatever was asked before."""

    def __init__(
        self,
        cell: Cell,
        recipes: Sequence[Recipe],
        seed: int,
        *,
        purpose: Purpose = Purpose.DEMO,
        lighting: Lighting | None = None,
        backgrounds: Mapping[str, Floats] = MappingProxyType({}),
    ) -> None:
        """Take the cell's sensors and the recipes' parts; the seed drives noise and poses.

        `lighting` replaces the cell's own; `backgrounds` are (H, W, 3) by camera.
        """
        self._cell = cell
        self._recipes = {recipe.part_type: recipe for recipe in recipes}
        self._seed = seed
        self._purpose = purpose
        self._lighting = lighting or panels_above(presentation_centre(recipes))
        self._backgrounds = backgrounds
        self._body = lru_cache(maxsize=KEPT_BODIES)(self._build)

    def present(self, planned: PlannedPart, presentation: str) -> Presented:
        """Take a part to a presentation, with the robot's pose error and the part's fault."""
        poses = self._recipe(planned.part_type).file.presentations
        if presentation not in poses:
            raise DataError(
                f'{planned.part_type}: presentation {presentation!r}: one of {", ".join(poses)}'
            )
        reported = poses[presentation].pose.transform()
        simulation = self._cell.file.simulation
        generator = self._stream(planned, presentation, 'pose')
        shift_m = generator.normal(0.0, simulation.pose_error_mm / 1000.0, 3)
        turn_rad = np.deg2rad(generator.normal(0.0, simulation.pose_error_deg, 3))
        error = rigid(Rotation.from_rotvec(turn_rad).as_matrix(), shift_m)
        true = reported @ error @ self._misgrip(planned)
        return Presented(planned, presentation, reported, true)

    def observe(self, presented: Presented, sensor: str, shot: str = '') -> Image | Scan:
        """What one sensor delivers of a presented part; with `shot`, in the light of that shot."""
        planned = presented.planned
        generator = self._stream(planned, presented.presentation, *_keys(sensor, shot))
        view = self._viewpoint(presented, sensor)
        body = self.body(planned)
        simulation = self._cell.file.simulation
        if view.is_scanner:
            pose = view.transform_sensor_to_part
            return scan(body, pose, view.intrinsics, simulation, generator)
        taken = self._shot(presented, view, shot)
        light = render(body and lit_body(body, *_of(taken)), taken)
        return expose(light, simulation.image_noise, generator)

    def picture(self, presented: Presented, sensor: str, shot: str = '') -> Pictured:
        """What one camera delivers, as `observe` does, with what can be made out in it."""
        planned = presented.planned
        generator = self._stream(planned, presented.presentation, *_keys(sensor, shot))
        view = self._viewpoint(presented, sensor)
        noise = self._cell.file.simulation.image_noise
        body, taken = self.body(planned), self._shot(presented, view, shot)
        body = body and lit_body(body, *_of(taken))
        light = render(body, taken)
        found: tuple[Label, ...] = ()
        if body is not None:
            defects = [lit_defect(defect, *_of(taken)) for defect in planned.defects]
            found = labels(body, defects, view, taken, light, noise)
        return Pictured(expose(light, noise, generator), found)

    def labels(self, presented: Presented, sensor: str) -> tuple[Label, ...]:
        """True boxes of what one camera shows of a presented part."""
        return self.picture(presented, sensor).labels

    def body(self, planned: PlannedPart) -> Body | None:
        """What the gripper holds: None for an empty gripper."""
        if planned.fault is Fault.EMPTY_GRIPPER:
            return None
        return self._body(planned)

    def _viewpoint(self, presented: Presented, sensor: str) -> Viewpoint:
        recipe = self._recipe(presented.planned.part_type)
        view = ViewKey(presented.presentation, sensor)
        return viewpoint(self._cell, recipe, view, presented.transform_part_to_cell_true)

    def _build(self, planned: PlannedPart) -> Body:
        recipe = self._recipe(planned.part_type)
        if planned.fault is Fault.WRONG_PART:
            others = [r for name, r in self._recipes.items() if name != planned.part_type]
            if not others:
                raise DataError('fault wrong_part: expected recipes of at least two part types')
            recipe = others[0]
        if not planned.defects:
            return reference_body(recipe)
        return defective_body(recipe, planned.defects)

    def _misgrip(self, planned: PlannedPart) -> Transform:
        """A wrong grip around the part's middle: 20 to 180 degrees about one of its axes."""
        if planned.fault is not Fault.ROTATED_PART:
            return np.eye(4)
        generator = self._stream(planned, 'grip')
        axis = np.eye(3)[generator.integers(3)]
        angle_rad = np.deg2rad(generator.uniform(20.0, 180.0)) * generator.choice([-1, 1])
        rotation = Rotation.from_rotvec(axis * angle_rad).as_matrix()
        vertices = reference_body(self._recipe(planned.part_type)).vertices
        middle = (vertices.min(axis=0) + vertices.max(axis=0)) / 2
        return rigid(rotation, middle - rotation @ middle)

    def _shot(self, presented: Presented, view: Viewpoint, shot: str) -> Shot:
        true = presented.transform_part_to_cell_true
        return Shot(
            view.intrinsics,
            true @ view.transform_sensor_to_part,
            true,
            self._light(presented, view.sensor, shot),
            self._backgrounds.get(view.sensor),
        )

    def _light(self, presented: Presented, sensor: str, shot: str) -> Lighting:
        generator = self._stream(presented.planned, presented.presentation, 'light')
        variation = self._cell.file.simulation.light_variation
        factor = float(np.clip(generator.normal(1.0, variation), 0.6, 1.3))
        usual = replace(self._lighting, factor=factor * self._lighting.factor)
        if not shot:
            return usual
        return shot_lighting(usual, self._cell.file.lights, self._cell.cameras[sensor].shots, shot)

    def _recipe(self, part_type: str) -> Recipe:
        if part_type not in self._recipes:
            known = ', '.join(self._recipes)
            raise DataError(f'part type {part_type!r}: the simulator knows {known}')
        return self._recipes[part_type]

    def _stream(self, planned: PlannedPart, *keys: str) -> np.random.Generator:
        return stream(self._purpose, self._seed, planned.part_id, *keys)


def _keys(sensor: str, shot: str) -> tuple[str, ...]:
    return (sensor, shot) if shot else (sensor,)


def _of(taken: Shot) -> tuple[Lighting, Transform]:
    return taken.lighting, taken.transform_part_to_cell


def presentation_centre(recipes: Sequence[Recipe]) -> NDArray[np.float64]:
    """Where parts are presented: the mean of the middles of all presented parts, cell frame."""
    middles = []
    for recipe in recipes:
        vertices = reference_body(recipe).vertices
        middle = (vertices.min(axis=0) + vertices.max(axis=0)) / 2
        for presentation in recipe.file.presentations.values():
            middles.append(presentation.pose.transform() @ [*middle, 1.0])
    centre: NDArray[np.float64] = np.array(middles).mean(axis=0)[:3]
    return centre

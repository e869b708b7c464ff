"""A plate of 100 x 60 x 4 mm before three cameras and a scanner, all of it known exactly."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from inspection_cell.cell import Cell, CellFile
from inspection_cell.findings import (
    Finding,
    Presence,
    PresenceStatus,
    ViewFindings,
    ViewStatus,
)
from inspection_cell.geometry import from_rpy, invert, rigid, transform_points
from inspection_cell.observations import ViewKey
from inspection_cell.recipe import Recipe, RecipeFile
from inspection_cell.reference import ReferenceMesh

PRESENT = Presence(PresenceStatus.PRESENT, 'four screws', 1.0)
INTRINSICS = {'width': 1280, 'height': 960, 'fx': 1500, 'fy': 1500, 'cx': 639.5, 'cy': 479.5}
EYES_MM = {'left': (-150, 0, 300), 'right': (150, 0, 300), 'below': (0, 0, -350)}
CLASSES = {
    'scratch': {'max_length_mm': 3.0, 'view_miss_rate': 0.2},
    'stain': {'max_length_mm': 0.0, 'view_miss_rate': 0.2},
}


def plate(size_m=(0.10, 0.06, 0.004)):
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=float)
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    triangles = [t for a, b, c, d in faces for t in ((a, b, c), (a, c, d))]
    return ReferenceMesh((corners - 0.5) * size_m, np.array(triangles))


def sensor(eye_mm, kind):
    pose = {'position_mm': eye_mm, 'look_at_mm': (0, 0, 0)}
    topic = 't' + '_'.join(str(abs(value)) for value in eye_mm)
    return {'kind': kind, 'topic': topic, 'pose': pose, 'intrinsics': INTRINSICS}


@dataclass(frozen=True)
class World:
    """Cell, recipe and reference, and what exact sensors would say about the plate."""

    cell: Cell
    recipe: Recipe
    reference: ReferenceMesh
    part_to_cell: np.ndarray

    def thinner(self, thickness_m):
        return replace(self, reference=plate((0.10, 0.06, thickness_m)))

    def with_recipe(self, **sections):
        content = {**self.recipe.file.model_dump(), **sections}
        if content['reference'] == 'none':  # positions are places on a mesh
            content['detection'] = {**content['detection'], 'features': ()}
        file = RecipeFile.model_validate(content)
        return replace(self, recipe=replace(self.recipe, file=file))

    def part_to_sensor(self, name):
        return invert(self.cell.sensors[name].pose.transform()) @ self.part_to_cell

    def box(self, name, points_part_mm, true_part_to_cell=None):
        """The box that a perfect detector draws around points on the plate."""
        pose = self.part_to_cell if true_part_to_cell is None else true_part_to_cell
        to_camera = invert(self.cell.sensors[name].pose.transform()) @ pose
        points = transform_points(to_camera, np.array(points_part_mm) / 1000.0)
        pixels = self.cell.cameras[name].intrinsics.value().project(points)
        return np.concatenate([pixels.min(axis=0), pixels.max(axis=0)])

    def seen(self, name, label, points_part_mm, score=0.9, true_part_to_cell=None):
        return Finding(label, score, box_px=self.box(name, points_part_mm, true_part_to_cell))

    def camera(self, name, *findings, **changes):
        view = ViewFindings(
            'i1',
            ViewKey('top', name),
            ViewStatus.OK,
            presence=PRESENT,
            findings=findings,
            transform_part_to_sensor=self.part_to_sensor(name),
            intrinsics=self.cell.cameras[name].intrinsics.value(),
        )
        return replace(view, **changes)

    def scan(self, *findings, **changes):
        to_sensor = self.part_to_sensor('scanner')
        samples, normals = self.reference.samples, self.reference.sample_normals
        view = ViewFindings(
            'i1',
            ViewKey('top', 'scanner'),
            ViewStatus.OK,
            presence=PRESENT,
            findings=findings,
            transform_part_to_sensor=to_sensor,
            transform_part_to_cell_refined=self.part_to_cell,
            seen=self.reference.visible(samples, normals, to_sensor, np.deg2rad(75)),
            reference_hash=self.reference.sha256,
        )
        return replace(view, **changes)

    def all_clean(self):
        return [self.camera('left'), self.camera('right'), self.camera('below'), self.scan()]


@pytest.fixture(scope='session')
def world():
    sensors = {name: sensor(eye, 'camera') for name, eye in EYES_MM.items()}
    sensors['scanner'] = sensor((0, 10, 400), 'scanner')
    cell = CellFile.model_validate({'format': 1, 'name': 'bench', 'sensors': sensors})
    recipe = RecipeFile.model_validate(
        {
            'format': 1,
            'part_type': 'plate',
            'reference': {'mesh': 'plate.ply', 'units': 'm'},
            'presentations': {
                'top': {
                    'pose': {'position_mm': (0, 0, 0), 'rpy_deg': (0, 0, 0)},
                    'sensors': ('left', 'right', 'below', 'scanner'),
                }
            },
            'detection': {
                'model': 'm',
                'classes': CLASSES,
                'features': [{'label': 'screw', 'positions_mm': [(40, 20, 2)]}],
            },
            'surface': {'tolerance_mm': (-0.2, 0.2)},
            'coverage': {'minimum': 0.9},
        }
    )
    return World(
        Cell(Path('cell.yaml'), 'cell-hash', cell),
        Recipe(Path('/recipes/plate/recipe.yaml'), 'recipe-hash', recipe),
        plate(),
        from_rpy((0.001, -0.002, 0.0), (0.01, 0.0, 0.1)),
    )


@pytest.fixture
def shifted():
    """How far the robot is wrong about the plate: true = reported @ shift."""
    return rigid(np.eye(3), (0.004, -0.003, 0.001))

"""A demo part with zones, held as a robot holds it, and what valid views of it say."""

from dataclasses import dataclass, replace

import numpy as np
from brute_coverage import BruteForce
from scipy.spatial.transform import Rotation

from inspection_cell.cell import load_cell
from inspection_cell.findings import Presence, PresenceStatus, ViewFindings, ViewStatus
from inspection_cell.fusion.coverage import surface_coverage
from inspection_cell.fusion.visibility import CameraView
from inspection_cell.fusion.visibility_cache import VisibilityCache
from inspection_cell.geometry import from_rpy, invert, rigid
from inspection_cell.locations import demo_cell, demo_recipes
from inspection_cell.observations import ViewKey
from inspection_cell.recipe import RecipeFile, load_recipe
from inspection_cell.reference import load_reference

PRESENT = Presence(PresenceStatus.PRESENT, 'truth', 1.0)
ROBOT_MM, ROBOT_DEG = 0.3, 0.2  # standard deviations of the demo's robot, per axis
WAYS = {
    f'{way}_{name}': (name, sign) for name in 'xyz' for way, sign in (('plus', 1), ('minus', -1))
}
# Small places: the wall of a bore, most of which hides itself.
BORES = {
    'bracket': {'centre_mm': (17, 0, 6), 'radius_mm': 10, 'length_mm': 20},
    'ring': {'centre_mm': (0, 0, 15), 'radius_mm': 19, 'length_mm': 24},
}


def zones_of(part_type):
    zones = {}
    for name, (axis, sign) in WAYS.items():
        direction = [0.0, 0.0, 0.0]
        direction['xyz'.index(axis)] = float(sign)
        zones[name] = {'facing': {'direction': direction, 'max_angle_deg': 40}}
    return zones | {'bore': {'cylinders': [BORES[part_type]]}}


@dataclass(frozen=True)
class Covered:
    """Recipe, cell and reference of a demo part, and the same surface in small triangles."""

    cell: object
    recipe: object
    reference: object
    brute: BruteForce
    members: dict

    @classmethod
    def demo(cls, part_type, edge_m, **coverage):
        (path,) = (path for path in demo_recipes() if path.parent.name == part_type)
        loaded = load_recipe(path)
        reference = load_reference(loaded)
        brute = BruteForce(reference.vertices, reference.triangles, edge_m)
        bore = BORES[part_type]
        across = np.linalg.norm(
            brute.points[:, :2] - np.array(bore['centre_mm'][:2]) / 1e3, axis=1
        )
        along = np.abs(brute.points[:, 2] - bore['centre_mm'][2] / 1e3)
        members = {
            name: sign * brute.normals[:, 'xyz'.index(axis)] >= np.cos(np.radians(40)) - 1e-9
            for name, (axis, sign) in WAYS.items()
        }
        members['bore'] = (across <= bore['radius_mm'] / 1e3) & (along <= bore['length_mm'] / 2e3)
        made = cls(load_cell(demo_cell()), loaded, reference, brute, members)
        demand = {'zones': {name: {'minimum': 0.0} for name in members}} | coverage
        return made.with_recipe(zones=zones_of(part_type), coverage=demand)

    def with_recipe(self, **sections):
        values = self.recipe.file.model_dump() | sections
        file = RecipeFile.model_validate(values)
        return replace(self, recipe=replace(self.recipe, file=file))

    def cache(self):
        return VisibilityCache(self.recipe, self.reference, self.cell)

    def named(self):
        """transform_part_to_cell by presentation, as the recipe names it."""
        held = self.recipe.file.presentations
        return {name: presentation.pose.transform() for name, presentation in held.items()}

    def held(self, generator, *, anywhere=False):
        """transform_part_to_cell by presentation: off as a robot is, or turned at random."""
        poses = {}
        for name, pose in self.named().items():
            if anywhere:
                turn = Rotation.random(random_state=int(generator.integers(2**31))).as_matrix()
                middle = np.mean(self.reference.bounds_m, axis=0)
                about = rigid(turn, middle - turn @ middle)
                poses[name] = pose @ about
            else:
                off_m = generator.normal(0.0, ROBOT_MM / 1e3, 3)
                poses[name] = pose @ from_rpy(off_m, generator.normal(0, np.radians(ROBOT_DEG), 3))
        return poses

    def cameras(self, poses, without=()):
        """The camera views of the recipe at the poses that were really held."""
        return [
            CameraView(
                ViewKey(name, sensor),
                self.cell.cameras[sensor].intrinsics.value(),
                self.part_to_sensor(sensor, poses[name]),
            )
            for name, presentation in self.recipe.file.presentations.items()
            for sensor in presentation.sensors
            if sensor in self.cell.cameras and sensor not in without
        ]

    def part_to_sensor(self, sensor, part_to_cell):
        return invert(self.cell.sensors[sensor].pose.transform()) @ part_to_cell

    def product(self, cameras, cache=None):
        return surface_coverage(self.recipe, self.reference, [], cameras, [], cache=cache)

    def exact(self, cameras):
        """(T,) by how many cameras each small triangle is really seen."""
        angle = self.recipe.file.coverage.max_incidence_deg
        return sum(
            self.brute.sees(view.camera, view.transform_part_to_sensor, angle).astype(int)
            for view in cameras
        )

    def views(self, poses):
        """What valid views say: the robot's pose as named, the scans' as really held."""
        found = []
        for name, presentation in self.recipe.file.presentations.items():
            named = presentation.pose.transform()
            for sensor in presentation.sensors:
                view = ViewFindings(
                    'i1',
                    ViewKey(name, sensor),
                    ViewStatus.OK,
                    presence=PRESENT,
                    transform_part_to_sensor=self.part_to_sensor(sensor, named),
                )
                found.append(self._filled(view, sensor, poses[name]))
        return found

    def _filled(self, view, sensor, pose):
        if sensor in self.cell.cameras:
            return replace(view, intrinsics=self.cell.cameras[sensor].intrinsics.value())
        return replace(
            view,
            transform_part_to_cell_refined=pose,
            seen=np.zeros(len(self.reference.samples), dtype=bool),
            reference_hash=self.reference.sha256,
        )

"""A plate before two cameras and a scanner: files, pipeline and records, all of it known exactly.

The robot is 1.5 mm wrong about the plate; the scan knows. Stains are white dots in the images.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from inspection_cell.cell import load_cell
from inspection_cell.evidence import EvidenceFolder
from inspection_cell.findings import Finding, Presence, PresenceStatus, ViewFindings, ViewStatus
from inspection_cell.geometry import invert, rigid, transform_points
from inspection_cell.observations import Image, Observation, Scan, ShotImage, ViewKey
from inspection_cell.pipeline import Pipeline
from inspection_cell.recipe import load_recipe
from inspection_cell.records.store import RecordStore
from inspection_cell.reference import load_reference
from inspection_cell.views.image_evidence import write_images

PRESENT = Presence(PresenceStatus.PRESENT, 'seen', 1.0)
INTRINSICS = {'width': 640, 'height': 480, 'fx': 900, 'fy': 900, 'cx': 319.5, 'cy': 239.5}
EYES_MM = {'above': (0, 0, 300), 'aside': (-120, 0, 300)}
REPORTED = np.eye(4)
TRUE = rigid(np.eye(3), (0.0015, 0.0, 0.0))  # transform_part_to_cell as the scan registers it

CELL = {
    'format': 1,
    'name': 'bench',
    'sensors': {
        **{
            name: {
                'kind': 'camera',
                'topic': name,
                'pose': {'position_mm': list(eye), 'look_at_mm': [0, 0, 0]},
                'intrinsics': INTRINSICS,
            }
            for name, eye in EYES_MM.items()
        },
        'scanner': {
            'kind': 'scanner',
            'topic': 'points',
            'pose': {'position_mm': [0, 0, 400], 'look_at_mm': [0, 0, 0]},
        },
    },
}
RECIPE = {
    'format': 1,
    'part_type': 'plate',
    'reference': {'mesh': 'plate.ply', 'units': 'mm'},
    'zones': {
        'seal': {'boxes': [{'centre_mm': [-25, 0, 2], 'size_mm': [50, 60, 1]}]},
    },
    'presentations': {
        'top': {
            'pose': {'position_mm': [0, 0, 0], 'rpy_deg': [0, 0, 0]},
            'sensors': ['above', 'aside', 'scanner'],
        }
    },
    'detection': {'model': 'm', 'classes': {'stain': {'max_length_mm': 5.0}}},
    'surface': {'tolerance_mm': [-0.2, 0.2]},
    'coverage': {'minimum': 0.3},
}


@dataclass(frozen=True)
class Told:
    view_findings: ViewFindings


@dataclass(frozen=True)
class SpotInspector:
    """Takes every white pixel for the middle of a stain."""

    evidence: EvidenceFolder

    def inspect(self, observation):
        pixels = observation.data.pixels
        spots = []
        for row, column in np.argwhere(pixels == 255).tolist():
            box = np.array([column - 2.0, row - 2.0, column + 2.0, row + 2.0])
            spots.append(Finding('stain', 0.9, box_px=box))
        files = write_images(self.evidence, observation, [ShotImage('', observation.data)])
        return Told(
            ViewFindings(
                observation.inspection_id,
                observation.view,
                ViewStatus.OK,
                presence=PRESENT,
                findings=tuple(spots),
                evidence=files,
                stamp_ns=observation.stamp_ns,
                transform_part_to_sensor=observation.transform_part_to_sensor,
                intrinsics=observation.intrinsics,
                model_hash='ab' * 32,
            )
        )


@dataclass(frozen=True)
class TrueScanInspector:
    """Registers every scan exactly, finds nothing, and sees the whole upper side."""

    reference: object

    def inspect(self, observation):
        return Told(
            ViewFindings(
                observation.inspection_id,
                observation.view,
                ViewStatus.OK,
                presence=PRESENT,
                stamp_ns=observation.stamp_ns,
                transform_part_to_sensor=observation.transform_part_to_sensor,
                transform_part_to_cell_refined=TRUE,
                seen=self.reference.samples[:, 2] > 0,
                reference_hash=self.reference.sha256,
            )
        )


class RecordedPlate:
    """The cell's files in one folder, its records in another, and parts to inspect."""

    def __init__(self, folder: Path, **sections: object) -> None:
        self.data_dir = folder / 'data'
        self.recipe_path = folder / 'recipes' / 'plate' / 'recipe.yaml'
        self.cell_path = folder / 'cells' / 'bench.yaml'
        self.recipe_path.parent.mkdir(parents=True)
        self.cell_path.parent.mkdir()
        self.cell_path.write_text(yaml.safe_dump(CELL))
        (self.recipe_path.parent / 'plate.ply').write_text(plate_ply((100, 60, 4)))
        self.cell = load_cell(self.cell_path)
        self.recipe = self.with_recipe(**sections)
        self.reference = load_reference(self.recipe)
        self.store = RecordStore(self.data_dir)
        eye = SpotInspector(EvidenceFolder(self.data_dir, 'host'))
        scanner = TrueScanInspector(self.reference)
        inspectors = {'above': eye, 'aside': eye, 'scanner': scanner}
        self.pipeline = Pipeline(self.cell, self.recipe, self.reference, inspectors, self.store)

    def with_recipe(self, name='recipe.yaml', **sections):
        """The recipe with other sections, in a file of its own."""
        path = self.recipe_path.with_name(name)
        path.write_text(yaml.safe_dump(RECIPE | sections))
        return load_recipe(path)

    def inspect(self, inspection_id, part_id, stains_mm=(), stamp_ns=9, views=None):
        """Inspect a plate with stains at points (x, y, z) of its surface, part frame, mm."""
        seen = [self.image(inspection_id, name, stains_mm) for name in EYES_MM]
        scan = Scan(np.zeros((1, 3), dtype=np.float32))
        seen.append(self._observation(inspection_id, 'scanner', scan))
        kept = [one for one in seen if views is None or one.view.sensor in views]
        return self.pipeline.inspect(inspection_id, part_id, kept, stamp_ns)

    def image(self, inspection_id, name, stains_mm):
        pixels = np.full((480, 640), 100, dtype=np.uint8)
        for stain in stains_mm:
            if stain[2] > 0:
                column, row = self.pixel(name, stain)
                pixels[row, column] = 255
        return self._observation(inspection_id, name, Image(pixels))

    def pixel(self, name, point_mm):
        """Where a camera really sees a point of the part: column, row."""
        camera = self.cell.cameras[name]
        to_camera = invert(camera.pose.transform()) @ TRUE
        point = transform_points(to_camera, np.array([point_mm]) / 1e3)
        column, row = camera.intrinsics.value().project(point)[0]
        return round(float(column)), round(float(row))

    def _observation(self, inspection_id, name, data):
        sensor = self.cell.posed_sensors[name]
        given = getattr(sensor, 'intrinsics', None)
        return Observation(
            inspection_id,
            ViewKey('top', name),
            1_760_000_000_000_000_000,
            data,
            REPORTED,
            sensor.pose.transform(),
            given.value() if given else None,
        )


def plate_ply(size_mm):
    """A cuboid around the origin as a PLY file, mm."""
    corners = [[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)]
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    triangles = [t for a, b, c, d in faces for t in ((a, b, c), (a, c, d))]
    lines = ['ply', 'format ascii 1.0', 'element vertex 8']
    lines += [f'property float {axis}' for axis in 'xyz']
    lines += ['element face 12', 'property list uchar int vertex_indices', 'end_header']
    points = (np.array(corners) - 0.5) * size_mm
    lines += [' '.join(f'{value:g}' for value in point) for point in points.tolist()]
    lines += [f'3 {a} {b} {c}' for a, b, c in triangles]
    return '\n'.join(lines) + '\n'

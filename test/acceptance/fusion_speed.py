"""Time of fusion and verdict: 12 views, 40 findings, a reference of 100,000 triangles.

    python test/acceptance/fusion_speed.py [--repeats 50] [--json]

The demo bracket in finer triangles, held twice before five cameras and the scanner. Twenty places
on it are each shown by two of the views that see them (a box in a camera, a region in a scan).
Every repetition holds the part a little differently, as a robot does, so that nothing but what a
running cell keeps between parts is known beforehand.
"""

import argparse
import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import open3d as o3d
import yaml

from inspection_cell.cell import Cell, load_cell
from inspection_cell.findings import Finding, Presence, PresenceStatus, ViewFindings, ViewStatus
from inspection_cell.fusion.admission import required_views
from inspection_cell.fusion.fuse import Fuser
from inspection_cell.fusion.visibility import CameraView, sightings
from inspection_cell.geometry import Transform, from_rpy, invert, transform_points
from inspection_cell.locations import demo_cell, demo_recipes
from inspection_cell.observations import ViewKey
from inspection_cell.recipe import Recipe, load_recipe
from inspection_cell.reference import ReferenceMesh, load_reference
from inspection_cell.verdict import judge

TRIANGLES = 100_000
PLACES = 20
MAX_INCIDENCE_DEG = 60.0
HALF_PX = 8.0
WARM_UPS = 3
PRESENT = Presence(PresenceStatus.PRESENT, 'as planned', 1.0)
MORE = {  # cameras that the demo cell does not have
    'back': {'position_mm': [-50.0, 230.0, 640.0], 'look_at_mm': [0.0, 0.0, 300.0]},
    'high': {'position_mm': [40.0, -120.0, 720.0], 'look_at_mm': [0.0, 0.0, 300.0]},
}
LOG = logging.getLogger('fusion_speed')


def subject(folder: Path) -> tuple[Cell, Recipe]:
    """The demo cell with more cameras, and the bracket in finer triangles."""
    content = load_cell(demo_cell()).file.model_dump(mode='json', exclude_none=True)
    for name, pose in MORE.items():
        camera = dict(content['sensors']['front'])
        camera |= {'topic': f'{name}/image_raw', 'camera_info_topic': f'{name}/camera_info'}
        camera |= {'pose': pose, 'trigger': {'kind': 'software', 'topic': f'{name}/trigger'}}
        content['sensors'][name] = camera
    recipe = next(r for r in map(load_recipe, demo_recipes()) if r.part_type == 'bracket')
    mesh = o3d.io.read_triangle_mesh(str(recipe.mesh_path))
    while len(mesh.triangles) < TRIANGLES:
        mesh = mesh.subdivide_midpoint(1)
    o3d.io.write_triangle_mesh(str(folder / 'fine.ply'), mesh)
    wanted = recipe.file.model_dump(mode='json', exclude_none=True)
    for held in wanted['presentations'].values():
        held['sensors'] = [*held['sensors'], *MORE]
    wanted['reference']['mesh'] = str(folder / 'fine.ply')
    model = recipe.path.parent / wanted['detection']['model']
    wanted['detection']['model'] = str(model.resolve())
    for name, values in (('cell.yaml', content), ('recipe.yaml', wanted)):
        (folder / name).write_text(yaml.safe_dump(values), encoding='utf-8')
    return load_cell(folder / 'cell.yaml'), load_recipe(folder / 'recipe.yaml')


def robot_poses(recipe: Recipe, generator: np.random.Generator) -> dict[str, Transform]:
    """transform_part_to_cell by presentation, off by 0.3 mm and 0.2° (standard deviations)."""
    return {
        name: held.pose.transform()
        @ from_rpy(generator.normal(0, 3e-4, 3), generator.normal(0, np.radians(0.2), 3))
        for name, held in recipe.file.presentations.items()
    }


def inspected(
    cell: Cell, recipe: Recipe, reference: ReferenceMesh, generator: np.random.Generator
) -> list[ViewFindings]:
    """What the views of one part say."""
    poses = robot_poses(recipe, generator)
    keys = required_views(recipe)
    found: dict[ViewKey, list[Finding]] = {key: [] for key in keys}
    for place, seeing in sighted_places(cell, recipe, reference, poses, generator):
        for index in generator.choice(len(seeing), 2, replace=False):
            key = seeing[index]
            found[key].append(finding(cell, key.sensor, poses[key.presentation], place))
    views = []
    for key in keys:
        sensor = cell.sensors[key.sensor]
        given = getattr(sensor, 'intrinsics', None)
        views.append(
            ViewFindings(
                'fusion_speed',
                key,
                ViewStatus.OK,
                findings=tuple(found[key]),
                presence=PRESENT,
                intrinsics=None if given is None else given.value(),
                transform_part_to_sensor=invert(sensor.pose.transform()) @ poses[key.presentation],
                seen=np.ones(len(reference.samples), bool) if given is None else None,
                reference_hash=reference.sha256 if given is None else '',
            )
        )
    return views


def sighted_places(
    cell: Cell,
    recipe: Recipe,
    reference: ReferenceMesh,
    poses: dict[str, Transform],
    generator: np.random.Generator,
) -> Iterator[tuple[np.ndarray, list[ViewKey]]]:
    """Places on the part with the views that can show a defect there, the scans always."""
    keys = required_views(recipe)
    cameras = [
        CameraView(
            key,
            cell.cameras[key.sensor].intrinsics.value(),
            invert(cell.cameras[key.sensor].pose.transform()) @ poses[key.presentation],
        )
        for key in keys
        if key.sensor in cell.cameras
    ]
    scans = [key for key in keys if key.sensor not in cell.cameras]
    rows = generator.permutation(len(reference.samples))[: 20 * PLACES]
    points, normals = reference.samples[rows], reference.sample_normals[rows]
    seen = sightings(reference, cameras, points, normals, np.radians(MAX_INCIDENCE_DEG)).seen
    for column in np.flatnonzero(seen.any(axis=0))[:PLACES]:
        shown = [
            camera.view for camera, sees in zip(cameras, seen[:, column], strict=True) if sees
        ]
        yield points[column], shown + scans


def finding(cell: Cell, sensor: str, part_to_cell: Transform, place: np.ndarray) -> Finding:
    """A stain in a camera's image, or a dent in a scan."""
    camera = cell.cameras.get(sensor)
    if camera is None:
        return Finding(
            'dent', 1.0, value=-0.3, limit=-0.15, unit='mm', position_m=place, area_mm2=4.0,
            length_mm=2.5, width_mm=2.0, peak_mm=-0.3, uncertainty=0.03,
        )  # fmt: skip
    to_sensor = invert(camera.pose.transform()) @ part_to_cell
    pixel = camera.intrinsics.value().project(transform_points(to_sensor, place[None]))[0]
    return Finding(
        'stain', 0.8, limit=1.0, unit='mm',
        box_px=np.concatenate([pixel - HALF_PX, pixel + HALF_PX]),
    )  # fmt: skip


def main() -> None:
    """Time, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--repeats', type=int, default=50)
    parser.add_argument('--json', action='store_true')
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    generator = np.random.default_rng(20_261_121)
    with TemporaryDirectory(prefix='fusion_speed_') as folder:
        cell, recipe = subject(Path(folder))
        reference = load_reference(recipe)
        assert reference is not None
        fuser = Fuser(recipe, cell, reference)
        fuser.warm()
        parts = [
            inspected(cell, recipe, reference, generator) for _ in range(given.repeats + WARM_UPS)
        ]
        times_ms, fused_ms, defects = [], [], []
        for views in parts:
            start = time.perf_counter()
            fused = fuser.fuse(views)
            middle = time.perf_counter()
            judge(
                recipe, fused, views, inspection_id='x', part_id='x', stamp_ns=1,
                cell_hash=cell.sha256, reference=reference,
            )  # fmt: skip
            times_ms.append(1e3 * (time.perf_counter() - start))
            fused_ms.append(1e3 * (middle - start))
            defects.append(len(fused.defects))
    kept, fusing = np.array(times_ms[WARM_UPS:]), np.array(fused_ms[WARM_UPS:])
    result = {
        'views': len(parts[0]),
        'findings': sum(len(view.findings) for view in parts[0]),
        'triangles': len(reference.triangles),
        'defects_mean': round(float(np.mean(defects)), 1),
        'ms': {f'p{q}': round(float(np.percentile(kept, q)), 1) for q in (50, 95)},
        'fusion_ms_p50': round(float(np.median(fusing)), 1),
        'cold_ms': round(times_ms[0], 1),
    }
    LOG.info(json.dumps(result, indent=None if given.json else 1))


if __name__ == '__main__':
    main()

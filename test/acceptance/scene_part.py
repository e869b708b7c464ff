"""Acceptance: a CAD part is found in a real scene without a first guess; other parts are refused.

    INSPECTION_CELL_DATA=… python test/acceptance/scene_part.py [--seeds 20] [--within-mm 8]

The scene is one shot of a time-of-flight camera over a bin of small devices (`sick_cad_scene`),
about 25 000 points 7 mm apart. Of the CAD model, the hood over the lens is left out: it is clear
and the camera looks through it, which the run shows by judging the whole model at the same pose.
The other meshes are scaled to the size of the part. Prints JSON as the last line; exit status 1
when a seed does not find the part, two seeds differ by more than 5 mm or 3°, less than 60 % of
the visible model is explained, or another mesh is found.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inspection_cell.geometry import Transform, pose_difference, transform_points
from inspection_cell.reference import ReferenceMesh, load_mesh
from inspection_cell.surface.deviation import DeviationField
from inspection_cell.surface.scene_judgement import judge_pose, scene_part
from inspection_cell.surface.scene_search import FoundInScene, find_in_scene
from inspection_cell.surface.scene_view import view_scene
from inspection_cell.surface_files import load_points

# The rows of the picture lie in planes; they meet on a line at this height and depth, and the
# picture is symmetric to x = 0.
SENSOR_M = np.array([0.0, 0.139, 1.027])
HOOD_BEGINS_M = 0.0592  # x in the model
# The camera's noise is as large as the distance that counts as explained.
MIN_EXPLAINED = 0.8
WITHIN_M, WITHIN_DEG, LEAST_EXPLAINED = 5e-3, 3.0, 0.6


def main() -> int:
    """Search and judge."""
    asked = arguments()
    folder = Path(os.environ['INSPECTION_CELL_DATA'])
    points = load_points(folder / 'sick_cad_scene' / 'data.ply', 'mm')
    whole = load_mesh(folder / 'sick_cad_scene' / 'V2D63xModel.ply', 'mm')
    part = without_hood(whole)
    found = [search(points, part, asked.within_mm, seed, 'part') for seed in range(asked.seeds)]
    refused = {
        name: [search(points, mesh, asked.within_mm, seed, name) for seed in range(asked.others)]
        for name, mesh in other_meshes(folder, whole.diagonal_m)
    }
    refused |= {'whole model, with its hood': [search(points, whole, asked.within_mm, 0, 'whole')]}
    pose = found[0].transform_part_to_scene
    shift_m, turn_deg = spread([one.transform_part_to_scene for one in found], part)
    line: dict[str, object] = {
        'seeds': asked.seeds,
        'found': sum(one.found for one in found),
        'explained': [round(one.explained, 3) for one in found],
        'spread_mm': round(shift_m * 1e3, 2),
        'spread_deg': round(turn_deg, 2),
        'transform': pose.round(5).tolist(),
        'whole_model_at_this_pose': at_pose(points, whole, pose, asked.within_mm),
        'others': {
            name: {'found': sum(one.found for one in each), 'reason': each[0].reason}
            for name, each in refused.items()
        },
    }
    say(json.dumps(line))
    good = all(one.found and one.explained >= LEAST_EXPLAINED for one in found)
    same = shift_m <= WITHIN_M and turn_deg <= WITHIN_DEG
    others = any(one.found for each in refused.values() for one in each)
    return int(not good or not same or others)


def arguments() -> argparse.Namespace:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument('--seeds', type=int, default=20)
    options.add_argument('--others', type=int, default=3, help='seeds for each other mesh')
    options.add_argument('--within-mm', type=float, default=8.0)
    return options.parse_args()


def say(line: str) -> None:
    """Print at once."""
    sys.stdout.write(line + '\n')
    sys.stdout.flush()


def search(
    points: NDArray[np.floating], mesh: ReferenceMesh, within_mm: float, seed: int, name: str
) -> FoundInScene:
    begin = time.process_time()
    found = find_in_scene(points, DeviationField(mesh), within_mm, seed, SENSOR_M, MIN_EXPLAINED)
    centre_mm = transform_points(found.transform_part_to_scene, scene_part(mesh).centre[None])[0]
    seconds = time.process_time() - begin
    say(
        f'{name:14} seed {seed:2}: explained {found.explained:.2f}, against '
        f'{found.contradicted:.2f}, at {(centre_mm * 1e3).round(1)}, x to '
        f'{found.transform_part_to_scene[:3, 0].round(2)}, {seconds:.1f} s CPU, '
        f'{found.reason or "found"}'
    )
    return found


def without_hood(mesh: ReferenceMesh) -> ReferenceMesh:
    farthest = mesh.vertices[mesh.triangles][:, :, 0].max(axis=1)
    used, triangles = np.unique(mesh.triangles[farthest < HOOD_BEGINS_M], return_inverse=True)
    return ReferenceMesh(mesh.vertices[used], triangles.reshape(-1, 3))


def other_meshes(folder: Path, diagonal_m: float) -> Iterator[tuple[str, ReferenceMesh]]:
    hinge = load_mesh(folder / 'sick_cad_scene' / 'Hinge.ply', 'mm')
    yield 'Hinge', hinge
    for file in ('featuretype.STL', 'idler_riser.STL'):
        mesh = load_mesh(folder / 'cad_parts' / 'trimesh' / file, 'mm')
        scale = diagonal_m / mesh.diagonal_m
        yield f'{Path(file).stem}, scaled', ReferenceMesh(mesh.vertices * scale, mesh.triangles)


def at_pose(
    points: NDArray[np.floating], mesh: ReferenceMesh, pose: Transform, within_mm: float
) -> dict[str, float]:
    """What the scene says to the whole model at a pose."""
    part = scene_part(mesh)
    size_m, within_m = 2 * part.radius_m, within_mm / 1e3
    points64 = points.astype(np.float64)
    view = view_scene(points64, SENSOR_M, size_m / 120, size_m, within_m)
    judged = judge_pose(view, part, pose, within_m)
    shares = {'explained': judged.explained, 'looked_through': judged.looked_through}
    return {name: round(share, 3) for name, share in shares.items()}


def spread(poses: list[Transform], mesh: ReferenceMesh) -> tuple[float, float]:
    """Greatest distance of the part's centre, metres, and angle, degrees, between two poses."""
    middle = scene_part(mesh).centre[None]
    centres = np.array([transform_points(pose, middle)[0] for pose in poses])
    shifts = np.linalg.norm(centres[:, None] - centres[None], axis=2)
    turns = [pose_difference(first, second)[1] for first in poses for second in poses]
    return float(shifts.max()), float(np.degrees(max(turns)))


if __name__ == '__main__':
    sys.exit(main())

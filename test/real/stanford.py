"""Stored parts for replay from the real scans of the Stanford bunny.

    python test/real/stanford.py OUT [DATA]        (DATA defaults to $INSPECTION_CELL_DATA)
    inspection_cell replay --cell OUT/cell.yaml --recipe OUT/CASE/recipe.yaml --data OUT/CASE/parts

The cases: `untouched` (each scan is a good part), `offset` (the robot's pose is 5 mm and 5° off),
`bump_<scan>` (the reference has a 2 mm bump that the part lacks), `wrong_object` (other meshes,
scaled to the same size), `millimetres` (scans in millimetres, declared as metres).
"""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import open3d as o3d
from bump import add_bump, well_seen
from scipy.spatial.transform import Rotation

from inspection_cell.geometry import Points, Transform, invert, rigid, transform_points
from inspection_cell.reference import load_mesh
from inspection_cell.views.ply import ply_bytes

REPOSITORY = Path(__file__).resolve().parents[2]
OTHER_MESHES = (
    'trimesh/octagonal_pocket.stl',
    'trimesh/featuretype.STL',
    'trimesh/angle_block.STL',
    'trimesh/fandisk.obj',
    'ros_industrial/reach_part.ply',
)
RECIPE = """\
# One range scan of a bunny against the mesh that was merged from all scans.
format: 1
part_type: stanford_bunny
reference: {mesh: reference.ply, units: m}
presentations:
  scan: {pose: {position_mm: [0, 0, 0], rpy_deg: [0, 0, 0]}, sensors: [scanner]}
surface:
  tolerance_mm: [-1.0, 1.0]
  min_area_mm2: 2.0
  crop_mm: 25.0
  viewpoint: unknown  # these range images are not kept in the scanner's frame
  registration: {max_shift_mm: 20.0, max_rotation_deg: 10.0}
coverage: {minimum: 0.25, by: scanner}
"""


def scan_poses(data: Path) -> dict[str, Transform]:
    """`transform_scan_to_part` by scan; bun.conf keeps the inverse rotation's quaternion."""
    poses = {}
    for line in (data / 'stanford_scan/bun.conf').read_text().splitlines():
        words = line.split()
        if len(words) == 9 and (data / 'stanford_scan/scans' / words[1]).is_file():
            numbers = np.array(words[2:], dtype=np.float64)
            rotation = Rotation.from_quat(numbers[3:]).as_matrix().T
            poses[Path(words[1]).stem] = rigid(rotation, numbers[:3])
    return poses


def read_points(data: Path, name: str) -> Points:
    """The points (N, 3) of one scan, metres, in the scan's frame."""
    with o3d.utility.VerbosityContextManager(o3d.utility.VerbosityLevel.Error):
        cloud = o3d.io.read_point_cloud(str(data / f'stanford_scan/scans/{name}.ply'))
    return np.asarray(cloud.points)


def other_points(data: Path, mesh: str, like: Points) -> Points:
    """100 000 points (N, 3) of another object, scaled and moved to where `like` is."""
    with o3d.utility.VerbosityContextManager(o3d.utility.VerbosityLevel.Error):
        other = o3d.io.read_triangle_mesh(str(data / 'cad_parts' / mesh))
    o3d.utility.random.seed(0)
    points = np.asarray(other.sample_points_uniformly(100_000).points)
    scale = np.linalg.norm(np.ptp(like, axis=0)) / np.linalg.norm(np.ptp(points, axis=0))
    middle = (points.max(axis=0) + points.min(axis=0)) / 2
    return (points - middle) * scale + (like.max(axis=0) + like.min(axis=0)) / 2


def offset(seed: int, about: Points) -> Transform:
    """A turn of 5° about a point and a shift of 5 mm, both in seeded directions."""
    generator = np.random.default_rng(seed)
    axis, shift = generator.normal(size=(2, 3))
    rotation = Rotation.from_rotvec(np.radians(5) * axis / np.linalg.norm(axis)).as_matrix()
    return rigid(rotation, about - rotation @ about + 5e-3 * shift / np.linalg.norm(shift))


def prepare(data: Path, out: Path) -> list[Path]:
    """Write the cell and every case; returns the folders of the cases."""
    out.mkdir(parents=True, exist_ok=True)
    shutil.copy(REPOSITORY / 'config/cells/scan_replay.yaml', out / 'cell.yaml')
    mesh_path = data / 'stanford_scan/reference/bun_zipper.ply'
    reference = load_mesh(mesh_path, 'm')
    cases = [out / name for name in ('untouched', 'offset', 'wrong_object', 'millimetres')]
    for case in cases:
        _write_recipe(case)
        shutil.copy(mesh_path, case / 'reference.ply')
    untouched, moved, wrong, millimetres = cases
    about = reference.vertices.mean(axis=0)
    for seed, (name, pose) in enumerate(scan_poses(data).items()):
        points = read_points(data, name)
        _write_part(untouched, name, points, pose)
        _write_part(moved, name, points, offset(seed, about) @ pose)
        _write_part(millimetres, name, points * 1e3, pose, good=False)
        bumped = add_bump(
            reference, well_seen(transform_points(pose, points), np.random.default_rng(seed))
        )
        case = out / f'bump_{name}'
        _write_recipe(case)
        bumped.write(case / 'reference.ply')
        _write_part(case, name, points, pose, good=False, position_m=bumped.position_m)
        cases.append(case)
    for mesh in OTHER_MESHES:
        points = other_points(data, mesh, reference.vertices)
        _write_part(wrong, Path(mesh).stem.lower(), points, np.eye(4), good=False)
    return cases


def read_stored_truth(case: Path, part_id: str) -> Points:
    """Where the bump of a case is, part frame, metres."""
    truth = json.loads((case / 'parts' / part_id / 'truth.json').read_text())
    return np.array(truth['defects'][0]['position_mm']) / 1e3


def _write_recipe(case: Path) -> None:
    case.mkdir(parents=True, exist_ok=True)
    (case / 'recipe.yaml').write_text(RECIPE)


def _write_part(
    case: Path,
    part_id: str,
    points: Points,
    transform_scan_to_part: Transform,
    *,
    good: bool = True,
    position_m: Points | None = None,
) -> None:
    folder = case / 'parts' / part_id / 'scan'
    folder.mkdir(parents=True, exist_ok=True)
    (folder.parent / 'part.yaml').write_text('part_type: stanford_bunny\nunits: m\n')
    (folder / 'scanner.ply').write_bytes(ply_bytes(points))
    # The scanner is the cell's origin: transform_part_to_cell is the scan's pose inverted.
    np.savetxt(folder / 'pose.txt', invert(transform_scan_to_part))
    defects = []
    if position_m is not None:
        defects.append({'kind': 'bump', 'position_mm': (position_m * 1e3).round(3).tolist()})
    truth = {'good': good, 'defects': defects}
    (folder.parent / 'truth.json').write_text(json.dumps(truth))


def main() -> int:
    """Prepare every case and say where."""
    arguments = sys.argv[1:]
    data = arguments[1] if len(arguments) > 1 else os.environ.get('INSPECTION_CELL_DATA', '')
    if not arguments or not data:
        sys.stderr.write(f'{__doc__}\n')
        return 2
    for case in prepare(Path(data), Path(arguments[0])):
        sys.stdout.write(f'{case}\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())

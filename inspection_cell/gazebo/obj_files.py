"""A painted mesh as Wavefront OBJ and MTL, which every version of Gazebo reads."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inspection_cell.gazebo.part_mesh import Finish, PaintedMesh
from inspection_cell.sim.appearance import MATERIALS
from inspection_cell.sim.body import smooth_normals

SHININESS = 8.0, 96.0  # exponents of a wide and of a narrow highlight


def write_obj(mesh: PaintedMesh, path: Path) -> None:
    """Write `path` (.obj, metres) and the materials beside it (.mtl)."""
    materials = path.with_suffix('.mtl')
    materials.write_text('\n'.join(_material(finish) for finish in mesh.finishes))
    normals, normal_of = _normals(mesh)
    lines = [f'mtllib {materials.name}']
    lines += _rows('v', mesh.vertices, 9)
    lines += _rows('vn', normals, 4)
    for number, finish in enumerate(mesh.finishes):
        chosen = mesh.finish_of == number
        lines.append(f'usemtl {finish.name}')
        lines += _faces(mesh.triangles[chosen] + 1, normal_of[chosen] + 1)
    path.write_text('\n'.join(lines) + '\n')


def _normals(mesh: PaintedMesh) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Distinct normals (N, 3), and which of them each corner (T, 3) has; creases stay sharp."""
    smooth = smooth_normals(mesh.vertices[mesh.triangles], mesh.triangles)
    rounded = smooth.reshape(-1, 3).astype(np.float64).round(4) + 0.0
    distinct, which = np.unique(rounded, axis=0, return_inverse=True)
    return distinct, which.reshape(-1, 3)


def _rows(word: str, values: NDArray[np.float64], digits: int) -> Iterable[str]:
    return (f'{word} {x:.{digits}f} {y:.{digits}f} {z:.{digits}f}' for x, y, z in values)


def _faces(vertices: NDArray[np.int32], normals: NDArray[np.intp]) -> Iterable[str]:
    pairs = zip(vertices.tolist(), normals.tolist(), strict=True)
    return (f'f {a}//{u} {b}//{v} {c}//{w}' for (a, b, c), (u, v, w) in pairs)


def _material(finish: Finish) -> str:
    wide, narrow = SHININESS
    exponent = wide + MATERIALS[finish.material].sharp * (narrow - wide)
    diffuse = ' '.join(f'{value:.4f}' for value in finish.diffuse_rgb)
    specular = ' '.join(f'{value:.4f}' for value in finish.specular_rgb)
    return (
        f'newmtl {finish.name}\nKa {diffuse}\nKd {diffuse}\nKs {specular}\nNs {exponent:.1f}\n'
        'd 1.0\nillum 2\n'
    )

"""Coverage by brute force: every small triangle, every camera, one ray each.

Written from the definition alone: nothing of the product but its values (intrinsics, poses).
"""

import numpy as np
import open3d as o3d


class BruteForce:
    """A mesh cut into small triangles; each counts with its area, at its middle."""

    def __init__(self, vertices, triangles, edge_m):
        corners = np.asarray(vertices, dtype=np.float64)[np.asarray(triangles)]
        small = _cut(corners, edge_m)
        cross = np.cross(small[:, 1] - small[:, 0], small[:, 2] - small[:, 0])
        doubled = np.linalg.norm(cross, axis=1)
        keep = doubled > 1e-18
        self.points = small[keep].mean(axis=1)
        self.normals = cross[keep] / doubled[keep, None]
        self.weights = doubled[keep] / doubled[keep].sum()
        self._scene = o3d.t.geometry.RaycastingScene()
        self._scene.add_triangles(
            o3d.core.Tensor(np.asarray(vertices, dtype=np.float32)),
            o3d.core.Tensor(np.asarray(triangles, dtype=np.uint32)),
        )

    def sees(self, camera, transform_part_to_camera, max_incidence_deg, focus_m=None):
        """(T,) which triangles a pinhole camera sees."""
        rotation, shift = transform_part_to_camera[:3, :3], transform_part_to_camera[:3, 3]
        eye = -rotation.T @ shift
        x, y, z = rotation @ self.points.T + shift[:, None]
        with np.errstate(divide='ignore', invalid='ignore'):
            u, v = camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy
        seen = (z > 0) & (u >= -0.5) & (u < camera.width - 0.5)
        seen &= (v >= -0.5) & (v < camera.height - 0.5)
        towards = eye - self.points
        cosine = (towards * self.normals).sum(axis=1) / np.linalg.norm(towards, axis=1)
        seen &= np.degrees(np.arccos(np.clip(cosine, -1, 1))) < max_incidence_deg
        if focus_m is not None:
            seen &= (z >= focus_m[0]) & (z <= focus_m[1])
        return self._unhidden(seen, towards)

    def share(self, chosen, within=None):
        """Of the surface, or of the triangles `within`, by area."""
        weights = self.weights if within is None else self.weights * within
        return float(weights[chosen].sum() / weights.sum())

    def _unhidden(self, seen, towards):
        rows = np.flatnonzero(seen)
        rays = np.empty((len(rows), 6), dtype=np.float32)
        rays[:, :3] = self.points[rows] + 2e-5 * self.normals[rows]
        rays[:, 3:] = towards[rows]
        hidden = self._scene.test_occlusions(o3d.core.Tensor(rays), tnear=0.0, tfar=1.0).numpy()
        seen[rows[hidden]] = False
        return seen


def _cut(corners, edge_m):
    """Triangles (T, 3, 3) halved across their longest edges until none is longer."""
    done = []
    while len(corners):
        sides = np.linalg.norm(corners[:, [1, 2, 0]] - corners, axis=2)
        long = sides.max(axis=1) > edge_m
        done.append(corners[~long])
        corners, first = corners[long], sides[long].argmax(axis=1)
        rows = np.arange(len(corners))
        a, b, c = (corners[rows, (first + step) % 3] for step in range(3))
        middle = (a + b) / 2
        corners = np.concatenate([np.stack([a, middle, c], 1), np.stack([middle, b, c], 1)])
    return np.concatenate(done)

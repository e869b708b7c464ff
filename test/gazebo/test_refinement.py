"""Meshes that become finer and remain the same surface."""

import numpy as np
import open3d as o3d
import pytest

from inspection_cell.gazebo.refinement import refine


def box():
    mesh = o3d.geometry.TriangleMesh.create_box(0.06, 0.04, 0.02)
    return np.asarray(mesh.vertices), np.asarray(mesh.triangles).astype(np.int32)


def longest_edges(corners):
    return np.linalg.norm(np.roll(corners, -1, axis=1) - corners, axis=2).max(axis=1)


def finer_near(point, radius_m, edge_m):
    def wanted(corners):
        near = np.linalg.norm(corners.mean(axis=1) - point, axis=1)
        inside = near < radius_m + longest_edges(corners)
        return np.where(inside, edge_m, np.inf)

    return wanted


@pytest.mark.parametrize('seed', range(5))
def test_a_refined_surface_is_the_same_closed_surface_with_short_edges_where_wanted(seed):
    vertices, triangles = box()
    point = np.random.default_rng(seed).uniform(0, 1, 3) * (0.06, 0.04, 0.02)
    wanted = finer_near(point, 0.004, 0.0005)
    fine, finer = refine(vertices, triangles, wanted)
    corners = fine[finer]
    assert (longest_edges(corners) <= wanted(corners)).all()
    assert np.array_equal(fine[: len(vertices)], vertices)
    directed = np.concatenate([finer[:, [0, 1]], finer[:, [1, 2]], finer[:, [2, 0]]]).tolist()
    once = {(a, b) for a, b in directed}
    assert len(once) == len(directed)
    assert once == {(b, a) for a, b in directed}  # closed, all wound the same way round
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert np.linalg.norm(cross, axis=1).sum() / 2 == pytest.approx(0.0088)
    assert (corners[:, 0] * cross).sum() / 6 == pytest.approx(0.06 * 0.04 * 0.02)


def test_what_is_fine_enough_is_left_as_it_is():
    vertices, triangles = box()
    fine, finer = refine(vertices, triangles, lambda corners: np.full(len(corners), np.inf))
    assert np.array_equal(fine, vertices)
    assert np.array_equal(finer, triangles)

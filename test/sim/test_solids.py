import numpy as np
import pytest

from inspection_cell.sim.parts import PART_TYPES
from inspection_cell.sim.shapes import Variant
from inspection_cell.sim.solids import Solid, circle, inset, rounded_rectangle, triangulate

VARIANTS = [
    ('bracket', Variant()),
    ('bracket', Variant(missing_screws=frozenset({0, 3}))),
    ('bracket', Variant(displaced_bore=0, offset=(0.0, 0.0, 3.0))),
    ('bracket', Variant(displaced_bore=1, offset=(0.0, 0.0, -3.0))),
    ('bracket', Variant(displaced_bore=2, offset=(-2.0, 2.0, 0.0))),
    ('ring', Variant()),
    ('ring', Variant(displaced_bore=5, offset=(0.0, 3.0, 0.0))),
    ('ring', Variant(displaced_bore=5, offset=(0.0, -3.0, 0.0))),
]


def area(triangles: np.ndarray) -> float:
    first, second = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    return float(0.5 * (first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]).sum())


def shoelace(loop: np.ndarray) -> float:
    (x0, y0), (x1, y1) = loop.T, np.roll(loop, -1, axis=0).T
    return float(0.5 * (x0 * y1 - x1 * y0).sum())


def volume(solid: Solid) -> float:
    a, b, c = np.moveaxis(solid.vertices[solid.triangles], 1, 0)
    return float(np.einsum('ij,ij->i', a, np.cross(b, c)).sum() / 6)


@pytest.mark.parametrize(('part_type', 'variant'), VARIANTS)
def test_every_edge_belongs_to_two_triangles_that_run_along_it_in_opposite_directions(
    part_type: str, variant: Variant
) -> None:
    triangles = PART_TYPES[part_type].build(variant).triangles
    edges = np.concatenate([triangles[:, [i, (i + 1) % 3]] for i in range(3)])
    forward = {tuple(edge) for edge in edges.tolist()}
    assert len(forward) == len(edges)
    assert {(b, a) for a, b in forward} == forward


@pytest.mark.parametrize('part_type', ['bracket', 'ring'])
def test_a_displaced_bore_keeps_the_volume_and_a_missing_screw_lessens_it(part_type: str) -> None:
    build = PART_TYPES[part_type].build
    nominal = volume(build(Variant()))
    moved = volume(build(Variant(displaced_bore=1, offset=(0.0, 1.5, 0.0))))
    assert moved == pytest.approx(nominal, rel=1e-6)
    if PART_TYPES[part_type].screws:
        less = nominal - volume(build(Variant(missing_screws=frozenset({0}))))
        head, hole = np.pi * 5.0**2 * 5.0, np.pi * 2.6**2 * 10.0
        assert 0.6 * (head + hole) < less < 1.1 * (head + hole)


def test_a_triangulated_region_has_the_area_of_its_outline_minus_its_holes() -> None:
    outer = rounded_rectangle(60.0, 40.0, 5.0)
    holes = [circle(4.0, 48) + np.array([15.0, 5.0]), circle(6.0, 48) - np.array([12.0, 4.0])]
    expected = shoelace(outer) - shoelace(holes[0]) - shoelace(holes[1])
    assert area(triangulate(outer, holes)) == pytest.approx(expected, rel=1e-9)


def test_an_inset_circle_is_a_smaller_circle() -> None:
    assert np.linalg.norm(inset(circle(10.0, 200), 2.0), axis=1) == pytest.approx(8.0, abs=1e-3)

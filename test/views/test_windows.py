"""The detector sees the part's window of an image; what it finds is placed in the image."""

from dataclasses import replace

import numpy as np
import open3d as o3d
import pytest

from inspection_cell.geometry import Intrinsics, from_rpy
from inspection_cell.observations import Image, Observation, ViewKey
from inspection_cell.recipe import RecipeFile, load_recipe
from inspection_cell.reference import ReferenceMesh
from inspection_cell.views.detection import DetectionInspector
from inspection_cell.views.detections import Detections
from inspection_cell.views.presence import rendered_outline
from inspection_cell.views.windows import image_bounds

CAMERA = Intrinsics(1280, 960, 1400.0, 1400.0, 639.5, 479.5)
HELD = 'top'
AWAY_M = 0.5  # from the camera, along its axis
BOX_M = (0.06, 0.04, 0.02)
RECIPE = """
format: 1
part_type: block
reference: {mesh: block.ply, units: m}
presentations:
  top: {pose: {position_mm: [0, 0, 500], rpy_deg: [0, 0, 0]}, sensors: [left]}
detection: {model: m, classes: {stain: {min_score: 0.5}}}
coverage: {minimum: 0.1}
"""


class Bright:
    """Finds what is bright, and remembers what it has seen."""

    backend, classes, model_hash = 'bright', ('stain',), 'f' * 64

    def __init__(self):
        self.seen = []

    def detect(self, images, beside=0):
        self.seen += [image.pixels.shape[:2] for image in images]
        return [self._one(image.pixels[..., 0]) for image in images]

    def _one(self, pixels):
        rows, columns = np.nonzero(pixels > 200)
        if not len(rows):
            return Detections(np.zeros((0, 4)), np.zeros(0), ())
        low, high = (columns.min(), rows.min()), (columns.max() + 1, rows.max() + 1)
        corners = np.array([low, (high[0], low[1]), high], dtype=float)
        return Detections(np.array([[*low, *high]]), np.array([0.9]), ('stain',), (corners,))


def block():
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    faces = [(0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1)]
    faces += [(2, 3, 7), (2, 7, 6), (0, 2, 6), (0, 6, 4), (1, 5, 7), (1, 7, 3)]
    return ReferenceMesh(signs * np.array(BOX_M) / 2, np.array(faces))


@pytest.fixture
def recipe(tmp_path):
    mesh = block()
    shape = o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(mesh.vertices), o3d.utility.Vector3iVector(mesh.triangles)
    )
    o3d.io.write_triangle_mesh(str(tmp_path / 'block.ply'), shape)
    (tmp_path / 'recipe.yaml').write_text(RECIPE)
    return load_recipe(tmp_path / 'recipe.yaml')


def with_detection(recipe, **changed):
    values = recipe.file.model_dump()
    values['detection'] |= changed
    return replace(recipe, file=RecipeFile.model_validate(values))


def shown(stain_px=(700, 500), off_m=(0.0, 0.0, 0.0), camera=CAMERA):
    pixels = np.full((960, 1280, 3), 60, dtype=np.uint8)
    x, y = stain_px
    pixels[y : y + 12, x : x + 30] = 255
    pose = from_rpy(np.array([0.0, 0.0, AWAY_M]) + off_m, np.zeros(3))
    return Observation('a1', ViewKey(HELD, 'left'), 1, Image(pixels), pose, np.eye(4), camera)


def inspected(recipe, *observations):
    detector = Bright()
    inspector = DetectionInspector(recipe, block(), detector, None)
    views = [inspector.inspect(one).view_findings for one in observations]
    return detector.seen, views


def test_only_the_part_with_a_margin_is_looked_at_and_findings_lie_in_the_image(recipe):
    (seen,), (view,) = inspected(recipe, shown())
    assert seen == (192, 256)  # 172 x 115 pixels and 32 on each side, in steps of 32
    (finding,) = view.findings
    assert finding.box_px.tolist() == [700, 500, 730, 512]
    assert finding.polygon_px.tolist() == [[700, 500], [730, 500], [730, 512]]


def test_the_window_follows_the_part_and_keeps_its_size(recipe):
    off = [(0.004, 0.0, 0.0), (-0.004, 0.003, 0.002), (0.15, 0.1, 0.0)]
    stains = [(710, 500), (620, 480), (1100, 780)]
    views = [shown(stain, away) for stain, away in zip(stains, off, strict=True)]
    seen, found = inspected(recipe, *views)
    assert set(seen) == {(192, 256)}
    for stain, view in zip(stains, found, strict=True):
        assert view.findings[0].box_px[:2].tolist() == list(stain)


def test_what_is_bright_beside_the_part_is_no_finding(recipe):
    _, (view,) = inspected(recipe, shown(stain_px=(50, 60)))
    assert view.findings == ()


@pytest.mark.parametrize(
    'observation',
    [
        shown(stain_px=(50, 60), camera=None),
        shown(stain_px=(50, 60), off_m=(0.0, 0.0, -0.3)),
        shown(stain_px=(50, 60), off_m=(0.0, 0.0, -0.6)),
    ],
    ids=['no calibration', 'larger than its window', 'behind the camera'],
)
def test_where_the_part_cannot_be_framed_the_whole_image_is_looked_at(recipe, observation):
    (seen,), (view,) = inspected(recipe, observation)
    assert seen == (960, 1280)
    assert view.findings[0].box_px[:2].tolist() == [50, 60]


@pytest.mark.parametrize('changed', [{'window': 'image'}, {'image_size': 640}])
def test_the_recipe_may_ask_for_whole_images(recipe, changed):
    (seen,), _ = inspected(with_detection(recipe, **changed), shown())
    assert seen == (960, 1280)


def test_what_a_view_shows_does_not_depend_on_the_others(recipe):
    views = [shown(), shown((620, 480), (-0.004, 0.003, 0.002))]
    together = inspected(recipe, *views)[1]
    alone = [inspected(recipe, view)[1][0] for view in views]
    for one, other in zip(together, alone, strict=True):
        assert one.findings[0].box_px.tolist() == other.findings[0].box_px.tolist()


def test_a_lens_that_bends_edges_outwards_does_not_push_the_part_out_of_its_bounds():
    bent = replace(CAMERA, distortion=(-0.35, 0.12, 0.0, 0.0))
    pose = from_rpy((0.02, -0.04, 0.12), (0.2, -0.3, 0.4))
    x0, y0, x1, y1 = image_bounds(block(), bent, pose, 0)
    columns, rows = np.meshgrid(np.arange(0, 1280, 4), np.arange(0, 960, 4))
    pixels = np.column_stack([columns.ravel(), rows.ravel()])
    hit = np.isfinite(block().cast(pose, bent.rays(pixels))[0])
    low, high = pixels[hit].min(axis=0), pixels[hit].max(axis=0)
    assert (low >= np.array([x0, y0]) - 1).all()
    assert (high <= np.array([x1, y1]) + 1).all()
    assert ((high - low) >= np.array([x1 - x0, y1 - y0]) - 10).all()


def test_where_the_lens_folds_the_outside_into_the_image_no_bounds_are_told():
    folding = replace(CAMERA, distortion=(-0.5, 0.0, 0.0, 0.0))
    assert image_bounds(block(), folding, from_rpy((0.25, 0.0, 0.12), np.zeros(3)), 0) is None


def test_an_outline_is_the_same_whether_rays_are_cast_beside_the_part_or_not():
    pose = from_rpy((0.05, 0.02, AWAY_M), (0.3, 0.2, 1.0))
    outline = rendered_outline(block(), CAMERA, pose, (240, 320))
    columns, rows = np.meshgrid(np.arange(320), np.arange(240))
    centres = np.column_stack([columns.ravel(), rows.ravel()]) * 4 + 1.5
    everywhere = np.isfinite(block().cast(pose, CAMERA.rays(centres))[0]).reshape(240, 320)
    assert outline.any()
    assert np.array_equal(outline, everywhere)

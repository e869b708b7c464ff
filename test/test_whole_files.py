"""A file that is cut somewhere is refused wherever it is cut, and a whole one never."""

import cv2
import numpy as np
import open3d as o3d
import pytest

from inspection_cell.errors import DataError
from inspection_cell.reference import load_mesh
from inspection_cell.stored_parts import read_image, read_scan
from inspection_cell.whole_files import check_geometry_file, image_is_whole

MIXED_PLY = """ply
format ascii 1.0
element vertex 5
property float x
property float y
property float z
element face 2
property list uchar int vertex_indices
end_header
0 0 0
1 0 0
1 1 0
0 1 0
0 0 1
4 0 1 2 3
3 0 1 4
"""


def sphere():
    mesh = o3d.geometry.TriangleMesh.create_sphere(0.02, 8)
    mesh.compute_vertex_normals()
    mesh.vertex_colors = o3d.utility.Vector3dVector(np.full((len(mesh.vertices), 3), 0.5))
    return mesh


def written(path, kind):
    if kind == 'mesh':
        o3d.io.write_triangle_mesh(str(path), sphere(), write_ascii=path.stem == 'ascii')
    else:
        points = np.random.default_rng(0).normal(size=(500, 3))
        cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points))
        compressed = path.stem == 'compressed'
        o3d.io.write_point_cloud(
            str(path), cloud, write_ascii=path.stem == 'ascii', compressed=compressed
        )
    return path


@pytest.mark.parametrize(
    ('kind', 'name'),
    [
        *(('mesh', name) for name in ('ascii.ply', 'binary.ply')),
        *(('cloud', name) for name in ('ascii.ply', 'binary.ply', 'ascii.pcd', 'binary.pcd')),
        ('cloud', 'compressed.pcd'),
    ],
)
def test_geometry_is_refused_where_it_is_cut_and_passes_whole(tmp_path, kind, name):
    path = written(tmp_path / name, kind)
    check_geometry_file(path)
    content = path.read_bytes()
    header = content.index(b'end_header' if name.endswith('.ply') else b'DATA') + 32
    for share in (0.2, 0.5, 0.85, 0.99):
        path.write_bytes(content[: header + int(share * (len(content) - header))])
        with pytest.raises(DataError, match='cut short'):
            check_geometry_file(path)


def test_faces_of_different_sizes_are_counted_one_by_one(tmp_path):
    path = tmp_path / 'mixed.ply'
    path.write_text(MIXED_PLY)
    check_geometry_file(path)
    rows = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1]], dtype='>f4')
    faces = b'\x04' + np.arange(4, dtype='>i4').tobytes()
    faces += b'\x03' + np.array([0, 1, 4], dtype='>i4').tobytes()
    header = MIXED_PLY[: MIXED_PLY.index('0 0 0')].replace('ascii', 'binary_big_endian')
    path.write_bytes(header.encode() + rows.tobytes() + faces)
    check_geometry_file(path)
    path.write_bytes(header.encode() + rows.tobytes() + faces[:-1])
    with pytest.raises(DataError, match='cut short'):
        check_geometry_file(path)


def test_a_mesh_and_a_scan_that_are_cut_are_no_reference_and_no_scan(tmp_path):
    path = written(tmp_path / 'binary.ply', 'mesh')
    assert len(load_mesh(path, 'm').triangles) == len(sphere().triangles)
    assert len(read_scan(path, 'm').points) == len(sphere().vertices)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    for read in (load_mesh, read_scan):
        with pytest.raises(DataError, match=r'binary\.ply: cut short'):
            read(path, 'm')


@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
def test_an_image_that_is_cut_is_none(tmp_path, suffix):
    path = tmp_path / f'image{suffix}'
    pixels = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    cv2.imwrite(str(path), pixels)
    assert read_image(path).pixels.shape == (60, 80, 3)
    content = path.read_bytes()
    assert image_is_whole(content + b'\0' * 12)  # drivers fill up their buffers
    for share in (0.0, 0.5, 0.97):
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(DataError, match='image'):
            read_image(path)


def test_a_preview_within_the_header_does_not_make_a_cut_jpeg_whole():
    pixels = np.random.default_rng(0).integers(0, 255, (60, 80), dtype=np.uint8)
    whole = cv2.imencode('.jpg', pixels)[1].tobytes()
    preview = cv2.imencode('.jpg', pixels[:8, :8])[1].tobytes()
    segment = b'\xff\xe1' + (len(preview) + 2).to_bytes(2, 'big') + preview
    content = whole[:2] + segment + whole[2:]
    assert image_is_whole(content)
    assert not image_is_whole(content[: len(content) - 40])


def test_an_image_is_turned_as_its_camera_says(tmp_path):
    """EXIF orientation 6: labels are drawn on the picture as people see it, turned."""
    pixels = np.zeros((40, 80), dtype=np.uint8)
    pixels[:, :20] = 255
    content = cv2.imencode('.jpg', pixels)[1].tobytes()
    tags = b'II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0'
    exif = b'Exif\0\0' + tags
    segment = b'\xff\xe1' + (len(exif) + 2).to_bytes(2, 'big') + exif
    (tmp_path / 'turned.jpg').write_bytes(content[:2] + segment + content[2:])
    turned = read_image(tmp_path / 'turned.jpg').pixels
    assert turned.shape[:2] == (80, 40)
    assert turned[:15].mean() > 200 > 50 > turned[30:].mean()

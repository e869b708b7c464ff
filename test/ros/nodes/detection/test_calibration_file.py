"""detection_node with a calibration file instead of CameraInfo."""

import pytest
import yaml
from inspection_cell_msgs.msg import ViewFindings

WIDTH, HEIGHT = 96, 64  # of the images that the bench shows


@pytest.fixture
def calibrated(pictures):
    """Writes the left camera's calibration, for images of a size, before the node starts."""

    def write(width, height):
        calibration = {
            'image_width': width,
            'image_height': height,
            'camera_matrix': {'rows': 3, 'cols': 3, 'data': [90, 0, 47, 0, 91, 31, 0, 0, 1]},
            'distortion_model': 'plumb_bob',
            'distortion_coefficients': {'rows': 1, 'cols': 5, 'data': [0.1, 0, 0, 0, 0]},
        }
        (pictures.cell.parent / 'left.yaml').write_text(yaml.safe_dump(calibration))
        cell = yaml.safe_load(pictures.cell.read_text())
        cell['sensors']['left'] |= {'calibration_file': 'left.yaml'}
        del cell['sensors']['left']['camera_info_topic']
        pictures.cell.write_text(yaml.safe_dump(cell))

    return write


@pytest.fixture
def of_the_images(calibrated):
    calibrated(WIDTH, HEIGHT)


@pytest.fixture
def of_others(calibrated):
    calibrated(2 * WIDTH, 2 * HEIGHT)


def inspected(bench, pictures):
    bench.order(pictures.recipe.parent / 'mesh.yaml')
    bench.show()
    return bench.result()


def test_the_file_is_the_cameras_geometry(of_the_images, bench, pictures):
    found = inspected(bench, pictures)
    assert found.status == ViewFindings.OK
    info = found.camera_info
    assert (info.width, info.height, list(info.k[:6])) == (96, 64, [90, 0, 47, 0, 91, 31])
    assert info.d[0] == 0.1


def test_an_image_of_another_size_is_malformed_with_both_sizes(of_others, bench, pictures):
    found = inspected(bench, pictures)
    assert found.status == ViewFindings.MALFORMED
    assert 'expected 192×128 pixels as the calibration says, got 96×64' in found.reason

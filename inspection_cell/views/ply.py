"""Points as binary PLY bytes: the evidence files of scans, readable by every 3D viewer."""

import numpy as np
from numpy.typing import NDArray


def ply_bytes(
    points: NDArray[np.floating], deviation_mm: NDArray[np.floating] | None = None
) -> bytes:
    """Binary little-endian PLY of (N, 3) points in metres, with a scalar per point if given."""
    properties = ['x', 'y', 'z'] + ([] if deviation_mm is None else ['deviation_mm'])
    header = [
        'ply',
        'format binary_little_endian 1.0',
        'comment metres; deviation_mm positive outside the material',
        f'element vertex {len(points)}',
        *(f'property float {name}' for name in properties),
        'end_header\n',
    ]
    body = np.empty((len(points), len(properties)), dtype='<f4')
    body[:, :3] = points
    if deviation_mm is not None:
        body[:, 3] = deviation_mm
    return b''.join(('\n'.join(header).encode(), body.data))

"""Whether a file is there to its end: what libraries read of a cut one looks like a whole one.

OpenCV fills up a JPEG with grey, Open3D leaves out triangles and gives points at the origin, and
both say nothing.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inspection_cell.errors import DataError

JPEG, PNG = b'\xff\xd8\xff', b'\x89PNG\r\n\x1a\n'
PLY_TYPES = {
    **{'char': 'i1', 'int8': 'i1', 'uchar': 'u1', 'uint8': 'u1'},
    **{'short': 'i2', 'int16': 'i2', 'ushort': 'u2', 'uint16': 'u2'},
    **{'int': 'i4', 'int32': 'i4', 'uint': 'u4', 'uint32': 'u4'},
    **{'float': 'f4', 'float32': 'f4', 'double': 'f8', 'float64': 'f8'},
}
LONGEST_HEADER = 1 << 16


@dataclass(frozen=True, slots=True)
class _Element:
    """Rows of a PLY file.

    Attributes:
        properties: types of each; two for a list: of its length, of its values.
    """

    name: str
    count: int
    properties: tuple[tuple[str, ...], ...]


def image_is_whole(content: bytes) -> bool:
    """Whether a JPEG or PNG file goes on to its end mark; other formats are not known here."""
    if content.startswith(JPEG):
        # The last scan's end: a preview within the header has marks of its own.
        return content.rfind(b'\xff\xd9') > content.rfind(b'\xff\xda')
    if content.startswith(PNG):
        return content.rfind(b'IEND\xaeB`\x82') >= 0
    return True


def check_geometry_file(path: Path) -> None:
    """Raise DataError for a PLY or PCD file that holds less than its header says.

    What has no such header (STL is checked by its reader, OBJ says nothing) passes.
    """
    suffix = path.suffix.lower()
    if suffix not in ('.ply', '.pcd') or not path.is_file():
        return
    content = path.read_bytes()
    is_whole = _ply_is_whole(content) if suffix == '.ply' else _pcd_is_whole(content)
    if not is_whole:
        raise DataError(f'{path}: cut short: it holds less than its header says')


def _ply_is_whole(content: bytes) -> bool:
    found = re.search(rb'end_header\r?\n', content[:LONGEST_HEADER])
    if not content.startswith(b'ply') or found is None:
        return True  # no such file: its reader says so
    header = content[: found.start()].decode('latin-1').splitlines()
    elements = list(_elements(header))
    if any(line.split()[:2] == ['format', 'ascii'] for line in header):
        rows = [row for row in content[found.end() :].split(b'\n') if row.strip()]
        return _rows_are_whole(rows, elements)
    order = '>' if any('binary_big_endian' in line for line in header) else '<'
    at = found.end()
    for element in elements:
        at = _end_of(content, at, element, order)
    return at <= len(content)


def _elements(header: Sequence[str]) -> Iterator[_Element]:
    name, count = '', 0
    properties: list[tuple[str, ...]] = []
    for words in (line.split() for line in [*header, 'element end 0']):
        if words[:1] == ['element'] and len(words) == 3:
            if name:
                yield _Element(name, count, tuple(properties))
            name, count, properties = words[1], int(words[2]), []
        elif words[:2] == ['property', 'list'] and len(words) == 5:
            properties.append((PLY_TYPES.get(words[2], 'u1'), PLY_TYPES.get(words[3], 'i4')))
        elif words[:1] == ['property'] and len(words) == 3:
            properties.append((PLY_TYPES.get(words[1], 'f4'),))


def _rows_are_whole(rows: Sequence[bytes], elements: Sequence[_Element]) -> bool:
    if len(rows) < sum(element.count for element in elements):
        return False
    last = next((one for one in reversed(elements) if one.count), None)
    if last is None:
        return True
    values = rows[sum(element.count for element in elements) - 1].split()
    listed = any(len(one) == 2 for one in last.properties)
    least = int(values[0]) + 1 if listed and len(last.properties) == 1 else len(last.properties)
    return len(values) >= least


def _end_of(content: bytes, at: int, element: _Element, order: str) -> int:
    """Where an element's rows end, bytes; beyond the content for a file that is cut."""
    if all(len(one) == 1 for one in element.properties):
        return at + element.count * sum(np.dtype(one[0]).itemsize for one in element.properties)
    if at >= len(content):
        return at + element.count
    first = _end_of_row(content, at, element, order) - at
    rows = np.frombuffer(content, dtype=np.uint8, offset=at)
    if first * element.count <= len(rows) and len(element.properties) == 1:
        lengths = rows[: first * element.count].reshape(element.count, first)
        wide = np.dtype(element.properties[0][0]).itemsize
        if element.count == 0 or (lengths[:, :wide] == lengths[0, :wide]).all():
            return at + first * element.count  # all lists are of one length
    for _ in range(element.count):
        at = _end_of_row(content, at, element, order)
        if at > len(content):
            break
    return at


def _end_of_row(content: bytes, at: int, element: _Element, order: str) -> int:
    for kind in element.properties:
        length = 1
        if len(kind) == 2:
            counter = np.dtype(f'{order}{kind[0]}')
            if at + counter.itemsize > len(content):
                return len(content) + 1
            length = int(np.frombuffer(content, counter, 1, at)[0])
            at += counter.itemsize
        at += length * np.dtype(kind[-1]).itemsize
    return at


def _pcd_is_whole(content: bytes) -> bool:
    found = re.search(rb'\nDATA\s+(\w+)\r?\n', content[:LONGEST_HEADER])
    if found is None:
        return True
    lines = content[: found.start()].decode('latin-1').splitlines()
    header = {words[0]: words[1:] for words in (line.split() for line in lines) if words}
    points, body = int(header.get('POINTS', ['0'])[0]), content[found.end() :]
    kind = found.group(1)
    if kind == b'ascii':
        return sum(bool(row.strip()) for row in body.split(b'\n')) >= points
    if kind == b'binary_compressed':
        return len(body) >= 8 and len(body) >= 8 + int(np.frombuffer(body, '<u4', 1)[0])
    sizes = [int(size) for size in header.get('SIZE', [])]
    counts = [int(count) for count in header.get('COUNT', ['1'] * len(sizes))]
    return len(body) >= points * sum(a * b for a, b in zip(sizes, counts, strict=True))

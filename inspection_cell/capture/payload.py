"""The bytes of a message, whatever kind of buffer they came in, without a copy."""

from array import array
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from inspection_cell.errors import DataError

# A string, because array.array takes its element type only from Python 3.12 on.
Payload: TypeAlias = 'bytes | bytearray | memoryview | array[int] | NDArray[np.uint8]'


def payload_bytes(data: Payload, length: int, where: str) -> NDArray[np.uint8]:
    """Return the payload as a read-only (length,) view of the same memory.

    Raises:
        DataError: when it is no contiguous buffer or holds another number of bytes.
    """
    try:
        view = memoryview(data.data if isinstance(data, np.ndarray) else data).cast('B')
    except TypeError as error:
        raise DataError(f'{where}: expected a contiguous buffer of bytes, {error}') from error
    if view.nbytes != length:
        raise DataError(f'{where}: expected {length} bytes of data, got {view.nbytes}')
    return np.frombuffer(view.toreadonly(), dtype=np.uint8)

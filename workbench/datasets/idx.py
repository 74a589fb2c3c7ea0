"""The idx files in which MNIST and its relatives are published."""

import math
import struct
from typing import BinaryIO

import numpy as np

from workbench.errors import UserError
from workbench.text import safe_text

_UNSIGNED_BYTES = 0x08
_MOST_DIMENSIONS = 4
_MOST_BYTES = 1 << 30  # MNIST's training images have 47 million


def read_idx(stream: BinaryIO, name: str) -> np.ndarray:
    """Reads an idx file of unsigned bytes; nothing else is in use for images and labels.

    The format (Yann LeCun's MNIST page): two zero bytes, a byte for the type, a byte for the
    number of dimensions, each dimension as a big-endian 32-bit number, then the values.

    Args:
        stream: an open binary file, already uncompressed.
        name: the file's name, for messages.

    Returns:
        uint8, shaped as the file says: (images, height, width) or (labels,).

    Raises:
        UserError: the file is not idx, holds other values than bytes, or has more or fewer
            values than its header says.
    """
    zeros, kind, dimensions = struct.unpack(">HBB", _exactly(stream, 4, name))
    if zeros or not 1 <= dimensions <= _MOST_DIMENSIONS:
        raise _broken(name, "it does not begin as an idx file")
    if kind != _UNSIGNED_BYTES:
        raise _broken(name, f"its values are of type 0x{kind:02x}, not unsigned bytes (0x08)")
    shape = struct.unpack(f">{dimensions}I", _exactly(stream, 4 * dimensions, name))
    size = math.prod(shape)
    if size > _MOST_BYTES:
        raise _broken(name, f"its header announces {size:,} values, at most {_MOST_BYTES:,} pass")
    values = _exactly(stream, size, name)
    if stream.read(1):
        raise _broken(name, f"it goes on after the {size:,} values of its header")
    return np.frombuffer(values, np.uint8).reshape(shape)


def _exactly(stream: BinaryIO, count: int, name: str) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise _broken(name, f"it ends early ({len(data):,} bytes where {count:,} belong)")
    return data


def _broken(name: str, what: str) -> UserError:
    return UserError(f"{safe_text(name)} cannot be read: {what}.", "Remove it and fetch it again.")

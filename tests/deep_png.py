"""PNG files with 16 bits a channel, for tests of several packages."""

import struct
import zlib

import numpy as np


def png16(values: np.ndarray) -> bytes:
    """A PNG of 16 bits a channel, which Pillow writes of grey alone.

    Args:
        values: 0 to 65535, (height, width, channels): 1 grey, 2 with opacity, 3 RGB, 4 RGBA.
    """
    height, width, channels = values.shape
    header = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )

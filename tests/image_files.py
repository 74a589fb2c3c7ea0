"""Tiny real image files for tests, PNG files with 16 bits a channel included."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image


def photo(seed: int, width: int = 24, height: int = 20) -> Image.Image:
    """Return a smooth colour picture, another one for each seed."""
    rough = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), np.uint8)
    return Image.fromarray(rough).resize((width, height), Image.Resampling.BICUBIC)


def write_photo(path: Path, seed: int, width: int = 24, height: int = 20) -> Path:
    """Write such a picture; the extension chooses the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    photo(seed, width, height).save(path)
    return path


def class_folders(root: Path, **counts: int) -> Path:
    """Write root/<label>/<number>.png, no two alike."""
    seed = 0
    for label, count in counts.items():
        for number in range(count):
            seed += 1
            write_photo(root / label / f"{number}.png", seed)
    return root


def stop_at(phase: str, number: int) -> Callable[[str, int, int], None]:
    """Return a Progress that interrupts like Ctrl-C once `number` units of a phase are done."""

    def progress(now: str, done: int, total: int) -> None:
        if now == phase and done >= number:
            raise KeyboardInterrupt

    return progress


def png16(values: np.ndarray) -> bytes:
    """Return a PNG of 16 bits a channel, which Pillow writes only in grey.

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

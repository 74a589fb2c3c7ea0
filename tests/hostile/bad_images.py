"""Files that are named like images and are none, or larger than announced."""

import io
import os
import socket
import struct
import zlib
from pathlib import Path

from PIL import Image

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
HUGE = 60_000  # pixels of a side


def image(kind: str = "PNG", side: int = 20, shade: int = 90) -> bytes:
    """A sound little picture."""
    content = io.BytesIO()
    picture = Image.new("RGB", (side, side), (shade, 30, 200))
    picture.putpixel((shade % side, 3), (255, 255, 255))
    picture.save(content, kind)
    return content.getvalue()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, *chunks: bytes) -> bytes:
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return _SIGNATURE + header + b"".join(chunks) + _chunk(b"IEND", b"")


def _zeros(count: int) -> bytes:
    return zlib.compress(bytes(count), 9)


def _circular_exif() -> bytes:
    """An EXIF block whose directory points at itself."""
    directory = b"II*\0" + struct.pack("<IH", 8, 1) + struct.pack("<HHII", 0x8769, 4, 1, 8)
    return b"Exif\0\0" + directory + struct.pack("<I", 8)


def _jpeg_with(segment: bytes) -> bytes:
    plain = image("JPEG")
    return plain[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + plain[2:]


# Cannot be used, each with a part of the reason.
REFUSED = {
    "header of 60000 x 60000.png": (
        _png(HUGE, HUGE, _chunk(b"IDAT", _zeros(1000))),
        "the header announces more than 89 million pixels",
    ),
    "largest header.png": (_png(2**31 - 1, 2**31 - 1), "the header announces more than"),
    "text that inflates.png": (
        _png(1, 1, _chunk(b"zTXt", b"k\0\0" + _zeros(80_000_000)), _chunk(b"IDAT", _zeros(4))),
        "its image data is damaged",
    ),
    "profile that inflates.png": (
        _png(1, 1, _chunk(b"iCCP", b"k\0\0" + _zeros(80_000_000)), _chunk(b"IDAT", _zeros(4))),
        "its image data is damaged",
    ),
    "too few pixels.png": (_png(20, 20, _chunk(b"IDAT", _zeros(50))), "truncated"),
    "no pixels.png": (_png(20, 20), "damaged"),
    "no width.png": (_png(0, 20), "no"),
    "screen of 65535.gif": (
        b"GIF89a"
        + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0)
        + b"\x2c"
        + struct.pack("<HHHHB", 0, 0, 1, 1, 0)
        + b"\x02\x02\x4c\x01\x00\x3b",
        "the header announces more than",
    ),
    "frame of 65535.gif": (
        b"GIF89a"
        + struct.pack("<HHBBB", 1, 1, 0, 0, 0)
        + b"\x2c"
        + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0)
        + b"\x02\x02\x4c\x01\x00\x3b",
        "the header announces more than",
    ),
    "truncated.jpg": (image("JPEG", 200)[:-200], "truncated"),
    "truncated.png": (image("PNG", 200)[:120], "truncated"),
    "empty.jpg": (b"", "the file is empty"),
    "text.jpg": (b"Dear diary,\x1b[31m\n" * 20, "its content is not an image of a known format"),
    "script.png": (b"#!/bin/sh\ntouch pwned\n", "its content is not an image of a known format"),
    "postscript.jpg": (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(touch pwned) run\n",
        "its content is not an image of a known format",
    ),
    "archive.png": (b"PK\x03\x04" + bytes(60), "its content is not an image of a known format"),
    "huge.ppm": (b"P6 60000 60000 255\n", "the header announces more than"),
    "endless number.ppm": (b"P6 " + b"9" * 5000 + b" 1 255\n", "its image data is damaged"),
    "huge.bmp": (
        b"BM" + bytes(12) + struct.pack("<IiiHHIIiiII", 40, 2**31 - 1, 2**31 - 1, 1, 24, *[0] * 6),
        "the header announces more than",
    ),
}

# Used all the same: what they lie about does no harm.
USED = {
    "jpeg.png": image("JPEG", shade=1),
    "png.jpg": image("PNG", shade=2),
    "pixels that continue.png": _png(
        2, 2, _chunk(b"IDAT", zlib.compress(bytes(14) + bytes(50_000_000), 9))
    ),
    "exif in a circle.jpg": _jpeg_with(_circular_exif()),
}


def write_all(folder: Path) -> Path:
    """Writes all of both kinds, and what is no file at all; returns the folder."""
    folder.mkdir(parents=True)
    for name, (content, _) in REFUSED.items():
        (folder / name).write_bytes(content)
    for name, used in USED.items():
        (folder / name).write_bytes(used)
    write_odd_files(folder)
    return folder


def write_odd_files(folder: Path) -> None:
    """A folder, a pipe, a socket, and links of all kinds, with names of images."""
    (folder / "folder.jpg").mkdir()
    os.mkfifo(folder / "pipe.jpg")
    _socket(folder, "socket.jpg")
    (folder / "dangling.jpg").symlink_to("nowhere.jpg")
    (folder / "itself.jpg").symlink_to("itself.jpg")
    (folder / "device.jpg").symlink_to("/dev/zero")
    (folder / "passwords.jpg").symlink_to("/etc/passwd")
    (folder / "above").symlink_to("..")
    (folder / "here").symlink_to(".")
    (folder / "root").symlink_to("/nowhere/at/all")


def _socket(folder: Path, name: str) -> None:
    """Bound by a short path: those of sockets have 107 bytes at most."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(f"/proc/self/fd/{descriptor}/{name}")
    finally:
        os.close(descriptor)

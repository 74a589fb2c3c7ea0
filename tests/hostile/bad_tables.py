"""CSV, npz and idx files that are odd, forged or traps."""

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

_GOOD = b"path,label\na.png,cat\nb.png,dog\n"
ESCAPES = b"\x1b[31m\x1b]52;c;eA==\x07"

# CSV files beside a.png and b.png. Read: what the labels are.
CSV_READ: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "byte order mark": (b"\xef\xbb\xbf" + _GOOD, ("cat", "dog")),
    "CRLF": (_GOOD.replace(b"\n", b"\r\n"), ("cat", "dog")),
    "CR": (_GOOD.replace(b"\n", b"\r"), ("cat", "dog")),
    "Latin-1": (_GOOD.replace(b"cat", b"caf\xe9"), ("caf\udce9", "dog")),
    "columns twice": (b"path,label,label\na.png,cat,x\nb.png,dog,y\n", ("cat", "dog")),
    "paths that go up": (b"path,label\nx/../a.png,cat\n./b.png,dog\n", ("cat", "dog")),
    "a name that is too long": (_GOOD + b"y" * 300 + b",cat\n", ("cat", "dog")),
    "a path that is too long": (_GOOD + b"y/" * 5000 + b",cat\n", ("cat", "dog")),
    "devices": (_GOOD + b"/dev/zero,cat\n/dev/stdin,dog\n/etc/passwd,cat\n", ("cat", "dog")),
    "folders": (_GOOD + b".,cat\n..,dog\n/,cat\n", ("cat", "dog")),
    "formula": (_GOOD.replace(b"cat", b"=cmd()"), ("=cmd()", "dog")),
}
# Refused: a part of the message.
CSV_REFUSED: dict[str, tuple[bytes, str]] = {
    "UTF-16": (_GOOD.decode().encode("utf-16"), "it is not UTF-8 text but UTF-16"),
    "UTF-32": (_GOOD.decode().encode("utf-32"), "it is not UTF-8 text but UTF-16"),
    "empty": (b"", "the first line names no column of paths"),
    "zero bytes": (bytes(1000), "the first line names no column of paths"),
    "zero byte in a path": (_GOOD.replace(b"a.", b"\0a."), "line 2: the path holds a zero byte"),
    "zero byte in a label": (_GOOD.replace(b"cat", b"c\0t"), "line 2: the label holds a zero"),
    "field of 10 MB": (_GOOD + b"c.png," + b"x" * 10_000_000, "line 4: it is not CSV"),
    "first line of 10 MB": (b"x" * 10_000_000, "the first line names no column of paths"),
    "open quote": (b'path,label\n"a.png,cat\nb.png,dog\n', "it is not CSV"),
    "open quote at once": (b'"path,label\na.png,cat\n', "the first line names no column"),
    "column missing": (b"path\na.png\nb.png\n", "the first line names no column of paths"),
    "cell missing": (_GOOD + b"c.png\n", "line 4: the label is missing"),
    "escapes for columns": (ESCAPES + b"," + ESCAPES, "the first line names no column"),
    "escapes for a split": (
        b"path,label,split\na.png,cat," + ESCAPES + b"\n",
        "line 2: the split is",
    ),
    "two labels": (_GOOD + b"./a.png,dog\n", "line 4: a.png was already given in line 2"),
    "no file": (b"path,label\n" + b"y" * 300 + b",cat\nz.png,dog\n", "None of the 2 images"),
    "program": (b"\x7fELF" + bytes(200), "the first line names no column of paths"),
}


def write_csv(folder: Path, content: bytes, image: bytes) -> Path:
    """labels.csv beside two images."""
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(image)
    (folder / "labels.csv").write_bytes(content)
    return folder / "labels.csv"


class Payload:
    """A pickle of it would make a file `pwned` when it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, ("pwned", "w"))


def _npy(shape: object, kind: str = "|u1", values: bytes = b"", by_column: bool = False) -> bytes:
    header = str({"descr": kind, "fortran_order": by_column, "shape": shape}).encode()
    return _npy_with(header.ljust(117) + b"\n", values)


def _npy_with(header: bytes, values: bytes = b"", version: int = 1) -> bytes:
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + values


def _array(values: Any) -> bytes:
    content = io.BytesIO()
    np.save(content, values, allow_pickle=True)
    return content.getvalue()


def npz(path: Path, **changes: bytes | None) -> Path:
    """Four tiny images, two to train and two to test, with members exchanged or left out."""
    images, labels = _array(np.zeros((2, 4, 4), np.uint8)), _array(np.array([0, 1]))
    members = {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, content in {**members, **changes}.items():
            if content is not None:
                archive.writestr(f"{key}.npy", content)
    return path


_NOT_THERE = "bytes of values and has"
Members = dict[str, bytes | None]
NPZ_REFUSED: dict[str, tuple[Callable[[], Members], str]] = {
    "pickled labels": (
        lambda: {"y_train": _array(np.array([Payload(), 1], object))},
        "y_train holds Python objects",
    ),
    "pickled images": (
        lambda: {"x_train": _array(np.array([Payload(), 1], object))},
        "x_train holds Python objects",
    ),
    "pickled names": (
        lambda: {"label_names": _array(np.array([Payload(), 1], object))},
        "label_names holds Python objects",
    ),
    "a terabyte of images": (lambda: {"x_train": _npy((10**9, 32, 32))}, _NOT_THERE),
    "a terabyte of labels": (lambda: {"y_train": _npy((10**12,), "<i8")}, _NOT_THERE),
    "more than there are numbers": (lambda: {"y_train": _npy((10**30,), "<i8")}, _NOT_THERE),
    "a label of a gigabyte": (lambda: {"y_train": _npy((2,), "<U250000000")}, _NOT_THERE),
    "fewer than none": (lambda: {"x_train": _npy((-2, 4, 4))}, _NOT_THERE),
    "inflating images": (
        lambda: {"x_train": _npy((20, 1000, 1000), "|u1", bytes(20_000_000))},
        "x_train grows from",
    ),
    "inflating images by column": (
        lambda: {"x_train": _npy((20, 1000, 1000), "|u1", bytes(20_000_000), True)},
        "x_train grows from",
    ),
    "inflating labels": (
        lambda: {"y_train": _npy((3_000_000,), "<i8", bytes(24_000_000))},
        "y_train grows from",
    ),
    "code for a header": (
        lambda: {"x_train": _npy_with(b"__import__('os').system('touch pwned')")},
        "it is damaged",
    ),
    "a deep header": (lambda: {"x_train": _npy_with(b"(" * 9000)}, "it is damaged"),
    "an open header": (lambda: {"x_train": _npy_with(b"{'a': [\n\n")}, "it is damaged"),
    "a header of 4 GB": (
        lambda: {"x_train": b"\x93NUMPY\2\0" + b"\xff" * 4 + b" " * 99},
        "it is damaged",
    ),
    "a later format": (lambda: {"x_train": _npy_with(b"{}", version=9)}, "unknown version"),
    "shape of fractions": (lambda: {"x_train": _npy((2.5, 4, 4))}, "it is damaged"),
    "numbers with a point": (lambda: {"x_train": _array(np.zeros((2, 4, 4)))}, "is float64"),
    "dates for labels": (
        lambda: {"y_train": _array(np.array(["2020", "2021"], "M8[s]"))},
        "y_train is datetime64[s]",
    ),
    "half a character": (
        lambda: {"y_train": _array(np.array(["\ud800", "b"]))},
        "y_train holds the label '\\ud800'",
    ),
    "empty label": (lambda: {"y_train": _array(np.array(["", "b"]))}, "y_train holds the label"),
    "endless label": (
        lambda: {"y_train": _array(np.array(["x" * 1001, "b"]))},
        "y_train holds the label",
    ),
    "escapes for arrays": (
        lambda: {"x_train": None, ESCAPES.decode(): _array(np.zeros(1))},
        "it lacks x_train",
    ),
}


def _idx(shape: tuple[int, ...], values: bytes = b"") -> bytes:
    return struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + values


IDX_REFUSED: dict[str, tuple[bytes, str]] = {
    "four billion images": (_idx((2**32 - 1, 28, 28)), "its header announces"),
    "a gigabyte that is not there": (_idx((2**30,)), "it ends early"),
    "two hundred dimensions": (
        b"\0\0\x08\xc8" + b"\0\0\0\1" * 200,
        "it does not start like",
    ),
    "numbers with a point": (b"\0\0\x0d\x01\0\0\0\1" + bytes(4), "not unsigned bytes"),
    "more than announced": (_idx((1,), bytes(9)), "it continues after"),
    "empty": (b"", "it ends early"),
}

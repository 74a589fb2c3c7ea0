"""Names that attack a terminal, a markup language or a file system, and what harmless text is."""

import os
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import strategies as st

from workbench.errors import UserError

# Each is a name that Linux allows for a file. None holds "/" or NUL.
NAMES = {
    "colour": b"\x1b[31mred\x1b[0m",
    "clear the screen": b"\x1b[2J\x1b[H",
    "clipboard (OSC 52)": b"\x1b]52;c;cm0gLXJmIH4=\x07",
    "link (OSC 8)": b"\x1b]8;;http:evil\x1b\\here\x1b]8;;\x1b\\",
    "8-bit CSI": "\x9b31m".encode(),
    "title (OSC 0) and bell": b"\x1b]0;title\x07",
    "markup end": b"[oops",
    "markup closed": b"[red]x[",
    "newline": b"a\nerror: all is lost",
    "return": b"a\rerror",
    "tab and backspace": b"a\tb\x08\x08",
    "delete": b"a\x7f",
    "bidi override": "invoice\u202egpj".encode(),
    "bidi isolate": "\u2066a\u2069\u200f".encode(),
    "line separator": "a\u2028b\u2029".encode(),
    "invisible": "a\u200bb\ufeff".encode(),
    "no UTF-8": b"caf\xe9\xff\xfe",
    "half a character": b"\xed\xa0\x80",
    "blank": b" ",
    "dashes": b"--help",
    "quote": b"'\"`$(touch pwned)`",
    "formula": b"=1+1",
    "two hundred bytes": b"x" * 200,
}
LONGEST = 255  # bytes of a name
LONGEST_PATH = 4095  # bytes


def text_of(name: bytes) -> str:
    """As Python holds a file's name."""
    return os.fsdecode(name)


def class_folders(root: Path, image: bytes) -> Path:
    """A class folder of each name with an image of each name in it."""
    for name in NAMES.values():
        folder = root / text_of(name)
        folder.mkdir(parents=True)
        (folder / (text_of(name) + ".png")).write_bytes(image)
    longest = root / ("y" * LONGEST)
    longest.mkdir()
    (longest / ("z" * (LONGEST - 4) + ".png")).write_bytes(image)
    return root


def deep_folder(root: Path, image: bytes) -> str:
    """An image whose path has nearly as many bytes as Linux takes, below root/deep.

    Returns:
        Its path from `root`.
    """
    below = "deep"
    while len(os.fsencode(root / below)) + 102 < LONGEST_PATH - 10:
        below += "/" + "d" * 100
    (root / below).mkdir(parents=True)
    (root / below / "1.png").write_bytes(image)
    return f"{below}/1.png"


def too_deep_folder(root: Path, image: bytes) -> None:
    """Folders in each other until no path reaches the image in the last; needs `chdir`."""
    root.mkdir(parents=True)
    here = os.open(root, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * LONGEST, dir_fd=here)
        deeper = os.open("d" * LONGEST, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    file = os.open("1.png", os.O_CREAT | os.O_WRONLY, dir_fd=here)
    os.write(file, image)
    os.close(file)
    os.close(here)


def dangers(text: str) -> Iterator[str]:
    """What in a text could move a terminal's cursor, hide, reorder, or be no text at all."""
    for character in text:
        if character != "\n" and unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
            yield f"U+{ord(character):04X}"


def assert_harmless(text: str) -> None:
    """Fails where the text may not reach a terminal."""
    assert list(dangers(text)) == []


@contextmanager
def refused_harmlessly() -> Iterator[None]:
    """Around what may be refused: then with a harmless message."""
    try:
        yield
    except UserError as error:
        assert_harmless(str(error))


def damaged(content: bytes, data: st.DataObject, most: int = 3) -> bytes:
    """The content with one to so many bytes replaced by any others."""
    changed = bytearray(content)
    for _ in range(data.draw(st.integers(1, most))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    return bytes(changed)

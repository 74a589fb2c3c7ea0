"""Streams that can encode any text, in any locale.

A character that the encoding lacks is written as a substitute of the same width where it is one of
our own, and else as an escape: a name from outside keeps its identity.
"""

import codecs
import io
import os
from collections.abc import Mapping
from typing import TextIO

SUBSTITUTES = {"…": "~", "°": " ", "·": "-", "→": ">", "─": "-", "━": "-", "│": "|", "┃": "|"}
SUBSTITUTES |= dict.fromkeys("┌┐└┘╭╮╰╯├┤┬┴┼", "+")
_BLOCKS = range(0x2580, 0x25A0)  # bars and shades
_HANDLER = "workbench"
_PLAIN = "workbench-ascii"


def make_printable(stream: TextIO | None) -> None:
    """Make a stream write substitutes for characters that its encoding lacks.

    Names that are not UTF-8, which Python holds as surrogates, are written as escapes too.
    """
    if isinstance(stream, io.TextIOWrapper):
        codecs.register_error(_HANDLER, _replaced)
        codecs.register(_plain_ascii)
        is_ascii = codecs.lookup(stream.encoding).name == "ascii"
        # click treats a stream with the encoding ascii as misconfigured, and sends UTF-8.
        stream.reconfigure(encoding=_PLAIN if is_ascii else None, errors=_HANDLER)


def use_utf8(stream: TextIO | None) -> None:
    """Make a stream write UTF-8, the encoding of logs, in any locale."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def supports_unicode(stream: object) -> bool:
    """Return whether a stream's encoding has every character; True where it is unknown."""
    encoding = getattr(stream, "encoding", None)
    return encoding is None or codecs.lookup(encoding).name.startswith("utf")


def supports_utf8(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether the first variable that is set names UTF-8, as the C library decides.

    "UTF-8" alone is what a Mac sends over SSH. Python itself sets LC_CTYPE at its start where they
    name no language, so that it counts here.
    """
    names = ("LC_ALL", "LC_CTYPE", "LANG")
    locale = next(filter(None, map(environment.get, names)), "")
    coding = locale.rpartition(".")[2].partition("@")[0]
    return coding.lower().replace("-", "") == "utf8"


def substitute(character: str) -> str:
    """Return the ASCII text for a character that is not ASCII."""
    if character in SUBSTITUTES:
        return SUBSTITUTES[character]
    if ord(character) in _BLOCKS:
        return "#"
    return character.encode("ascii", "backslashreplace").decode("ascii")


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(substitute, error.object[error.start : error.end])), error.end


def _plain_ascii(name: str) -> codecs.CodecInfo | None:
    """Return ASCII by another name."""
    if name != _PLAIN.replace("-", "_"):
        return None
    known = codecs.lookup("ascii")
    return codecs.CodecInfo(
        known.encode,
        known.decode,
        known.streamreader,
        known.streamwriter,
        known.incrementalencoder,
        known.incrementaldecoder,
        _PLAIN,
    )

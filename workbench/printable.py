"""Streams on which whatever is printed can be encoded, in any locale.

A character that the stream's encoding does not have is written as a stand-in of the same width
where it is one of our own, and else as an escape: a name from outside stays what it is.
"""

import codecs
import io
from typing import TextIO

STAND_INS = {"…": "~", "°": " ", "·": "-", "→": ">", "─": "-", "━": "-", "│": "|", "┃": "|"}
STAND_INS |= dict.fromkeys("┌┐└┘╭╮╰╯├┤┬┴┼", "+")
_BLOCKS = range(0x2580, 0x25A0)  # bars and shades, which have no ground of their own on paper
_HANDLER = "workbench"
_PLAIN = "workbench-ascii"


def make_printable(stream: TextIO | None) -> None:
    """Has a stream write a stand-in for what its encoding lacks; it never raises for that.

    Names that are no UTF-8, which Python holds as surrogates, are written as escapes too.
    """
    if isinstance(stream, io.TextIOWrapper):
        codecs.register_error(_HANDLER, _replaced)
        codecs.register(_plain_ascii)
        ascii_alone = codecs.lookup(stream.encoding).name == "ascii"
        # click takes a stream for misconfigured whose encoding is called ascii, and sends UTF-8.
        stream.reconfigure(encoding=_PLAIN if ascii_alone else None, errors=_HANDLER)


def make_log(stream: TextIO | None) -> None:
    """Has a stream write UTF-8, which logs are read as, whatever the locale is."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def encodes_all(stream: object) -> bool:
    """Whether a stream's encoding has every character; True where it does not tell."""
    encoding = getattr(stream, "encoding", None)
    return encoding is None or codecs.lookup(encoding).name.startswith("utf")


def stand_in(character: str) -> str:
    """What is written in place of a character that is not ASCII."""
    if character in STAND_INS:
        return STAND_INS[character]
    if ord(character) in _BLOCKS:
        return "#"
    return character.encode("ascii", "backslashreplace").decode("ascii")


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(stand_in, error.object[error.start : error.end])), error.end


def _plain_ascii(name: str) -> codecs.CodecInfo | None:
    """ASCII by another name."""
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

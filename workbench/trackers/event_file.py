"""Event files of TensorBoard, written without it, so that appending can be undone.

A file is a sequence of TFRecords (length, its checksum, content, its checksum), each with an
`Event` of tensorflow/core/util/event.proto in protocol buffers' binary form. Only what a scalar, a
text and the mark of a restart need is written.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_VERSION = b"brain.Event:2"  # what a reader expects in the first event
_POLYNOMIAL = 0x82F63B78  # CRC-32C (Castagnoli), bits reversed
_MASK = 0xA282EAD8  # TFRecord stores checksums rotated and offset by this
_VARINT, _DOUBLE, _BYTES, _FLOAT = 0, 1, 2, 5  # protocol buffers' wire types
_STRING = 7  # DT_STRING of tensorflow/core/framework/types.proto
_START = 1  # SessionLog.START


@dataclass(frozen=True)
class Scalar:
    """A value at a step; `time` is the unix time of its measurement in seconds."""

    tag: str
    step: int
    value: float
    time: float


def head_record(began: float) -> bytes:
    """Return the first event of a file that begins at a unix time in seconds."""
    return _record(_time(began) + _bytes(3, _VERSION))


def scalar_record(scalar: Scalar) -> bytes:
    """Return the event of a value."""
    value = _bytes(1, scalar.tag.encode()) + _field(2, _FLOAT, struct.pack("<f", scalar.value))
    return _record(_time(scalar.time) + _step(scalar.step) + _summary(value))


def text_record(tag: str, text: str, step: int, time: float) -> bytes:
    """Return the event of a text in Markdown."""
    one = _bytes(2, _field(1, _VARINT, _varint(1)))  # a shape with one dimension of one
    tensor = _field(1, _VARINT, _varint(_STRING)) + _bytes(2, one) + _bytes(8, text.encode())
    plugin = _bytes(1, _bytes(1, b"text"))
    value = _bytes(1, tag.encode()) + _bytes(9, plugin) + _bytes(8, tensor)
    return _record(_time(time) + _step(step) + _summary(value))


def restart_record(step: int, time: float) -> bytes:
    """Return the event that makes readers forget what was written of this step and later ones."""
    status = _bytes(7, _field(1, _VARINT, _varint(_START)))
    return _record(_time(time) + _step(step) + status)


def _time(seconds: float) -> bytes:
    return _field(1, _DOUBLE, struct.pack("<d", seconds))


def _step(number: int) -> bytes:
    return _field(2, _VARINT, _varint(number))


def _summary(value: bytes) -> bytes:
    return _bytes(5, _bytes(1, value))


def _record(content: bytes) -> bytes:
    length = struct.pack("<Q", len(content))
    return length + _masked_crc(length) + content + _masked_crc(content)


def _field(number: int, kind: int, content: bytes) -> bytes:
    return _varint(number << 3 | kind) + content


def _bytes(number: int, content: bytes) -> bytes:
    return _field(number, _BYTES, _varint(len(content)) + content)


def _varint(value: int) -> bytes:
    """Encode seven bits a byte, the lowest first; the highest bit is set if more follow."""
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def _masked_crc(content: bytes) -> bytes:
    found = crc32c(content)
    rotated = (found >> 15 | found << 17) & 0xFFFFFFFF
    return struct.pack("<I", (rotated + _MASK) & 0xFFFFFFFF)


def crc32c(content: bytes) -> int:
    """Return the CRC-32C of RFC 3720, appendix B.4."""
    found = 0xFFFFFFFF
    for byte in content:
        found = _TABLE[(found ^ byte) & 0xFF] ^ found >> 8
    return found ^ 0xFFFFFFFF


def _table() -> Iterator[int]:
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        yield value


_TABLE = tuple(_table())

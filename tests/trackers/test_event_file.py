"""Event files: checksums and bytes as in the documentation of the formats."""

import struct

import pytest

from workbench.trackers.event_file import Scalar, crc32c, head_record, scalar_record


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),  # RFC 3720, B.4
        (bytes([0xFF] * 32), 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ],
)
def test_checksums_are_those_of_the_rfc(content: bytes, expected: int) -> None:
    assert crc32c(content) == expected


def test_a_scalar_is_an_event_with_a_summary() -> None:
    first, second = head_record(5.0), scalar_record(Scalar("loss", 300, 0.5, 7.0))
    assert first[12:-4] == b"\x09" + struct.pack("<d", 5.0) + b"\x1a\x0dbrain.Event:2"
    value = b"\x0a\x04loss\x15" + struct.pack("<f", 0.5)
    summary = b"\x0a" + bytes([len(value)]) + value
    event = b"\x09" + struct.pack("<d", 7.0) + b"\x10\xac\x02\x2a" + bytes([len(summary)]) + summary
    assert second[:8] == struct.pack("<Q", len(event))
    assert second[12:-4] == event

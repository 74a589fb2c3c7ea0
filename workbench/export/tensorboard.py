"""A run's metrics for TensorBoard: loss, accuracy and learning rate of every epoch.

Event files are written without TensorBoard. A file is a sequence of TFRecords (length, its
checksum, content, its checksum), each with an `Event` of tensorflow/core/util/event.proto in
protocol buffers' binary form. Only the fields that a scalar needs are written.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.downloads.disk import disk_errors
from workbench.errors import UserError
from workbench.experiment import metrics
from workbench.export.target import check_target, staged_folder
from workbench.files import write_atomic
from workbench.messages import tr
from workbench.runs.event_log import read_events
from workbench.runs.events import Event
from workbench.runs.folder import RunFolder
from workbench.runs.history import fold
from workbench.text import safe_text

# As Keras's own callback: two folders, so that both curves share a plot.
TRAIN, VALIDATION = "train", "validation"
_METRICS = {
    TRAIN: {"loss": "loss", "accuracy": "accuracy", "learning_rate": "learning_rate"},
    VALIDATION: {
        name: f"{metrics.VALIDATION}{name}" for name in ("loss", metrics.ACCURACY, *metrics.SCORES)
    },
}
_VERSION = b"brain.Event:2"  # what a reader expects in the first event
_POLYNOMIAL = 0x82F63B78  # CRC-32C (Castagnoli), bits reversed
_MASK = 0xA282EAD8  # TFRecord stores checksums rotated and offset by this
_VARINT, _DOUBLE, _BYTES, _FLOAT = 0, 1, 2, 5  # protocol buffers' wire types


@dataclass(frozen=True)
class Scalar:
    """A value at a step; `time` is the unix time of its measurement in seconds."""

    tag: str
    step: int
    value: float
    time: float


def write_scalars(run: RunFolder, folder: Path, force: bool = False) -> Path:
    """Write folder/RUN/train and folder/RUN/validation, which TensorBoard shows together.

    Steps are epochs, counted through all stages.

    Returns:
        folder/RUN.

    Raises:
        UserError: there is no finished epoch, the target exists, or the disk failed.
    """
    events = read_events(run.events_path)
    parts = scalars_of(events)
    if not parts:
        raise UserError(tr("{run_name} has no finished epoch.", run_name=safe_text(run.name)))
    target = folder.absolute() / run.name
    check_target(target, force, tuple(_METRICS))
    with disk_errors(target, tr("No scalars were written."), tr("name another --tensorboard DIR")):
        folder.mkdir(parents=True, exist_ok=True)
        with staged_folder(target) as fresh:
            for part, scalars in parts.items():
                began = scalars[0].time
                (fresh / part).mkdir()
                name = f"events.out.tfevents.{int(began)}.workbench"
                write_atomic(fresh / part / name, event_file(scalars, began))
    return target


def scalars_of(events: Sequence[Event]) -> dict[str, list[Scalar]]:
    """Return the metrics by folder; {} before the first epoch."""
    rows = fold(events).epochs
    found = {
        part: [
            Scalar(tag, step, value, row.t or 0.0)
            for step, row in enumerate(rows, 1)
            for tag, name in names.items()
            if (value := getattr(row, name)) is not None
        ]
        for part, names in _METRICS.items()
    }
    return {part: scalars for part, scalars in found.items() if scalars}


def event_file(scalars: Iterable[Scalar], began: float) -> bytes:
    """Return the content of an event file.

    Args:
        scalars: to write.
        began: unix seconds of the file's first event.
    """
    first = _field(1, _DOUBLE, struct.pack("<d", began)) + _bytes(3, _VERSION)
    return b"".join(map(_record, [first, *map(_event, scalars)]))


def _event(scalar: Scalar) -> bytes:
    value = _bytes(1, scalar.tag.encode()) + _field(2, _FLOAT, struct.pack("<f", scalar.value))
    return (
        _field(1, _DOUBLE, struct.pack("<d", scalar.time))
        + _field(2, _VARINT, _varint(scalar.step))
        + _bytes(5, _bytes(1, value))  # a summary with one value
    )


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

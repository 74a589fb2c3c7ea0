"""Write the event log: strict JSON lines, numbered over all sessions."""

import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from event_lines import LogWriter, event

from workbench.runs import event_log
from workbench.runs.event_log import (
    STATUS_SECONDS,
    EventReader,
    EventWriter,
    StatusWriter,
    read_events,
    read_status,
)
from workbench.runs.events import SCHEMA, Event, parse_event


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} is not strict JSON")


def test_line_has_version_number_time_and_kind(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log.time, "time", lambda: 1234.56789)
    writer = LogWriter(log)
    writer.write("notice", message="a\nb", n=99)
    writer.write("finished", seconds=2.5)
    assert log.read_text() == (
        '{"v": 2, "n": 1, "t": 1234.568, "event": "notice", "message": "a\\nb"}\n'
        '{"v": 2, "n": 2, "t": 1234.568, "event": "finished", "seconds": 2.5}\n'
    )


def test_field_may_be_named_kind(log: Path) -> None:
    LogWriter(log).write("failed", kind="user")
    [event] = read_events(log)
    assert (event.event, event.kind, event.v) == ("failed", "user", SCHEMA)


def test_values_become_strict_json(log: Path) -> None:
    LogWriter(log).write(
        "epoch_finished",
        stage=np.int64(0),
        epoch=1,
        loss=float("nan"),
        accuracy=np.float32(0.5),
        val_loss=np.float64("inf"),
        best=True,
    )
    fields = json.loads(log.read_text(), parse_constant=refuse_constant)
    assert {key: fields[key] for key in ("stage", "loss", "accuracy", "val_loss", "best")} == {
        "stage": 0,
        "loss": None,
        "accuracy": 0.5,
        "val_loss": None,
        "best": True,
    }


def test_undecodable_names_survive(log: Path) -> None:
    name = os.fsdecode(b"caf\xe9\x1b[31m\n\xf0\x9f\x90\xa6")
    LogWriter(log).write("notice", message=name)
    assert log.read_bytes().isascii()
    assert os.fsencode(read_events(log)[0].message) == b"caf\xe9\x1b[31m\n\xf0\x9f\x90\xa6"


def test_numbers_continue_in_next_session(log: Path) -> None:
    LogWriter(log).write("launched")
    second = LogWriter(log)
    second.write("worker_started")
    second.write("finished")
    assert [event.n for event in read_events(log)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("content", "following"),
    [
        (b"", 1),
        (b'{"event":"a"}\n', 1),  # none has a number
        (b'{"event":"a","n":7}\n{"event":"b","n":"x"}\nnothing\n', 8),
        (b'{"event":"a","n":7}\n{"event":"b","n":9', 8),  # torn
        (b'{"event":"a","n":7}', 8),  # complete except for its end
        (b'{"event":"a","n":7}\n{"event":"b","x":"' + b"y" * 300_000 + b'"}\n', 8),
        (b'{"event":"a","n":7,"x":"' + b"y" * 300_000 + b'"}\n', 8),
        (b"z" * 300_000 + b"\n", 1),
    ],
)
def test_newest_number_is_read_from_the_end(log: Path, content: bytes, following: int) -> None:
    log.write_bytes(content)
    LogWriter(log).write("launched")
    assert parse_event(log.read_bytes().splitlines()[-1]).n == following


def test_writer_reads_only_the_end_of_a_long_log(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[bytes] = []

    def parse(line: bytes) -> Event | None:
        parsed.append(line)
        return parse_event(line)

    log.write_bytes(b'{"event":"a","n":7}\n' * 50_000 + b'{"event":"b","n":8}\n')
    monkeypatch.setattr(event_log, "parse_event", parse)
    LogWriter(log).write("launched")
    assert parsed == [b"", b'{"event":"b","n":8}']
    assert parse_event(log.read_bytes().splitlines()[-1]).n == 9


def test_torn_line_is_closed_and_skipped(log: Path) -> None:
    LogWriter(log).write("launched")
    with log.open("ab") as file:
        file.write(b'{"v": 2, "n": 2, "ev')
    LogWriter(log).write("resumed", stage=0)
    reader = EventReader(log)
    assert [(event.n, event.event) for event in reader.read()] == [
        (1, "launched"),
        (2, "resumed"),
    ]
    assert reader.skipped == 1


def test_partial_write_does_not_affect_later_ones(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = LogWriter(log)
    write, sizes = os.write, [5]

    def full(descriptor: int, data: bytes) -> int:
        if sizes:
            return write(descriptor, data[: sizes.pop()])
        raise OSError("No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(event_log.os, "write", full)
        with pytest.raises(OSError, match="No space left"):
            writer.write("notice", message="1")
    writer.write("notice", message="2")
    reader = EventReader(log)
    assert [(event.n, event.message) for event in reader.read()] == [(1, "2")]
    assert reader.skipped == 1


def test_threads_write_complete_lines_with_unique_numbers(log: Path) -> None:
    writer = LogWriter(log)

    def work() -> None:
        for _ in range(50):
            writer.write("notice", message="x" * 300)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [event.n for event in read_events(log)] == list(range(1, 201))


def test_history_is_synced_before_a_checkpoint(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    writer = LogWriter(log)
    for kind in ("launched", "layers", "epoch_finished", "notice", "stopped"):
        writer.write(kind, stage=0, epoch=1)
    lines = log.read_bytes().splitlines(keepends=True)
    assert synced == [len(b"".join(lines[:3])), len(b"".join(lines))]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which a test sets."""
    now = [100.0]
    monkeypatch.setattr(event_log.time, "monotonic", lambda: now[0])
    return now


def writer(folder: Path) -> StatusWriter:
    return StatusWriter(folder / "status.json", EventWriter(folder / "events.jsonl"))


def step(number: int) -> object:
    return event("progress", stage=0, epoch=1, step=number)


def steps(folder: Path) -> list[int]:
    return [found.step for found in read_status(folder / "status.json")]


def test_newest_of_each_kind_is_kept(tmp_path: Path, clock: list[float]) -> None:
    status = writer(tmp_path)
    status.log.write(event("launched"))
    status.update(event("machine", cpu=1.0))
    clock[0] += STATUS_SECONDS
    status.update(step(3))
    sample, progress = read_status(status.path)
    assert (sample.cpu, progress.step) == (1.0, 3)
    assert (sample.n, progress.n) == (1, 1)  # the newest event in the log


def test_it_is_replaced_at_most_twice_a_second(tmp_path: Path, clock: list[float]) -> None:
    status = writer(tmp_path)
    status.update(step(1))
    clock[0] += STATUS_SECONDS - 0.01
    status.update(step(2))
    assert steps(tmp_path) == [1]
    clock[0] += 0.01
    status.update(step(3))
    assert steps(tmp_path) == [3]
    assert not list(tmp_path.glob(".*"))


def test_disk_that_cannot_be_written_stops_nothing(tmp_path: Path, clock: list[float]) -> None:
    status = StatusWriter(tmp_path / "gone" / "status.json", EventWriter(tmp_path / "events.jsonl"))
    status.update(step(1))
    status.path.parent.mkdir()
    clock[0] += STATUS_SECONDS
    status.update(step(2))
    assert steps(tmp_path / "gone") == [2]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"progress": {"event": "progress", "stage"',
        b'{"progress": {"event": "progress"}, "machine": 5, "v": 2}',
        b"[" * 100_000,
        json.dumps({"x": {"event": "finished"}}).encode(),
    ],
)
def test_damaged_status_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "status.json"
    path.write_bytes(content)
    assert read_status(path) == []
    assert read_status(tmp_path / "missing.json") == []

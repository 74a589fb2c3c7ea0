"""Write the event log: strict JSON lines, numbered over all sessions."""

import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from workbench.runs import events as events_module
from workbench.runs.events import SCHEMA, EventWriter, newest_by_stage, parse_event
from workbench.runs.reader import EventReader, read_events


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} is not strict JSON")


def test_line_has_version_number_time_and_kind(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_module.time, "time", lambda: 1234.56789)
    writer = EventWriter(log)
    writer.write("notice", message="a\nb", n=99)
    writer.write("finished", seconds=2)
    assert log.read_text() == (
        '{"v": 1, "n": 1, "t": 1234.568, "event": "notice", "message": "a\\nb"}\n'
        '{"v": 1, "n": 2, "t": 1234.568, "event": "finished", "seconds": 2}\n'
    )


def test_field_may_be_named_kind(log: Path) -> None:
    EventWriter(log).write("failed", kind="user")
    [event] = read_events(log)
    assert (event["event"], event["kind"], event["v"]) == ("failed", "user", SCHEMA)


def test_values_become_strict_json(log: Path) -> None:
    EventWriter(log).write(
        "progress",
        loss=float("nan"),
        accuracy=np.float32(0.5),
        best=np.bool_(True),
        shape=(np.int64(3), float("inf")),
        matrix=np.array([[1.0, np.nan]]),
        nested={"x": float("-inf"), 5: Path("/a")},
    )
    fields = json.loads(log.read_text(), parse_constant=refuse_constant)
    assert {key: fields[key] for key in ("loss", "accuracy", "best", "shape", "matrix")} == {
        "loss": None,
        "accuracy": 0.5,
        "best": True,
        "shape": [3, None],
        "matrix": [[1.0, None]],
    }
    assert fields["nested"] == {"x": None, "5": "/a"}


def test_undecodable_names_survive(log: Path) -> None:
    name = os.fsdecode(b"caf\xe9\x1b[31m\n\xf0\x9f\x90\xa6")
    EventWriter(log).write("notice", message=name)
    assert log.read_bytes().isascii()
    assert os.fsencode(read_events(log)[0]["message"]) == b"caf\xe9\x1b[31m\n\xf0\x9f\x90\xa6"


def test_numbers_continue_in_next_session(log: Path) -> None:
    EventWriter(log).write("launched")
    second = EventWriter(log)
    second.write("worker_started")
    second.write("finished")
    assert [event["n"] for event in read_events(log)] == [1, 2, 3]


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
    EventWriter(log).write("launched")
    assert parse_event(log.read_bytes().splitlines()[-1])["n"] == following


def test_writer_reads_only_the_end_of_a_long_log(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[bytes] = []

    def parse(line: bytes) -> dict[str, object] | None:
        parsed.append(line)
        return parse_event(line)

    log.write_bytes(b'{"event":"a","n":7}\n' * 50_000 + b'{"event":"b","n":8}\n')
    monkeypatch.setattr(events_module, "parse_event", parse)
    EventWriter(log).write("launched")
    assert parsed == [b"", b'{"event":"b","n":8}']
    assert parse_event(log.read_bytes().splitlines()[-1])["n"] == 9


def test_torn_line_is_closed_and_skipped(log: Path) -> None:
    EventWriter(log).write("launched")
    with log.open("ab") as file:
        file.write(b'{"v": 1, "n": 2, "ev')
    EventWriter(log).write("resumed", stage=0)
    reader = EventReader(log)
    assert [(event["n"], event["event"]) for event in reader.read()] == [
        (1, "launched"),
        (2, "resumed"),
    ]
    assert reader.skipped == 1


def test_partial_write_does_not_affect_later_ones(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = EventWriter(log)
    write, sizes = os.write, [5]

    def full(descriptor: int, data: bytes) -> int:
        if sizes:
            return write(descriptor, data[: sizes.pop()])
        raise OSError("No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(events_module.os, "write", full)
        with pytest.raises(OSError, match="No space left"):
            writer.write("progress", step=1)
    writer.write("progress", step=2)
    reader = EventReader(log)
    assert [(event["n"], event["step"]) for event in reader.read()] == [(1, 2)]
    assert reader.skipped == 1


def test_threads_write_complete_lines_with_unique_numbers(log: Path) -> None:
    writer = EventWriter(log)

    def work() -> None:
        for _ in range(50):
            writer.write("notice", message="x" * 300)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [event["n"] for event in read_events(log)] == list(range(1, 201))


def test_nonfinite_constants_become_null() -> None:
    assert parse_event(b'{"event":"a","loss":NaN,"x":-Infinity}') == {
        "event": "a",
        "loss": None,
        "x": None,
    }


def test_newest_by_stage_covers_all_sessions() -> None:
    events = [
        {"event": "layers", "stage": 0, "epoch": 1},
        {"event": "layers", "stage": 0, "epoch": 2},
        {"event": "resumed", "stage": 1, "epoch": 1},
        {"event": "layers", "stage": 1, "epoch": 1},
        {"event": "layers", "stage": "odd"},
    ]
    assert newest_by_stage(events, "layers") == {0: events[1], 1: events[3]}


def test_history_is_synced_before_a_checkpoint(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    writer = EventWriter(log)
    for kind in ("progress", "layers", "epoch_finished", "machine", "stopped"):
        writer.write(kind)
    lines = log.read_bytes().splitlines(keepends=True)
    assert synced == [len(b"".join(lines[:3])), len(b"".join(lines))]

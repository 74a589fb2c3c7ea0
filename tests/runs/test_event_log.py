"""The event log: strict JSON lines out; in, whatever a file may hold."""

import itertools
import json
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.runs import events as events_module
from workbench.runs.events import (
    SCHEMA,
    EventReader,
    EventWriter,
    newest_by_stage,
    parse_event,
    read_all,
)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} is no strict JSON")


def test_a_line_says_version_number_time_and_kind(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_module.time, "time", lambda: 1234.56789)
    writer = EventWriter(log)
    writer.write("notice", message="a\nb", n=99)
    writer.write("finished", seconds=2)
    assert log.read_text() == (
        '{"v": 1, "n": 1, "t": 1234.568, "event": "notice", "message": "a\\nb"}\n'
        '{"v": 1, "n": 2, "t": 1234.568, "event": "finished", "seconds": 2}\n'
    )


def test_a_field_may_be_called_kind(log: Path) -> None:
    EventWriter(log).write("failed", kind="user")
    [event] = read_all(log)
    assert (event["event"], event["kind"], event["v"]) == ("failed", "user", SCHEMA)


def test_figures_become_strict_json(log: Path) -> None:
    EventWriter(log).write(
        "progress",
        loss=float("nan"),
        accuracy=np.float32(0.5),
        best=np.bool_(True),
        shape=(np.int64(3), float("inf")),
        matrix=np.array([[1.0, np.nan]]),
        nested={"x": float("-inf"), 5: Path("/a")},
    )
    told = json.loads(log.read_text(), parse_constant=refuse_constant)
    assert {key: told[key] for key in ("loss", "accuracy", "best", "shape", "matrix")} == {
        "loss": None,
        "accuracy": 0.5,
        "best": True,
        "shape": [3, None],
        "matrix": [[1.0, None]],
    }
    assert told["nested"] == {"x": None, "5": "/a"}


def test_names_that_are_no_text_survive(log: Path) -> None:
    name = os.fsdecode(b"caf\xe9\x1b[31m\n\xf0\x9f\x90\xa6")
    EventWriter(log).write("notice", message=name)
    assert log.read_bytes().isascii()
    assert os.fsencode(read_all(log)[0]["message"]) == b"caf\xe9\x1b[31m\n\xf0\x9f\x90\xa6"


def test_numbers_go_on_in_the_next_life(log: Path) -> None:
    EventWriter(log).write("launched")
    second = EventWriter(log)
    second.write("worker_started")
    second.write("finished")
    assert [event["n"] for event in read_all(log)] == [1, 2, 3]


def test_a_torn_line_is_closed_and_passed_over(log: Path) -> None:
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


def test_a_write_that_is_cut_off_harms_no_later_one(
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


def test_threads_write_whole_lines_with_numbers_of_their_own(log: Path) -> None:
    writer = EventWriter(log)

    def work() -> None:
        for _ in range(50):
            writer.write("notice", message="x" * 300)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [event["n"] for event in read_all(log)] == list(range(1, 201))


def test_a_reader_gives_only_what_is_new_and_whole(log: Path) -> None:
    reader = EventReader(log)
    assert reader.read() == []  # no file yet
    log.write_bytes(b'{"event":"a"}\n{"event":"b"')
    assert reader.read() == [{"event": "a"}]
    assert reader.read() == []
    with log.open("ab") as file:
        file.write(b"}\n")
    assert reader.read() == [{"event": "b"}]
    assert (reader.skipped, reader.restarts) == (0, 0)


def test_a_read_is_bounded(log: Path) -> None:
    log.write_bytes(b'{"event":"a"}\n' * 10)  # 14 bytes each
    reader = EventReader(log, chunk_bytes=30)
    assert len(reader.read()) == 2
    assert reader.more
    assert len(list(reader.drain())) == 8
    assert not reader.more


@pytest.mark.parametrize(
    "line",
    [
        b"[1]",
        b"null",
        b'{"v":1}',
        b'{"event":5}',
        b"\xff\xfe",
        b"\0\0\0\0",
        b"[" * 100_000,
        b'{"event":"a","n":' + b"9" * 5000 + b"}",
        b"\xef\xbb\xbf{}",
    ],
)
def test_garbage_is_counted_not_raised(log: Path, line: bytes) -> None:
    log.write_bytes(b'{"event":"a"}\n' + line + b'\n\n  \n{"event":"b"}\n')
    reader = EventReader(log)
    assert [event["event"] for event in reader.read()] == ["a", "b"]
    assert reader.skipped == 1


def test_foreign_constants_become_null() -> None:
    assert parse_event(b'{"event":"a","loss":NaN,"x":-Infinity}') == {
        "event": "a",
        "loss": None,
        "x": None,
    }


def test_a_later_schema_stays_readable(log: Path) -> None:
    log.write_bytes(b'{"v":7,"event":"dreamed","of":{"sheep":1}}\n')
    assert read_all(log) == [{"v": 7, "event": "dreamed", "of": {"sheep": 1}}]


def test_an_endless_line_is_dropped_once(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_module, "LONGEST_LINE", 100)
    log.write_bytes(b'{"event":"a"}\n' + b"x" * 1000 + b'{"event":"no"}\n{"event":"b"}\n')
    reader = EventReader(log, chunk_bytes=64)
    assert [event["event"] for event in reader.drain()] == ["a", "b"]
    assert reader.skipped == 1


def test_a_replaced_file_is_read_anew(log: Path) -> None:
    log.write_bytes(b'{"event":"a","t":1}\n{"event":"b"')
    reader = EventReader(log)
    assert len(reader.read()) == 1
    log.write_bytes(b'{"event":"c","t":2}\n{"event":"d"}\n')  # longer than what was read
    assert [event["event"] for event in reader.read()] == ["c", "d"]
    log.write_bytes(b"")
    assert reader.read() == []
    assert reader.restarts == 2
    log.unlink()
    assert reader.read() == []
    log.write_bytes(b'{"event":"e"}\n')
    assert [event["event"] for event in reader.read()] == ["e"]


def test_a_longer_copy_of_the_same_log_goes_on(log: Path, tmp_path: Path) -> None:
    """As rsync makes it: another file with the same beginning."""
    log.write_bytes(b'{"event":"a"}\n')
    reader = EventReader(log)
    reader.read()
    copy = tmp_path / "copy"
    copy.write_bytes(b'{"event":"a"}\n{"event":"b"}\n')
    copy.replace(log)
    assert [event["event"] for event in reader.read()] == ["b"]
    assert reader.restarts == 0


def test_a_log_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        read_all(tmp_path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
good_lines = st.dictionaries(st.text(), json_values, max_size=3).map(
    lambda fields: json.dumps({**fields, "event": "x"}).encode()
)
lines = st.lists(good_lines | st.binary(max_size=40), max_size=12)


@settings(max_examples=150, deadline=None)
@given(
    content=lines.map(lambda parts: b"\n".join(parts)),
    cuts=st.lists(st.integers(0, 600), max_size=8),
    chunk=st.integers(1, 80),
)
def test_however_it_is_cut_the_events_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, cuts: list[int], chunk: int
) -> None:
    log = tmp_path_factory.mktemp("log") / "events.jsonl"
    whole = [parse_event(line) for line in content.split(b"\n")[:-1] if line.strip()]
    expected = [event for event in whole if event is not None]
    reader = EventReader(log, chunk_bytes=chunk)
    seen: list[dict[str, Any]] = []
    edges = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    for start, end in itertools.pairwise(edges):
        with log.open("ab") as file:
            file.write(content[start:end])
        seen += reader.read()  # bounded: may fall behind
    seen += reader.drain()
    assert seen == expected
    assert reader.skipped == len(whole) - len(expected)
    assert reader.restarts == 0


def test_the_newest_of_each_stage_counts_over_all_lives() -> None:
    told = [
        {"event": "layers", "stage": 0, "epoch": 1},
        {"event": "layers", "stage": 0, "epoch": 2},
        {"event": "resumed", "stage": 1, "epoch": 1},
        {"event": "layers", "stage": 1, "epoch": 1},
        {"event": "layers", "stage": "odd"},
    ]
    assert newest_by_stage(told, "layers") == {0: told[1], 1: told[3]}

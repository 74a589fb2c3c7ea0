"""Read the event log, whatever the file contains and however it grows."""

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.runs import event_log
from workbench.runs.event_log import EventReader, read_events
from workbench.runs.events import Event, parse_event


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def test_reader_returns_new_complete_events(log: Path) -> None:
    reader = EventReader(log)
    assert reader.read() == []  # no file yet
    log.write_bytes(b'{"event":"a"}\n{"event":"b"')
    assert reader.read() == [Event(event="a")]
    assert reader.read() == []
    with log.open("ab") as file:
        file.write(b"}\n")
    assert reader.read() == [Event(event="b")]
    assert (reader.skipped, reader.restarts) == (0, 0)


def test_read_is_bounded(log: Path) -> None:
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
def test_garbage_is_counted(log: Path, line: bytes) -> None:
    log.write_bytes(b'{"event":"a"}\n' + line + b'\n\n  \n{"event":"b"}\n')
    reader = EventReader(log)
    assert [event.event for event in reader.read()] == ["a", "b"]
    assert reader.skipped == 1


def test_later_schema_stays_readable(log: Path) -> None:
    log.write_bytes(b'{"v":7,"event":"dreamed","of":{"sheep":1}}\n')
    assert read_events(log) == [Event(v=7, event="dreamed")]


def test_endless_line_is_skipped_once(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log, "MAX_LINE_BYTES", 100)
    log.write_bytes(b'{"event":"a"}\n' + b"x" * 1000 + b'{"event":"no"}\n{"event":"b"}\n')
    reader = EventReader(log, chunk_bytes=64)
    assert [event.event for event in reader.drain()] == ["a", "b"]
    assert reader.skipped == 1


def test_replaced_file_is_read_from_the_start(log: Path) -> None:
    log.write_bytes(b'{"event":"a","t":1}\n{"event":"b"')
    reader = EventReader(log)
    assert len(reader.read()) == 1
    log.write_bytes(b'{"event":"c","t":2}\n{"event":"d"}\n')  # longer than what was read
    assert [event.event for event in reader.read()] == ["c", "d"]
    log.write_bytes(b"")
    assert reader.read() == []
    assert reader.restarts == 2
    log.unlink()
    assert reader.read() == []
    log.write_bytes(b'{"event":"e"}\n')
    assert [event.event for event in reader.read()] == ["e"]


def test_longer_copy_of_the_log_continues(log: Path, tmp_path: Path) -> None:
    """As rsync creates it: another file with the same beginning."""
    log.write_bytes(b'{"event":"a"}\n')
    reader = EventReader(log)
    reader.read()
    copy = tmp_path / "copy"
    copy.write_bytes(b'{"event":"a"}\n{"event":"b"}\n')
    copy.replace(log)
    assert [event.event for event in reader.read()] == ["b"]
    assert reader.restarts == 0


def test_unreadable_log_raises(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        read_events(tmp_path)


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
def test_events_do_not_depend_on_chunks(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, cuts: list[int], chunk: int
) -> None:
    log = tmp_path_factory.mktemp("log") / "events.jsonl"
    events = [parse_event(line) for line in content.split(b"\n")[:-1] if line.strip()]
    expected = [event for event in events if event is not None]
    reader = EventReader(log, chunk_bytes=chunk)
    seen: list[Event] = []
    edges = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    for start, end in itertools.pairwise(edges):
        with log.open("ab") as file:
            file.write(content[start:end])
        seen += reader.read()  # bounded: may fall behind
    seen += reader.drain()
    assert seen == expected
    assert reader.skipped == len(events) - len(expected)
    assert reader.restarts == 0

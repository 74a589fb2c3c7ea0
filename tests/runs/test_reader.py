"""Read the event log, whatever the file contains and however it grows."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workbench.runs import reader as reader_module
from workbench.runs.events import LATEST_ONLY, SCHEMA, EventWriter, parse_event
from workbench.runs.history import PHASES, fold
from workbench.runs.reader import EventReader, parse_latest, parse_lines, read_events


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def test_reader_returns_new_complete_events(log: Path) -> None:
    reader = EventReader(log)
    assert reader.read() == []  # no file yet
    log.write_bytes(b'{"event":"a"}\n{"event":"b"')
    assert reader.read() == [{"event": "a"}]
    assert reader.read() == []
    with log.open("ab") as file:
        file.write(b"}\n")
    assert reader.read() == [{"event": "b"}]
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
    assert [event["event"] for event in reader.read()] == ["a", "b"]
    assert reader.skipped == 1


def test_later_schema_stays_readable(log: Path) -> None:
    log.write_bytes(b'{"v":7,"event":"dreamed","of":{"sheep":1}}\n')
    assert read_events(log) == [{"v": 7, "event": "dreamed", "of": {"sheep": 1}}]


def test_endless_line_is_skipped_once(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "MAX_LINE_BYTES", 100)
    log.write_bytes(b'{"event":"a"}\n' + b"x" * 1000 + b'{"event":"no"}\n{"event":"b"}\n')
    reader = EventReader(log, chunk_bytes=64)
    assert [event["event"] for event in reader.drain()] == ["a", "b"]
    assert reader.skipped == 1


def test_replaced_file_is_read_from_the_start(log: Path) -> None:
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


def test_longer_copy_of_the_log_continues(log: Path, tmp_path: Path) -> None:
    """As rsync creates it: another file with the same beginning."""
    log.write_bytes(b'{"event":"a"}\n')
    reader = EventReader(log)
    reader.read()
    copy = tmp_path / "copy"
    copy.write_bytes(b'{"event":"a"}\n{"event":"b"}\n')
    copy.replace(log)
    assert [event["event"] for event in reader.read()] == ["b"]
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
    seen: list[dict[str, Any]] = []
    edges = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    for start, end in itertools.pairwise(edges):
        with log.open("ab") as file:
            file.write(content[start:end])
        seen += reader.read()  # bounded: may fall behind
    seen += reader.drain()
    assert seen == expected
    assert reader.skipped == len(events) - len(expected)
    assert reader.restarts == 0


START = 1_764_043_112.0


def line(kind: str, t: float = START, n: int = 1, /, **fields: Any) -> bytes:
    """Format an event as the writer does."""
    head = {"v": SCHEMA, "n": n, "t": t, "event": kind}
    return json.dumps({**head, **fields}).encode() + b"\n"


def progress(step: int, t: float = START) -> bytes:
    return line("progress", t, stage=0, phase="train", epoch=1, step=step, steps=9, loss=1.0)


def machine(cpu: int, t: float = START) -> bytes:
    return line("machine", t, cpu=cpu, gpu={"utilization": 5})


def parsed(*lines: bytes) -> list[bytes]:
    """Return the lines that are parsed."""
    events = parse_latest(b"".join(lines))
    return [json.dumps(event).encode() + b"\n" for event in events if event]


FIRST = line("stage_started", stage=0)


def test_newest_of_each_kind_is_parsed() -> None:
    other = line("checkpoint_saved", stage=0, epoch=2)
    log = [FIRST, progress(1), machine(1), progress(2), machine(2), progress(3), other, progress(4)]
    assert parsed(*log) == [FIRST, machine(2), progress(3), other, progress(4)]


def test_parsed_events_keep_their_order() -> None:
    assert parsed(FIRST, machine(1), progress(1), progress(2), machine(2)) == [
        FIRST,
        progress(2),
        machine(2),
    ]


def test_first_event_is_always_parsed() -> None:
    assert parsed(progress(1), progress(2), progress(3)) == [progress(1), progress(3)]


@pytest.mark.parametrize(
    "odd",
    [
        progress(2).replace(b'"v": 1', b'"v": 2'),
        progress(2).replace(b'"v": 1, ', b""),
        progress(2).replace(b", ", b","),
        progress(2).replace(b'"n": 1, ', b'"x": 1, "n": 1, '),
        progress(2).replace(b'"n": 1', b'"n": -1'),
        progress(2, 12.5),  # a clock that was never set
        progress(2).replace(b"1764043112.0", b"null"),
        b" " + progress(2),
        line("preparing", done=2),
        line("evaluating", done=2),
        line("other", inner={"event": "progress"}),
        line("other", inner='"event": "progress"'),
    ],
)
def test_other_lines_are_parsed(odd: bytes) -> None:
    events = list(parse_latest(FIRST + odd + progress(3)))
    assert events == [parse_event(one) for one in (FIRST, odd, progress(3))]


@pytest.mark.parametrize("bad", [progress(2)[:-4] + b"\n", machine(2)[:-2] + b"\n"])
def test_torn_line_supersedes_nothing(bad: bytes) -> None:
    log = FIRST + machine(1) + progress(1) + bad
    events = list(parse_latest(log))
    assert [event for event in events if event] == list(
        parse_lines(FIRST + machine(1) + progress(1))
    )
    assert events.count(None) == 1


def test_progress_without_position_supersedes_nothing() -> None:
    odd = line("progress", loss=1.0)
    assert parsed(FIRST, progress(1), progress(2), odd) == [FIRST, progress(2), odd]


def test_little_of_a_long_log_is_parsed(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With lines of the real writer, whose beginning the reader matches."""
    writer, lines_parsed = EventWriter(log), []

    def parse(line: bytes) -> dict[str, Any] | None:
        lines_parsed.append(line)
        return parse_event(line)

    writer.write("launched")
    for step in range(200):
        writer.write("progress", stage=0, phase="train", epoch=1, step=step, steps=200)
        writer.write("machine", cpu=step, gpu=None)
    writer.write("epoch_finished", stage=0, epoch=1)
    monkeypatch.setattr(reader_module, "parse_event", parse)
    assert [event["n"] for event in read_events(log)] == [1, 400, 401, 402]
    assert len(lines_parsed) == 4
    assert len(list(EventReader(log, every=True).drain())) == 402


places = st.sampled_from(
    [{"stage": 0, "epoch": 1}, {"stage": 0, "epoch": 2}, {"stage": 1, "epoch": 1}, {"stage": None}]
)
kinds = st.sampled_from(
    [*LATEST_ONLY, *LATEST_ONLY, *LATEST_ONLY, *LATEST_ONLY, *sorted(PHASES), "odd"]
)
times = st.integers(-2, 9).map(lambda seconds: START + seconds / 4)  # the clock may be set back
written = st.builds(
    lambda kind, t, place, step, phase: line(kind, t, **place, step=step, phase=phase),
    kinds,
    times,
    places,
    st.integers(0, 9),
    st.sampled_from(["train", "scan", "wait for birds-1"]),
)
foreign = written.map(
    lambda text: json.dumps(dict(reversed(json.loads(text).items()))).encode() + b"\n"
)
timeless = written.map(
    lambda text: json.dumps({**json.loads(text), "t": None, "of": "x\r"}).encode() + b"\n"
)
torn = st.builds(lambda text, cut: text[:cut] + b"\n", written, st.integers(0, 120))
merged = st.builds(lambda text, cut, more: text[:cut] + more, written, st.integers(0, 120), written)
garbage = st.binary(max_size=20).map(lambda some: some + b"\n")
SET_BACK = b"".join(
    [line("worker_started"), *(progress(1, START + seconds) for seconds in (5, 2, 9))]
)
TIMELESS = b'{"event":"a"}\n'
logs = st.lists(written | written | written | foreign | timeless | torn | merged | garbage).map(
    b"".join
)
logs = logs | logs.map(lambda log: line("worker_started", START) + log)


@settings(max_examples=400, deadline=None)
@given(content=logs, chunk=st.sampled_from([1, 50, 300, 2000]), begin=st.integers(0, 2000))
@example(content=TIMELESS + progress(1) + progress(2, START + 1), chunk=2000, begin=0)
@example(content=SET_BACK, chunk=2000, begin=0)
def test_history_is_the_same_without_superseded_events(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, chunk: int, begin: int
) -> None:
    """In all fields, and seconds worked to the last digit."""
    log = tmp_path_factory.mktemp("log") / "events.jsonl"
    log.write_bytes(content)
    complete = fold(EventReader(log, every=True).drain())
    assert fold(EventReader(log, chunk).drain()) == complete
    # As in an app that has it open while the rest is written.
    log.write_bytes(content[:begin])
    reader = EventReader(log)
    opened = fold(reader.drain())
    with log.open("ab") as file:
        file.write(content[begin:])
    assert fold(reader.drain(), opened) == complete

"""What reading a log leaves out: only what changes no history."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workbench.runs import superseded as superseded_module
from workbench.runs.events import REPLACED, SCHEMA, EventWriter, parse_event
from workbench.runs.history import PHASES, fold
from workbench.runs.reader import EventReader, read_events
from workbench.runs.superseded import all_events, events_that_count

START = 1_764_043_112.0


def line(kind: str, t: float = START, n: int = 1, /, **fields: Any) -> bytes:
    """As the writer makes it."""
    head = {"v": SCHEMA, "n": n, "t": t, "event": kind}
    return json.dumps({**head, **fields}).encode() + b"\n"


def progress(step: int, t: float = START) -> bytes:
    return line("progress", t, stage=0, phase="train", epoch=1, step=step, steps=9, loss=1.0)


def machine(cpu: int, t: float = START) -> bytes:
    return line("machine", t, cpu=cpu, gpu={"utilization": 5})


def left(*lines: bytes) -> list[bytes]:
    """The lines that are not passed over."""
    told = events_that_count(b"".join(lines))
    return [json.dumps(event).encode() + b"\n" for event in told if event]


FIRST = line("stage_started", stage=0)


def test_the_newest_of_each_kind_is_left_before_any_other_kind() -> None:
    other = line("checkpoint_saved", stage=0, epoch=2)
    log = [FIRST, progress(1), machine(1), progress(2), machine(2), progress(3), other, progress(4)]
    assert left(*log) == [FIRST, machine(2), progress(3), other, progress(4)]


def test_they_stand_in_the_order_of_the_log() -> None:
    assert left(FIRST, machine(1), progress(1), progress(2), machine(2)) == [
        FIRST,
        progress(2),
        machine(2),
    ]


def test_a_log_that_begins_with_them_tells_when_it_began() -> None:
    assert left(progress(1), progress(2), progress(3)) == [progress(1), progress(3)]


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
def test_a_line_that_begins_in_another_way_is_parsed_as_ever(odd: bytes) -> None:
    told = list(events_that_count(FIRST + odd + progress(3)))
    assert told == [parse_event(one) for one in (FIRST, odd, progress(3))]


@pytest.mark.parametrize("bad", [progress(2)[:-4] + b"\n", machine(2)[:-2] + b"\n"])
def test_a_torn_line_replaces_nothing(bad: bytes) -> None:
    log = FIRST + machine(1) + progress(1) + bad
    told = list(events_that_count(log))
    assert [event for event in told if event] == list(all_events(FIRST + machine(1) + progress(1)))
    assert told.count(None) == 1


def test_progress_without_a_place_replaces_nothing() -> None:
    odd = line("progress", loss=1.0)
    assert left(FIRST, progress(1), progress(2), odd) == [FIRST, progress(2), odd]


def test_of_a_long_run_little_is_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the writer writes it: what it begins a line with is what is looked for."""
    log = tmp_path / "events.jsonl"
    writer, parsed = EventWriter(log), []

    def parse(line: bytes) -> dict[str, Any] | None:
        parsed.append(line)
        return parse_event(line)

    writer.write("launched")
    for step in range(200):
        writer.write("progress", stage=0, phase="train", epoch=1, step=step, steps=200)
        writer.write("machine", cpu=step, gpu=None)
    writer.write("epoch_finished", stage=0, epoch=1)
    monkeypatch.setattr(superseded_module, "parse_event", parse)
    assert [event["n"] for event in read_events(log)] == [1, 400, 401, 402]
    assert len(parsed) == 4
    assert len(list(EventReader(log, every=True).drain())) == 402


places = st.sampled_from(
    [{"stage": 0, "epoch": 1}, {"stage": 0, "epoch": 2}, {"stage": 1, "epoch": 1}, {"stage": None}]
)
kinds = st.sampled_from([*REPLACED, *REPLACED, *REPLACED, *REPLACED, *sorted(PHASES), "odd"])
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
    lambda told: json.dumps(dict(reversed(json.loads(told).items()))).encode() + b"\n"
)
timeless = written.map(
    lambda told: json.dumps({**json.loads(told), "t": None, "of": "x\r"}).encode() + b"\n"
)
torn = st.builds(lambda told, cut: told[:cut] + b"\n", written, st.integers(0, 120))
merged = st.builds(lambda told, cut, more: told[:cut] + more, written, st.integers(0, 120), written)
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
def test_a_history_is_the_same_without(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, chunk: int, begin: int
) -> None:
    """In all it tells, the seconds of work to the last digit too."""
    log = tmp_path_factory.mktemp("log") / "events.jsonl"
    log.write_bytes(content)
    whole = fold(EventReader(log, every=True).drain())
    assert fold(EventReader(log, chunk).drain()) == whole
    # As an app does that has it open while the rest is written.
    log.write_bytes(content[:begin])
    reader = EventReader(log)
    opened = fold(reader.drain())
    with log.open("ab") as file:
        file.write(content[begin:])
    assert fold(reader.drain(), opened) == whole

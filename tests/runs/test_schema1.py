"""Read logs of schema 1, in which progress and samples of the machine stood between the events."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workbench.runs import schema1
from workbench.runs.event_log import EventReader, read_events
from workbench.runs.events import Event, parse_event
from workbench.runs.history import PHASES, fold
from workbench.runs.schema1 import parse_lines

LATEST_ONLY = ("machine", "progress")

START = 1_764_043_112.0


def line(kind: str, t: float = START, n: int = 1, /, **fields: Any) -> bytes:
    """Format an event as the writer of schema 1 did."""
    head = {"v": 1, "n": n, "t": t, "event": kind}
    return json.dumps({**head, **fields}).encode() + b"\n"


def progress(step: int, t: float = START) -> bytes:
    return line("progress", t, stage=0, phase="train", epoch=1, step=step, steps=9, loss=1.0)


def machine(cpu: int, t: float = START) -> bytes:
    return line("machine", t, cpu=cpu, gpu={"utilization": 5})


def parsed(*lines: bytes) -> list[bytes]:
    """Return the lines that are parsed."""
    events = list(parse_lines(b"".join(lines)))
    return [line for line in lines if parse_event(line) in events]


def every_event(content: bytes) -> Iterator[Event]:
    """Yield the events of all complete lines."""
    complete = content[: content.rfind(b"\n") + 1].split(b"\n")
    return (event for line in complete if line.strip() and (event := parse_event(line)))


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
    events = list(parse_lines(FIRST + odd + progress(3)))
    assert events == [parse_event(one) for one in (FIRST, odd, progress(3))]


@pytest.mark.parametrize("bad", [progress(2)[:-4] + b"\n", machine(2)[:-2] + b"\n"])
def test_torn_line_supersedes_nothing(bad: bytes) -> None:
    log = FIRST + machine(1) + progress(1) + bad
    events = list(parse_lines(log))
    assert [event for event in events if event] == list(
        parse_lines(FIRST + machine(1) + progress(1))
    )
    assert events.count(None) == 1


def test_progress_without_position_supersedes_nothing() -> None:
    odd = line("progress", loss=1.0)
    assert parsed(FIRST, progress(1), progress(2), odd) == [FIRST, progress(2), odd]


# As a worker wrote them.
LAUNCHED = (
    b'{"v": 1, "n": 1, "t": 1764043111.802, "event": "launched", "job": "train", "resume": false, '
    b'"queued": false, "argv": ["python"], "host": "ada", "boot_id": "5f", "log_start": 0}\n'
)
SAMPLE = (
    b'{"v": 1, "n": %d, "t": 1764043112.51, "event": "machine", "cpu": 41.5, "process_cpu": 99.0, '
    b'"memory_used": 3300000000, "memory_total": 25800000000, "process_memory": 1100000000, '
    b'"disk_free": 120000000000, "gpu": null}\n'
)
STEP = (
    b'{"v": 1, "n": %d, "t": 1764043112.508, "event": "progress", "stage": 0, "phase": "train", '
    b'"epoch": 1, "step": %d, "steps": 200, "images_per_second": 93.2, "loss": 0.7, '
    b'"accuracy": 0.5}\n'
)
EPOCH = (
    b'{"v": 1, "n": 402, "t": 1764043112.6, "event": "epoch_finished", "stage": 0, "epoch": 1, '
    b'"loss": 0.6, "accuracy": 0.6, "val_loss": null, "val_accuracy": null, '
    b'"learning_rate": 0.001, "seconds": 9.5, "best": false}\n'
)


def test_little_of_a_long_log_is_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines_parsed = []

    def parse(line: bytes) -> Event | None:
        lines_parsed.append(line)
        return parse_event(line)

    steps = (STEP % (2 * step, step) + SAMPLE % (2 * step + 1) for step in range(1, 201))
    log = tmp_path / "events.jsonl"
    log.write_bytes(LAUNCHED + b"".join(steps) + EPOCH)
    monkeypatch.setattr(schema1, "parse_event", parse)
    assert [event.n for event in read_events(log)] == [1, 400, 401, 402]
    assert len(lines_parsed) == 4


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
DAMAGED = b"".join(
    [line("worker_started", START), progress(1, START + 5).replace(b'"stage": 0', b'"stage": null'),
     progress(1, START)]
)  # fmt: skip
TIMELESS = b'{"event":"a"}\n'
logs = st.lists(written | written | written | foreign | timeless | torn | merged | garbage).map(
    b"".join
)
logs = logs | logs.map(lambda log: line("worker_started", START) + log)


@settings(max_examples=400, deadline=None)
@given(content=logs, chunk=st.sampled_from([1, 50, 300, 2000]), begin=st.integers(0, 2000))
@example(content=TIMELESS + progress(1) + progress(2, START + 1), chunk=2000, begin=0)
@example(content=SET_BACK, chunk=2000, begin=0)
@example(content=DAMAGED, chunk=300, begin=0)
def test_history_is_the_same_without_superseded_events(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, chunk: int, begin: int
) -> None:
    """In all fields, and seconds worked to the last digit."""
    log = tmp_path_factory.mktemp("log") / "events.jsonl"
    log.write_bytes(content)
    complete = fold(every_event(content))
    assert fold(EventReader(log, chunk).drain()) == complete
    # As in an app that has it open while the rest is written.
    log.write_bytes(content[:begin])
    reader = EventReader(log)
    opened = fold(reader.drain())
    with log.open("ab") as file:
        file.write(content[begin:])
    assert fold(reader.drain(), opened) == complete

"""The status of a run: the newest of each kind, replaced atomically and not too often."""

import json
from pathlib import Path

import pytest
from event_lines import event

from workbench.runs import event_log
from workbench.runs.event_log import STATUS_SECONDS, EventWriter, StatusWriter, read_status


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

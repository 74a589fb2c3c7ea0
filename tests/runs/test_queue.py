"""The queue: one run at a time, in the order they were queued. Real processes, without keras."""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from workbench.paths import Workspace
from workbench.runs import queue as queue_module
from workbench.runs.events import Event
from workbench.runs.folder import RunFolder, create_run
from workbench.runs.launch import clear_requests, follow, launch, request_stop
from workbench.runs.lock import is_locked, take_lock
from workbench.runs.queue import draw_ticket, first_ahead, is_waiting, wait_for_turn
from workbench.runs.reader import read_events
from workbench.runs.state import RunState, summarize

Queue = Callable[..., RunFolder]


@pytest.fixture
def queue(workspace: Workspace, fake_path: str) -> Iterator[Queue]:
    """Return a function that launches a fake worker in a new run; all are stopped at the end."""
    runs = []

    def start(name: str, mode: str = "wait", queued: bool = True) -> RunFolder:
        folder = create_run(workspace, "", name, name)
        runs.append(folder)
        environment = {"FAKE_WORKER": mode}
        launch(folder, queue=queued, environment=environment, module="fake_worker")
        return folder

    yield start
    for folder in runs:
        request_stop(folder)


@pytest.fixture
def locked(workspace: Workspace) -> Iterator[Callable[[str], RunFolder]]:
    """Return a function that creates a run and holds its lock, as its worker would."""
    held = []

    def lock(name: str) -> RunFolder:
        folder = create_run(workspace, "", name, name)
        held.append(take_lock(folder.lock_path))
        return folder

    yield lock
    for descriptor in held:
        os.close(descriptor)


def until(run: RunFolder, kind: str, **fields: Any) -> Event:
    """Follow the run until an event; it must not have started training before."""
    for event in follow(run, poll=0.01):
        if event.event == kind and fields.items() <= event.as_dict().items():
            return event
        assert event.event != "notice", f"{run.name} did not wait"
    raise AssertionError(f"{run.name} ended without {kind} {fields}")


def phases(run: RunFolder) -> list[str]:
    return [e.phase for e in read_events(run.events_path) if e.event == "preparing"]


def test_run_waits_for_a_running_one(queue: Queue) -> None:
    first = queue("first", queued=False)
    second = queue("second", "finish")
    assert is_locked(second.lock_path)
    until(second, "preparing", phase="wait for first")
    assert summarize(second).state == RunState("waiting", False, "wait for first")
    assert [e.event for e in read_events(second.events_path)] == [
        "launched", "worker_started", "preparing",
    ]  # fmt: skip
    request_stop(first)
    until(second, "finished")
    last = read_events(first.events_path)[-1]
    assert (last.event, summarize(second).state.phase) == ("stopped", "finished")
    assert last.t <= read_events(second.events_path)[-1].t


def test_queue_is_served_in_order(queue: Queue) -> None:
    names = ["d", "b", "c", "a"]  # neither the order of names nor of folder times
    runs = [queue(name, "work") for name in names]
    for index, run in enumerate(runs):
        until(run, "notice", message="training")
        for later in runs[index + 1 :]:
            until(later, "preparing", phase=f"wait for {run.name}")
            assert "notice" not in [e.event for e in read_events(later.events_path)]
        request_stop(run)
    assert phases(runs[-1]) == ["wait for d", "wait for b", "wait for c"]


def test_concurrently_queued_runs_train_one_at_a_time(queue: Queue) -> None:
    names = [f"run-{number}" for number in range(8)]
    with ThreadPoolExecutor(len(names)) as pool:
        runs = list(pool.map(lambda name: queue(name, "only one of 8"), names))
    for run in runs:
        until(run, "finished")


def test_only_run_starts_at_once(queue: Queue) -> None:
    run = queue("only", "finish")
    until(run, "finished")
    assert phases(run) == []
    assert not is_waiting(run)
    assert read_events(run.events_path)[0].queued is True


def test_run_not_queued_does_not_wait(queue: Queue) -> None:
    queue("first")
    second = queue("second", "finish", queued=False)
    until(second, "finished")
    assert phases(second) == []
    assert read_events(second.events_path)[0].queued is False


def test_waiting_run_can_be_stopped_and_queued_again(queue: Queue) -> None:
    first, second = queue("first"), queue("second", "work")
    until(second, "preparing")
    request_stop(second)
    until(second, "stopped", step=0)  # it never trained
    assert summarize(first).state.phase != "stopped"
    while is_locked(second.lock_path):
        os.sched_yield()
    environment = {"FAKE_WORKER": "finish"}
    launch(second, resume=True, queue=True, environment=environment, module="fake_worker")
    request_stop(first)
    until(second, "finished")


def test_killed_runs_leave_the_queue(queue: Queue) -> None:
    first, second, third = queue("first"), queue("second"), queue("third", "finish")
    until(third, "preparing", phase="wait for first")
    for run in (second, first):  # a waiting and a running one
        os.kill(until(run, "worker_started").pid, signal.SIGKILL)
    until(third, "finished")


def test_first_ahead(locked: Callable[[str], RunFolder], workspace: Workspace) -> None:
    early, late = locked("x-early"), locked("a-late")
    create_run(workspace, "", "idle", "idle")
    draw_ticket(early)
    draw_ticket(late)
    assert first_ahead(early) is None
    assert first_ahead(late) == early
    working = locked("working")
    assert first_ahead(early) == first_ahead(late) == working
    assert first_ahead(working) is None
    (early.control / "queued").write_text("no number")  # treated as running: never two at once
    assert first_ahead(late) in (early, working)


def test_name_decides_between_equal_tickets(
    locked: Callable[[str], RunFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_module.time, "monotonic_ns", lambda: 5)
    a, b = locked("a"), locked("b")
    draw_ticket(b)
    draw_ticket(a)
    assert (first_ahead(a), first_ahead(b)) == (None, a)


def test_ticket_without_worker_is_ignored(
    locked: Callable[[str], RunFolder], workspace: Workspace
) -> None:
    dead = create_run(workspace, "", "dead", "dead")
    draw_ticket(dead)
    run = locked("run")
    draw_ticket(run)
    assert first_ahead(run) is None
    clear_requests(dead)  # as its next start does
    assert not is_waiting(dead)


def test_waiting_is_reported_once_a_minute(
    locked: Callable[[str], RunFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead, run = locked("ahead"), locked("run")
    draw_ticket(run)
    moments = iter([100.0, 100.5, 159.9, 160.0, 160.5])
    reported: list[str] = []

    def progress(phase: str, done: int, total: int) -> None:
        reported.append(phase)
        if len(reported) == 3:
            raise InterruptedError

    monkeypatch.setattr(queue_module.time, "monotonic", lambda: next(moments))
    monkeypatch.setattr(queue_module.time, "sleep", lambda seconds: None)
    asked = iter([False] * 4 + [True])
    with pytest.raises(InterruptedError):
        wait_for_turn(run, progress, lambda: next(asked))
    assert reported == [f"wait for {ahead.name}"] * 3  # at 100.0, at 160.0, and for the stop
    assert next(moments, None) is None
    assert is_waiting(run)


def test_next_in_line_is_called_once(
    locked: Callable[[str], RunFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    working, waiting, run = locked("working"), locked("waiting"), locked("run")
    draw_ticket(waiting)
    draw_ticket(run)
    happened: list[str] = []

    def gone(folder: RunFolder) -> None:
        folder.path.rename(folder.path.parent / f".{folder.name}")
        happened.append(f"{folder.name} ends")

    moments = iter([
        lambda: gone(working),  # the other one is next, and still has its ticket
        lambda: (waiting.control / "queued").unlink(),  # and starts
        lambda: None,
        lambda: gone(waiting),
    ])  # fmt: skip
    monkeypatch.setattr(queue_module.time, "sleep", lambda seconds: next(moments)())
    wait_for_turn(
        run,
        lambda phase, done, total: happened.append(phase),
        lambda: False,
        is_next=lambda: happened.append("next"),
    )
    assert happened == [
        "wait for working", "working ends", "wait for waiting", "next", "waiting ends",
    ]  # fmt: skip

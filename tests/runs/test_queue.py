"""The queue: a device for each run, in the order they were queued. Real processes, no keras."""

import os
import signal
import stat
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbench.paths import Workspace
from workbench.runs.event_log import read_events
from workbench.runs.events import Event
from workbench.runs.folder import RunFolder, create_run
from workbench.runs.launch import follow, launch, request_stop
from workbench.runs.lock import is_locked, take_lock
from workbench.runs.queue import expected_runs, take_devices, take_idle, wait_for_devices
from workbench.runs.slots import CPU, Slot, adopt_slot, devices_in_use, holders
from workbench.runs.state import RunState
from workbench.runs.summary import summarize
from workbench.runs.tickets import draw_ticket, is_waiting

Queue = Callable[..., RunFolder]


@dataclass
class Devices:
    """The devices of a machine, as a run finds them; `full` are those without free memory."""

    names: Sequence[str] = ("gpu-0", "gpu-1")
    count: int = 1
    share: int = 1
    obstacle: str = ""
    full: Collection[str] = ()

    def permitted(self) -> Sequence[str]:
        return self.names

    def usable(self) -> Sequence[str]:
        return [name for name in self.names if name not in self.full]

    roomy = usable


ON_CPU = Devices((CPU,))


@pytest.fixture(autouse=True)
def _own_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def queue(workspace: Workspace, fake_path: str) -> Iterator[Queue]:
    """Return a function that launches a fake worker in a new run; all are stopped at the end."""
    runs = []

    def start(name: str, mode: str = "wait", queued: bool = True, devices: str = CPU) -> RunFolder:
        folder = create_run(workspace, "", name, name)
        runs.append(folder)
        environment = {"FAKE_WORKER": mode, "FAKE_DEVICES": devices}
        launch(folder, queue=queued, environment=environment, module="fake_worker")
        return folder

    yield start
    for folder in runs:
        request_stop(folder)


@pytest.fixture
def started(workspace: Workspace) -> Iterator[Callable[..., RunFolder]]:
    """Return a function that creates a run with a ticket and holds its lock, as its worker would.

    A number in place of a name is that of a run that exists.
    """
    held: dict[str, int] = {}

    def start(name: str, queued: bool = True) -> RunFolder:
        folder = create_run(workspace, "", name, name)
        held[name] = take_lock(folder.lock_path)
        draw_ticket(folder, queued)
        return folder

    start.held = held  # type: ignore[attr-defined]
    yield start
    for descriptor in held.values():
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


def test_four_devices_train_four_of_six_runs(queue: Queue) -> None:
    four = "gpu-0,gpu-1,gpu-2,gpu-3"
    runs = [queue(f"run-{number}", devices=four) for number in range(6)]
    devices = [until(run, "gpu_chosen").gpu.uuid for run in runs[:4]]
    assert sorted(devices) == four.split(",")
    for run in runs[4:]:
        until(run, "preparing", phase="wait for one of run-0, run-1, run-2, ...")
    request_stop(runs[2])
    assert until(runs[4], "gpu_chosen").gpu.uuid == devices[2]
    os.kill(until(runs[0], "worker_started").pid, signal.SIGKILL)
    assert until(runs[5], "gpu_chosen").gpu.uuid == devices[0]


def test_a_run_on_the_cpu_waits_for_no_gpu(queue: Queue) -> None:
    until(queue("first", devices="gpu-0"), "gpu_chosen")
    until(queue("second", "finish"), "finished")


Start = Callable[..., RunFolder]


def take(run: RunFolder, devices: Devices) -> list[str]:
    """Try to take devices; they are held until the process ends, or `free` closes them."""
    slots = take_devices(run, devices)
    HELD.setdefault(run.name, []).extend(slots)
    return [slot.device for slot in slots]


def free(run: RunFolder) -> None:
    for slot in HELD.pop(run.name):
        os.close(slot.descriptor)


HELD: dict[str, list[Slot]] = {}


@pytest.fixture(autouse=True)
def _held() -> Iterator[None]:
    yield
    for slots in HELD.values():
        for slot in slots:
            os.close(slot.descriptor)
    HELD.clear()


def test_first_come_first_served(started: Start) -> None:
    a, b, c = started("x-early"), started("b"), started("a-late")
    two = Devices()
    assert take(c, two) == []  # two devices, and two runs are ahead
    assert take(b, two) == ["gpu-1"]  # the other one is left to the first
    assert take(a, two) == ["gpu-0"]
    assert not is_waiting(a)
    assert (take(c, two), is_waiting(c)) == ([], True)
    free(b)
    assert take(c, two) == ["gpu-1"]


def test_a_device_is_not_left_to_a_run_that_may_not_use_it(started: Start) -> None:
    other, full, run = started("other"), started("full"), started("run")
    assert take(other, Devices(["gpu-7"], full=["gpu-7"])) == []
    assert take(full, Devices(full=["gpu-0", "gpu-1"])) == []
    assert take(run, Devices(["gpu-0"])) == ["gpu-0"]


def test_a_run_for_two_devices_collects_them(started: Start) -> None:
    first, both, late = started("first"), started("both"), started("late")
    assert take(first, Devices()) == ["gpu-0"]
    assert take(both, Devices(count=2)) == []
    assert take(late, Devices()) == []  # gpu-1 is for the run ahead
    free(first)
    assert take(late, Devices()) == []
    assert take(both, Devices(count=2)) == ["gpu-0", "gpu-1"]


def test_a_run_that_was_not_queued_takes_the_least_used_device(started: Start) -> None:
    queued = started("queued")
    now = [started(f"now-{number}", queued=False) for number in range(3)]
    assert [take(run, Devices()) for run in now] == [["gpu-0"], ["gpu-1"], ["gpu-0"]]
    assert [holder.folder for holder in holders("gpu-0")] == [now[0], now[2]]
    free(now[0])
    assert take(queued, Devices()) == []  # one run is left on each
    free(now[2])
    assert take(queued, Devices()) == ["gpu-0"]


def test_a_run_that_was_not_queued_avoids_a_full_device(started: Start) -> None:
    runs = [started(f"now-{number}", queued=False) for number in range(3)]
    full = Devices(full=["gpu-1"])
    assert [take(run, full) for run in runs[:2]] == [["gpu-0"], ["gpu-0"]]
    assert take(runs[2], Devices(["gpu-1"], full=["gpu-1"])) == ["gpu-1"]  # there is no other


def test_runs_share_a_device_if_all_of_them_agree(started: Start) -> None:
    one, two, three, alone = (started(name) for name in ("one", "two", "three", "alone"))
    pair = Devices(["gpu-0"], share=2)
    assert [take(run, pair) for run in (one, two, three)] == [["gpu-0"], ["gpu-0"], []]
    free(one)
    assert take(three, pair) == ["gpu-0"]
    free(two)
    assert take(alone, Devices(["gpu-0"])) == []  # beside nobody
    free(three)
    assert take(alone, Devices(["gpu-0"])) == ["gpu-0"]
    assert take(started("late"), pair) == []


def test_one_more_device_is_taken_only_where_nobody_waits_for_it(started: Start) -> None:
    run, other = started("run"), started("other")
    take(run, Devices(["gpu-0"]))
    assert take_idle("gpu-1", run) is None  # the other one may want it
    take(other, Devices(["gpu-0", "gpu-7"], full=["gpu-7"]))
    assert take_idle("gpu-0", run) is None
    slot = take_idle("gpu-1", run)
    assert slot
    assert [holder.folder for holder in holders("gpu-1")] == [run]
    assert take_idle("gpu-1", run) is None
    os.close(slot.descriptor)
    assert holders("gpu-1") == []


def test_who_uses_what(started: Start) -> None:
    one, two = started("one"), started("two")
    started("three")
    take(one, Devices())
    take(two, Devices(["MIG-GPU-1/2/0"]))
    assert {name: [h.folder.name for h in found] for name, found in devices_in_use().items()} == {
        "MIG-GPU-1/2/0": ["two"], "gpu-0": ["one"],
    }  # fmt: skip
    assert expected_runs(["gpu-0", "gpu-1"], 1) == 2
    assert expected_runs(["gpu-0", "gpu-1"], 2) == 3  # three will not wait for long
    (slot,) = HELD["two"]
    assert adopt_slot(slot.descriptor) == slot


def test_ticket_without_worker_is_ignored(started: Start) -> None:
    dead, run = started("dead"), started("run")
    os.close(started.held.pop("dead"))  # type: ignore[attr-defined]
    assert take(run, ON_CPU) == [CPU]
    assert not is_waiting(dead)


def test_a_damaged_ticket_holds_nobody_up(started: Start, tmp_path: Path) -> None:
    started("first")
    run = started("run")
    (ticket, _) = sorted(tmp_path.glob("cache/workbench/queue/*/tickets/*"))
    ticket.write_text("no ticket")
    assert take(run, ON_CPU) == [CPU]


def test_a_read_only_cache_moves_the_queue(
    started: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path / "cache")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    Path(tempfile.gettempdir()).mkdir()
    assert take(started("run"), ON_CPU) == [CPU]
    (folder,) = (tmp_path / "temporary").iterdir()
    assert folder.name == f"workbench-{os.getuid()}"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_waiting_is_reported_once_a_minute(started: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    take(started("ahead"), ON_CPU)
    run = started("run")
    moments = iter([100.0, 100.5, 159.9, 160.0, 160.5])
    reported: list[str] = []

    def progress(phase: str, done: int, total: int) -> None:
        reported.append(phase)
        if len(reported) == 3:
            raise InterruptedError

    monkeypatch.setattr(time, "monotonic", lambda: next(moments))
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    asked = iter([False] * 4 + [True])
    with pytest.raises(InterruptedError):
        wait_for_devices(run, ON_CPU, progress, lambda: next(asked))
    assert reported == ["wait for ahead"] * 3  # at 100.0, at 160.0, and for the stop
    assert next(moments, None) is None
    assert is_waiting(run)


def test_next_in_line_is_called_once(started: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    working, waiting, run = started("working"), started("waiting"), started("run")
    take(working, ON_CPU)
    happened: list[str] = []
    moments = iter([
        lambda: free(working),  # the other one is next, and still has its ticket
        lambda: take(waiting, ON_CPU),
        lambda: None,
        lambda: free(waiting),
    ])  # fmt: skip
    monkeypatch.setattr(time, "sleep", lambda seconds: next(moments)())
    slots = wait_for_devices(
        run,
        ON_CPU,
        lambda phase, done, total: happened.append(phase),
        lambda: False,
        is_next=lambda: happened.append("next"),
    )
    assert happened == ["wait for working", "wait for waiting", "next"]
    HELD["run"] = list(slots)


def test_memory_that_others_hold_is_waited_for(
    started: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, happened = started("run"), []
    devices = Devices(["gpu-0"], full=["gpu-0"], obstacle="GPU 0, held by ana")
    monkeypatch.setattr(time, "sleep", lambda seconds: setattr(devices, "full", ()))
    slots = wait_for_devices(
        run, devices, lambda phase, done, total: happened.append(phase), lambda: False
    )
    assert ([slot.device for slot in slots], happened) == (["gpu-0"], [
        "wait for GPU 0, held by ana"])  # fmt: skip
    HELD["run"] = list(slots)


@given(
    st.lists(
        st.tuples(
            st.sets(st.sampled_from(["a", "b", "c", "d"]), min_size=1),  # may be used
            st.integers(1, 2),  # devices
            st.integers(1, 2),  # share
        ),
        min_size=1,
        max_size=8,
    ),
    st.randoms(use_true_random=False),
)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_device_idles_while_a_run_waits_that_may_use_it(
    tmp_path_factory: pytest.TempPathFactory,
    wanted: list[tuple[set[str], int, int]],
    random: Random,
) -> None:
    root = tmp_path_factory.mktemp("queue")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(root))
        simulate(Workspace(root), [want for want in wanted if want[1] <= len(want[0])], random)


def simulate(workspace: Workspace, wanted: list[tuple[set[str], int, int]], random: Random) -> None:
    """Let runs take devices, end and be killed in any order; check the promises after each."""
    locks, devices, order = {}, {}, []
    for number, (names, count, share) in enumerate(wanted):
        run = create_run(workspace, "", f"r{number}", "r")
        locks[run] = take_lock(run.lock_path)
        draw_ticket(run, queued=True)
        devices[run] = Devices(sorted(names), count, share)
        order.append(run)
    waiting, running = list(order), {}
    while waiting or running:
        for run in random.sample(waiting, len(waiting)) + list(waiting):
            if run in waiting and (slots := take_devices(run, devices[run])):
                running[run] = slots
                waiting.remove(run)
        for name in "abcd":
            on_it = [run for run, slots in running.items() if name in {s.device for s in slots}]
            assert len(on_it) <= min((devices[run].share for run in on_it), default=0)
            if not on_it:  # then nobody has a use for it, or it is collected for a run ahead
                for run in waiting:
                    assert name not in devices[run].names or any(
                        devices[ahead].count > 1 for ahead in waiting[: waiting.index(run) + 1]
                    )
        ended = random.choice(order)  # finished, or killed: while it waited, or with its devices
        order.remove(ended)
        os.close(locks.pop(ended))
        for slot in running.pop(ended, ()):
            os.close(slot.descriptor)
        if ended in waiting:
            waiting.remove(ended)

"""The record of a sweep, operations on all its runs, and kills at any moment."""

import json
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import sweep_worker
from event_lines import LogWriter, event
from made_sweeps import made_ladder, made_sweep

from workbench.errors import UserError
from workbench.experiment.presets import BOOK_FACTS, preset_tree
from workbench.experiment.toml import dump_spec, parse_spec, read_spec
from workbench.paths import Workspace
from workbench.runs import stop, sweep_queue, sweep_record
from workbench.runs import sweep as sweep_module
from workbench.runs.event_log import EventWriter, read_events
from workbench.runs.folder import RunFolder, list_runs
from workbench.runs.launch import stop_requested
from workbench.runs.lock import is_locked, take_lock
from workbench.runs.summary import summarize
from workbench.runs.sweep import (
    PRESET,
    Sweep,
    SweepTrial,
    add_trials,
    describe_trial,
    find_sweep,
    pending,
    pending_specs,
    prepare_sweep,
    run_folders,
    runs_on_other_hosts,
    sweep_of,
)
from workbench.runs.sweep_queue import WINDOW, advance, start, stop_sweep
from workbench.runs.sweep_record import LADDER, SWEEP, TUNE, SweepRecord, list_names, list_records
from workbench.runs.tickets import draw_ticket, drop_ticket

TUNING = "fine-tuning"
RATE = "training.learning_rate"


def spec_text(preset: str, **training: Any) -> str:
    tree = preset_tree(preset, "/photos", BOOK_FACTS)
    return dump_spec(parse_spec({**tree, "training": {**tree["training"], **training}}, preset))


DENSE = spec_text("dense")


def trials(count: int) -> list[SweepTrial]:
    return [SweepTrial({RATE: 10.0**-n}, 1, f"# {n}\n{DENSE}") for n in range(1, count + 1)]


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, bool, Any]]]:
    """Runs for which a worker would have been started: name, resumed, another spec.

    They hold their lock and wait for their turn, which no worker takes.
    """
    found: list[tuple[str, bool, Any]] = []
    locks: list[int] = []

    def launch(
        folder: RunFolder, resume: bool, queue: bool, environment: Any, spec: str | None
    ) -> None:
        assert queue
        locks.append(take_lock(folder.lock_path))
        draw_ticket(folder, queued=True)
        found.append((folder.name, resume, spec))

    monkeypatch.setattr(sweep_queue, "launch", launch)
    yield found
    for lock in locks:
        os.close(lock)


def test_a_sweep_is_recorded_and_makes_its_runs_when_they_are_launched(
    workspace: Workspace, launched: list[Any]
) -> None:
    sweep = prepare_sweep(workspace, SWEEP, None, "my photos", trials(4), "median", {"file": "a"})
    assert (sweep.name, sweep.prune, sweep.given) == ("my-photos-sweep-1", "median", {"file": "a"})
    assert find_sweep(workspace, sweep.name) == sweep
    assert list_runs(workspace) == []
    assert start(workspace, sweep) == [0, 1, 2, 3]
    assert [name for name, *_ in launched] == ["my-photos-sweep-1-1", "my-photos-sweep-1-2"]
    now = find_sweep(workspace, sweep.name)
    assert (now.runs, now.queue) == (["my-photos-sweep-1-1", "my-photos-sweep-1-2"], (2, 3))
    texts = [folder.spec_path.read_text() for folder in run_folders(workspace, now)]
    assert texts == [trial.spec for trial in now.trials[:2]]
    assert sweep_of(RunFolder(workspace.runs / now.runs[1])) == now
    assert sweep_of(RunFolder(workspace.runs / "other")) is None


def test_two_runs_wait_and_the_next_is_launched_when_one_has_its_turn(
    workspace: Workspace, launched: list[Any]
) -> None:
    sweep = made_sweep(workspace, "s", trials(5), queued=True)
    for turns in range(4):
        advance(workspace, sweep.record)
        assert len(launched) == min(WINDOW + turns, 5)
        drop_ticket(RunFolder(workspace.runs / launched[turns][0]))
    assert find_sweep(workspace, "s").queue == ()


def test_runs_of_a_ladder_are_named_by_their_presets(
    workspace: Workspace, launched: list[Any]
) -> None:
    specs = [SweepTrial({PRESET: preset}, spec=DENSE) for preset in ("dense", "convnet")]
    ladder = prepare_sweep(workspace, LADDER, None, "photos", specs)
    start(workspace, ladder)
    assert (ladder.name, find_sweep(workspace, ladder.name, LADDER).runs) == (
        "photos-ladder-1", ["photos-dense-1", "photos-convnet-1"],
    )  # fmt: skip
    assert [describe_trial(trial) for trial in (specs[0], trials(1)[0])] == [
        "strategy dense", "training.learning_rate=0.1, seed 1",
    ]  # fmt: skip


def test_ladders_of_an_earlier_version_open(workspace: Workspace) -> None:
    ladder = made_ladder(workspace, "pets", "p", [("dense", DENSE), ("convnet", DENSE)])
    assert [(trial.preset, trial.run) for trial in ladder.trials] == [
        ("dense", "p-dense-1"), ("convnet", "p-convnet-1"),
    ]  # fmt: skip
    assert (ladder.record, ladder.queue) == (SweepRecord("pets", LADDER), ())
    before = (workspace.runs / "pets.ladder.json").read_bytes()
    assert stop_sweep(workspace, ladder) == []
    assert (workspace.runs / "pets.ladder.json").read_bytes() == before


def test_names_are_shared_by_all_kinds(workspace: Workspace) -> None:
    made_sweep(workspace, "pets", trials(1))
    for kind in (SWEEP, LADDER, TUNE):
        with pytest.raises(UserError, match="There is a sweep pets already"):
            prepare_sweep(workspace, kind, "pets", "p", trials(1))
    for name in ("../pets", "a b", ""):
        with pytest.raises(UserError, match="cannot be a sweep's name"):
            prepare_sweep(workspace, SWEEP, name, "p", trials(1))
    (workspace.runs / "p-sweep-1.ladder.json").touch()
    assert prepare_sweep(workspace, SWEEP, None, "p", trials(1)).name == "p-sweep-2"
    assert list_names(workspace, SWEEP) == ["p-sweep-2", "pets"]
    assert len(list_records(workspace)) == 3
    with pytest.raises(UserError, match="There is no sweep 'p-sweep-1'") as none:
        find_sweep(workspace, "p-sweep-1", SWEEP)
    assert none.value.hint == "There are: p-sweep-2, pets"


@pytest.mark.parametrize(
    "damage",
    [
        "", "[]", "{}", '{"rungs": [{"run": "x"}]}', "\udcff",
        '{"trials": [{"settings": 3}], "queue": []}',
        '{"trials": [], "queue": [0], "stem": "", "prune": "", "given": {}}',
    ],
)  # fmt: skip
def test_damaged_records_are_reported(workspace: Workspace, damage: str) -> None:
    workspace.runs.mkdir()
    record = workspace.runs / "s.sweep.json"
    record.write_bytes(damage.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError, match=r"s.sweep.json is damaged"):
        find_sweep(workspace, "s")
    assert sweep_of(RunFolder(workspace.runs / "x")) is None


def test_a_record_cannot_lead_out_of_the_workspace(workspace: Workspace) -> None:
    workspace.runs.mkdir()
    rungs = {"rungs": [{"preset": "dense", "run": "../elsewhere"}]}
    (workspace.runs / "l.ladder.json").write_text(json.dumps(rungs))
    with pytest.raises(UserError, match="contains invalid names of runs"):
        find_sweep(workspace, "l")


def test_a_failed_creation_leaves_nothing(workspace: Workspace, fail: Callable[..., None]) -> None:
    fail(sweep_record, "write_atomic", OSError(28, "No space left on device"))
    with pytest.raises(UserError, match=r"cannot be written in .*: No space left on device"):
        prepare_sweep(workspace, SWEEP, "pets", "photos", trials(1))
    assert list(workspace.runs.iterdir()) == []


def test_unfinished_runs_are_queued(workspace: Workspace, launched: list[Any]) -> None:
    names = ["new", "finished", "failed", "working", "gone", "far", "pruned"]
    made_ladder(workspace, "pets", "p", [(name, DENSE) for name in names])
    ladder = find_sweep(workspace, "pets")
    new, finished, failed, working, gone, far, pruned = run_folders(workspace, ladder)
    LogWriter(finished.events_path).write("finished", seconds=1)
    LogWriter(failed.events_path).write("failed", message="no weights")
    LogWriter(pruned.events_path).write("stopped", stage=0, epoch=2, pruned="below the median")
    gone.spec_path.unlink()
    gone.path.rmdir()
    lock = take_lock(working.lock_path)
    old = event("worker_started", 1000.0, host="far", boot_id="other")
    EventWriter(far.events_path).write(old)  # it is unknown whether it has ended
    assert pending(workspace, ladder) == [0, 2]
    changed = {2: parse_spec(preset_tree("convnet", "/photos", BOOK_FACTS), "")}
    assert start(workspace, ladder, specs=changed) == [0, 2]
    assert launched == [(new.name, False, None), (failed.name, True, dump_spec(changed[2]))]
    assert [entry.name for entry in runs_on_other_hosts(workspace, ladder)] == [far.name]
    assert summarize(pruned).state.phase == "pruned"
    assert not any(trial.changed for trial in find_sweep(workspace, "pets").trials)
    os.close(lock)


def test_a_trial_without_a_run_can_change_its_spec_too(
    workspace: Workspace, launched: list[Any]
) -> None:
    sweep = made_sweep(workspace, "s", trials(1))
    assert pending_specs(workspace, sweep) == {0: parse_spec(preset_tree("dense", "/photos",
        BOOK_FACTS), "")}  # fmt: skip
    changed = parse_spec(preset_tree("convnet", "/photos", BOOK_FACTS), "")
    start(workspace, sweep, specs={0: changed})
    assert read_spec(RunFolder(workspace.runs / "s-1").spec_path) == changed
    assert launched == [("s-1", False, None)]


def test_trials_are_added_once(workspace: Workspace) -> None:
    sweep = made_sweep(workspace, "s", trials(2))
    assert add_trials(workspace, sweep, trials(4)) == [2, 3]
    assert add_trials(workspace, sweep, trials(4)) == []
    assert [trial.settings[RATE] for trial in find_sweep(workspace, "s").trials] == [
        0.1, 0.01, 0.001, 0.0001,
    ]  # fmt: skip


def test_stop_empties_the_queue_and_reaches_every_worker_in_reverse_order(
    workspace: Workspace, launched: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = made_sweep(workspace, "s", trials(4))
    start(workspace, sweep)
    asked: list[str] = []
    real = stop.request_stop

    def request(folder: RunFolder) -> None:
        asked.append(folder.name)
        real(folder)

    monkeypatch.setattr(stop, "request_stop", request)
    stopping = stop_sweep(workspace, sweep)
    assert [folder.name for folder in stopping] == ["s-1", "s-2"]
    assert asked == ["s-2", "s-1"]
    assert stop_requested(stopping[0])
    drop_ticket(stopping[0])
    advance(workspace, sweep.record)
    assert [name for name, *_ in launched] == ["s-1", "s-2"]


def test_a_worker_that_cannot_be_started_leaves_its_trial_queued(
    workspace: Workspace, fail: Callable[..., None], launched: list[Any]
) -> None:
    sweep = made_sweep(workspace, "s", trials(2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep_queue, "launch", refuse)
        with pytest.raises(UserError, match="No process"):
            start(workspace, sweep)
    assert find_sweep(workspace, "s").queue == (0, 1)
    advance(workspace, sweep.record)
    assert [name for name, *_ in launched] == ["s-1", "s-2"]


def refuse(folder: RunFolder, **options: Any) -> None:
    raise UserError("No process could be started.")


def test_a_run_that_was_made_and_not_recorded_is_used(
    workspace: Workspace, launched: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = made_sweep(workspace, "s", trials(1), queued=True)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sweep_module, "write_record", killed)
        with pytest.raises(KeyboardInterrupt):
            advance(workspace, sweep.record)
    assert [run.name for run in list_runs(workspace)] == ["s-1"]
    assert find_sweep(workspace, "s").runs == []
    advance(workspace, sweep.record)
    assert find_sweep(workspace, "s").runs == [run.name for run in list_runs(workspace)] == ["s-1"]


def test_weights_of_each_base_are_found_once(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Any] = []
    monkeypatch.setattr(sweep_module, "find_weights", lambda *asked: found.append(asked[:3]))
    specs = [spec_text(preset) for preset in ("dense", "feature-extraction", TUNING)]
    prepare_sweep(workspace, SWEEP, "s", "p", [SweepTrial({}, spec=spec) for spec in specs])
    assert found == [("vgg16", (160, 160), "imagenet")]


def test_missing_weights_leave_no_sweep(workspace: Workspace, fail: Callable[..., None]) -> None:
    fail(sweep_module, "find_weights", UserError("No network."))
    with pytest.raises(UserError, match="No network"):
        prepare_sweep(workspace, SWEEP, None, "p", [SweepTrial({}, spec=spec_text(TUNING))])
    assert list_records(workspace) == []


# Kills at random moments

SEED = int(os.environ.get("RANDOM_KILLS_SEED", random.SystemRandom().randrange(10**6)))
WORKER_SECONDS = 0.7  # that one of a fake worker takes, most of them for its imports
SLICE = 0.05  # seconds between two looks at a sweep that runs by itself


@pytest.mark.worker
def test_no_trial_is_lost_or_done_twice_whatever_is_killed(
    workspace: Workspace, fake_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    print(f"RANDOM_KILLS_SEED={SEED}")
    drawn = random.Random(SEED)
    monkeypatch.setattr(sweep_queue, "launch", sweep_worker.launch_here)
    failing = SweepTrial({RATE: 1.0}, 1, f'preset = "{sweep_worker.FAIL}"\n')
    sweep = made_sweep(workspace, "s", [*trials(5), failing])
    kills = 6
    for _ in range(60):
        if kills:
            start_killed(workspace, sweep, drawn)  # the command that resumes is killed as well
        start(workspace, sweep)
        while busy := workers(workspace):
            time.sleep(drawn.uniform(0, WORKER_SECONDS) if kills else SLICE)  # until the kill
            if kills:
                kills -= 1
                kill(drawn.sample(busy, drawn.randint(1, len(busy))))
        now = find_sweep(workspace, "s")
        folders = run_folders(workspace, now)
        failed = [one for one in folders if last_event(one) == "failed"]
        if len(pending(workspace, now)) == len(failed) and not now.queue:
            break
    assert len(folders) == len(list_runs(workspace)) == 6
    assert sorted(folder.spec_path.read_text() for folder in folders) == sorted(
        trial.spec for trial in sweep.trials
    )
    for folder in folders:
        kinds = [one.event for one in read_events(folder.events_path)]
        expected = "failed" if folder.spec_path.read_text() == failing.spec else "finished"
        assert kinds[-1] == expected, (folder.name, kinds)
        assert kinds.count("finished") <= 1, (folder.name, kinds)


def last_event(folder: RunFolder) -> str | None:
    kinds = [one.event for one in read_events(folder.events_path)]
    return kinds[-1] if kinds else None


def workers(workspace: Workspace) -> list[RunFolder]:
    return [run for run in list_runs(workspace) if is_locked(run.lock_path)]


def kill(folders: list[RunFolder]) -> None:
    for folder in folders:
        name = folder.lock_path.read_text().partition(" ")[0]
        if name:  # else it is being started
            with suppress(ProcessLookupError):
                os.kill(int(name), signal.SIGKILL)


def start_killed(workspace: Workspace, sweep: Sweep, drawn: random.Random) -> None:
    """Start the sweep in a child that is killed at a random moment."""
    child = os.fork()
    if child == 0:
        try:
            start(workspace, sweep)
        finally:
            os._exit(0)
    time.sleep(drawn.uniform(0, 0.05))  # until the kill
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)

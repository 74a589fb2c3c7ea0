"""A sweep as an array job of SLURM, whose commands are fakes."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from event_lines import LogWriter
from fake_slurm import FakeSlurm, job
from made_sweeps import made_sweep

from workbench.errors import UserError
from workbench.experiment.presets import BOOK_FACTS, preset_tree
from workbench.experiment.toml import dump_spec, parse_spec, read_spec
from workbench.paths import Workspace
from workbench.runs import slurm as slurm_module
from workbench.runs import sweep_jobs, sweep_queue
from workbench.runs.folder import RunFolder, list_runs
from workbench.runs.launch import request_stop, stop_requested
from workbench.runs.lock import take_lock
from workbench.runs.slurm import read_job
from workbench.runs.summary import summarize
from workbench.runs.sweep import Sweep, SweepTrial, find_sweep, pending
from workbench.runs.sweep_jobs import jobs_folder, submit_sweep
from workbench.runs.sweep_queue import continue_sweep, stop_sweep
from workbench.settings import SlurmProfile

DENSE = dump_spec(parse_spec(preset_tree("dense", "/photos", BOOK_FACTS), ""))
PROFILE = SlurmProfile(at_once=2)


def trials(count: int) -> list[SweepTrial]:
    return [SweepTrial({"model.dropout": n}, 1, f"# {n}\n{DENSE}") for n in range(count)]


def task(state: str, index: int, **fields: Any) -> dict[str, Any]:
    return job(state, 70 + index, array_job_id=7, array_task_id=index, **fields)


def waiting(tasks: str) -> dict[str, Any]:
    return job("PENDING", array_job_id=7, array_task_string=tasks, state_reason="Resources")


def names(folders: list[RunFolder]) -> list[str]:
    return [folder.name for folder in folders]


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    (tmp_path / "bin").mkdir()
    made = FakeSlurm(tmp_path / "bin", monkeypatch)
    made.queue(waiting("0-3%2"))
    return made


@pytest.fixture
def sweep(workspace: Workspace) -> Sweep:
    return made_sweep(workspace, "s", trials(4), queued=True)


def test_trials_are_the_tasks_of_one_array(
    workspace: Workspace, slurm: FakeSlurm, sweep: Sweep
) -> None:
    made, runs = submit_sweep(workspace, sweep, PROFILE, "big", {"A": "1"})
    assert (made.id if made else None, names(runs)) == ("7", ["s-1", "s-2", "s-3", "s-4"])
    assert slurm.called("sbatch") == [f"sbatch --parsable {workspace.runs}/s.sweep/job.sh"]
    script = (jobs_folder(workspace, sweep.record) / "job.sh").read_text()
    assert "\n#SBATCH --job-name=s.sweep\n" in script
    assert "\n#SBATCH --array=0-3%2\n" in script
    assert "\nexport A=1\nif" in script
    assert "\nruns=(s-1 s-2 s-3 s-4)\n" in script
    jobs = [(one.id, one.profile) for run in runs if (one := read_job(run))]
    assert jobs == [("7_0", "big"), ("7_1", "big"), ("7_2", "big"), ("7_3", "big")]
    now = find_sweep(workspace, "s")
    assert (now.runs, now.queue) == (names(runs), ())
    assert pending(workspace, now) == []
    assert summarize(runs[2]).state.description == "wait for SLURM job 7_2: Resources"
    assert submit_sweep(workspace, sweep, PROFILE) == (None, [])
    assert len(slurm.called("sbatch")) == 1
    assert names(list_runs(workspace)) == names(runs)[::-1]  # s.sweep is none


def test_what_is_left_is_submitted_again(
    workspace: Workspace, slurm: FakeSlurm, sweep: Sweep
) -> None:
    _, runs = submit_sweep(workspace, sweep, PROFILE)
    LogWriter(runs[0].events_path).write("finished", seconds=1.0)
    LogWriter(runs[1].events_path).write("failed", message="no room")
    request_stop(runs[1])
    slurm.queue(task("COMPLETED", 0), task("FAILED", 1), task("RUNNING", 2), waiting("3"))
    convnet = parse_spec(preset_tree("convnet", "/photos", BOOK_FACTS), "")
    slurm.prints("sbatch", "8\n")
    made, again = submit_sweep(workspace, sweep, PROFILE, specs={1: convnet})
    assert (made.id if made else None, names(again)) == ("8", ["s-2"])
    assert read_spec(runs[1].spec_path) == convnet
    assert not stop_requested(runs[1])
    assert [one.id for run in runs if (one := read_job(run))] == ["7_0", "8", "7_2", "7_3"]
    assert slurm.called("sbatch")[1] == f"sbatch --parsable {runs[1].path}/job.sh"  # no array


def test_of_added_trials_the_new_ones_alone_are_submitted(
    workspace: Workspace, sweep: Sweep, slurm: FakeSlurm
) -> None:
    assert names(submit_sweep(workspace, sweep, PROFILE, only=[1, 3])[1]) == ["s-1", "s-2"]
    now = find_sweep(workspace, "s")
    assert [trial.run for trial in now.trials] == ["", "s-1", "", "s-2"]
    assert len(slurm.called("sbatch")) == 1


def test_a_refusal_leaves_the_sweep_as_it_was(
    workspace: Workspace, slurm: FakeSlurm, sweep: Sweep
) -> None:
    slurm.prints("sbatch", "", "sbatch: error: Invalid job array specification", 1)
    with pytest.raises(UserError, match="SLURM refused: sbatch: error: Invalid job array"):
        submit_sweep(workspace, sweep, PROFILE)
    assert find_sweep(workspace, "s") == sweep
    assert sorted(path.name for path in workspace.runs.iterdir()) == [
        ".s.sweep.lock",
        "s.sweep.json",
    ]


@pytest.mark.parametrize(
    ("module", "name", "calls"),
    [
        (sweep_jobs, "with_run", 2), (sweep_jobs, "save_sweep", 0), (sweep_jobs, "submit", 0),
        (slurm_module, "_call", 0), (slurm_module, "asdict", 0), (slurm_module, "asdict", 2),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("slurm")
def test_no_trial_is_lost_or_made_twice_whenever_the_command_is_killed(
    workspace: Workspace,
    sweep: Sweep,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    name: str,
    calls: int,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(module, name, killed_after(calls, getattr(module, name)))
        with pytest.raises(KeyboardInterrupt):
            submit_sweep(workspace, sweep, PROFILE)
    submit_sweep(workspace, sweep, PROFILE)
    now = find_sweep(workspace, "s")
    assert sorted(now.runs) == sorted(names(list_runs(workspace)))
    texts = [RunFolder(workspace.runs / run).spec_path.read_text() for run in now.runs]
    assert texts == [trial.spec for trial in sweep.trials]
    assert all(read_job(run) for run in list_runs(workspace))
    assert now.queue == ()


def killed_after(calls: int, real: Callable[..., Any]) -> Callable[..., Any]:
    left = iter(range(calls))

    def call(*given: Any, **named: Any) -> Any:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return real(*given, **named)

    return call


@pytest.mark.parametrize(("own", "launches"), [("7_1", []), ("7_0", ["s-3"]), ("", ["s-3"])])
@pytest.mark.usefixtures("slurm")
def test_the_worker_of_a_job_launches_no_other_trial(
    workspace: Workspace,
    sweep: Sweep,
    monkeypatch: pytest.MonkeyPatch,
    own: str,
    launches: list[str],
) -> None:
    """Another job may be one in which a person has started a sweep."""
    _, runs = submit_sweep(workspace, sweep, PROFILE, only=[0, 1])
    with_queue = find_sweep(workspace, "s")
    sweep_queue.save_sweep(workspace, Sweep(sweep.record, with_queue.trials, (2,)))
    launched: list[str] = []
    monkeypatch.setattr(sweep_queue, "launch", lambda run, **_: launched.append(run.name))
    number, _, index = own.partition("_")
    for variable, value in (("SLURM_ARRAY_JOB_ID", number), ("SLURM_ARRAY_TASK_ID", index)):
        if own:
            monkeypatch.setenv(variable, value)
    continue_sweep(runs[1])
    assert launched == launches


def test_stop_cancels_tasks_that_wait_and_asks_those_that_run(
    workspace: Workspace, slurm: FakeSlurm, sweep: Sweep
) -> None:
    _, runs = submit_sweep(workspace, sweep, PROFILE)
    LogWriter(runs[0].events_path).write("finished", seconds=1.0)
    lock = take_lock(runs[1].lock_path)
    LogWriter(runs[1].events_path).write("worker_started", pid=os.getpid())
    slurm.queue(task("COMPLETING", 0), task("RUNNING", 1), waiting("2-3%2"))
    assert names(stop_sweep(workspace, sweep)) == ["s-2", "s-3", "s-4"]
    assert slurm.called("scancel") == ["scancel 7_2 7_3"]
    assert [stop_requested(run) for run in runs] == [False, True, False, False]
    slurm.queue(task("RUNNING", 1), task("CANCELLED", 2), task("CANCELLED", 3))
    assert [summarize(run).state.phase for run in runs[2:]] == ["stopped", "stopped"]
    assert pending(workspace, find_sweep(workspace, "s")) == [2, 3]
    os.close(lock)


def test_workers_are_asked_to_stop_though_slurm_refuses_to_cancel(
    workspace: Workspace, slurm: FakeSlurm, sweep: Sweep
) -> None:
    _, runs = submit_sweep(workspace, sweep, PROFILE, only=[0, 1])
    lock = take_lock(runs[0].lock_path)
    slurm.queue(task("RUNNING", 0), waiting("1"))
    slurm.prints("scancel", "", "scancel: error: no", 1)
    with pytest.raises(UserError, match="SLURM refused: scancel: error: no"):
        stop_sweep(workspace, sweep)
    assert [stop_requested(run) for run in runs] == [True, False]
    os.close(lock)

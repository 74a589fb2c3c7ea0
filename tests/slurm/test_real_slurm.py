"""Runs as jobs of a real SLURM, whose workers train nothing.

One case always, where SLURM is installed; all of them by `make slurm`, three minutes.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from fake_slurm import SPEC, make_run
from image_files import class_folders
from made_sweeps import made_sweep
from person import REPOSITORY
from slurm_cluster import missing, running_cluster
from waiting import wait_until

from workbench.app.slurm import resubmit_run
from workbench.cli import workbench
from workbench.paths import Workspace
from workbench.runs import slurm_queue
from workbench.runs.event_log import read_events
from workbench.runs.folder import RunFolder
from workbench.runs.slurm import read_job, submit
from workbench.runs.slurm_queue import JobState, job_state
from workbench.runs.stop import stop_runs
from workbench.runs.summary import summarize
from workbench.runs.sweep import SweepTrial
from workbench.runs.sweep_jobs import submit_sweep
from workbench.runs.sweep_queue import stop_sweep
from workbench.settings import SlurmProfile

TESTS = REPOSITORY / "tests"
PATHS = [REPOSITORY, TESTS, TESTS / "runs", TESTS / "cli"]
all_cases = pytest.mark.skipif("SLURM" not in os.environ, reason="make slurm runs all cases")


@pytest.fixture(scope="module")
def config() -> Iterator[Path]:
    if reason := missing():
        pytest.skip(reason)
    with running_cluster() as path:
        yield path


@dataclass(frozen=True)
class Cluster:
    """A cluster, and what the workers of its jobs do (see `fake_worker`)."""

    folder: Path

    def profile(self, **asked: object) -> SlurmProfile:
        """Return a profile whose workers do what the file `mode`, or `mode.TASK`, says."""
        mode = f'export FAKE_WORKER="$(cat {self.folder}/mode$SLURM_ARRAY_TASK_ID)"'
        return SlurmProfile(command=f"{sys.executable} -m fake_cli", lines=(mode,), **asked)

    def workers(self, mode: str, task: str = "") -> None:
        (self.folder / f"mode{task}").write_text(mode)

    def call(self, *command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def release(self, run: RunFolder) -> None:
        """Start a requeued job soon, not after SLURM's two minutes.

        Not now: in the second in which its former start ended, SLURM refuses another.
        """
        self.call("scontrol", "update", f"JobId={id_of(run)}", "StartTime=now+2")

    def terminate(self, run: RunFolder) -> None:
        """Send the signal that SLURM sends before the time limit, and wait for the requeue."""
        self.call("scancel", "--signal=TERM", id_of(run))
        wait_until(lambda: phase(run) in ("waiting", "failed"))


@pytest.fixture
def cluster(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setenv("SLURM_CONF", str(config))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, PATHS)))
    monkeypatch.setattr(slurm_queue, "ASK_SECONDS", 0.2)
    return Cluster(tmp_path)


def id_of(run: RunFolder) -> str:
    job = read_job(run)
    assert job
    return job.id


def phase(run: RunFolder) -> str:
    return summarize(run).state.phase


def job_end(run: RunFolder) -> JobState:
    """Wait for the end of a job."""
    wait_until(lambda: getattr(job_state(run), "phase", "") == "ended")
    found = job_state(run)
    assert found
    return found


def kinds(run: RunFolder) -> list[str]:
    return [event.event for event in read_events(run.events_path)]


def typed(workspace: Path, *words: str) -> str:
    """Return what a command prints."""
    command = (*words, "--workspace", str(workspace))
    done = CliRunner().invoke(workbench, command, prog_name="workbench", catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_run_waits_runs_is_stopped_resumes_and_completes(
    cluster: Cluster, tmp_path: Path
) -> None:
    run, after = make_run(tmp_path), make_run(tmp_path, "after")
    cluster.workers("job")
    later = cluster.profile(gres="gpu:1", time="10")
    submit([run], later.model_copy(update={"lines": (*later.lines, "--begin=now+1hour")}))
    state = summarize(run).state
    assert (state.phase, state.resumable) == ("waiting", False)
    assert state.description.startswith(f"wait for SLURM job {id_of(run)}: BeginTime, expected ")
    dependency = f"--dependency=afterok:{id_of(run)}"
    submit([after], later.model_copy(update={"lines": (*later.lines, dependency)}))
    cluster.release(run)
    wait_until(lambda: phase(run) == "starting" and "notice" in kinds(run))
    cluster.terminate(run)
    assert summarize(run).state.description.startswith(f"wait for SLURM job {id_of(run)}: ")
    assert summarize(after).state.description.endswith(": Dependency")
    cluster.workers("finish")
    cluster.release(run)
    assert job_end(run) == JobState(id_of(run), "ended", "COMPLETED", exit_code=0)
    assert kinds(run) == [
        "launched", "worker_started", "notice", "stopped", "launched", "worker_started", "resumed",
        "finished",
    ]  # fmt: skip
    assert job_end(after).word == "COMPLETED"  # what was to follow a finished one did


@all_cases
def test_the_time_limit_requeues(cluster: Cluster, tmp_path: Path) -> None:
    run = make_run(tmp_path)
    cluster.workers("job")
    submit([run], cluster.profile(time="1"))
    wait_until(lambda: "stopped" in kinds(run) and phase(run) == "waiting")
    cluster.workers("finish")
    cluster.release(run)
    assert job_end(run).word == "COMPLETED"


@all_cases
def test_a_job_of_a_higher_partition_goes_first(cluster: Cluster, tmp_path: Path) -> None:
    run = make_run(tmp_path)
    cluster.workers("job")
    submit([run], cluster.profile(gres="gpu:2", time="10"))
    wait_until(lambda: "notice" in kinds(run))
    high = ("sbatch", "--parsable", "--partition=high", "--gres=gpu:2", "--output=/dev/null")
    other = cluster.call(*high, "--wrap", f"touch {tmp_path}/went")
    wait_until(lambda: "stopped" in kinds(run) and phase(run) == "waiting")
    wait_until((tmp_path / "went").exists)
    cluster.workers("finish")
    cluster.release(run)
    assert job_end(run).word == "COMPLETED"
    assert other != id_of(run)


@all_cases
def test_a_cancelled_run_has_saved_and_resumes_in_another_job(
    cluster: Cluster, tmp_path: Path
) -> None:
    run = make_run(tmp_path)
    cluster.workers("job")
    submit([run], cluster.profile(time="10"))
    wait_until(lambda: "notice" in kinds(run))
    cluster.call("scancel", id_of(run))
    assert job_end(run).word == "CANCELLED"
    state = summarize(run).state
    assert (state.phase, state.resumable) == ("stopped", True)
    cluster.workers("finish")
    resubmit_run(run, cluster.profile(time="10"))
    assert job_end(run).word == "COMPLETED"
    assert phase(run) == "finished"


@all_cases
def test_a_request_to_stop_ends_the_job_and_is_no_success(cluster: Cluster, tmp_path: Path) -> None:
    run = make_run(tmp_path)
    cluster.workers("job")
    submit([run], cluster.profile(time="10"))
    wait_until(lambda: "notice" in kinds(run))
    stop_runs([run])
    assert job_end(run).word in ("FAILED", "CANCELLED")
    assert phase(run) == "stopped"


@all_cases
def test_a_job_in_the_queue_is_cancelled(cluster: Cluster, tmp_path: Path) -> None:
    run = make_run(tmp_path)
    waits = cluster.profile()
    submit([run], waits.model_copy(update={"lines": (*waits.lines, "--begin=now+1hour")}))
    assert stop_runs([run]) == [run]
    assert job_end(run).word == "CANCELLED"
    state = summarize(run).state
    assert (state.phase, state.resumable) == ("stopped", True)


@all_cases
def test_a_job_that_never_comes_further_ends_after_three_starts(
    cluster: Cluster, tmp_path: Path
) -> None:
    run = make_run(tmp_path)
    cluster.workers("job")
    submit([run], cluster.profile(time="10"))
    for start in range(3):
        wait_until(lambda: kinds(run).count("notice") == start + 1)  # noqa: B023
        cluster.terminate(run)
        if start < 2:
            cluster.release(run)
    assert job_end(run) == JobState(id_of(run), "ended", "FAILED", exit_code=2)
    state = summarize(run).state
    assert state.phase == "failed"
    assert f"3 starts of SLURM job {id_of(run)} made no progress" in state.description


@all_cases
def test_of_a_sweep_one_task_fails_and_the_rest_finish(cluster: Cluster, tmp_path: Path) -> None:
    for task, mode in enumerate(("finish", "fail", "finish", "finish")):
        cluster.workers(mode, str(task))
    asked = cluster.profile(time="10", at_once=2)
    values = [f"command={asked.command}", f"line={asked.lines[0]}", "at_once=2", "time=10"]
    options = [word for value in values for word in ("--slurm-set", value)]
    photos = class_folders(tmp_path / "photos", a=10, b=10)
    spec = ("--preset", "dense", "--data", str(photos), "--name", "s")
    rates = ("--vary", "training.learning_rate=0.1,0.2,0.3,0.4")
    shown = typed(tmp_path, "sweep", *spec, *rates, "--slurm", *options)  # watches it to its end
    runs = [RunFolder(tmp_path / "saved_models" / f"s-{number}") for number in range(1, 5)]
    assert [id_of(run).partition("_")[2] for run in runs] == ["0", "1", "2", "3"]
    assert len({id_of(run).partition("_")[0] for run in runs}) == 1
    assert [phase(run) for run in runs] == ["finished", "failed", "finished", "finished"]
    assert [line.split()[-1] for line in shown.splitlines() if line.startswith("0.")] == [
        "finished", "failed", "finished", "finished",
    ]  # fmt: skip
    assert "s-2: failed: no images" in shown
    assert (
        "1 run not finished, and none is waiting or training: workbench sweep s --resume --slurm"
        in shown
    )
    assert job_end(runs[1]).word == "FAILED"
    cluster.workers("finish")  # of a single run, which is no task
    typed(tmp_path, "sweep", "s", "--resume", "--slurm", *options)
    assert [phase(run) for run in runs] == ["finished"] * 4


@all_cases
def test_tasks_of_a_sweep_are_cancelled_and_asked_to_stop(cluster: Cluster, tmp_path: Path) -> None:
    cluster.workers("job", "0")
    trials = [SweepTrial({"model.dropout": n}, 1, f"# {n}\n{SPEC}") for n in range(3)]
    sweep = made_sweep(Workspace(tmp_path), "s", trials)
    _, runs = submit_sweep(Workspace(tmp_path), sweep, cluster.profile(at_once=1))
    wait_until(lambda: "notice" in kinds(runs[0]))
    assert stop_sweep(Workspace(tmp_path), sweep) == runs
    assert [job_end(run).word for run in runs] == ["FAILED", "CANCELLED", "CANCELLED"]
    assert [phase(run) for run in runs] == ["stopped"] * 3

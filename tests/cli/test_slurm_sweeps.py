"""`sweep` and `ladder` as array jobs, where SLURM's commands are fakes."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from event_lines import LogWriter
from fake_slurm import FakeSlurm, job
from typist import Type

from workbench.cli import sweep_output
from workbench.experiment.toml import read_spec
from workbench.machine import preflight
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder, list_runs
from workbench.runs.slurm import read_job

RATE = "training.learning_rate"
SWEEP = ("sweep", "--preset", "dense", "--data", "photos", "--name", "s", "--detach",
         "--vary", f"{RATE}=0.25,0.5")  # fmt: skip


@pytest.fixture(autouse=True)
def slurm(tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    """Two tasks wait; nothing that trains is installed here."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(preflight, "is_importable", lambda backend: False)
    (tmp_path / "bin").mkdir()
    made = FakeSlurm(tmp_path / "bin", monkeypatch)
    made.queue(waiting("0-1"))
    return made


def waiting(tasks: str, number: int = 7, reason: str = "Priority") -> dict[str, Any]:
    return job("PENDING", number, array_job_id=number, array_task_string=tasks, state_reason=reason)


def task(state: str, index: int) -> dict[str, Any]:
    code = {"exit_code": 512} if state == "FAILED" else {}
    return job(state, 70 + index, array_job_id=7, array_task_id=index, **code)


def runs(tmp_path: Path) -> dict[str, RunFolder]:
    return {run.name: run for run in reversed(list_runs(Workspace(tmp_path)))}


def script(tmp_path: Path, name: str) -> str:
    return (tmp_path / "saved_models" / name / "job.sh").read_text()


def states(types: Type, name: str) -> dict[str, str]:
    found = json.loads(types("sweep", name, "--json").output)["trials"]
    return {seed["run"]: seed["state"] for trial in found for seed in trial["seeds"]}


def test_a_sweep_is_submitted_as_one_array(types: Type, tmp_path: Path, slurm: FakeSlurm) -> None:
    types("slurm", "big", "gres=gpu:1", "at_once=4", "command=workbench")
    result = types(*SWEEP, "--slurm", "big", "--slurm-set", "at_once=1")
    assert (result.exit_code, result.stderr) == (0, "job    7 of SLURM, for 2 runs of sweep s\n")
    rows = result.stdout.splitlines()
    assert [row.split()[-1] for row in rows[:3]] == ["state", "waiting", "waiting"]
    assert "s-1: wait for SLURM job 7_0: Priority; 1 more waiting" in rows
    assert rows[-1] == "This table again: workbench sweep s (also with --watch, --stop)"
    assert list(runs(tmp_path)) == ["s-1", "s-2"]
    assert "\n#SBATCH --array=0-1%1\n" in script(tmp_path, "s.sweep")
    assert states(types, "s") == {"s-1": "waiting", "s-2": "waiting"}
    assert "Nothing is left to do." in types("sweep", "s", "--resume", "--slurm", "--detach").output
    assert len(slurm.called("sbatch")) == 1


def test_a_task_fails_and_the_rest_finish(types: Type, tmp_path: Path, slurm: FakeSlurm) -> None:
    types("slurm", "big", "command=workbench")
    types(*SWEEP, "--seeds", "2", "--slurm", "big")
    slurm.queue(task("FAILED", 0), task("FAILED", 1), task("COMPLETED", 2), task("COMPLETED", 3))
    (tmp_path / "saved_models/s.sweep/job-7_0.log").write_text("error: no module\x1b[2J cuda.\n")
    LogWriter(runs(tmp_path)["s-2"].events_path).write("failed", kind="user", message="no images")
    for name in ("s-3", "s-4"):
        events = LogWriter(runs(tmp_path)[name].events_path)
        events.write("epoch_finished", stage=0, epoch=1, val_accuracy=0.75, best=True)
        events.write("finished", seconds=1.0)
    shown = types("sweep", "s").output
    assert shown.splitlines()[1].split()[-2:] == ["2", "finished"]
    assert shown.splitlines()[2].split()[-4:] == ["1", "interrupted,", "1", "failed"]
    words = " ".join(shown.split())
    assert (
        "s-1: interrupted: SLURM job 7_0 ended with exit code 2 before its worker started: "
        "no module\\e[2J cuda" in words
    )
    assert "s-2: failed: no images" in words
    again = "workbench sweep s --resume --slurm"
    assert f"2 runs not finished, and none is waiting or training: {again}" in words
    slurm.prints("sbatch", "8\n")
    slurm.queue(waiting("0-1", 8))
    assert "2 runs queued." in types("sweep", "s", "--resume", "--slurm", "--detach").output
    jobs = [read_job(run) for run in runs(tmp_path).values()]
    assert [(one.id, one.profile) for one in jobs if one] == [
        ("8_0", "big"), ("8_1", "big"), ("7_2", "big"), ("7_3", "big"),
    ]  # fmt: skip


def test_added_seeds_are_a_second_array(types: Type, tmp_path: Path, slurm: FakeSlurm) -> None:
    types(*SWEEP, "--slurm")
    slurm.queue(task("FAILED", 0), task("FAILED", 1))  # which only --resume starts again
    slurm.prints("sbatch", "8\n")
    added = types("sweep", "s", "--add", "--seeds", "2", "--slurm", "--detach")
    assert "2 runs added; 2 of those exist already." in added.stderr
    assert "job    8 of SLURM, for 2 runs of sweep s\n" in added.stderr
    assert "\nruns=(s-3 s-4)\n" in script(tmp_path, "s.sweep")


def test_watching_goes_on_until_no_task_is_left(
    types: Type, slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    types(*SWEEP, "--slurm")
    sleeps: list[float] = []

    def sleep(seconds: float) -> None:
        sleeps.append(seconds)
        slurm.queue(task("CANCELLED", 0), *([waiting("1")] if len(sleeps) < 2 else []))

    monkeypatch.setattr(sweep_output, "time", SimpleNamespace(sleep=sleep))
    shown = types("sweep", "s", "--watch").output
    assert len(sleeps) == 2
    assert "1 of 2  s-1  training.learning_rate=0.25, seed 1: stopped, SLURM job 7_0 was" in shown


def test_a_sweep_is_stopped(types: Type, slurm: FakeSlurm) -> None:
    types(*SWEEP, "--slurm")
    # As scancel does to the queue.
    (slurm.folder / "scancel").write_text(
        f"#!/bin/sh\nsed -i s/PENDING/CANCELLED/ {slurm.folder}/squeue.out; echo $@ > cancelled\n"
    )
    stopped = types("sweep", "s", "--stop").output
    assert "2 runs stopped; everything is saved. Resume: workbench sweep s --resume --slurm\n" in (
        stopped
    )
    assert Path("cancelled").read_text() == "7_0 7_1\n"
    assert states(types, "s") == {"s-1": "stopped", "s-2": "stopped"}


def test_a_ladder_is_submitted_and_its_time_is_of_each(types: Type, tmp_path: Path) -> None:
    presets = ("--presets", "dense,convnet")
    by = ("--by", "2126-12-01T07:00")
    result = types("ladder", "l", "--data", "photos", *presets, *by, "--slurm", "--detach")
    assert result.exit_code == 0, result.output
    assert "job    7 of SLURM, for 2 runs of ladder l\n" in result.stderr
    assert "photos-dense-1: wait for SLURM job 7_0: Priority" in " ".join(result.output.split())
    assert "\nruns=(photos-dense-1 photos-convnet-1)\n" in script(tmp_path, "l.ladder")
    ends = [read_spec(run.spec_path).training.deadline for run in runs(tmp_path).values()]
    assert len(set(ends)) == 1
    assert ends[0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((*SWEEP, "--slurm", "none"), "There is no SLURM profile 'none'; there are: none yet."),
        ((*SWEEP, "--slurm-set", "time=1"), "--slurm-set goes with --slurm."),
        (
            (*SWEEP, "--slurm", "--slurm-set", "at_once=x"),
            "at_once: received 'x'; allowed: a whole number from 0",
        ),
        ((*SWEEP, "--slurm", "--slurm-set", "at_once=-1"), "at_once: received '-1'"),
        (("sweep", "s", "--stop", "--slurm"), "--slurm belongs to a new sweep, --add or --resume"),
        (("sweep", "s", "--slurm"), "--slurm belongs to a new sweep, --add or --resume"),
        (("ladder", "l", "--slurm"), "--slurm belongs to a new ladder, --data, or to --resume"),
    ],
)
def test_nothing_is_left_of_what_was_wrong(
    types: Type, tmp_path: Path, slurm: FakeSlurm, words: tuple[str, ...], message: str
) -> None:
    result = types(*words)
    assert (result.exit_code, message in result.output) == (2, True), result.output
    assert slurm.called("sbatch") == []
    assert not (tmp_path / "saved_models").exists()


def test_nothing_is_left_of_what_slurm_refuses(
    types: Type, tmp_path: Path, slurm: FakeSlurm
) -> None:
    slurm.prints("sbatch", "", "sbatch: error: invalid partition specified: x", 1)
    for words in (SWEEP, ("ladder", "l", "--data", "photos", "--presets", "dense,convnet")):
        result = types(*words, "--slurm")
        assert result.exit_code == 2
        assert "SLURM refused: sbatch: error: invalid partition specified: x" in result.output
    left = (path.name for path in (tmp_path / "saved_models").iterdir())
    assert [name for name in left if not name.endswith(".lock")] == []

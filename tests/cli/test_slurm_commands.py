"""Jobs of SLURM from the command line, where SLURM's commands are fakes."""

import errno
import os
import shutil
import sys
from pathlib import Path

import pytest
from event_lines import LogWriter
from fake_slurm import FakeSlurm, job
from typist import Complete, Type

from workbench import settings as settings_module
from workbench.experiment.toml import read_spec
from workbench.machine import preflight
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder
from workbench.runs.lock import take_lock
from workbench.runs.slurm import read_job
from workbench.settings import Settings, SlurmProfile, read_settings, settings_path

TRAIN = ("train", "--preset", "dense", "--data", "photos", "--name", "night", "--detach")


@pytest.fixture(autouse=True)
def slurm(tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "bin").mkdir()
    made = FakeSlurm(tmp_path / "bin", monkeypatch)
    made.queue(job("PENDING", state_reason="Priority"))
    return made


@pytest.fixture
def night(tmp_path: Path) -> RunFolder:
    return RunFolder(Workspace(tmp_path).runs / "night")


def options(run: RunFolder) -> list[str]:
    lines = (run.path / "job.sh").read_text().splitlines()
    return [line.removeprefix("#SBATCH --") for line in lines if line.startswith("#SBATCH")][6:]


def test_profiles_are_saved_listed_and_removed(types: Type) -> None:
    assert "No profiles yet. Save one: workbench slurm default" in types("slurm").output
    assert types("slurm", "default").exit_code == 2
    types("slurm", "default", "gres=gpu:1", "time=08:00:00")
    types("slurm", "big", "line=--account=v", "line=module load cuda", "command=/venv/workbench")
    profiles = {
        "default": SlurmProfile(gres="gpu:1", time="08:00:00"),
        "big": SlurmProfile(command="/venv/workbench", lines=("--account=v", "module load cuda")),
    }
    assert read_settings() == (Settings(slurm=profiles), ())
    assert types("slurm").output.splitlines() == [
        "profile  asks for",
        "default  gres=gpu:1  time=08:00:00",
        "big      command=/venv/workbench  line=--account=v  line=module load cuda",
    ]
    assert types("slurm", "big").output.splitlines()[1:] == [
        "big      command=/venv/workbench  line=--account=v  line=module load cuda"
    ]
    assert types("slurm", "big", "--remove").output == f"big is removed from {settings_path()}.\n"
    assert list(read_settings()[0].slurm) == ["default"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("big", "gres"), "'gres' is no setting of a job."),
        (("big", "colour=3"), "'colour=3' is no setting of a job."),
        (("big", "gres=a b"), "gres: received 'a b'; allowed: as sbatch takes it, such as gpu:1."),
        (("big", "time=soon"), "time: received 'soon'"),
        (("big", "line=a\nrm -rf x"), "lines.0: received 'a\\nrm -rf x'"),
        (("a b", "gres=gpu:1"), "'a b' cannot be a profile's name"),
        (("big", "--remove"), "There is no SLURM profile big."),
        (("big", "gres=gpu:1", "--remove"), "--remove takes a name alone."),
        (("big",), "There is no SLURM profile big."),
    ],
)
def test_a_wrong_profile_is_refused(types: Type, words: tuple[str, ...], message: str) -> None:
    result = types("slurm", *words)
    assert (result.exit_code, message in result.output) == (2, True), result.output
    assert not settings_path().exists()


def test_settings_with_an_error_stay_as_they_were_typed(types: Type) -> None:
    typed = "[slurm.big]\ngress = 'gpu:1'  # of the new nodes\n"
    settings_path().parent.mkdir(parents=True)
    settings_path().write_text(typed)
    assert types("slurm", "small", "gres=gpu:1").exit_code == 0
    assert settings_path().read_text() == typed + '\n[slurm.small]\ngres = "gpu:1"\n'


def test_a_run_is_submitted_with_the_default_profile(
    types: Type, slurm: FakeSlurm, night: RunFolder
) -> None:
    types("slurm", "default", "gres=gpu:1", "line=--account=v")
    result = types(*TRAIN, "--slurm", "--slurm-set", "time=01:00:00", "--slurm-set", "gres=gpu:2")
    assert result.exit_code == 0, result.output
    assert "job    7 of SLURM, for night\n" in result.output
    assert "night is queued. Watch: workbench attach night\n" in result.output
    assert options(night) == ["gres=gpu:2", "time=01:00:00", "account=v"]
    made = read_job(night)
    assert made
    assert (made.id, made.profile) == ("7", "default")
    listed = types("runs").output.splitlines()
    assert listed[1].split()[:2] == ["waiting", "night"]
    assert listed[2] == "night: wait for SLURM job 7: Priority"


def test_without_profiles_the_cluster_decides(types: Type, night: RunFolder) -> None:
    assert types(*TRAIN, "--slurm").exit_code == 0
    assert options(night) == []
    script = (night.path / "job.sh").read_text()
    assert f"srun {sys.executable} -m workbench train --resume-on-start " in script


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--slurm", "bigg"), "There is no SLURM profile 'bigg'; there are: big."),
        (("--slurm=bigg",), "Did you mean big?"),
        (("--slurm", "big", "--slurm-set", "x"), "'x' is no setting of a job."),
        (("--slurm", "big", "--queue"), "--slurm excludes --queue and --resume-on-start"),
        (("--slurm-set", "time=1"), "--slurm-set goes with --slurm."),
    ],
)
def test_nothing_is_left_of_a_refused_start(
    types: Type, slurm: FakeSlurm, night: RunFolder, words: tuple[str, ...], message: str
) -> None:
    types("slurm", "big", "gres=gpu:4")
    result = types(*TRAIN, *words)
    assert (result.exit_code, message in result.output) == (2, True), result.output
    assert slurm.called("sbatch") == []
    assert not night.path.exists()


def test_nothing_is_left_of_a_job_that_slurm_refuses(
    types: Type, slurm: FakeSlurm, night: RunFolder
) -> None:
    slurm.prints("sbatch", "", "sbatch: error: invalid partition specified: x", 1)
    result = types(*TRAIN, "--slurm")
    assert result.exit_code == 2
    assert "SLURM refused: sbatch: error: invalid partition specified: x" in result.output
    assert not night.path.exists()


def test_a_spec_that_was_taken_for_a_profile_is_explained(types: Type) -> None:
    result = types("train", "--slurm", "spec.toml")
    assert result.exit_code == 2
    assert "There is no SLURM profile 'spec.toml'; there are: none yet." in result.output
    assert "Or put --slurm last, without a name." in result.output


def test_a_login_node_needs_no_framework(
    types: Type, monkeypatch: pytest.MonkeyPatch, night: RunFolder
) -> None:
    monkeypatch.setattr(preflight, "is_importable", lambda backend: False)
    result = types(*TRAIN, "--slurm")
    assert (
        "warning Nothing is installed here that can train, and the job uses this" in result.output
    )
    assert read_job(night)
    named = ("--slurm", "--slurm-set", "command=/venv/bin/workbench")
    assert "warning" not in types(*TRAIN[:-2], "other", "--detach", *named).output


def test_a_pending_job_is_cancelled_and_submitted_again(
    types: Type, slurm: FakeSlurm, night: RunFolder
) -> None:
    types("slurm", "big", "gres=gpu:4")
    types(*TRAIN, "--slurm", "big")
    refused = types("resume", "night", "--slurm")
    assert (
        "night is being trained: it is waiting (wait for SLURM job 7: Priority)" in refused.output
    )
    assert "First stop it: workbench stop night" in types("delete", "night").output
    slurm.prints("scancel", "", "scancel: error: no", 1)
    assert "SLURM refused: scancel: error: no" in types("stop", "night").output
    slurm.prints("scancel")
    slurm.queue(job("CANCELLED"))
    assert "night is not running here: it is stopped (SLURM job 7" in types("stop", "night").output
    slurm.prints("sbatch", "8\n")
    again = types("resume", "night", "--slurm", "--detach", "--set", "training.epochs=3")
    assert again.exit_code == 0, again.output
    made = read_job(night)
    assert made
    assert (made.id, made.profile) == ("8", "big")  # the profile that it had
    assert options(night) == ["gres=gpu:4"]
    assert read_spec(night.spec_path).training.epochs == 3


def test_stop_says_how_to_submit_again(types: Type, slurm: FakeSlurm) -> None:
    types(*TRAIN, "--slurm")
    # As scancel does to the queue.
    (slurm.folder / "scancel").write_text(
        f"#!/bin/sh\nsed -i s/PENDING/CANCELLED/ {slurm.folder}/squeue.out\n"
    )
    stopped = types("stop", "night").output
    assert stopped == "night is stopped. Resume: workbench resume night --slurm\n"


def test_stop_without_a_name_is_of_the_only_run(
    types: Type, slurm: FakeSlurm, night: RunFolder
) -> None:
    (slurm.folder / "scancel").write_text(
        f"#!/bin/sh\nsed -i s/PENDING/CANCELLED/ {slurm.folder}/squeue.out\n"
    )
    types(*TRAIN, "--slurm")
    shutil.copytree(night.path, night.path.parent / "day")
    lock = take_lock(RunFolder(night.path.parent / "day").lock_path)
    several = types("stop")
    os.close(lock)
    assert several.exit_code == 2
    assert several.stderr.splitlines() == [
        "error: Several runs are running or waiting: night, day.",
        "Name the one to stop: workbench stop RUN",
    ]
    assert types("stop").output == "night is stopped. Resume: workbench resume night --slurm\n"
    none = types("stop")
    assert none.exit_code == 2
    assert none.stderr == "error: No run is running or waiting here.\nSee: workbench runs\n"


def test_a_running_job_is_asked_to_stop(
    types: Type, slurm: FakeSlurm, night: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.app.run_control.STOP_SECONDS", 0.0)
    types(*TRAIN, "--slurm")
    slurm.queue(job("RUNNING"))
    log = LogWriter(night.events_path)
    log.write("worker_started", pid=1, host="node", boot_id="other")
    log.write("data_ready", labels=["a", "b"])
    assert "night was asked to stop and is still running" in types("stop", "night").output
    assert (night.control / "stop").exists()
    assert slurm.called("scancel") == []


def test_profiles_and_keys_are_completed(types: Type, complete: Complete) -> None:
    types("slurm", "big", "gres=gpu:4")
    assert complete("train --slurm b") == ["plain,big"]
    assert complete("train --slurm-set t") == ["plain,time="]
    assert complete("slurm big g") == ["plain,gres="]


def test_settings_with_an_error_submit_nothing(types: Type) -> None:
    settings_path().parent.mkdir(parents=True, exist_ok=True)
    settings_path().write_text("[slurm.default]\npartition = 3\n", encoding="utf-8")
    result = types("train", "--preset", "dense", "--data", "digits", "--slurm")
    assert result.exit_code == 2
    assert "slurm.default.partition: received 3; allowed: names of partitions" in result.output
    assert "Correct that first: the profile may be lost in it." in result.output


def test_settings_that_cannot_be_written_are_named(
    types: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, text: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(settings_module, "write_atomic", full)
    result = types("slurm", "big", "gres=gpu:1")
    assert (result.exit_code, result.output) == (
        2,
        f"error: {settings_path()} cannot be written: No space left on device.\n"
        "Make room or fix the permissions, or name another folder: XDG_CONFIG_HOME=DIR\n",
    )

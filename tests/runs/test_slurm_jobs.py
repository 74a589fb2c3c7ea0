"""Jobs of SLURM: job.sh, how it is submitted and recorded."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from fake_slurm import FakeSlurm, make_run

from workbench.errors import UserError
from workbench.runs.slurm import (
    EXIT_TERMINATED,
    SlurmJob,
    cancel,
    has_slurm,
    lead_seconds,
    read_job,
    submit,
)
from workbench.runs.slurm_queue import JobState, job_state
from workbench.settings import SlurmProfile

PROFILE = SlurmProfile(
    partition="gpu",
    gres="gpu:1",
    time="02:00:00",
    command="/shared/venv/bin/workbench",
    lines=("--account=vision", "module load cuda"),
)


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    (tmp_path / "bin").mkdir()
    return FakeSlurm(tmp_path / "bin", monkeypatch)


# job.sh


def test_a_job_asks_for_what_its_profile_says(tmp_path: Path, slurm: FakeSlurm) -> None:
    run = make_run(tmp_path / "my pets")
    made = submit([run], PROFILE, "big", {"WORKBENCH_ON_FINISH": "echo 'done' it"})
    assert slurm.called() == [f"sbatch --parsable {run.path}/job.sh"]
    assert read_job(run) == replace(made, run=str(run.path))
    assert (made.id, made.cluster, made.profile) == ("7", "", "big")
    lines = (run.path / "job.sh").read_text().splitlines()
    options = [line.removeprefix("#SBATCH ") for line in lines if line.startswith("#SBATCH")]
    assert options == [
        "--job-name=night",
        f'--chdir="{run.path}"',
        "--output=job.log",
        "--open-mode=append",
        "--requeue",
        "--signal=TERM@120",
        "--partition=gpu",
        "--gres=gpu:1",
        "--time=02:00:00",
        "--account=vision",
    ]
    script = [line for line in lines if not line.startswith("#")]
    assert script == [
        "module load cuda",
        """export WORKBENCH_ON_FINISH='echo '"'"'done'"'"' it'""",
        'if [ -n "${SLURM_CPUS_PER_TASK:-}" ]; then '
        "export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK; fi",
        "runs=(night)",
        "srun /shared/venv/bin/workbench train --resume-on-start "
        f"--workspace '{tmp_path}/my pets' \\",
        '  --name "${runs[${SLURM_ARRAY_TASK_ID:-0}]}" && rc=0 || rc=$?',
        'if [ $rc = 143 ]; then scontrol requeue "$SLURM_JOB_ID" || true; fi',
        "exit $rc",
    ]


@pytest.mark.parametrize("strict", ["", "set -e", "set -euo pipefail; SLURM_CPUS_PER_TASK=2"])
@pytest.mark.parametrize(
    ("code", "requeued"),
    [(0, False), (1, False), (2, False), (130, False), (142, False), (143, True), (144, False)],
)
def test_a_job_ends_as_its_run_did(
    tmp_path: Path,
    slurm: FakeSlurm,
    monkeypatch: pytest.MonkeyPatch,
    strict: str,
    code: int,
    requeued: bool,
) -> None:
    """COMPLETED for 0, FAILED for all else, and requeued only if it was stopped."""
    assert EXIT_TERMINATED == 143
    for name, does in (("srun", 'exec "$@"'), ("workbench", f"exit {code}")):
        (slurm.folder / name).write_text(f"#!/bin/sh\n{does}\n")
        (slurm.folder / name).chmod(0o755)
    run = make_run(tmp_path)
    lines = (strict,) if strict else ()
    submit([run], SlurmProfile(command="workbench", lines=lines))
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    slurm.prints("scontrol", code=requeued)  # also if it is not allowed
    assert subprocess.run(["bash", run.path / "job.sh"], check=False).returncode == code
    assert slurm.called("scontrol") == ["scontrol requeue 7"] * requeued


def test_several_runs_are_one_array(
    tmp_path: Path, slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    slurm.prints("sbatch", "sbatch: a note\n41;far\n")
    runs = [make_run(tmp_path, name) for name in ("a", "b", "c")]
    folder = tmp_path / "saved_models" / ".sweeps"
    folder.mkdir()
    made = submit(runs, SlurmProfile(command="echo", at_once=2), folder=folder)
    assert (made.id, made.cluster) == ("41", "far")
    assert [read_job(run).id for run in runs if read_job(run)] == ["41_0", "41_1", "41_2"]
    assert [read_job(run).log for run in runs if read_job(run)] == [
        "job-41_0.log", "job-41_1.log", "job-41_2.log"
    ]  # fmt: skip
    script = (folder / "job.sh").read_text()
    assert "\n#SBATCH --array=0-2%2\n" in script
    assert "\n#SBATCH --output=job-%A_%a.log\n" in script
    (slurm.folder / "srun").write_text('#!/bin/sh\nexec "$@"\n')
    (slurm.folder / "srun").chmod(0o755)
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "1")
    done = subprocess.run(["bash", folder / "job.sh"], capture_output=True, text=True, check=True)
    assert done.stdout == f"train --resume-on-start --workspace {tmp_path} --name b\n"
    cancel([replace(made, cluster=""), *filter(None, map(read_job, runs[1:]))])
    assert slurm.called("scancel") == ["scancel 41", "scancel --clusters=far 41_1 41_2"]


@pytest.mark.parametrize(
    ("limit", "seconds"),
    [
        ("", 120), ("8", 120), ("7", 105), ("2:00", 30), ("00:00:30", 10), ("00:08:00", 120),
        ("00:07:56", 119), ("1-0", 120), ("1-00:00", 120), ("0-00:01:00", 15), ("-", 120),
        ("0", 120),
    ],
)  # fmt: skip
def test_the_signal_comes_early_enough_and_not_at_the_start(limit: str, seconds: int) -> None:
    assert lead_seconds(limit) == seconds


@pytest.mark.parametrize(
    ("out", "err", "code", "message"),
    [
        ("", "sbatch: error: Invalid \x1b[31mpartition", 1,
         "SLURM refused: sbatch: error: Invalid \\e[31mpartition"),
        ("", "", 3, "SLURM refused: exit code 3"),
        ("Submitted 7\n", "", 0, "sbatch printed Submitted 7 where it prints the job's id."),
    ],
)  # fmt: skip
def test_a_refusal_is_shown(
    tmp_path: Path, slurm: FakeSlurm, out: str, err: str, code: int, message: str
) -> None:
    slurm.prints("sbatch", out, err, code)
    run = make_run(tmp_path)
    with pytest.raises(UserError) as caught:
        submit([run], PROFILE)
    assert caught.value.message == message
    assert read_job(run) is None


def test_without_slurm_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    run = make_run(tmp_path)
    with pytest.raises(UserError, match="SLURM's sbatch was not found on this machine"):
        submit([run], PROFILE)
    record = {"id": "7", "submitted": 1.0, "run": str(run.path)}
    run.job_path.write_text(json.dumps(record))
    assert job_state(run) == JobState("7", "unknown")


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "7", '{"id": "7"}',
        '{"id": 7, "submitted": 1.0}', '{"id": "-u", "submitted": 1.0}',
        '{"id": "7", "submitted": "x"}', '{"id": "7", "submitted": 1.0, "cluster": "-a"}',
    ],
)  # fmt: skip
def test_a_damaged_record_is_none(tmp_path: Path, text: str) -> None:
    run = make_run(tmp_path)
    run.job_path.write_text(text)
    assert read_job(run) is None


def test_a_record_of_a_later_version_is_read(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.job_path.write_text('{"id": "7_2", "submitted": 1.0, "colour": 3}')
    assert read_job(run) == SlurmJob("7_2", 1.0)


def test_programs_without_a_cluster_submit_nothing(
    slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert has_slurm()
    monkeypatch.setenv("SLURM_CONF", str(slurm.folder / "gone.conf"))
    assert not has_slurm()

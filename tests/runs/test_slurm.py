"""Jobs of SLURM: job.sh, how it is submitted and recorded, and what squeue says of it."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from event_lines import LogWriter
from fake_slurm import FakeSlurm, job, make_run

from workbench.errors import UserError
from workbench.runs import slurm_queue
from workbench.runs.folder import RunFolder
from workbench.runs.launch import follow
from workbench.runs.lock import take_lock
from workbench.runs.slurm import (
    EXIT_TERMINATED,
    SlurmJob,
    cancel,
    lead_seconds,
    read_job,
    submit,
    this_job,
)
from workbench.runs.slurm_queue import JobState, job_state
from workbench.runs.slurm_starts import check_progress
from workbench.runs.state import summarize
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
    made = submit(runs, SlurmProfile(command="echo"), folder=folder, at_once=2)
    assert (made.id, made.cluster) == ("41", "far")
    assert [read_job(run).id for run in runs if read_job(run)] == ["41_0", "41_1", "41_2"]
    assert [read_job(run).log for run in runs if read_job(run)] == [
        "job-0.log", "job-1.log", "job-2.log"
    ]  # fmt: skip
    script = (folder / "job.sh").read_text()
    assert "\n#SBATCH --array=0-2%2\n" in script
    assert "\n#SBATCH --output=job-%a.log\n" in script
    (slurm.folder / "srun").write_text('#!/bin/sh\nexec "$@"\n')
    (slurm.folder / "srun").chmod(0o755)
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "1")
    done = subprocess.run(["bash", folder / "job.sh"], capture_output=True, text=True, check=True)
    assert done.stdout == f"train --resume-on-start --workspace {tmp_path} --name b\n"
    cancel(read_job(runs[2]) or made)
    assert slurm.called("scancel") == ["scancel --clusters=far 41_2"]


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


# squeue


def number(value: int) -> dict[str, object]:
    return {"set": True, "infinite": False, "number": value}


@pytest.mark.parametrize(
    ("record", "state"),
    [
        (job("PENDING", state_reason="Priority", start_time=5),
         JobState("7", "pending", "PENDING", "Priority", 5)),
        (job("PENDING"), JobState("7", "pending", "PENDING")),
        (job("PENDING", state_reason="a\x1b[31m"),
         JobState("7", "pending", "PENDING", "a\\e[31m")),
        (job(["PENDING", "REQUEUED"], start_time=number(5)),
         JobState("7", "pending", "PENDING", "", 5)),
        (job("RUNNING", start_time=9), JobState("7", "running", "RUNNING", start=9)),
        (job(["RUNNING"], job_id=number(7)), JobState("7", "running", "RUNNING")),
        (job("COMPLETING"), JobState("7", "running", "COMPLETING")),
        (job("CANCELLED", exit_code=15), JobState("7", "ended", "CANCELLED")),
        (job("FAILED", exit_code=2 << 8), JobState("7", "ended", "FAILED", exit_code=2)),
        (job(["FAILED"], exit_code={"return_code": number(2)}),
         JobState("7", "ended", "FAILED", exit_code=2)),
        (job("COMPLETED"), JobState("7", "ended", "COMPLETED", exit_code=0)),
        (job("RUNNING", number=8), JobState("7", "ended")),
    ],
)  # fmt: skip
def test_records_of_old_and_new_versions_are_read(
    tmp_path: Path, slurm: FakeSlurm, record: dict[str, object], state: JobState
) -> None:
    run = make_run(tmp_path)
    submit([run], PROFILE)
    slurm.queue(record)
    assert job_state(run) == state


@pytest.mark.parametrize(
    ("tasks", "phases"),
    [
        ("1-2%1", ["ended", "pending", "pending"]),
        ("0,2", ["pending", "ended", "pending"]),
        ("0-2:2", ["pending", "ended", "pending"]),
        ("1,...", ["pending", "pending", "pending"]),
        ("x", ["ended", "ended", "ended"]),
    ],
)
def test_tasks_that_wait_share_one_record(
    tmp_path: Path, slurm: FakeSlurm, tasks: str, phases: list[str]
) -> None:
    runs = [make_run(tmp_path, name) for name in ("a", "b", "c")]
    submit(runs, PROFILE, folder=tmp_path)
    slurm.queue(job("PENDING", array_job_id=7, array_task_string=tasks))
    found = [job_state(run) for run in runs]
    assert [state.phase for state in found if state] == phases


def test_a_task_that_has_begun_has_a_record_of_its_own(tmp_path: Path, slurm: FakeSlurm) -> None:
    runs = [make_run(tmp_path, name) for name in ("a", "b")]
    submit(runs, PROFILE, folder=tmp_path)
    slurm.queue(
        job("FAILED", number=8, array_job_id=7, array_task_id=0, exit_code=256),
        job("RUNNING", number=7, array_job_id=7, array_task_id=1),
    )
    assert [job_state(run) for run in runs] == [
        JobState("7_0", "ended", "FAILED", exit_code=1), JobState("7_1", "running", "RUNNING")
    ]  # fmt: skip


@pytest.mark.parametrize(
    "answer", ["", "{", "[]", "{}", '{"jobs": 3}', '{"jobs": [3]}', "[" * 9999]
)
def test_an_answer_in_another_form_says_nothing(
    tmp_path: Path, slurm: FakeSlurm, answer: str
) -> None:
    run = make_run(tmp_path)
    submit([run], PROFILE)
    slurm.prints("squeue", answer)
    phase = "ended" if answer == '{"jobs": [3]}' else "unknown"  # a list without the job
    assert job_state(run) == JobState("7", phase)


def test_a_controller_that_is_down_is_not_the_end_of_a_job(
    tmp_path: Path, slurm: FakeSlurm
) -> None:
    run = make_run(tmp_path)
    submit([run], PROFILE)
    slurm.queue(job("PENDING"))
    assert job_state(run) == JobState("7", "pending", "PENDING")
    slurm.prints("squeue", "", "slurm_load_jobs error: Unable to contact slurm controller", 1)
    assert job_state(run) == JobState("7", "pending", "PENDING")
    slurm.prints("squeue", "", "slurm_load_jobs error: Invalid job id specified", 1)
    assert job_state(run) == JobState("7", "ended")


def test_all_jobs_of_a_workspace_are_asked_for_together_and_seldom(
    tmp_path: Path, slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slurm_queue, "ASK_SECONDS", 1000.0)
    for index, name in enumerate(("a", "b", "c")):
        slurm.prints("sbatch", f"{index + 7}\n")
        submit([make_run(tmp_path, name)], PROFILE)
    slurm.queue(job("PENDING"), job("PENDING", number=8), job("COMPLETED", number=9))
    runs = [RunFolder(tmp_path / "saved_models" / name) for name in ("a", "b", "c")] * 2
    phases = [state.phase for run in runs if (state := job_state(run))]
    assert phases == ["pending", "pending", "ended"] * 2
    assert slurm.called("squeue") == ["squeue --json --states=all --jobs=7,8,9"]
    slurm_queue.forget(runs[0])
    job_state(runs[0])
    assert slurm.called("squeue")[1:] == ["squeue --json --states=all --jobs=7,8"]  # 9 has ended


def test_a_copy_of_a_run_is_not_taken_for_the_job(tmp_path: Path, slurm: FakeSlurm) -> None:
    run, copy = make_run(tmp_path), make_run(tmp_path, "copy")
    submit([run], PROFILE)
    copy.job_path.write_bytes(run.job_path.read_bytes())
    slurm.queue(job("PENDING"))
    assert job_state(copy) == JobState("7", "unknown")
    assert slurm.called("squeue") == []
    assert job_state(run) == JobState("7", "pending", "PENDING")


@pytest.mark.parametrize(
    ("environment", "job_id"),
    [
        ({}, ""),
        ({"SLURM_JOB_ID": "7"}, "7"),
        ({"SLURM_JOB_ID": "9", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "2"}, "7_2"),
    ],
)
def test_a_job_does_not_ask_about_itself(
    tmp_path: Path,
    slurm: FakeSlurm,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    job_id: str,
) -> None:
    assert this_job(environment) == job_id
    run = make_run(tmp_path)
    submit([run], PROFILE)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert (job_state(run) is None) == (job_id == "7")


# The state of a run by its job


@pytest.fixture
def night(tmp_path: Path, slurm: FakeSlurm) -> RunFolder:
    run = make_run(tmp_path)
    submit([run], PROFILE)
    return run


START_OVER = "starts over: no checkpoint"


def state_of(run: RunFolder) -> tuple[str, bool, str]:
    state = summarize(run, now=1e9).state
    return state.phase, state.resumable, state.detail


def test_a_pending_job_is_a_run_that_waits(night: RunFolder, slurm: FakeSlurm) -> None:
    slurm.queue(job("PENDING", state_reason="Resources", start_time=1_000_000_000))
    assert state_of(night) == ("waiting", False, "wait for SLURM job 7: Resources")  # it is over
    slurm.queue(job("PENDING", state_reason="Resources", start_time=1_000_000_060))
    phase, _, detail = state_of(night)
    assert phase == "waiting"
    assert detail.startswith("wait for SLURM job 7: Resources, expected at ")


def test_between_the_start_of_the_job_and_of_its_worker_it_starts(
    night: RunFolder, slurm: FakeSlurm
) -> None:
    slurm.queue(job("RUNNING", start_time=5))
    assert state_of(night) == ("starting", False, "SLURM job 7")


def test_a_job_cancelled_before_its_start_is_stopped(night: RunFolder, slurm: FakeSlurm) -> None:
    slurm.queue(job("CANCELLED"))
    expected = f"SLURM job 7 was cancelled; resume {START_OVER}"
    assert state_of(night) == ("stopped", True, expected)


def test_a_job_that_has_left_the_queue_without_output_is_stopped(
    night: RunFolder, slurm: FakeSlurm
) -> None:
    expected = f"SLURM job 7 has left the queue; resume {START_OVER}"
    assert state_of(night) == ("stopped", True, expected)


def test_a_job_that_ends_before_its_worker_shows_its_last_line(
    night: RunFolder, slurm: FakeSlurm
) -> None:
    slurm.queue(job("FAILED", exit_code=127 << 8))
    printed = (
        "a note\nmodule: \x1b[1mnot found\nsrun: error: n1: task 0: Exited with exit code 127\n"
    )
    (night.path / "job.log").write_text(printed)
    what = "SLURM job 7 ended with exit code 127 before its worker started: module: \\e[1mnot found"
    assert state_of(night) == ("interrupted", True, f"{what}; resume {START_OVER}")


def test_while_slurm_does_not_answer_a_person_has_to_confirm(
    night: RunFolder, slurm: FakeSlurm
) -> None:
    slurm.prints("squeue", code=1)
    state = summarize(night).state
    assert state.phase == "interrupted"
    assert state.other_host == os.uname().nodename
    assert state.detail == (
        f"as SLURM job 7, submitted on {os.uname().nodename}; resume asks whether it has ended, "
        f"and {START_OVER}"
    )


def begun(run: RunFolder, end: str = "", **fields: Any) -> LogWriter:
    """Write the events of a worker on a node."""
    log = LogWriter(run.events_path)
    log.write("worker_started", pid=1, host="node", boot_id="other")
    log.write("preparing", phase="scan", done=1, total=4)
    if end:
        log.write(end, **fields)
    return log


def test_a_worker_on_a_node_is_seen_by_its_job_however_silent(
    night: RunFolder, slurm: FakeSlurm
) -> None:
    begun(night)
    slurm.queue(job("RUNNING"))
    assert state_of(night) == ("preparing", False, "scan, 1 of 4")


@pytest.mark.parametrize(
    ("word", "how"),
    [
        ("CANCELLED", "was cancelled"), ("TIMEOUT", "reached its time limit"),
        ("OUT_OF_MEMORY", "ran out of memory"), ("NODE_FAIL", "lost its node"),
    ],
)  # fmt: skip
def test_a_worker_killed_with_its_job_is_interrupted(
    night: RunFolder, slurm: FakeSlurm, word: str, how: str
) -> None:
    begun(night)
    slurm.queue(job(word))
    state = f"SLURM job 7 {how}; resume {START_OVER}"
    assert state_of(night) == ("interrupted", True, state)


def test_of_a_job_that_has_gone_its_worker_is_too(night: RunFolder, slurm: FakeSlurm) -> None:
    begun(night)
    state = summarize(night).state
    assert (state.phase, state.resumable, state.other_host) == ("interrupted", True, "")


def test_a_stopped_run_waits_again_once_its_job_is_requeued(
    night: RunFolder, slurm: FakeSlurm
) -> None:
    begun(night, "stopped", stage=0, epoch=1, step=3)
    slurm.queue(job("COMPLETING"))
    assert state_of(night)[:2] == ("stopped", True)
    slurm.queue(job("PENDING", state_reason="BeginTime"))
    assert state_of(night) == ("waiting", False, "wait for SLURM job 7: BeginTime")
    slurm.queue(job("RUNNING", start_time=9_999_999_999))
    assert state_of(night) == ("starting", False, "SLURM job 7")
    slurm.queue(job("CANCELLED"))
    assert state_of(night)[:2] == ("stopped", True)
    assert "stopped on request" in state_of(night)[2]


def test_a_finished_run_needs_no_answer(night: RunFolder, slurm: FakeSlurm) -> None:
    begun(night, "finished", seconds=1.0)
    slurm.queue(job("COMPLETING"))
    assert summarize(night).state.phase == "finished"


def test_a_run_with_a_worker_here_needs_no_answer(night: RunFolder, slurm: FakeSlurm) -> None:
    descriptor = take_lock(night.lock_path)
    begun(night)
    assert summarize(night).state.phase == "preparing"
    assert slurm.called("squeue") == []
    os.close(descriptor)


# Following


def test_a_job_is_followed_from_the_queue_to_its_end(night: RunFolder, slurm: FakeSlurm) -> None:
    slurm.queue(job("PENDING", state_reason="Priority"))
    events = follow(night, poll=0)
    first = next(events)
    assert (first.event, first.phase) == ("preparing", "wait for SLURM job 7: Priority")
    slurm.queue(job("RUNNING"))
    log = begun(night)
    assert [next(events).event for _ in range(2)] == ["worker_started", "preparing"]
    log.write("stopped", stage=0, epoch=1, step=3)  # at its time limit
    assert next(events).event == "stopped"
    slurm.queue(job("PENDING", state_reason="BeginTime"))
    assert next(events).phase == "wait for SLURM job 7: BeginTime"
    log.write("worker_started", pid=1, host="node", boot_id="other")
    log.write("finished", seconds=1.0)
    slurm.queue(job("COMPLETING"))
    assert [event.event for event in events] == ["worker_started", "finished"]


def test_a_run_stopped_for_good_ends_with_its_job(night: RunFolder, slurm: FakeSlurm) -> None:
    begun(night, "stopped", stage=0, epoch=1, step=3)
    slurm.queue(job("COMPLETED"))
    assert [event.event for event in follow(night, poll=0)][-1] == "stopped"


def test_an_earlier_failure_is_not_the_end_of_a_new_job(night: RunFolder, slurm: FakeSlurm) -> None:
    log = begun(night, "failed", message="no images")
    slurm.queue(job("RUNNING", start_time=9_999_999_999))
    events = follow(night, poll=0)
    assert [next(events).event for _ in range(3)][-1] == "failed"
    log.write("worker_started", pid=1, host="node", boot_id="other")
    assert next(events).event == "worker_started"


def test_a_job_cancelled_in_the_queue_is_interrupted_for_its_followers(
    night: RunFolder, slurm: FakeSlurm
) -> None:
    slurm.queue(job("CANCELLED"))
    (last,) = follow(night, poll=0)
    assert (last.event, last.log) == ("interrupted", ())


# Starts without progress


def test_the_third_start_without_progress_is_the_runs_failure(night: RunFolder) -> None:
    for _ in range(2):
        check_progress(night, "7", starts=True)
        check_progress(night, "7")
    check_progress(night, "7", starts=True)
    with pytest.raises(UserError, match="3 starts of SLURM job 7 made no progress") as caught:
        check_progress(night, "7")
    assert "resume RUN --slurm-set time=" in caught.value.hint
    assert state_of(night)[0] == "failed"
    check_progress(night, "8", starts=True)  # another job starts from nothing


def test_a_start_that_was_killed_counts_as_well(night: RunFolder) -> None:
    for _ in range(3):
        check_progress(night, "7", starts=True)
    with pytest.raises(UserError, match="3 starts"):
        check_progress(night, "7", starts=True)


@pytest.mark.parametrize("damage", ["", "[]", '{"job": "7"}', '{"job": "7", "best": ["x"]}'])
def test_damaged_counts_begin_at_the_first(night: RunFolder, damage: str) -> None:
    check_progress(night, "7", starts=True)
    check_progress(night, "7", starts=True)
    night.starts_path.write_text(damage)
    check_progress(night, "7", starts=True)
    assert json.loads(night.starts_path.read_text())["without"] == 1


@pytest.mark.parametrize(
    ("event", "progress"),
    [
        ({"kind": "checkpoint_saved", "stage": 0, "epoch": 1, "step": 1}, True),
        ({"kind": "checkpoint_saved", "stage": 0, "epoch": 1, "step": 0}, False),
        ({"kind": "resumed", "stage": 0, "epoch": 1, "step": 0}, False),
        ({"kind": "data_ready", "labels": ["a", "b"]}, True),
        ({"kind": "preparing", "phase": "scan"}, False),
        ({"kind": "stopped", "stage": 0, "epoch": 1, "step": 0}, False),
    ],
)
def test_what_is_saved_or_prepared_is_progress(
    night: RunFolder, event: dict[str, Any], progress: bool
) -> None:
    log = LogWriter(night.events_path)
    for _ in range(3):
        check_progress(night, "7", starts=True)
    log.write(event.pop("kind"), **event)
    if not progress:
        with pytest.raises(UserError):
            check_progress(night, "7")
        return
    check_progress(night, "7")
    for _ in range(3):  # and counting begins again
        check_progress(night, "7", starts=True)
    with pytest.raises(UserError):
        check_progress(night, "7")


def test_a_feature_pass_that_goes_on_is_progress(night: RunFolder) -> None:
    for done in (5, 9, 13, 17, 21):
        check_progress(night, "7", starts=True)
        work = {"event": "preparing", "phase": "prefix", "done": done, "total": 40, "n": 0}
        night.status_path.write_text(json.dumps({"work": work}))
        check_progress(night, "7")
    for _ in range(3):
        check_progress(night, "7", starts=True)
    with pytest.raises(UserError):
        check_progress(night, "7")

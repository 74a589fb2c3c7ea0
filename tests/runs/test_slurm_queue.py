"""What squeue says of jobs, in the forms of old and new versions."""

from pathlib import Path

import pytest
from fake_slurm import FakeSlurm, job, make_run

from workbench.runs import slurm_queue
from workbench.runs.folder import RunFolder
from workbench.runs.slurm import (
    submit,
    this_job,
)
from workbench.runs.slurm_queue import JobState, job_state
from workbench.settings import SlurmProfile

PROFILE = SlurmProfile()


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    (tmp_path / "bin").mkdir()
    return FakeSlurm(tmp_path / "bin", monkeypatch)


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


def test_tasks_that_were_cancelled_before_they_started_have_one_record(
    tmp_path: Path, slurm: FakeSlurm
) -> None:
    runs = [make_run(tmp_path, name) for name in ("a", "b", "c")]
    submit(runs, PROFILE, folder=tmp_path)
    slurm.queue(job("CANCELLED", array_job_id=7), job("RUNNING", 8, array_job_id=7,
                array_task_id=0))  # fmt: skip
    assert [state.word for run in runs if (state := job_state(run))] == [
        "RUNNING", "CANCELLED", "CANCELLED",
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

"""The state of a run by its job, how it is followed, and starts without progress."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from event_lines import LogWriter
from fake_slurm import FakeSlurm, job, make_run

from workbench.errors import UserError
from workbench.runs.folder import RunFolder
from workbench.runs.launch import follow
from workbench.runs.lock import take_lock
from workbench.runs.slurm import (
    submit,
)
from workbench.runs.slurm_starts import check_progress
from workbench.runs.summary import summarize
from workbench.settings import SlurmProfile

PROFILE = SlurmProfile()


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    (tmp_path / "bin").mkdir()
    return FakeSlurm(tmp_path / "bin", monkeypatch)


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

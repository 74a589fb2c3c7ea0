"""Actions of other processes on a run while its worker lives, or before it has one."""

import os
import signal
from pathlib import Path

import pytest
from everything import with_all
from outcome import Reference, differences, outcome
from person import Person
from sessions import begin, is_alive, new_run, printed, run_session, wait_for_end
from waiting import wait_until

from workbench.runs.event_log import read_events
from workbench.runs.folder import RunFolder
from workbench.runs.launch import follow, launch
from workbench.runs.lock import RunLocked
from workbench.runs.process import WarmWorker

pytestmark = [pytest.mark.worker, pytest.mark.xdist_group("faults")]


def logged_kinds(run: RunFolder) -> list[str]:
    """Return the kinds of its events."""
    return [event.event for event in read_events(run.events_path)]


def test_second_worker_is_refused_and_the_first_continues(
    workspace: Path, reference: Reference
) -> None:
    run = new_run(workspace, "small")
    pid = begin(run, fault="waits", moment="mid-epoch")
    wait_until(lambda: (workspace / "waiting").exists() or not is_alive(pid))
    before = logged_kinds(run)

    with pytest.raises(RunLocked, match="already being trained"):
        launch(run, resume=True)
    refused = Person(workspace).types("resume", run.name, expect=2)
    assert f"{run.name} is being trained" in refused
    assert logged_kinds(run) == before

    (workspace / "waiting").unlink()
    assert wait_for_end(run, pid).ends == "finished", printed(run)
    assert differences(outcome(run), reference("small")) == []


@with_all
def test_one_of_two_resumes_is_refused(workspace: Path, reference: Reference) -> None:
    run = new_run(workspace, "small")
    assert run_session(run, fault="kill", moment="mid-epoch").ends == "interrupted"
    pid = begin(run, resume=True, fault="waits", moment="first batch")
    with pytest.raises(RunLocked):  # from the very beginning: it holds the lock already
        begin(run, resume=True)
    wait_until(lambda: (workspace / "waiting").exists() or not is_alive(pid))
    assert "is being trained" in Person(workspace).types("resume", run.name, expect=2)
    (workspace / "waiting").unlink()
    assert wait_for_end(run, pid).ends == "finished", printed(run)
    assert differences(outcome(run), reference("small")) == []


def test_dead_standby_worker_is_replaced(
    workspace: Path, reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    run, warm = new_run(workspace, "small"), WarmWorker()
    os.kill(warm.process.pid, signal.SIGKILL)
    warm.process.wait()
    pid = launch(run, warm=warm)
    assert pid != warm.process.pid
    assert wait_for_end(run, pid).ends == "finished", printed(run)
    assert differences(outcome(run), reference("small")) == []


@with_all
def test_automatic_half_batch_equals_manual_one(workspace: Path) -> None:
    """Out of memory in the middle: the same process id and lock continue with half the batch."""
    setting, outcomes = 'deterministic = true\nout_of_memory = "{}"', []
    for choice in ("retry", "stop"):
        run = new_run(workspace, "small", name=choice)
        text = run.spec_path.read_text()
        run.spec_path.write_text(text.replace("deterministic = true", setting.format(choice)))
        pid = begin(run, fault="memory", moment="mid-epoch")
        session = wait_for_end(run, pid)
        if choice == "stop":
            assert session.ends == "failed memory"
            Person(workspace).types("resume", run.name, "--half-batch")
        else:
            assert session.ends == "finished", printed(run)
            workers = [e.pid for e in follow(run) if e.event == "worker_started"]
            assert workers == [pid, pid]
        halved = [e for e in follow(run) if e.event == "batch_halved"]
        assert [(e.from_size, e.to_size) for e in halved] == [(4, 2)] * (choice == "retry")
        assert "batch_size = 2" in run.spec_path.read_text()
        outcomes.append({k: v for k, v in outcome(run).items() if k != "model contract"})
    assert differences(*outcomes) == []

"""What others do to a run while its worker lives, or before it has one."""

import os
import signal
from pathlib import Path

import pytest
from cases import everything
from conftest import Reference
from lives import begin, live, lives, new_run, printed, wait_for_end
from outcome import differences, outcome
from patience import wait_until
from person import Person

from workbench.runs.folder import RunFolder
from workbench.runs.launch import follow, launch
from workbench.runs.lock import RunLocked
from workbench.runs.reader import read_events
from workbench.runs.standby import WarmWorker

pytestmark = [pytest.mark.worker, pytest.mark.xdist_group("faults")]
with_all = pytest.mark.skipif(not everything(), reason="runs with FAULTS=all")


def told(run: RunFolder) -> list[str]:
    """The kinds of its events, without how busy the machine is, which a waiting worker tells on."""
    return [event["event"] for event in read_events(run.events_path) if event["event"] != "machine"]


def test_a_second_worker_is_refused_and_the_first_goes_on(
    workspace: Path, reference: Reference
) -> None:
    run = new_run(workspace, "small")
    pid = begin(run, fault="waits", moment="mid-epoch")
    wait_until(lambda: (workspace / "waiting").exists() or not lives(pid))
    before = told(run)

    with pytest.raises(RunLocked, match="already being trained"):
        launch(run, resume=True)
    refused = Person(workspace).types("resume", run.name, expect=2)
    assert f"{run.name} is being trained" in refused
    assert told(run) == before

    (workspace / "waiting").unlink()
    assert wait_for_end(run, pid).ends == "finished", printed(run)
    assert differences(outcome(run), reference("small")) == []


@with_all
def test_of_two_resumes_one_is_refused(workspace: Path, reference: Reference) -> None:
    run = new_run(workspace, "small")
    assert live(run, fault="kill", moment="mid-epoch").ends == "interrupted"
    pid = begin(run, resume=True, fault="waits", moment="first batch")
    with pytest.raises(RunLocked):  # from the very beginning: it holds the lock already
        begin(run, resume=True)
    wait_until(lambda: (workspace / "waiting").exists() or not lives(pid))
    assert "is being trained" in Person(workspace).types("resume", run.name, expect=2)
    (workspace / "waiting").unlink()
    assert wait_for_end(run, pid).ends == "finished", printed(run)
    assert differences(outcome(run), reference("small")) == []


def test_a_warm_worker_that_died_costs_nothing(
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
def test_half_the_batch_by_itself_is_half_the_batch_by_hand(workspace: Path) -> None:
    """Out of memory in the middle: the same process id and lock go on with half the batch."""
    asked, found = 'deterministic = true\nout_of_memory = "{}"', []
    for choice in ("retry", "stop"):
        run = new_run(workspace, "small", name=choice)
        text = run.spec_path.read_text()
        run.spec_path.write_text(text.replace("deterministic = true", asked.format(choice)))
        pid = begin(run, fault="memory", moment="mid-epoch")
        life = wait_for_end(run, pid)
        if choice == "stop":
            assert life.ends == "failed memory"
            Person(workspace).types("resume", run.name, "--half-batch")
        else:
            assert life.ends == "finished", printed(run)
            workers = [e["pid"] for e in follow(run) if e["event"] == "worker_started"]
            assert workers == [pid, pid]
        halved = [e for e in follow(run) if e["event"] == "batch_halved"]
        assert [(e["from_size"], e["to_size"]) for e in halved] == [(4, 2)] * (choice == "retry")
        assert "batch_size = 2" in run.spec_path.read_text()
        found.append({k: v for k, v in outcome(run).items() if k != "model contract"})
    assert differences(*found) == []

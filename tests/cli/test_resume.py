"""`workbench resume`: what it asks, what it changes, what it refuses."""

import json
import os
import pty
import re
import subprocess
import tomllib
from collections.abc import Callable

import pytest
from event_lines import LogWriter
from typist import Typist

from workbench.runs.event_log import read_events
from workbench.runs.folder import RunFolder
from workbench.runs.history import fold
from workbench.runs.lock import SILENCE_SECONDS, this_host

FAR = {"host": "far", "boot_id": "another"}


def training(folder: RunFolder) -> dict[str, object]:
    return tomllib.loads(folder.spec_path.read_text())["training"]


def kinds(folder: RunFolder) -> list[str]:
    return [event.event for event in read_events(folder.events_path)]


def silent_for(folder: RunFolder, seconds: float) -> None:
    """Makes the log's only event so old."""
    event = json.loads(folder.events_path.read_text())
    event["t"] -= seconds
    folder.events_path.write_text(json.dumps(event) + "\n")


@pytest.mark.parametrize("seconds", [0.0, SILENCE_SECONDS + 1])
def test_a_worker_on_another_machine_may_be_running(typist: Typist, seconds: float) -> None:
    folder = typist.run("night", **FAR)
    silent_for(folder, seconds)
    output = typist.types("resume", "night", expect=2)
    assert "error: night last ran on far, last sign of life " in output
    assert "whether it has ended is not known here" in output
    assert "workbench resume night --anyway" in output
    assert kinds(folder) == ["worker_started"]
    typist.types("resume", "night", "--anyway")
    assert kinds(folder)[1:] == ["launched", "worker_started", "resumed", "finished"]


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 2), ("\n", 2)])
def test_on_a_terminal_the_user_is_asked(typist: Typist, answer: str, code: int) -> None:
    folder = typist.run("night", **FAR)
    ours, theirs = pty.openpty()
    process = typist.start("resume", "night", stdin=theirs)
    os.close(theirs)
    os.write(ours, answer.encode())
    output = "".join(process.communicate())
    os.close(ours)
    assert "Has its worker on far ended? [y/N]" in output
    assert process.returncode == code
    assert ("resumed" in kinds(folder)) == (code == 0)


def test_on_this_machine_nothing_is_asked(typist: Typist) -> None:
    folder = typist.run("night", **this_host())
    typist.types("resume", "night")
    assert kinds(folder)[-2:] == ["resumed", "finished"]


def test_a_smaller_batch_is_written_before_the_worker_starts(typist: Typist) -> None:
    folder = typist.run("night", **this_host())
    before = training(folder)["batch_size"]
    assert isinstance(before, int)
    typist.types("resume", "night", "--half-batch", "--oom", "retry")
    assert training(folder)["batch_size"] == before // 2
    assert training(folder)["out_of_memory"] == "retry"


def test_what_may_change_is_changed_and_nothing_else(typist: Typist) -> None:
    folder = typist.run("night", **this_host())
    before = folder.spec_path.read_bytes()
    output = typist.types("resume", "night", "--set", "training.seed=5", expect=2)
    assert "training.seed cannot change once a run has started" in output
    assert "training.learning_rate" in output
    assert folder.spec_path.read_bytes() == before
    assert kinds(folder) == ["worker_started"]
    typist.types("resume", "night", "--set", "training.learning_rate=0.0005")
    assert training(folder)["learning_rate"] == 0.0005


def test_a_spec_that_does_not_change_is_not_rewritten(typist: Typist) -> None:
    folder = typist.run("night", **this_host())
    own = folder.spec_path.read_bytes() + b"\n# a note\n"
    folder.spec_path.write_bytes(own)
    typist.types("resume", "night")
    assert folder.spec_path.read_bytes() == own


def test_after_its_deadline_a_run_needs_a_new_one(typist: Typist) -> None:
    folder = typist.run("night", **this_host())
    own = folder.spec_path.read_text()
    folder.spec_path.write_text(own.replace("\nepochs = ", "\ndeadline = 5\nepochs = "))
    refused = typist.types("resume", "night", expect=2)
    assert "The deadline of this run, " in refused
    assert "Give it a new one with --by 07:00, or none with --by never." in refused
    assert "launched" not in kinds(folder)
    assert "--by: received '7'; allowed: " in typist.types("resume", "night", "--by", "7", expect=2)
    typist.types("resume", "night", "--by", "2100-01-01T00:00Z")
    assert training(folder)["deadline"] == 4_102_444_800
    assert kinds(folder)[1] == "launched"


def test_a_worker_knows_what_to_run_at_its_end(typist: Typist) -> None:
    folder = typist.run("night", **this_host())
    typist.types("resume", "night", "--on-finish", "touch done", worker="variable")
    output = [notice.message for notice in fold(read_events(folder.events_path)).notices]
    assert output == ["touch done"]
    assert "touch done" not in folder.spec_path.read_text()


def failed(folder: RunFolder, kind: str, hint: str) -> None:
    LogWriter(folder.events_path).write("failed", kind=kind, message="It broke.", hint=hint)


@pytest.mark.parametrize(
    ("kind", "hint", "output"),
    [
        (
            "memory",
            "Try: workbench resume RUN --half-batch.",
            "workbench resume night --half-batch",
        ),
        ("memory", "", "Resume: workbench resume night --half-batch"),
        ("disk", "Make room.", "Make room.\nResume: workbench resume night\n"),
        (
            "diverged",
            "workbench resume RUN --set training.learning_rate=0.0001",
            "workbench resume night --set training.learning_rate=0.0001",
        ),
    ],
)
def test_a_failure_shows_the_command_to_go_on(
    typist: Typist, kind: str, hint: str, output: str
) -> None:
    folder = typist.run("night", **this_host())
    failed(folder, kind, hint)
    printed = typist.types("attach", "night", expect=2)
    assert "error: night failed. It broke." in printed
    assert output in printed
    assert printed.count("workbench resume") == 1


def test_the_list_shows_why_each_run_ended(typist: Typist) -> None:
    failed(typist.run("crowded", **this_host()), "memory", "")
    typist.run("lost", **FAR)
    typist.run("shot", **this_host())
    LogWriter(typist.run("tired", **this_host()).events_path).write(
        "stopped", stage=0, epoch=2, step=0
    )
    output = typist.types("runs")
    assert "\ncrowded: out of memory at " in output
    assert "; resume with half the batch (16)\n" in output
    assert "\nlost: on far, last sign of life " in output
    assert "\nshot: killed or crashed at " in output
    assert "\ntired: stopped on request at " in output


Ring = Callable[..., str]


@pytest.fixture
def on_a_terminal(typist: Typist) -> Ring:
    """Types a command on a terminal; gives all that came out."""

    def types(*words: str, worker: str = "finish") -> str:
        ours, theirs = pty.openpty()
        shown = subprocess.Popen(
            typist.command(*words), cwd=typist.workspace.root, env=typist.environment(worker),
            stdin=theirs, stdout=theirs, stderr=theirs,
        )  # fmt: skip
        os.close(theirs)
        output = b""
        while True:
            try:
                some = os.read(ours, 4096)
            except OSError:  # the other side is closed
                break
            if not some:
                break
            output += some
        shown.wait()
        os.close(ours)
        return output.decode()

    return types


def bells(printed: str) -> int:
    """Count bells; one also ends a notification or a title."""
    return re.sub(r"\x1b\][^\a\x1b]*(\a|\x1b\\\\)", "", printed).count("\a")


def test_a_bell_shows_the_end_of_what_was_watched(typist: Typist, on_a_terminal: Ring) -> None:
    typist.run("night", **this_host())
    assert bells(on_a_terminal("resume", "night")) == 1
    assert not bells(on_a_terminal("attach", "night"))  # it had ended long before
    typist.run("piped", **this_host())
    assert "\a" not in typist.types("resume", "piped")


def test_a_ladder_leaves_what_may_be_running_elsewhere_to_its_person(typist: Typist) -> None:
    far = typist.run("p-dense-1", **FAR)
    here = typist.run("p-convnet-1", **this_host())
    rungs = [{"preset": "dense", "run": far.name}, {"preset": "convnet", "run": here.name}]
    record = typist.workspace.runs / "p-ladder-1.ladder.json"
    record.write_text(json.dumps({"format": 1, "rungs": rungs}))
    output = typist.types("ladder", "p-ladder-1", "--resume", "--detach")
    assert "note   p-dense-1 last ran on far, last sign of life " in output
    assert "If it has ended: workbench resume p-dense-1 --queue" in output
    assert "1 run queued." in output
    assert kinds(far) == ["worker_started"]
    assert kinds(here)[1] == "launched"

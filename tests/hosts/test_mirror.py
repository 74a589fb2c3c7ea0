"""Runs of another machine: they have the state that they have there, and cost what changed."""

import os
import re
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
from event_lines import LogWriter
from fake_runs import FakeRun, finished, training
from ssh_server import put_command

from workbench.downloads.disk import locked
from workbench.hosts import mirror as module
from workbench.hosts.mirror import HostMirror, HostView, from_home
from workbench.paths import Workspace, cache_folder
from workbench.runs.lock import SILENCE_SECONDS
from workbench.runs.summary import summarize
from workbench.settings import HostSettings

pytestmark = pytest.mark.usefixtures("commands", "own_cache")
LATER = '{"event": "epoch_finished", "stage": 0, "epoch": 3, "val_accuracy": 0.9, "best": true}\n'


def mirror(workspace: Workspace, address: str = "gpu-07") -> HostMirror:
    return HostMirror("gpu-07", HostSettings(address=address, workspace=str(workspace.root)))


def states(view: HostView) -> dict[str, str]:
    return {run.name: run.summary.state.phase for run in view.runs}


class Answers:
    """Records what comes, and may change it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.changes: list[tuple[bytes, bytes]] = []
        self.newest = b""
        self.count = 0
        self._run = module.run_script
        monkeypatch.setattr(module, "run_script", self)

    def __call__(self, address: str, script: str, *limits: object) -> bytes:
        self.newest = self._run(address, script, *limits)  # type: ignore[arg-type]
        self.count += 1
        for pattern, text in self.changes:
            self.newest = re.sub(pattern, text, self.newest)
        return self.newest

    @property
    def files(self) -> list[str]:
        """Path and start of the files in the newest answer."""
        found = re.findall(rb"\n[0-9a-f]{32} file (\S+ \d+)", self.newest)
        return [one.decode() for one in found]


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    return Answers(monkeypatch)


def test_a_run_has_the_state_that_it_has_there(there: Workspace) -> None:
    finished(there, "old")
    reader = mirror(there)
    assert reader.view == HostView("gpu-07")
    with training(there, "new") as run:
        view = reader.poll()
        assert (view.problem, states(view)) == ("", {"new": "training", "old": "finished"})
        assert view.runs[0].summary == summarize(run.folder)
        assert str(view.runs[0].history.progress.position) == "epoch 17, step 20"
        assert [one.key for one in view.runs] == ["gpu-07:new", "gpu-07:old"]
    killed = reader.poll().runs[0].summary
    assert killed == summarize(run.folder)
    assert killed.state.description.startswith("killed or crashed at ")
    assert killed.state.resume == "continues at epoch 17"
    assert not Path("pwned").exists()


def test_only_what_changed_is_sent(there: Workspace, answers: Answers) -> None:
    run = finished(there, "old")
    reader = mirror(there)
    reader.poll()
    assert answers.files == ["./old/spec.toml 0", "./old/events.jsonl 0"]
    size = run.folder.events_path.stat().st_size
    reader.poll()
    assert answers.files == []
    run.emit("notice", message="more")
    assert reader.poll().runs[0].history.notices[0].message == "more"
    assert answers.files == [f"./old/events.jsonl {size}"]
    assert mirror(there).view.runs[0].summary == summarize(run.folder)  # from the cache


def test_a_line_that_is_being_written_is_read_when_it_is_whole(there: Workspace) -> None:
    run = FakeRun(there, "one", '[model]\nstrategy = "convnet"\n')
    run.stage(0, "train", 9)
    reader = mirror(there)
    with run.folder.events_path.open("a") as log:
        log.write(LATER[:30])
        log.flush()
        assert reader.poll().runs[0].summary.epochs_done == 0
        log.write(LATER[30:])
    assert reader.poll().runs[0].summary.best_val_accuracy == 0.9


def test_another_log_under_the_same_name_is_read_from_its_start(
    there: Workspace, answers: Answers
) -> None:
    run = finished(there, "one")
    reader = mirror(there)
    reader.poll()
    os.truncate(run.folder.events_path, 0)  # keeps its inode
    with training(Workspace(there.root / "other"), "one") as other:
        log = other.folder.events_path.read_bytes()
    with run.folder.events_path.open("ab") as file:
        file.write(log + b"\n" * 100_000)  # longer than before
    view = reader.poll()
    assert (answers.files, answers.count) == (["./one/events.jsonl 0"], 3)
    assert view.runs[0].summary.epochs_done == 26
    os.truncate(run.folder.events_path, len(log))  # shorter
    assert reader.poll().runs[0].summary.epochs_done == 26
    assert answers.files == ["./one/events.jsonl 0"]


def test_long_logs_come_in_several_answers(
    there: Workspace, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = finished(there, "first"), finished(there, "second")
    monkeypatch.setattr(module, "POLL_BYTES", 3000)
    view = mirror(there).poll()
    sizes = [run.folder.events_path.stat().st_size for run in (first, second)]
    assert answers.count == -(-sum(sizes) // 3000)
    assert [run.summary for run in view.runs] == [summarize(run.folder) for run in (second, first)]


@pytest.mark.parametrize("room", [5000, 0])
def test_the_cache_has_a_limit(
    there: Workspace, answers: Answers, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    run = finished(there)
    monkeypatch.setattr(module, "CACHE_BYTES", room)
    reader = mirror(there)
    reader.poll()
    reader.poll()
    copies = list((cache_folder() / "hosts").rglob(f"{run.folder.name}/events.jsonl"))
    assert [path.stat().st_size for path in copies] == ([5000] if room else [])
    assert answers.files == []


def test_what_is_gone_there_is_gone_here(there: Workspace) -> None:
    for name in ("one", "two"):
        finished(there, name)
    reader = mirror(there)
    assert set(states(reader.poll())) == {"one", "two"}
    shutil.rmtree(there.runs / "one")
    assert set(states(reader.poll())) == {"two"}


def test_only_names_of_runs_are_listed(there: Workspace) -> None:
    finished(there, "good")
    for name in ("a b", "$(touch pwned)", "new\nline", "-rf", ".trash", "x" * 65, "\x1b[31m", "é"):
        shutil.copytree(there.runs / "good", there.runs / name)
    (there.runs / "links").mkdir()
    (there.runs / "links" / "spec.toml").symlink_to("/etc/passwd")
    (there.runs / "links" / "events.jsonl").symlink_to("/dev/zero")
    os.mkfifo(there.runs / "links" / "status.json")
    view = mirror(there).poll()
    assert (view.problem, states(view)) == ("", {"good": "finished", "links": "interrupted"})
    (copy,) = (cache_folder() / "hosts").rglob("links")
    assert [(path.name, path.is_symlink()) for path in copy.iterdir()] == [("spec.toml", False)]


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (rb"(file \./)old/", rb"\1../../old/"),
        (rb"(run )old ", rb"\1../../old "),
        (rb"(file \./)old/spec.toml", rb"\1old/run.lock"),
        (rb"(file \./old/\S+) 0", rb"\1 -1"),
    ],
)
def test_a_forged_answer_writes_nothing_else(
    there: Workspace, answers: Answers, pattern: bytes, text: bytes
) -> None:
    finished(there, "old")
    answers.changes = [(pattern, text)]
    mirror(there).poll()
    made = {path.name for path in cache_folder().rglob("*") if path.is_file()}
    assert made <= {"answer.json", "lock", "spec.toml", "events.jsonl"}
    assert {path.name for path in cache_folder().iterdir()} <= {"hosts", "workbench-ssh"}
    assert len(list((cache_folder() / "hosts").iterdir())) == 1


def test_times_are_of_this_clock(
    there: Workspace, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    monkeypatch.setattr(module.time, "time", lambda: now)
    run = finished(there)
    here = summarize(run.folder)
    answers.changes = [(rb"( host\n)\d+", b"\\g<1>%d" % (now + 1000))]
    ahead = int(now + 1000) - now
    reader = mirror(there)
    view = reader.poll()
    assert here.started is not None
    assert view.runs[0].summary.started == here.started - ahead
    assert (view.answered, view.runs[0].seen) == (now, now)
    answers.changes = [(rb"( host\n)\d+", b"\\g<1>%d" % (now + 1001))]  # not measured so exactly
    assert reader.poll().runs == view.runs


def test_where_locks_cannot_be_seen_the_age_of_events_decides(
    there: Workspace, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers.changes = [(rb"(run \S+) held", rb"\1 unknown")]
    with training(there):
        reader = mirror(there)
        state = reader.poll().runs[0].summary.state
        assert (state.phase, state.description[:3]) == ("training", "on ")
        later = time.time() + SILENCE_SECONDS
        answers.changes += [(rb"( host\n)\d+", b"\\g<1>%d" % (later + 3))]
        assert states(reader.poll()) == {"cats-dogs-12": "interrupted"}


def test_a_machine_that_stops_to_answer_leaves_its_last_answer(
    there: Workspace, commands: Path
) -> None:
    finished(there)
    reader = mirror(there)
    view = reader.poll()
    put_command(commands, "ssh", "#!/bin/sh\necho 'ssh: no route to host' >&2; exit 255\n")
    assert reader.poll() == replace(view, problem="ssh: no route to host")
    assert mirror(there).poll() == replace(view, problem="ssh: no route to host")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ((rb"\n\w+ end\n", b""), "the connection ended before its answer was complete"),
        ((rb"(?s).*", b"Welcome\n"), "it printed something else: Welcome"),
    ],
)
def test_half_an_answer_is_none(
    there: Workspace, answers: Answers, change: tuple[bytes, bytes], problem: str
) -> None:
    finished(there)
    answers.changes = [change]
    assert mirror(there).poll() == HostView("gpu-07", problem=problem)


def test_what_a_login_prints_is_skipped(there: Workspace, answers: Answers) -> None:
    finished(there, "old")
    answers.changes = [(rb"(?s)^", b"Welcome\nhost end\n")]
    assert states(mirror(there).poll()) == {"old": "finished"}


def test_no_workspace(there: Workspace) -> None:
    wanted = f"there is no folder {there.root} on it"
    assert mirror(there).poll().problem == wanted
    there.root.mkdir()
    assert mirror(there).poll().problem == f"its folder {there.root} has no saved_models"
    there.runs.mkdir()
    assert mirror(there).poll().problem == ""


def test_while_another_process_reads_a_machine_its_answer_is_shown(
    there: Workspace, answers: Answers
) -> None:
    finished(there, "old")
    first, second = mirror(there), mirror(there)
    first.poll()
    (lock,) = (cache_folder() / "hosts").rglob("lock")
    with locked(lock, "reading gpu-07"):
        assert second.poll() == first.view
        lock.with_name("answer.json").unlink()
        problem = "Another process is reading gpu-07 right now."
        assert second.poll() == HostView("gpu-07", problem=problem)
    assert answers.count == 1


def test_without_its_tools_there_is_no_answer(
    there: Workspace, commands: Path, answers: Answers
) -> None:
    finished(there, "old")
    put_command(commands, "awk", "#!/bin/sh\nexit 127\n")
    problem = "the connection ended before its answer was complete"
    assert mirror(there).poll() == HostView("gpu-07", problem=problem)


def test_a_damaged_cache_is_read_again(there: Workspace) -> None:
    finished(there, "old")
    mirror(there).poll()
    for path in (cache_folder() / "hosts").rglob("answer.json"):
        path.write_text('{"answered": "yesterday"}')
    reader = mirror(there)
    assert reader.view == HostView("gpu-07")
    assert states(reader.poll()) == {"old": "finished"}


def test_nothing_is_written_there(there: Workspace) -> None:
    run = finished(there)
    LogWriter(run.folder.events_path)
    before = {path: path.stat() for path in there.root.rglob("*")}
    mirror(there).poll()
    after = {path: path.stat() for path in there.root.rglob("*")}
    assert [(p, s.st_mtime_ns) for p, s in after.items()] == [
        (p, s.st_mtime_ns) for p, s in before.items()
    ]


@pytest.mark.parametrize(
    ("given", "folder"),
    [
        ("/data/w", "/data/w"),
        ("work", "./work"),
        ("-", "./-"),
        ("~", "./"),
        ("~/work", "./work"),
        ("~//work", "./work"),
        ("~other", "./~other"),
    ],
)
def test_folders_start_in_the_home_folder(given: str, folder: str) -> None:
    assert from_home(given) == folder

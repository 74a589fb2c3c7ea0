"""A run of another machine becomes a run here: all of it or nothing, and never anything else."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_runs import FakeRun, finished, training
from ssh_server import needs_rsync, put_command

from workbench.errors import UserError
from workbench.hosts.fetch import KEPT, fetch_run, find_on, free_name, rsync_command
from workbench.hosts.mirror import HostMirror, HostView
from workbench.paths import Workspace
from workbench.progress import Progress
from workbench.runs.folder import RunFolder, list_runs
from workbench.runs.summary import summarize
from workbench.settings import HostSettings

pytestmark = [pytest.mark.usefixtures("commands"), needs_rsync]
MODEL = os.urandom(300_000)
Fetch = Callable[..., RunFolder]


@pytest.fixture
def run(there: Workspace) -> FakeRun:
    made = finished(there, "old")
    made.checkpoint(0, 20)
    made.folder.model_path.write_bytes(MODEL)
    made.folder.control.mkdir()
    made.folder.gpu_report_path.write_text("{}")
    for name in (".reserve", "run.lock", ".model.12.tmp.keras"):
        (made.folder.path / name).write_text("theirs")
    return made


@pytest.fixture
def fetch(there: Workspace, workspace: Workspace) -> Fetch:
    def run(
        name: str = "old", into: str = "", address: str = "gpu-07", **options: object
    ) -> RunFolder:
        host = HostSettings(address=address, workspace=str(there.root))
        return fetch_run(workspace, host, name, into or name, **options)  # type: ignore[arg-type]

    return run


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_it_opens_as_it_does_there(run: FakeRun, fetch: Fetch, workspace: Workspace) -> None:
    folder = fetch()
    assert list_runs(workspace) == [folder]
    assert files(folder.path) == ["events.jsonl", "model.keras", "spec.toml"]
    assert folder.model_path.read_bytes() == MODEL
    assert summarize(folder) == summarize(run.folder)
    assert folder.spec_path.stat().st_mtime == run.folder.spec_path.stat().st_mtime
    assert not Path("pwned").exists()


def test_with_checkpoints_it_can_be_resumed(run: FakeRun, fetch: Fetch) -> None:
    folder = fetch(into="copy", checkpoints=True)
    assert folder.name == "copy"
    assert (folder.checkpoints / "last.npz").is_file()


def test_progress_ends_with_all_bytes(run: FakeRun, fetch: Fetch) -> None:
    seen: list[tuple[str, int, int]] = []
    folder = fetch(progress=lambda *one: seen.append(one))
    size = sum(path.stat().st_size for path in folder.path.iterdir())
    assert seen[-1] == ("fetch old", size, size)


def test_an_interrupted_one_is_no_run_and_continues(
    run: FakeRun, fetch: Fetch, workspace: Workspace
) -> None:
    def interrupt(phase: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(progress=interrupt)
    assert list_runs(workspace) == []
    part = workspace.runs / ".fetched" / "old"
    assert part.is_dir()
    (part / "model.keras").write_bytes(MODEL[:200_000])  # as a killed one leaves it
    (part / "gone.csv").write_text("of a run that had this name before")
    received: list[int] = []
    progress: Progress = lambda phase, done, total: received.append(done)  # noqa: E731
    folder = fetch(progress=progress)
    assert folder.model_path.read_bytes() == MODEL
    assert files(folder.path) == ["events.jsonl", "model.keras", "spec.toml"]
    assert list(part.parent.iterdir()) == []


def test_it_can_be_cancelled(run: FakeRun, fetch: Fetch, workspace: Workspace) -> None:
    with pytest.raises(UserError, match=r"old was not fetched from gpu-07: stopped.") as caught:
        fetch(cancelled=lambda: True)
    assert caught.value.hint == KEPT
    assert list_runs(workspace) == []


def test_a_run_that_is_being_written_is_fetched_as_it_is(
    there: Workspace, fetch: Fetch, workspace: Workspace
) -> None:
    with training(there, "new") as run:
        folder = fetch("new")
        assert summarize(folder).epochs_done == 26
        run.emit("notice", message="later")
        assert folder.events_path.stat().st_size < run.folder.events_path.stat().st_size


def test_links_are_neither_made_nor_followed(run: FakeRun, fetch: Fetch, tmp_path: Path) -> None:
    (run.folder.path / "secret").symlink_to("/etc/passwd")
    (run.folder.path / "up").symlink_to(tmp_path)
    os.mkfifo(run.folder.path / "pipe")
    assert files(fetch().path) == ["events.jsonl", "model.keras", "spec.toml"]


def test_a_link_that_came_all_the_same_is_refused(
    run: FakeRun, fetch: Fetch, workspace: Workspace, commands: Path
) -> None:
    part = workspace.runs / ".fetched" / "old"
    put_command(commands, "rsync", f"#!/bin/sh\ncd {part}; touch spec.toml; ln -s /etc/passwd x\n")
    with pytest.raises(UserError, match="old was not fetched: x is neither a file nor a folder"):
        fetch()
    assert not part.exists()
    assert list_runs(workspace) == []


@pytest.mark.parametrize("name", ["../old", "$(touch pwned)", "-rf", "a b", "", "old/../..", "\n"])
def test_a_name_that_is_none_is_refused(fetch: Fetch, workspace: Workspace, name: str) -> None:
    with pytest.raises(UserError, match="cannot be a run's name"):
        fetch(name, into="x")
    with pytest.raises(UserError, match="cannot be a run's name"):
        fetch("x", into=name or " ")
    assert not workspace.runs.exists()


def test_a_taken_name_is_refused(run: FakeRun, fetch: Fetch, workspace: Workspace) -> None:
    mine = finished(workspace, "old")
    before = mine.folder.events_path.read_bytes()
    with pytest.raises(UserError, match="The name old is taken") as caught:
        fetch()
    assert caught.value.hint == "Give the run another name here: --into NAME"
    assert mine.folder.events_path.read_bytes() == before


@pytest.mark.parametrize("name", ["a*b", "q?[x]\\y", "-dash", " sp ", "~x", "'\"`", "ü"])
def test_a_folder_there_may_have_any_name(
    run: FakeRun, there: Workspace, workspace: Workspace, name: str
) -> None:
    there.root.rename(there.root.parent / name)
    host = HostSettings(address="gpu-07", workspace=str(there.root.parent / name))
    assert fetch_run(workspace, host, "old", "old").model_path.read_bytes() == MODEL


def test_what_fails_says_why(run: FakeRun, fetch: Fetch, workspace: Workspace) -> None:
    with pytest.raises(UserError, match="not fetched from down: ssh: connect to host down port"):
        fetch(address="down")
    with pytest.raises(UserError, match=r"none was not fetched from gpu-07: rsync.*No such file"):
        fetch("none")
    assert list((workspace.runs / ".fetched").iterdir()) == []


def test_without_rsync(
    run: FakeRun, fetch: Fetch, commands: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_command(commands, "ssh", "#!/bin/sh\necho 'sh: 1: rsync: not found' >&2; exit 127\n")
    with pytest.raises(UserError, match=r"rsync is not installed on gpu-07."):
        fetch()
    monkeypatch.setenv("PATH", str(commands))
    with pytest.raises(UserError, match=r"rsync is not installed on this machine."):
        fetch()


def test_the_command() -> None:
    command = rsync_command("me@gpu-07", "./it's/saved_models/old/", Path("/w/part"), False)
    assert command[0] == "rsync"
    assert not {"--links", "-l", "--archive", "-a", "--perms", "--devices"} & set(command)
    assert {"--recursive", "--protect-args", "--exclude=/checkpoints/"} <= set(command)
    assert command[-3:] == ["--", "me@gpu-07:./it's/saved_models/old/", "/w/part/"]
    assert command[command.index("-e") + 1].startswith("ssh -o BatchMode=yes ")
    assert "--exclude=/checkpoints/" not in rsync_command("a", "b", Path("/c"), True)


def test_a_run_is_found_by_its_name_or_as_the_newest(there: Workspace) -> None:
    finished(there, "first")
    finished(there, "second")
    settings = HostSettings(address="gpu-07", workspace=str(there.root))
    view = HostMirror("gpu-07", settings).poll()
    assert find_on(view, "first").name == "first"
    assert find_on(view, "latest").name == "second"
    with pytest.raises(UserError, match="There is no run 'secnd' on gpu-07") as caught:
        find_on(view, "secnd")
    assert caught.value.hint == "Did you mean second?"
    with pytest.raises(UserError, match=r"^gpu-07 does not answer: no route.$"):
        find_on(HostView("gpu-07", problem="no route."), "latest")


def test_a_name_that_is_free(workspace: Workspace, there: Workspace) -> None:
    finished(there, "old")
    settings = HostSettings(address="gpu-07", workspace=str(there.root))
    (view,) = HostMirror("gpu-07", settings).poll().runs
    assert free_name(workspace, view) == "old"
    finished(workspace, "old")
    assert free_name(workspace, view) == "old-gpu-07"

"""A run put out of the way, and brought back; nothing of it is ever lost."""

import os
import time
from pathlib import Path

import pytest

from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.runs.events import EventWriter
from workbench.runs.folder import RunFolder, create_run, list_runs
from workbench.runs.lock import take_lock
from workbench.runs.trash import find_trashed, list_trash, move_to_trash, restore

SPEC = '[model]\nstrategy = "convnet"\n[data]\nsource = "photos"\n'


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture
def folder(workspace: Workspace) -> RunFolder:
    return create_run(workspace, SPEC, "photos-1", "")


def names(workspace: Workspace) -> list[str]:
    return [run.name for run in list_runs(workspace)]


def test_a_deleted_run_is_whole_and_comes_back(workspace: Workspace, folder: RunFolder) -> None:
    moved = move_to_trash(workspace, folder)
    assert not folder.path.exists()
    assert moved.path.parent == workspace.trash
    assert moved.spec_path.read_text() == SPEC
    assert names(workspace) == []
    (trashed,) = list_trash(workspace)
    assert (trashed.folder, trashed.name) == (moved, "photos-1")
    assert restore(workspace, trashed) == folder
    assert names(workspace) == ["photos-1"]
    assert list_trash(workspace) == []


def test_the_one_deleted_last_is_first(workspace: Workspace, folder: RunFolder) -> None:
    for second, number in ((7, ""), (9, "~2"), (9, "~10"), (9, ""), (8, "")):
        name = f"a.b-1.20260102-03040{second}{number}"
        (workspace.trash / name).mkdir(parents=True)
    for name in ("photos-1", "photos-1.20261399-000000", "notes.txt", ".20260102-030409"):
        (workspace.trash / name).mkdir()  # of other making: no run that was deleted
    found = list_trash(workspace)
    assert [run.folder.name.rpartition(".")[2] for run in found] == [
        "20260102-030409~10",
        "20260102-030409~2",
        "20260102-030409",
        "20260102-030408",
        "20260102-030407",
    ]
    assert {run.name for run in found} == {"a.b-1"}
    assert time.localtime(found[0].deleted)[:6] == (2026, 1, 2, 3, 4, 9)


def test_two_runs_of_a_name_in_the_same_second(workspace: Workspace, folder: RunFolder) -> None:
    move_to_trash(workspace, folder)
    move_to_trash(workspace, create_run(workspace, SPEC, "photos-1", ""))
    third = move_to_trash(workspace, create_run(workspace, SPEC, "photos-1", ""))
    assert len(list_trash(workspace)) == 3
    assert find_trashed(workspace, "photos-1").folder == third


def test_a_name_that_is_taken_by_now_is_kept_by_its_run(
    workspace: Workspace, folder: RunFolder
) -> None:
    folder.log_path.write_text("the first")
    move_to_trash(workspace, folder)
    other = create_run(workspace, SPEC, "photos-1", "")
    trashed = find_trashed(workspace, "photos-1")
    with pytest.raises(UserError, match="There is another photos-1 by now") as told:
        restore(workspace, trashed)
    assert told.value.hint == "Give it a new name: workbench restore photos-1 --as NAME"
    assert not other.log_path.exists()
    assert trashed.folder.log_path.exists()
    assert restore(workspace, trashed, "photos-old").log_path.read_text() == "the first"
    assert sorted(names(workspace)) == ["photos-1", "photos-old"]


def test_a_new_name_has_to_be_one(workspace: Workspace, folder: RunFolder) -> None:
    move_to_trash(workspace, folder)
    trashed = find_trashed(workspace, "photos-1")
    for name in ("../photos", "a b", ".hidden", "latest"):
        with pytest.raises(UserError, match="cannot be a run's name"):
            restore(workspace, trashed, name)
    assert list_trash(workspace) == [trashed]


def test_a_name_that_only_a_person_could_give_comes_back_too(workspace: Workspace) -> None:
    path = workspace.runs / "my run"
    path.mkdir(parents=True)
    (path / "spec.toml").write_text(SPEC)
    move_to_trash(workspace, RunFolder(path))
    assert restore(workspace, find_trashed(workspace, "my run")).path == path


def test_a_run_comes_back_once(workspace: Workspace, folder: RunFolder) -> None:
    move_to_trash(workspace, folder)
    (trashed,) = list_trash(workspace)
    restore(workspace, trashed, "elsewhere")
    with pytest.raises(UserError, match="photos-1 is not in the trash any more"):
        restore(workspace, trashed)
    assert names(workspace) == ["elsewhere"]


def test_what_cannot_be_moved_leaves_no_empty_run(
    workspace: Workspace, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    move_to_trash(workspace, folder)
    (trashed,) = list_trash(workspace)

    def refused(self: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(PermissionError):
        restore(workspace, trashed)
    assert not folder.path.exists()
    assert list_trash(workspace) == [trashed]


def test_who_is_not_in_the_trash_is_told(workspace: Workspace, folder: RunFolder) -> None:
    with pytest.raises(UserError, match="There is no run 'photos-1' in the trash") as told:
        find_trashed(workspace, "photos-1")
    assert told.value.hint == "See what is there: workbench restore"
    move_to_trash(workspace, folder)
    with pytest.raises(UserError, match="There is no run 'photo-1'") as told:
        find_trashed(workspace, "photo-1")
    assert told.value.hint == "Did you mean photos-1?"


def test_a_run_at_work_stays(workspace: Workspace, folder: RunFolder) -> None:
    EventWriter(folder.events_path).write("stage_started", stage=0, epochs=3)
    lock = take_lock(folder.lock_path)
    with pytest.raises(UserError, match="photos-1 is at work: it is training") as told:
        move_to_trash(workspace, folder)
    assert told.value.hint == "First stop it: workbench stop photos-1"
    assert folder.spec_path.exists()
    os.close(lock)
    move_to_trash(workspace, folder)
    assert not folder.path.exists()


def test_a_worker_that_tells_its_end_is_waited_for(workspace: Workspace, folder: RunFolder) -> None:
    EventWriter(folder.events_path).write("finished", seconds=1.0)
    lock = take_lock(folder.lock_path)
    with pytest.raises(UserError, match="photos-1 is at work: a worker holds it"):
        move_to_trash(workspace, folder)
    assert folder.spec_path.exists()
    os.close(lock)


def test_a_run_at_work_on_another_machine_stays(workspace: Workspace, folder: RunFolder) -> None:
    events = EventWriter(folder.events_path)
    events.write("launched", job="train", host="elsewhere", boot_id="another")
    events.write("stage_started", stage=0, epochs=3)
    with pytest.raises(UserError, match="photos-1 is at work: it is training"):
        move_to_trash(workspace, folder)
    assert folder.spec_path.exists()

"""Move a run to the trash and restore it."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from event_lines import LogWriter

from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder, create_run, list_runs
from workbench.runs.lock import take_lock
from workbench.runs.trash import find_trashed, list_trash, move_to_trash, restore

SPEC = '[model]\nstrategy = "convnet"\n[data]\nsource = "photos"\n'


@pytest.fixture
def folder(workspace: Workspace) -> RunFolder:
    return create_run(workspace, SPEC, "photos-1", "")


def names(workspace: Workspace) -> list[str]:
    return [run.name for run in list_runs(workspace)]


def test_deleted_run_can_be_restored(workspace: Workspace, folder: RunFolder) -> None:
    deleted = move_to_trash(workspace, folder)
    assert not folder.path.exists()
    assert deleted.path.parent == workspace.trash
    assert deleted.spec_path.read_text() == SPEC
    assert names(workspace) == []
    (trashed,) = list_trash(workspace)
    assert (trashed.folder, trashed.name) == (deleted, "photos-1")
    assert restore(workspace, trashed) == folder
    assert names(workspace) == ["photos-1"]
    assert list_trash(workspace) == []


def test_trash_is_sorted_by_deletion(workspace: Workspace, folder: RunFolder) -> None:
    for second, number in ((7, ""), (9, "~2"), (9, "~10"), (9, ""), (8, "")):
        name = f"a.b-1.20260102-03040{second}{number}"
        (workspace.trash / name).mkdir(parents=True)
    for name in ("photos-1", "photos-1.20261399-000000", "notes.txt", ".20260102-030409"):
        (workspace.trash / name).mkdir()  # other files: no deleted runs
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


def test_runs_of_one_name_deleted_in_the_same_second(
    workspace: Workspace, folder: RunFolder
) -> None:
    move_to_trash(workspace, folder)
    move_to_trash(workspace, create_run(workspace, SPEC, "photos-1", ""))
    third = move_to_trash(workspace, create_run(workspace, SPEC, "photos-1", ""))
    assert len(list_trash(workspace)) == 3
    assert find_trashed(workspace, "photos-1").folder == third


def test_taken_name_stays_with_its_run(workspace: Workspace, folder: RunFolder) -> None:
    folder.log_path.write_text("the first")
    move_to_trash(workspace, folder)
    other = create_run(workspace, SPEC, "photos-1", "")
    trashed = find_trashed(workspace, "photos-1")
    with pytest.raises(UserError, match="There is another photos-1 by now") as error:
        restore(workspace, trashed)
    assert error.value.hint == "Give it a new name: workbench restore photos-1 --as NAME"
    assert not other.log_path.exists()
    assert trashed.folder.log_path.exists()
    assert restore(workspace, trashed, "photos-old").log_path.read_text() == "the first"
    assert sorted(names(workspace)) == ["photos-1", "photos-old"]


def test_new_name_must_be_valid(workspace: Workspace, folder: RunFolder) -> None:
    move_to_trash(workspace, folder)
    trashed = find_trashed(workspace, "photos-1")
    for name in ("../photos", "a b", ".hidden", "latest"):
        with pytest.raises(UserError, match="cannot be a run's name"):
            restore(workspace, trashed, name)
    assert list_trash(workspace) == [trashed]


def test_name_given_by_hand_is_restored(workspace: Workspace) -> None:
    path = workspace.runs / "my run"
    path.mkdir(parents=True)
    (path / "spec.toml").write_text(SPEC)
    move_to_trash(workspace, RunFolder(path))
    assert restore(workspace, find_trashed(workspace, "my run")).path == path


def test_run_is_restored_once(workspace: Workspace, folder: RunFolder) -> None:
    move_to_trash(workspace, folder)
    (trashed,) = list_trash(workspace)
    restore(workspace, trashed, "elsewhere")
    with pytest.raises(UserError, match="photos-1 is not in the trash any more"):
        restore(workspace, trashed)
    assert names(workspace) == ["elsewhere"]


def test_failed_restore_leaves_no_empty_run(
    workspace: Workspace, folder: RunFolder, fail: Callable[..., None]
) -> None:
    move_to_trash(workspace, folder)
    (trashed,) = list_trash(workspace)
    fail(Path, "rename", PermissionError(13, "Permission denied"))
    with pytest.raises(PermissionError):
        restore(workspace, trashed)
    assert not folder.path.exists()
    assert list_trash(workspace) == [trashed]


def test_missing_run_is_reported(workspace: Workspace, folder: RunFolder) -> None:
    with pytest.raises(UserError, match="There is no run 'photos-1' in the trash") as error:
        find_trashed(workspace, "photos-1")
    assert error.value.hint == "See what is there: workbench restore"
    move_to_trash(workspace, folder)
    with pytest.raises(UserError, match="There is no run 'photo-1'") as error:
        find_trashed(workspace, "photo-1")
    assert error.value.hint == "Did you mean photos-1?"


@pytest.mark.parametrize(
    ("kind", "fields", "reason"),
    [
        ("stage_started", {"stage": 0, "epochs": 3}, "it is training"),
        ("finished", {"seconds": 1.0}, "a worker holds it"),
    ],
)
def test_locked_run_is_not_deleted(
    workspace: Workspace, folder: RunFolder, kind: str, fields: dict[str, Any], reason: str
) -> None:
    LogWriter(folder.events_path).write(kind, **fields)
    lock = take_lock(folder.lock_path)
    with pytest.raises(UserError, match=f"photos-1 is running: {reason}") as error:
        move_to_trash(workspace, folder)
    assert error.value.hint == "First stop it: workbench stop photos-1"
    assert folder.spec_path.exists()
    os.close(lock)
    move_to_trash(workspace, folder)
    assert not folder.path.exists()


def test_run_on_another_machine_is_not_deleted(workspace: Workspace, folder: RunFolder) -> None:
    events = LogWriter(folder.events_path)
    events.write("launched", job="train", host="elsewhere", boot_id="another")
    events.write("stage_started", stage=0, epochs=3)
    with pytest.raises(UserError, match="photos-1 is running: it is training"):
        move_to_trash(workspace, folder)
    assert folder.spec_path.exists()

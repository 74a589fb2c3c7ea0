"""`workbench delete` and `workbench restore`."""

import os
from pathlib import Path

import pytest
from typist import Complete, Type

from workbench.paths import Workspace
from workbench.runs.folder import create_run, list_runs
from workbench.runs.lock import take_lock
from workbench.runs.trash import list_trash

SPEC = '[model]\nstrategy = "convnet"\n[data]\nsource = "photos"\n'


@pytest.fixture
def workspace(types: Type, tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def names(workspace: Workspace) -> set[str]:
    return {run.name for run in list_runs(workspace)}


def test_there_and_back(workspace: Workspace, types: Type) -> None:
    for name in ("one", "two", "three"):
        create_run(workspace, SPEC, name, "")
    result = types("delete", "one", "two", "one")
    assert result.exit_code == 0
    assert "Bring it back: workbench restore one\n" in result.output
    assert names(workspace) == {"three"}
    listed = types("restore").output.splitlines()
    assert listed[0].split() == ["run", "deleted"]
    assert sorted(line.split()[0] for line in listed[1:]) == ["one", "two"]
    assert types("restore", "one").output == "one is back. See: workbench status one\n"
    assert names(workspace) == {"one", "three"}
    assert types("restore", "two", "--as", "four").exit_code == 0
    assert names(workspace) == {"one", "three", "four"}
    assert types("restore").output == "The trash is empty.\n"


def test_of_several_none_goes_where_one_is_not_there(workspace: Workspace, types: Type) -> None:
    create_run(workspace, SPEC, "one", "")
    result = types("delete", "one", "tow")
    assert result.exit_code == 2
    assert "There is no run 'tow'" in result.stderr
    assert names(workspace) == {"one"}


def test_a_run_running_is_refused(workspace: Workspace, types: Type) -> None:
    folder = create_run(workspace, SPEC, "busy", "")
    lock = take_lock(folder.lock_path)
    result = types("delete", "busy")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "error: busy is running: it is starting. It is not deleted.",
        "First stop it: workbench stop busy",
    ]
    assert names(workspace) == {"busy"}
    os.close(lock)
    assert types("delete", "busy").exit_code == 0


def test_a_name_that_is_taken_is_refused(workspace: Workspace, types: Type) -> None:
    create_run(workspace, SPEC, "one", "")
    types("delete", "one")
    create_run(workspace, SPEC, "one", "")
    result = types("restore", "one")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "error: There is another one by now; the deleted one stays in the trash.",
        "Give it a new name: workbench restore one --as NAME",
    ]
    assert [run.name for run in list_trash(workspace)] == ["one"]


def test_a_new_name_is_for_a_run(workspace: Workspace, types: Type) -> None:
    result = types("restore", "--as", "one")
    assert result.exit_code == 2
    assert result.stderr == "error: --as one renames one run: name the run first.\n"


def test_deleted_runs_are_completed_by_name(
    workspace: Workspace, types: Type, complete: Complete
) -> None:
    create_run(workspace, SPEC, "photos-1", "")
    create_run(workspace, SPEC, "photos-2", "")
    types("delete", "photos-1")
    assert complete("restore ph") == ["plain,photos-1"]

"""`workbench delete` and `workbench restore`."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from workbench.cli import workbench
from workbench.paths import Workspace
from workbench.runs.folder import create_run, list_runs
from workbench.runs.lock import take_lock
from workbench.runs.trash import list_trash

SPEC = '[model]\nstrategy = "convnet"\n[data]\nsource = "photos"\n'
Type = Callable[..., Result]


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WORKBENCH_HOME", raising=False)
    return Workspace(tmp_path)


def types(*words: str) -> Result:
    return CliRunner().invoke(workbench, words, prog_name="workbench")


def names(workspace: Workspace) -> set[str]:
    return {run.name for run in list_runs(workspace)}


def test_there_and_back(workspace: Workspace) -> None:
    for name in ("one", "two", "three"):
        create_run(workspace, SPEC, name, "")
    told = types("delete", "one", "two", "one")
    assert told.exit_code == 0
    assert "Bring it back: workbench restore one\n" in told.output
    assert names(workspace) == {"three"}
    listed = types("restore").output.splitlines()
    assert listed[0].split() == ["run", "deleted"]
    assert sorted(line.split()[0] for line in listed[1:]) == ["one", "two"]
    assert types("restore", "one").output == "one is back. See: workbench status one\n"
    assert names(workspace) == {"one", "three"}
    assert types("restore", "two", "--as", "four").exit_code == 0
    assert names(workspace) == {"one", "three", "four"}
    assert types("restore").output == "The trash is empty.\n"


def test_of_several_none_goes_where_one_is_not_there(workspace: Workspace) -> None:
    create_run(workspace, SPEC, "one", "")
    told = types("delete", "one", "tow")
    assert told.exit_code == 2
    assert "There is no run 'tow'" in told.stderr
    assert names(workspace) == {"one"}


def test_a_run_at_work_is_refused(workspace: Workspace) -> None:
    folder = create_run(workspace, SPEC, "busy", "")
    lock = take_lock(folder.lock_path)
    told = types("delete", "busy")
    assert told.exit_code == 2
    assert told.stderr.splitlines() == [
        "error: busy is at work: it is starting. It is not deleted.",
        "First stop it: workbench stop busy",
    ]
    assert names(workspace) == {"busy"}
    os.close(lock)
    assert types("delete", "busy").exit_code == 0


def test_a_name_that_is_taken_is_refused(workspace: Workspace) -> None:
    create_run(workspace, SPEC, "one", "")
    types("delete", "one")
    create_run(workspace, SPEC, "one", "")
    told = types("restore", "one")
    assert told.exit_code == 2
    assert told.stderr.splitlines() == [
        "error: There is another one by now; the deleted one stays in the trash.",
        "Give it a new name: workbench restore one --as NAME",
    ]
    assert [run.name for run in list_trash(workspace)] == ["one"]


def test_a_new_name_is_for_a_run(workspace: Workspace) -> None:
    told = types("restore", "--as", "one")
    assert told.exit_code == 2
    assert told.stderr == "error: --as one gives one run a new name: say which run first.\n"


def test_deleted_runs_are_completed_by_name(workspace: Workspace) -> None:
    create_run(workspace, SPEC, "photos-1", "")
    create_run(workspace, SPEC, "photos-2", "")
    types("delete", "photos-1")
    environment = {"COMP_WORDS": "workbench restore ph", "COMP_CWORD": "2"}
    result = CliRunner().invoke(
        workbench, [], prog_name="workbench",
        env={**environment, "_WORKBENCH_COMPLETE": "bash_complete"},
    )  # fmt: skip
    assert result.output == "plain,photos-1\n"

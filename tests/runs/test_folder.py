"""Create runs and find them."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.runs import folder as folder_module
from workbench.runs.folder import create_run, find_run, list_runs


def test_name_is_the_folder(workspace: Workspace) -> None:
    run = create_run(workspace, "preset = 'dense'\n", name="first.try_1", stem="ignored")
    assert run.path == workspace.root / "saved_models" / "first.try_1"
    assert run.name == "first.try_1"
    assert [path.name for path in run.path.iterdir()] == ["spec.toml"]
    assert run.spec_path.read_text() == "preset = 'dense'\n"


def test_taken_name_is_refused(workspace: Workspace) -> None:
    first = create_run(workspace, "a = 1", name="birds", stem="x")
    with pytest.raises(UserError, match="The name birds is taken"):
        create_run(workspace, "a = 2", name="birds", stem="x")
    assert first.spec_path.read_text() == "a = 1"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../out", "a/b", "/etc", "-x", ".hidden", "latest", "a\nb", "x" * 65]
)
def test_invalid_names_are_refused(workspace: Workspace, name: str) -> None:
    with pytest.raises(UserError, match="cannot be a run's name"):
        create_run(workspace, "", name=name, stem="x")
    assert list(workspace.runs.iterdir()) == []


def test_longest_name_is_allowed(workspace: Workspace) -> None:
    assert create_run(workspace, "", name="x" * 64, stem="x").path.is_dir()


def test_run_without_name_takes_next_number(workspace: Workspace) -> None:
    names = [create_run(workspace, "", None, "birds").name for _ in range(2)]
    assert names == ["birds-1", "birds-2"]
    (workspace.runs / "birds-9").mkdir()  # no run, but a taken name
    (workspace.runs / "birds-x").mkdir()
    assert create_run(workspace, "", None, "birds").name == "birds-10"
    assert create_run(workspace, "", None, "cats").name == "cats-1"


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("my photos", "my-photos-1"),
        ("../../etc", "etc-1"),
        ("\x1b[31m\udcff", "31m-1"),
        ("鸟", "run-1"),
        ("x" * 90, "x" * 56 + "-1"),
    ],
)
def test_any_stem_becomes_a_name(workspace: Workspace, stem: str, name: str) -> None:
    run = create_run(workspace, "", None, stem)
    assert run.name == name
    assert find_run(workspace, name) == run


def test_concurrent_runs_get_unique_numbers(workspace: Workspace) -> None:
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: create_run(workspace, "", None, "birds"), range(24)))
    assert {run.name for run in runs} == {f"birds-{n}" for n in range(1, 25)}


def test_failed_creation_leaves_no_folder(workspace: Workspace, fail: Callable[..., None]) -> None:
    fail(folder_module, "write_atomic", OSError("disk full"))
    with pytest.raises(OSError, match="disk full"):
        create_run(workspace, "", "birds", "x")
    assert list(workspace.runs.iterdir()) == []


def test_runs_are_listed_newest_first_without_other_files(workspace: Workspace) -> None:
    assert list_runs(workspace) == []
    runs = [create_run(workspace, "", None, "birds") for _ in range(11)]
    for run in runs:
        os.utime(run.spec_path, (1000, 1000))  # created in the same tick: the number decides
    old = create_run(workspace, "", "old", "x")
    os.utime(old.spec_path, (999, 999))
    (workspace.runs / "README.md").write_text("about")
    (workspace.runs / "notes").mkdir()
    (workspace.runs / "loop").symlink_to("loop")
    (workspace.runs / ".trash").mkdir()
    (workspace.runs / ".trash" / "spec.toml").touch()
    damaged = workspace.runs / "damaged"
    damaged.mkdir()
    (damaged / "events.jsonl").touch()  # its spec is lost, its events are not
    expected = ["damaged", *(f"birds-{n}" for n in range(11, 0, -1)), "old"]
    assert [run.name for run in list_runs(workspace)] == expected


def test_latest_is_the_newest_run(workspace: Workspace) -> None:
    create_run(workspace, "", None, "birds")
    newest = create_run(workspace, "", None, "birds")
    assert find_run(workspace, "latest") == newest


def test_similar_names_are_suggested(workspace: Workspace) -> None:
    with pytest.raises(UserError, match="There are no runs") as none:
        find_run(workspace, "latest")
    assert none.value.hint == "Start one: workbench demo"
    create_run(workspace, "", "convnet-birds", "x")
    create_run(workspace, "", "dense", "x")
    with pytest.raises(UserError, match="There is no run 'convnet-brids'") as close:
        find_run(workspace, "convnet-brids")
    assert close.value.hint == "Did you mean convnet-birds?"
    with pytest.raises(UserError) as far:
        find_run(workspace, "zzz\x1b")
    assert far.value.hint == "See: workbench runs"
    assert "\x1b" not in str(far.value)


@pytest.mark.parametrize("name", ["", ".", "..", "../outside", "birds/../../outside", "a\0b"])
def test_no_name_leads_out_of_saved_models(workspace: Workspace, name: str) -> None:
    create_run(workspace, "", "birds", "x")
    outside = workspace.root / "outside"
    outside.mkdir()
    (outside / "spec.toml").touch()
    (workspace.root / "spec.toml").touch()
    (workspace.runs / "spec.toml").touch()
    with pytest.raises(UserError, match="There is no run"):
        find_run(workspace, name)

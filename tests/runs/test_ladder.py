"""The record of a ladder, and what is done to all its runs."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from workbench.errors import UserError
from workbench.experiment.presets import BOOK_FACTS, preset_tree
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import parse_spec, read_spec
from workbench.paths import Workspace
from workbench.runs import ladder as ladder_module
from workbench.runs.events import EventWriter
from workbench.runs.folder import RunFolder, list_runs
from workbench.runs.ladder import (
    Ladder,
    Rung,
    ask_to_stop,
    create_ladder,
    find_ladder,
    folders,
    left_elsewhere,
    list_ladders,
    prepare_ladder,
    start,
)
from workbench.runs.launch import stop_requested
from workbench.runs.lock import take_lock

SPECS = [("dense", "a = 1"), ("convnet", "a = 2")]
TUNING = "fine-tuning"


def checked(preset: str) -> ExperimentSpec:
    return parse_spec(preset_tree(preset, "/photos", BOOK_FACTS), preset)


@pytest.fixture
def photos(workspace: Workspace) -> Ladder:
    return create_ladder(workspace, None, "photos", SPECS)


def test_a_ladder_is_remembered(workspace: Workspace, photos: Ladder) -> None:
    rungs = (Rung("dense", "photos-dense-1"), Rung("convnet", "photos-convnet-1"))
    assert photos == Ladder("photos-ladder-1", rungs)
    assert find_ladder(workspace, "photos-ladder-1") == photos
    assert [f.spec_path.read_text() for f in folders(workspace, photos)] == ["a = 1", "a = 2"]
    assert {run.name for run in list_runs(workspace)} == {rung.run for rung in rungs}
    again = create_ladder(workspace, None, "photos", SPECS)
    assert (again.name, again.rungs[0].run) == ("photos-ladder-2", "photos-dense-2")
    assert list_ladders(workspace) == ["photos-ladder-1", "photos-ladder-2"]


def test_a_ladder_may_have_a_name(workspace: Workspace) -> None:
    assert create_ladder(workspace, "pets", "photos", SPECS).name == "pets"
    with pytest.raises(UserError, match="There is a ladder pets already"):
        create_ladder(workspace, "pets", "photos", SPECS)
    for name in ("../pets", "a b", ""):
        with pytest.raises(UserError, match="cannot be a ladder's name"):
            create_ladder(workspace, name, "photos", SPECS)
    assert len(list_runs(workspace)) == 2


def test_odd_data_names_make_names_all_the_same(workspace: Workspace) -> None:
    ladder = create_ladder(workspace, None, "my\x1b photos/" + "x" * 80, SPECS)
    assert find_ladder(workspace, ladder.name) == ladder


def test_a_ladder_that_cannot_be_made_leaves_nothing(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: str) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(ladder_module, "write_atomic", full)
    with pytest.raises(OSError, match="disk full"):
        create_ladder(workspace, "pets", "photos", SPECS)
    assert list(workspace.runs.iterdir()) == []


def test_ladders_that_are_none_are_told(workspace: Workspace, photos: Ladder) -> None:
    with pytest.raises(UserError, match="There is no ladder 'pets'") as none:
        find_ladder(workspace, "pets")
    assert none.value.hint == "There are: photos-ladder-1"
    record = workspace.runs / "photos-ladder-1.ladder.json"
    for damage in ("", "[]", "{}", '{"rungs": [{"run": "x"}]}', "\udcff"):
        record.write_bytes(damage.encode("utf-8", "surrogateescape"))
        with pytest.raises(UserError, match=r"photos-ladder-1.ladder.json is damaged"):
            find_ladder(workspace, "photos-ladder-1")
    record.write_text(json.dumps({"rungs": [{"preset": "dense", "run": "../elsewhere"}]}))
    with pytest.raises(UserError, match="names runs that cannot be"):
        find_ladder(workspace, "photos-ladder-1")


def test_what_is_not_finished_is_queued(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    ladder = create_ladder(workspace, "pets", "p", [(f"r{n}", "") for n in range(6)])
    new, finished, failed, working, gone, far = folders(workspace, ladder)
    EventWriter(finished.events_path).write("finished", seconds=1)
    EventWriter(failed.events_path).write("failed", message="no weights")
    gone.spec_path.unlink()
    gone.path.rmdir()
    lock = take_lock(working.lock_path)
    old = {"event": "worker_started", "t": 1000.0, "host": "far", "boot_id": "other"}
    far.events_path.write_text(json.dumps(old) + "\n")  # who knows whether it has ended
    launched: list[Any] = []

    def launch(folder: RunFolder, resume: bool, queue: bool, environment: dict[str, str]) -> None:
        launched.append((folder.name, resume, queue, environment))

    monkeypatch.setattr(ladder_module, "launch", launch)
    variables = {"WORKBENCH_ON_FINISH": "true"}
    assert start(workspace, ladder, variables) == [new.name, failed.name]
    assert launched == [
        (new.name, False, True, variables),
        (failed.name, True, True, variables),
    ]
    assert [rung.name for rung in left_elsewhere(workspace, ladder)] == [far.name]
    os.close(lock)


def test_a_stop_reaches_every_worker_the_last_first(
    workspace: Workspace, photos: Ladder, monkeypatch: pytest.MonkeyPatch
) -> None:
    dense, convnet = folders(workspace, photos)
    locks = [take_lock(dense.lock_path), take_lock(convnet.lock_path)]
    asked: list[str] = []
    real = ladder_module.request_stop

    def request(folder: RunFolder) -> None:
        asked.append(folder.name)
        real(folder)

    monkeypatch.setattr(ladder_module, "request_stop", request)
    assert ask_to_stop(workspace, photos) == [dense, convnet]
    assert asked == [convnet.name, dense.name]
    assert stop_requested(dense)
    for lock in locks:
        os.close(lock)
    assert ask_to_stop(workspace, photos) == []


def test_the_weights_of_each_base_are_looked_for_once(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Any] = []
    monkeypatch.setattr(ladder_module, "find_weights", lambda *asked: found.append(asked[:3]))
    presets = ("dense", "feature-extraction", TUNING)
    specs = [(preset, checked(preset)) for preset in presets]
    ladder = prepare_ladder(workspace, None, "photos", specs)
    assert found == [("vgg16", (160, 160), "imagenet")]
    assert [rung.run for rung in ladder.rungs] == [f"photos-{preset}-1" for preset in presets]
    written = [read_spec(folder.spec_path) for folder in folders(workspace, ladder)]
    assert written == [spec for _, spec in specs]


def test_weights_that_cannot_be_had_leave_no_ladder(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*asked: Any) -> None:
        raise UserError("No network.")

    monkeypatch.setattr(ladder_module, "find_weights", missing)
    with pytest.raises(UserError, match="No network"):
        prepare_ladder(workspace, None, "photos", [(TUNING, checked(TUNING))])
    assert list_ladders(workspace) == []
    assert list_runs(workspace) == []
    assert prepare_ladder(workspace, None, "photos", [("dense", checked("dense"))]).rungs


def test_a_disk_that_cannot_be_written_is_told(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ladder_module, "create_run", full)
    with pytest.raises(UserError, match=r"cannot be written in .*: No space left on device"):
        prepare_ladder(workspace, None, "photos", [("dense", checked("dense"))])

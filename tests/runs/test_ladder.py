"""The record of a ladder, and operations on all its runs."""

import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from event_lines import LogWriter, event

from workbench.errors import UserError
from workbench.experiment.presets import BOOK_FACTS, preset_tree
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import parse_spec, read_spec
from workbench.paths import Workspace
from workbench.runs import ladder as ladder_module
from workbench.runs.event_log import EventWriter
from workbench.runs.folder import RunFolder, list_runs
from workbench.runs.ladder import (
    Ladder,
    LadderEntry,
    create_ladder,
    find_ladder,
    list_ladders,
    prepare_ladder,
    run_folders,
    runs_on_other_hosts,
    start,
    stop_ladder,
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


def test_ladder_is_recorded(workspace: Workspace, photos: Ladder) -> None:
    entries = (LadderEntry("dense", "photos-dense-1"), LadderEntry("convnet", "photos-convnet-1"))
    assert photos == Ladder("photos-ladder-1", entries)
    assert find_ladder(workspace, "photos-ladder-1") == photos
    assert [f.spec_path.read_text() for f in run_folders(workspace, photos)] == ["a = 1", "a = 2"]
    assert {run.name for run in list_runs(workspace)} == {entry.run for entry in entries}
    again = create_ladder(workspace, None, "photos", SPECS)
    assert (again.name, again.entries[0].run) == ("photos-ladder-2", "photos-dense-2")
    assert list_ladders(workspace) == ["photos-ladder-1", "photos-ladder-2"]


def test_ladder_with_a_name(workspace: Workspace) -> None:
    assert create_ladder(workspace, "pets", "photos", SPECS).name == "pets"
    with pytest.raises(UserError, match="There is a ladder pets already"):
        create_ladder(workspace, "pets", "photos", SPECS)
    for name in ("../pets", "a b", ""):
        with pytest.raises(UserError, match="cannot be a ladder's name"):
            create_ladder(workspace, name, "photos", SPECS)
    assert len(list_runs(workspace)) == 2


def test_any_data_name_becomes_a_ladder_name(workspace: Workspace) -> None:
    ladder = create_ladder(workspace, None, "my\x1b photos/" + "x" * 80, SPECS)
    assert find_ladder(workspace, ladder.name) == ladder


def test_failed_creation_leaves_nothing(workspace: Workspace, fail: Callable[..., None]) -> None:
    fail(ladder_module, "write_atomic", OSError("disk full"))
    with pytest.raises(OSError, match="disk full"):
        create_ladder(workspace, "pets", "photos", SPECS)
    assert list(workspace.runs.iterdir()) == []


def test_missing_and_damaged_ladders_are_reported(workspace: Workspace, photos: Ladder) -> None:
    with pytest.raises(UserError, match="There is no ladder 'pets'") as none:
        find_ladder(workspace, "pets")
    assert none.value.hint == "There are: photos-ladder-1"
    record = workspace.runs / "photos-ladder-1.ladder.json"
    for damage in ("", "[]", "{}", '{"rungs": [{"run": "x"}]}', "\udcff"):
        record.write_bytes(damage.encode("utf-8", "surrogateescape"))
        with pytest.raises(UserError, match=r"photos-ladder-1.ladder.json is damaged"):
            find_ladder(workspace, "photos-ladder-1")
    record.write_text(json.dumps({"rungs": [{"preset": "dense", "run": "../elsewhere"}]}))
    with pytest.raises(UserError, match="contains invalid names of runs"):
        find_ladder(workspace, "photos-ladder-1")


def test_unfinished_runs_are_queued(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    ladder = create_ladder(workspace, "pets", "p", [(f"r{n}", "") for n in range(6)])
    new, finished, failed, working, gone, far = run_folders(workspace, ladder)
    LogWriter(finished.events_path).write("finished", seconds=1)
    LogWriter(failed.events_path).write("failed", message="no weights")
    gone.spec_path.unlink()
    gone.path.rmdir()
    lock = take_lock(working.lock_path)
    old = event("worker_started", 1000.0, host="far", boot_id="other")
    EventWriter(far.events_path).write(old)  # it is unknown whether it has ended
    launched: list[Any] = []

    def launch(
        folder: RunFolder,
        resume: bool,
        queue: bool,
        environment: dict[str, str],
        spec: str | None,
    ) -> None:
        launched.append((folder.name, resume, queue, environment, spec))

    monkeypatch.setattr(ladder_module, "launch", launch)
    variables = {"WORKBENCH_ON_FINISH": "true"}
    assert start(workspace, ladder, variables) == [new.name, failed.name]
    assert launched == [
        (new.name, False, True, variables, None),
        (failed.name, True, True, variables, None),
    ]
    assert [entry.name for entry in runs_on_other_hosts(workspace, ladder)] == [far.name]
    os.close(lock)


def test_stop_reaches_every_worker_in_reverse_order(
    workspace: Workspace, photos: Ladder, monkeypatch: pytest.MonkeyPatch
) -> None:
    dense, convnet = run_folders(workspace, photos)
    locks = [take_lock(dense.lock_path), take_lock(convnet.lock_path)]
    asked: list[str] = []
    real = ladder_module.request_stop

    def request(folder: RunFolder) -> None:
        asked.append(folder.name)
        real(folder)

    monkeypatch.setattr(ladder_module, "request_stop", request)
    assert stop_ladder(workspace, photos) == [dense, convnet]
    assert asked == [convnet.name, dense.name]
    assert stop_requested(dense)
    for lock in locks:
        os.close(lock)
    assert stop_ladder(workspace, photos) == []


def test_weights_of_each_base_are_found_once(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Any] = []
    monkeypatch.setattr(ladder_module, "find_weights", lambda *asked: found.append(asked[:3]))
    presets = ("dense", "feature-extraction", TUNING)
    specs = [(preset, checked(preset)) for preset in presets]
    ladder = prepare_ladder(workspace, None, "photos", specs)
    assert found == [("vgg16", (160, 160), "imagenet")]
    assert [entry.run for entry in ladder.entries] == [f"photos-{preset}-1" for preset in presets]
    written = [read_spec(folder.spec_path) for folder in run_folders(workspace, ladder)]
    assert written == [spec for _, spec in specs]


def test_missing_weights_leave_no_ladder(workspace: Workspace, fail: Callable[..., None]) -> None:
    fail(ladder_module, "find_weights", UserError("No network."))
    with pytest.raises(UserError, match="No network"):
        prepare_ladder(workspace, None, "photos", [(TUNING, checked(TUNING))])
    assert list_ladders(workspace) == []
    assert list_runs(workspace) == []
    assert prepare_ladder(workspace, None, "photos", [("dense", checked("dense"))]).entries


def test_unwritable_disk_is_reported(workspace: Workspace, fail: Callable[..., None]) -> None:
    fail(ladder_module, "create_run", OSError(28, "No space left on device"))
    with pytest.raises(UserError, match=r"cannot be written in .*: No space left on device"):
        prepare_ladder(workspace, None, "photos", [("dense", checked("dense"))])

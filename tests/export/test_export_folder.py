"""The folder of an export: whole or not there, and nothing but an earlier export replaced."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from told_run import LABELS, picture, rows, told_run

from workbench.app.export_run import Exported, export_run
from workbench.datasets.deep import Levels
from workbench.datasets.manifest import write_manifest
from workbench.errors import UserError
from workbench.experiment.toml import parse_spec
from workbench.export.formats import FORMATS, check_formats
from workbench.export.preparation import labels_text, preprocessing
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder

REPOSITORY = Path(__file__).resolve().parents[2]


class FakeWorker:
    """Does the jobs of an export without keras; remembers the images that it was given."""

    def __init__(self, difference: float | None = 0.0) -> None:
        self.difference = difference
        self.images = np.zeros(0)

    def __call__(
        self, job: str, request: dict[str, Any], on_event: Callable[[dict[str, Any]], None]
    ) -> dict[str, Any]:
        if job == "check-export":
            assert Path(request["path"]).exists()
            return {"difference": self.difference}
        self.images = np.load(request["images"])
        for name in request["formats"]:
            Path(request["folder"], FORMATS[name].file).write_text(f"model {self.difference}")
        on_event({"event": "progress", "phase": "write keras", "done": 0, "total": 0})
        return {"labels": list(LABELS)}


@pytest.fixture
def run(workspace: Workspace) -> RunFolder:
    folder = told_run(workspace)
    folder.model_path.touch()
    return folder


def export(
    workspace: Workspace, run: RunFolder, worker: FakeWorker | None = None, **changes: Any
) -> Exported:
    given = {"formats": ("keras",), "target": workspace.root / "home", **changes}
    return export_run(workspace, run, do=worker or FakeWorker(), **given)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_holds_the_model_and_a_card_once_all_was_tried(
    workspace: Workspace, run: RunFolder
) -> None:
    before = names(workspace.root)
    made = export(workspace, run, FakeWorker(1e-4))
    assert names(made.folder) == ["README.md", "model.keras"]
    assert names(workspace.root) == sorted([*before, "home"])
    (tried,) = made.tried
    assert (tried.format.name, tried.difference) == ("keras", 1e-4)


@pytest.mark.parametrize("difference", [1.0001e-4, 0.5, None])
def test_other_predictions_leave_nothing_behind(
    workspace: Workspace, run: RunFolder, difference: float | None
) -> None:
    before = names(workspace.root)
    with pytest.raises(UserError, match=r"gives other predictions.* allowed is 0.0001"):
        export(workspace, run, FakeWorker(difference))
    assert names(workspace.root) == before


def test_the_test_images_are_read_as_the_run_read_them(
    workspace: Workspace, run: RunFolder
) -> None:
    picture(workspace.root / "pets" / "cat" / "1.png", 10)
    picture(workspace.root / "pets" / "dog" / "2.png", 90, side=40)
    worker = FakeWorker()
    (tried,) = export(workspace, run, worker).tried
    assert worker.images.shape == (2, 8, 8, 3)  # the others in the manifest are gone
    assert (worker.images[:, 0, 0, 0].tolist(), tried.own) == ([10, 90], True)


def test_at_most_64_images_are_tried_from_all_over_the_test_images(
    workspace: Workspace, run: RunFolder
) -> None:
    paths = tuple(f"{n:03}.png" for n in range(130))
    for n, path in enumerate(paths):
        picture(workspace.root / "pets" / path, n)
    kept = [row for row in rows(LABELS, paths) if row.path in paths]
    write_manifest(run.manifest_path, kept)
    worker = FakeWorker()
    export(workspace, run, worker)
    assert worker.images[:, 0, 0, 0].tolist() == [*range(0, 128, 2)]


def test_without_the_images_made_up_ones_do_and_the_card_says_so(
    workspace: Workspace, run: RunFolder
) -> None:
    made = export(workspace, run)
    assert (made.tried[0].images, made.tried[0].own) == (16, False)
    assert "16 made-up images" in (made.folder / "README.md").read_text()


def test_a_folder_that_is_there_is_replaced_only_when_asked_and_only_an_export(
    workspace: Workspace, run: RunFolder
) -> None:
    target = export(workspace, run).folder
    with pytest.raises(UserError, match=r"home is there already.\n.*--force"):
        export(workspace, run)
    with pytest.raises(UserError, match="gives other predictions"):
        export(workspace, run, FakeWorker(0.5), force=True)
    assert (target / "model.keras").read_text() == "model 0.0"
    export(workspace, run, FakeWorker(1e-5), force=True)
    assert (target / "model.keras").read_text() == "model 1e-05"
    photo = target / "holiday.jpg"
    picture(photo)
    with pytest.raises(UserError, match=r"holds holiday.jpg, which no export wrote"):
        export(workspace, run, force=True)
    assert photo.exists()


@pytest.mark.parametrize("kind", ["file", "link", "empty folder"])
def test_what_is_no_export_is_never_replaced(
    workspace: Workspace, run: RunFolder, kind: str
) -> None:
    target = workspace.root / "home"
    {
        "file": target.touch,
        "link": lambda: target.symlink_to(run.path),
        "empty folder": target.mkdir,
    }[kind]()
    with pytest.raises(UserError, match="--force replaces earlier exports alone"):
        export(workspace, run, force=True)
    assert os.path.lexists(target)
    assert run.model_path.exists()


def test_folders_of_similar_names_are_nobodys_but_the_persons(
    workspace: Workspace, run: RunFolder
) -> None:
    for name in ("home.new", "home.old", ".home.new", "home-export"):
        picture(workspace.root / name / "photo.png")
    export(workspace, run)
    export(workspace, run, force=True)
    for name in ("home.new", "home.old", ".home.new", "home-export"):
        assert (workspace.root / name / "photo.png").exists()


def test_an_unfinished_run_has_nothing_to_export(workspace: Workspace) -> None:
    with pytest.raises(UserError, match="has no model yet"):
        export(workspace, told_run(workspace))


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("onnx", "pip install onnx tf2onnx onnxruntime"),
        ("litert", "pip install ai-edge-litert"),
    ],
)
def test_a_missing_converter_is_told_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, name: str, line: str
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda module: None)
    check_formats(["keras", "savedmodel"])
    with pytest.raises(UserError, match=line):
        check_formats(["keras", name])


def test_only_tensorflow_writes_what_is_not_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    check_formats(["keras"])
    with pytest.raises(UserError, match="KERAS_BACKEND is jax"):
        check_formats(["savedmodel"])


SLOW = """
import signal, sys
from pathlib import Path
from workbench.cli.export import ended_with_care
from workbench.export.target import whole_folder
with ended_with_care(), whole_folder(Path(sys.argv[1])) as folder:
    (folder / "half").touch()
    print("begun", flush=True)
    signal.pause()
"""


@pytest.mark.parametrize(
    ("number", "stays"), [(signal.SIGHUP, False), (signal.SIGTERM, False), (signal.SIGKILL, True)]
)
def test_interrupted_nothing_half_made_stays(
    tmp_path: Path, number: signal.Signals, stays: bool
) -> None:
    target = tmp_path / "home"
    worker = subprocess.Popen(
        [sys.executable, "-c", SLOW, str(target)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert worker.stdout is not None
    assert worker.stdout.readline() == b"begun\n"
    worker.send_signal(number)
    worker.wait()
    worker.stdout.close()
    assert not target.exists()
    assert (names(tmp_path) != []) == stays  # a kill leaves no time; the next export clears up
    run = told_run(Workspace(tmp_path))
    run.model_path.touch()
    export(Workspace(tmp_path), run)
    assert names(tmp_path) == ["home", "saved_models"]


def test_json_keeps_labels_as_they_are_and_text_a_line_each() -> None:
    spec = parse_spec(
        {"data": {"source": "x", "image_size": [8, 9], "channels": 1, "resize": "pad"},
         "model": {"strategy": "dense"}}, "test",
    )  # fmt: skip
    labels = ("a\nb", "c\u202e", "d\udce9")
    assert labels_text(labels) == "a\\nb\nc\\u202e\nd\\xe9\n"
    told = json.loads(json.dumps(preprocessing(spec, labels)))
    assert told["labels"] == list(labels)
    assert told["image_size"] == {"height": 8, "width": 9}
    assert (told["resize"], told["channels"], told["input"]["range"]) == ("pad", 1, [0, 255])
    assert told["output"]["shape"] == [None, 3]
    assert preprocessing(spec, ("a", "b"))["output"]["shape"] == [None, 1]
    assert told["sixteen_bits"] == {"becomes_0": 0, "becomes_255": 65535}
    twelve = preprocessing(spec, labels, Levels(3, 4095))
    assert twelve["sixteen_bits"] == {"becomes_0": 3, "becomes_255": 4095}

"""The folder of an export: complete or absent, and only an earlier export is replaced."""

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
from recorded_run import LABELS, picture, recorded_run, rows

from workbench.app.export import ExportedModel, export_run
from workbench.datasets.manifest import write_manifest
from workbench.datasets.sixteen_bit import Levels
from workbench.errors import UserError
from workbench.experiment.toml import parse_spec
from workbench.export.formats import FORMATS, check_formats
from workbench.export.model_card import format_labels, preprocessing
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder

REPOSITORY = Path(__file__).resolve().parents[2]


class FakeWorker:
    """Does the jobs of an export without keras; records the images that it received."""

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
    folder = recorded_run(workspace)
    folder.model_path.touch()
    return folder


def export(
    workspace: Workspace, run: RunFolder, worker: FakeWorker | None = None, **changes: Any
) -> ExportedModel:
    given = {"formats": ("keras",), "target": workspace.root / "home", **changes}
    return export_run(workspace, run, do=worker or FakeWorker(), **given)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_holds_the_model_and_a_card_after_verification(
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


def test_at_most_64_images_from_all_test_images(workspace: Workspace, run: RunFolder) -> None:
    paths = tuple(f"{n:03}.png" for n in range(130))
    for n, path in enumerate(paths):
        picture(workspace.root / "pets" / path, n)
    kept = [row for row in rows(LABELS, paths) if row.path in paths]
    write_manifest(run.manifest_path, kept)
    worker = FakeWorker()
    export(workspace, run, worker)
    assert worker.images[:, 0, 0, 0].tolist() == [*range(0, 128, 2)]


def test_without_images_made_up_ones_are_used_and_the_card_states_it(
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
    with pytest.raises(UserError, match="--force replaces only earlier exports"):
        export(workspace, run, force=True)
    assert os.path.lexists(target)
    assert run.model_path.exists()


def test_folders_of_similar_names_are_untouched(workspace: Workspace, run: RunFolder) -> None:
    for name in ("home.new", "home.old", ".home.new", "home-export"):
        picture(workspace.root / name / "photo.png")
    export(workspace, run)
    export(workspace, run, force=True)
    for name in ("home.new", "home.old", ".home.new", "home-export"):
        assert (workspace.root / name / "photo.png").exists()


def test_an_unfinished_run_has_nothing_to_export(workspace: Workspace) -> None:
    with pytest.raises(UserError, match="has no model yet"):
        export(workspace, recorded_run(workspace))


@pytest.mark.parametrize(
    ("name", "found", "message"),
    [
        ("onnx", "tensorflow", "pip install onnx tf2onnx onnxruntime"),
        ("litert", "tensorflow", "pip install ai-edge-litert"),
        ("savedmodel", "jax", "pip install tensorflow"),
    ],
)
def test_formats_need_packages_and_tensorflow(
    monkeypatch: pytest.MonkeyPatch, name: str, found: str, message: str
) -> None:
    """TensorFlow may be there beside the backend that trains."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda one: one if one == found else None)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    check_formats(["keras"] if found == "jax" else ["keras", "savedmodel"])
    with pytest.raises(UserError, match=message):
        check_formats(["keras", name])


SLOW = """
import signal, sys
from pathlib import Path
from workbench.cli.export import exit_cleanly_on_signals
from workbench.export.target import staged_folder
with exit_cleanly_on_signals(), staged_folder(Path(sys.argv[1])) as folder:
    (folder / "half").touch()
    print("begun", flush=True)
    signal.pause()
"""


@pytest.mark.parametrize(
    ("number", "stays"), [(signal.SIGHUP, False), (signal.SIGTERM, False), (signal.SIGKILL, True)]
)
def test_an_interruption_leaves_nothing_incomplete(
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
    assert (names(tmp_path) != []) == stays  # the next export cleans up after a kill
    run = recorded_run(Workspace(tmp_path))
    run.model_path.touch()
    export(Workspace(tmp_path), run)
    assert names(tmp_path) == ["home", "saved_models"]


def test_json_keeps_labels_as_they_are_and_text_a_line_each() -> None:
    spec = parse_spec(
        {"data": {"source": "x", "image_size": [8, 9], "channels": 1, "resize": "pad"},
         "model": {"strategy": "dense"}}, "test",
    )  # fmt: skip
    labels = ("a\nb", "c\u202e", "d\udce9")
    assert format_labels(labels) == "a\\nb\nc\\u202e\nd\\xe9\n"
    content = json.loads(json.dumps(preprocessing(spec, labels)))
    assert content["labels"] == list(labels)
    assert content["image_size"] == {"height": 8, "width": 9}
    assert (content["resize"], content["channels"], content["input"]["range"]) == (
        "pad",
        1,
        [0, 255],
    )
    assert content["output"]["shape"] == [None, 3]
    assert preprocessing(spec, ("a", "b"))["output"]["shape"] == [None, 1]
    assert content["sixteen_bits"] == {"becomes_0": 0, "becomes_255": 65535}
    twelve = preprocessing(spec, labels, Levels(3, 4095))
    assert twelve["sixteen_bits"] == {"becomes_0": 3, "becomes_255": 4095}

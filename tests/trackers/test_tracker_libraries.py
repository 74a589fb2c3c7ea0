"""The trackers themselves, offline: what their own readers find of a run."""

import json
import struct
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from fake_runs import CONVNET, FakeRun

from workbench.paths import Workspace
from workbench.trackers.mirroring import TrackedRun, mirror_runs, sent_path
from workbench.trackers.tracker import Destination, find_destination


@pytest.fixture
def made(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRun]:
    """A run of two epochs that trains."""
    for name in ("MLFLOW_TRACKING_URI", "WANDB_DIR", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_MODE", "offline")
    run = FakeRun(workspace, "pets", CONVNET.format(epochs=3))
    run.live()
    run.data()
    run.stage(0, "train all", 3)
    run.emit("epoch_finished", stage=0, epoch=1, loss=0.5, val_loss=0.75, learning_rate=0.001)
    run.emit("epoch_finished", stage=0, epoch=2, loss=0.25, val_loss=0.5, learning_rate=0.001)
    run.progress(0, 3, 7)
    yield run
    run.die()


def mirrored(run: FakeRun, to: Destination) -> None:
    """Follow a run; be killed before what was sent is noted; begin again; see the end."""
    first = TrackedRun(run.folder, to, False, print)
    assert first.step()
    first.close()
    note = sent_path(run.folder, to)
    before = note.read_bytes()
    run.emit("resumed", stage=0, epoch=2, step=0)
    run.emit("epoch_finished", stage=0, epoch=2, loss=0.125, val_loss=0.5, learning_rate=0.001)
    killed = TrackedRun(run.folder, to, False, print)
    assert killed.step()
    killed.close()
    note.write_bytes(before)
    run.emit("evaluated", split="test", loss=0.5, accuracy=0.75, interval=[0.5, 1.0], images=8)
    run.folder.model_path.write_bytes(b"model")
    run.emit("finished", seconds=1.0)
    run.die()
    (result,) = mirror_runs(lambda: [run.folder], to, artifacts=True)
    assert (result.state, result.epochs, result.error) == ("finished", 1, "")


def test_tensorboard_shows_curves_spec_and_results(
    made: FakeRun, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorboard")
    # The reader takes TensorFlow only if it must.
    monkeypatch.setitem(sys.modules, "tensorboard.compat.notf", ModuleType("notf"))
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    to = find_destination(workspace, "tensorboard", None, "p")
    mirrored(made, to)
    found = {}
    for part in ("train", "validation", "steps"):
        read = EventAccumulator(str(Path(to.place) / "pets" / part))
        read.Reload()
        for tag in read.Tags()["scalars"]:
            found[part, tag] = [(one.step, one.value) for one in read.Scalars(tag)]
        if part == "train":
            texts = {tag: read.Tensors(tag) for tag in read.Tags()["tensors"]}
    assert found["train", "loss"] == [(1, 0.5), (2, 0.125)]
    assert found["validation", "loss"] == [(1, 0.75), (2, 0.5)]
    assert found["steps", "step/loss"] == [(2 * 63 + 7, pytest.approx(0.031))]
    assert found["train", "test/accuracy"] == [(2, 0.75)]
    assert found["train", "test/accuracy_low"] == [(2, 0.5)]
    (spec,) = texts["spec"]
    assert b"| training.epochs | 3 |" in spec.tensor_proto.string_val[0]
    assert b"| state | finished |" in texts["run"][-1].tensor_proto.string_val[0]


def test_mlflow_has_a_run_with_its_metrics(made: FakeRun, workspace: Workspace) -> None:
    pytest.importorskip("mlflow")
    to = find_destination(workspace, "mlflow", None, "pets")
    mirrored(made, to)
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=to.place)
    experiment = client.get_experiment_by_name("pets")
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.run_name, run.info.status) == ("pets", "FINISHED")
    assert run.data.params["training.epochs"] == "3"
    assert run.data.tags["workbench.state"] == "finished"
    # An epoch that was done again stands beside the first; nothing is there twice.
    losses = [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, "loss")]
    assert sorted(losses) == [(1, 0.5), (2, 0.125), (2, 0.25)]
    assert run.data.metrics["test/accuracy_high"] == 1.0
    assert run.data.metrics["step/loss"] == 0.031
    assert [one.path for one in client.list_artifacts(run.info.run_id)] == ["model.keras"]


def offline_records(path: Path) -> Iterator[bytes]:
    """Yield the records of an offline run: blocks of 32 KiB as in LevelDB's log."""
    content, place, record = path.read_bytes(), 7, b""
    while place + 7 <= len(content):
        if 32768 - place % 32768 < 7:
            place += 32768 - place % 32768
            continue
        _, length, kind = struct.unpack("<IHB", content[place : place + 7])
        record += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or its last part
            yield record
            record = b""


def test_wandb_writes_files_that_can_be_synced(made: FakeRun, workspace: Workspace) -> None:
    pytest.importorskip("wandb")
    to = find_destination(workspace, "wandb", None, "birds")
    mirrored(made, to)
    from wandb.proto.wandb_internal_pb2 import Record

    found = (workspace.root / "wandb").glob("offline-run-*/*.wandb")
    files = sorted(found, key=lambda path: path.stat().st_mtime_ns)
    assert len({path.name for path in files}) == 1  # one run, continued
    rows: dict[int, dict[str, float]] = {}
    values: dict[str, object] = defaultdict(object)
    saved = set()
    for path in files:
        for content in offline_records(path):
            record = Record.FromString(content)
            if record.HasField("run"):
                values["name"], values["project"] = record.run.display_name, record.run.project
            for item in record.config.update:
                values[item.key or ".".join(item.nested_key)] = json.loads(item.value_json)
            for item in record.summary.update:
                values[item.key or ".".join(item.nested_key)] = json.loads(item.value_json)
            saved |= {item.path for item in record.files.files}
            if record.HasField("history"):
                row = {
                    item.key or ".".join(item.nested_key): json.loads(item.value_json)
                    for item in record.history.item
                }
                rows[record.history.step.num] = row
    assert (values["name"], values["project"]) == ("pets", "birds")
    assert values["training.epochs"] == 3
    assert values["workbench.state"] == "finished"
    assert [(row["epoch"], row["loss"]) for row in rows.values() if "epoch" in row] == [
        (1, 0.5), (2, 0.25), (2, 0.125),
    ]  # fmt: skip
    assert rows[2]["training_step"] == 2 * 63 + 7
    assert values["test/accuracy_low"] == 0.5
    assert "model.keras" in saved


@pytest.mark.parametrize(
    ("variable", "has_key", "mode"),
    [
        (None, False, "offline"),
        (None, True, "online"),
        ("offline", True, "offline"),
        ("online", False, "online"),
    ],
)
def test_wandb_sends_nothing_without_a_key(
    monkeypatch: pytest.MonkeyPatch, variable: str | None, has_key: bool, mode: str
) -> None:
    pytest.importorskip("wandb")
    from workbench.trackers import wandb

    asked = []
    # Never the real one: it looks for a person's key.
    fake = SimpleNamespace(login=lambda **given: asked.append(given) or has_key)
    monkeypatch.setattr(wandb, "wandb", fake)
    if variable:
        monkeypatch.setenv("WANDB_MODE", variable)
    else:
        monkeypatch.delenv("WANDB_MODE", raising=False)
    assert wandb.chosen_mode() == mode
    assert asked == ([] if variable else [{"prompt": False, "verify": False}])

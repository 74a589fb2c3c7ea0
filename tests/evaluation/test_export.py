"""A model in other formats: the same predictions, with labels and preprocessing inside."""

import importlib
import io
import json
import zipfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from workbench.evaluation.evaluate import predict_probabilities
from workbench.evaluation.export import (
    EXTRA,
    export_model,
    load_exported,
    metadata_files,
    predict_in_batches,
)
from workbench.evaluation.mirror import predict_batch
from workbench.evaluation.model_file import LoadedModel, load_model, save_model
from workbench.experiment.toml import parse_spec
from workbench.export.formats import FORMATS, MAX_DIFFERENCE
from workbench.export.model_card import LABELS as LABELS_FILE
from workbench.export.model_card import PREPROCESSING
from workbench.trackers.event_file import Scalar, head_record, scalar_record
from workbench.training.models import build_model
from workbench.worker.evaluation import check_export

LABELS = ("dark", "grey\n", "light")
SPEC = parse_spec(
    {
        "data": {"source": "x", "image_size": [12, 10], "channels": 1, "resize": "pad"},
        "model": {"strategy": "convnet", "filters": [4], "dense_units": [8], "dropout": 0.5},
    },
    "test",
)
IMAGES = np.random.default_rng(1).integers(0, 256, (11, 12, 10, 1), dtype=np.uint8)


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    made = LoadedModel(build_model(SPEC, len(LABELS)), LABELS, SPEC)
    predictions(made)  # Keras writes no ONNX of a model that was never called
    return made


def predictions(loaded: LoadedModel) -> np.ndarray:
    return predict_in_batches(loaded.model.predict_on_batch, IMAGES)


def test_batches_are_joined_in_order(loaded: LoadedModel) -> None:
    whole = np.asarray(loaded.model.predict_on_batch(IMAGES.astype(np.float32)))
    assert predictions(loaded).dtype == np.float32
    assert np.allclose(predictions(loaded), whole, atol=1e-6)


@pytest.mark.parametrize("name", list(FORMATS))
def test_each_format_gives_the_same_predictions(
    loaded: LoadedModel, tmp_path: Path, name: str
) -> None:
    for module in FORMATS[name].packages:
        pytest.importorskip(module)
    export_model(name, loaded, tmp_path)
    path = tmp_path / FORMATS[name].file
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    found = predict_in_batches(load_exported(name, path), IMAGES)
    assert np.abs(found - predictions(loaded)).max() <= MAX_DIFFERENCE
    inside = _inside(name, path)
    assert inside[LABELS_FILE] == "dark\ngrey\\n\nlight\n"
    preprocessing = json.loads(inside[PREPROCESSING])
    assert (preprocessing["labels"], preprocessing["resize"]) == (list(LABELS), "pad")


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", FORMATS)
def test_a_mirrored_model_averages_by_itself(tmp_path: Path, name: str, classes: int) -> None:
    for module in FORMATS[name].packages:
        pytest.importorskip(module)
    labels = LABELS[:classes]
    loaded = LoadedModel(build_model(SPEC, classes), labels, SPEC.with_mirror(True))
    expected = predict_in_batches(partial(predict_batch, loaded.model, mirror=True), IMAGES)
    assert np.abs(expected - predictions(loaded)).max() > MAX_DIFFERENCE
    export_model(name, loaded, tmp_path)
    found = predict_in_batches(load_exported(name, tmp_path / FORMATS[name].file), IMAGES)
    assert np.abs(found - expected).max() <= MAX_DIFFERENCE


def test_a_mirrored_keras_file_is_one_of_ours(loaded: LoadedModel, tmp_path: Path) -> None:
    """The network inside comes back with its weights; a prediction averages as the spec says."""
    export_model("keras", replace(loaded, spec=SPEC.with_mirror(True)), tmp_path)
    found = load_model(tmp_path / "model.keras")
    assert found.spec == SPEC.with_mirror(True)
    assert np.array_equal(predictions(found), predictions(loaded))
    inside = load_exported("keras", tmp_path / "model.keras")(IMAGES.astype(np.float32))
    outside = predict_probabilities(found.model, iter([IMAGES]), mirror=True)
    assert np.allclose(inside, outside, atol=1e-6)
    (tmp_path / "again").mkdir()
    export_model("keras", found, tmp_path / "again")
    again = load_exported("keras", tmp_path / "again" / "model.keras")
    assert np.allclose(again(IMAGES.astype(np.float32)), inside, atol=1e-6)


def _inside(name: str, path: Path) -> dict[str, str]:
    if name == "savedmodel":
        return {one.name: one.read_text() for one in (path / EXTRA).iterdir()}
    if name == "onnx":
        props = importlib.import_module("onnx").load(path).metadata_props
        return {one.key: one.value for one in props}
    with zipfile.ZipFile(path) as archive:
        if name == "litert":
            return {one: archive.read(one).decode() for one in archive.namelist()}
        contract = json.loads(archive.read("workbench.json"))
    tree = contract["spec"]["data"]
    fields = {"labels": contract["labels"], "resize": tree["resize"]}
    return {
        LABELS_FILE: metadata_files(load_model(path))[LABELS_FILE],
        PREPROCESSING: json.dumps(fields),
    }


def test_the_keras_file_is_one_of_ours_without_the_optimizers_state(
    loaded: LoadedModel, tmp_path: Path
) -> None:
    trained = build_model(SPEC, len(LABELS))
    trained.compile("adam", "sparse_categorical_crossentropy")
    trained.train_on_batch(IMAGES.astype(np.float32), np.arange(11) % 3)
    save_model(tmp_path / "run.keras", trained, SPEC, LABELS)
    export_model("keras", load_model(tmp_path / "run.keras"), tmp_path)
    path = tmp_path / "model.keras"
    assert load_model(path).labels == LABELS
    assert _optimizer_state(tmp_path / "run.keras") > 0
    assert _optimizer_state(path) == 0
    found = load_exported("keras", path)(IMAGES.astype(np.float32))
    assert np.allclose(found, trained.predict_on_batch(IMAGES.astype(np.float32)), atol=1e-6)


def _optimizer_state(path: Path) -> int:
    """Return how many variables of an optimizer a model file holds."""
    with zipfile.ZipFile(path) as archive:
        content = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(content) as file:
        return len(file.get("optimizer/vars", ()))


@pytest.fixture
def request_fields(
    loaded: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """A request to check an exported model, in this process."""
    for name in ("claim_device", "prepare_environment"):
        monkeypatch.setattr(f"workbench.worker.evaluation.{name}", lambda *given: None)
    export_model("keras", loaded, tmp_path)
    np.save(tmp_path / "images.npy", IMAGES)
    np.save(tmp_path / "answers.npy", predictions(loaded))
    request = {name: str(tmp_path / f"{name}.npy") for name in ("images", "answers")}
    return {"format": "keras", "path": str(tmp_path / "model.keras"), **request}


def test_the_largest_difference_is_returned(request_fields: dict[str, Any]) -> None:
    assert check_export(request_fields, print)["difference"] <= 1e-6
    other = np.load(request_fields["answers"])
    other[7, 2] += 0.25
    np.save(request_fields["answers"], other)
    assert check_export(request_fields, print)["difference"] == pytest.approx(0.25, abs=1e-6)


@pytest.mark.parametrize("other", [np.zeros((11, 1)), np.full((11, 3), np.nan)])
def test_incomparable_predictions_have_no_difference(
    request_fields: dict[str, Any], other: np.ndarray
) -> None:
    np.save(request_fields["answers"], other)
    assert check_export(request_fields, print) == {"difference": None}


def test_other_weights_are_detected(request_fields: dict[str, Any]) -> None:
    export_model(
        "keras",
        LoadedModel(build_model(parse_spec_with_seed(2), len(LABELS)), LABELS, SPEC),
        Path(request_fields["path"]).parent,
    )
    assert check_export(request_fields, print)["difference"] > MAX_DIFFERENCE


def parse_spec_with_seed(seed: int) -> Any:
    training = SPEC.training.model_copy(update={"seed": seed})
    return SPEC.model_copy(update={"training": training})


def test_tensorflows_own_reader_reads_our_event_files(tmp_path: Path) -> None:
    if keras.backend.backend() != "tensorflow":
        pytest.skip("the reader is TensorFlow's")
    import tensorflow as tf

    path = tmp_path / "events.out.tfevents.1.workbench"
    given = [Scalar("loss", 1, 0.5, 7.25), Scalar("accuracy", 70_000, -1e-9, 8.0)]
    path.write_bytes(head_record(5.0) + b"".join(map(scalar_record, given)))
    first, *others = [
        tf.compat.v1.Event.FromString(record.numpy())
        for record in tf.data.TFRecordDataset(str(path))
    ]
    assert (first.wall_time, first.file_version) == (5.0, "brain.Event:2")
    found = [
        Scalar(value.tag, event.step, value.simple_value, event.wall_time)
        for event in others
        for value in event.summary.value
    ]
    assert [(one.tag, one.step, one.time) for one in found] == [
        ("loss", 1, 7.25), ("accuracy", 70_000, 8.0),
    ]  # fmt: skip
    assert [one.value for one in found] == pytest.approx([0.5, -1e-9])

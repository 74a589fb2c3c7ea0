"""The finished model: it takes raw images, has a contract, and only its numbers are trusted."""

import json
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from image_files import png16
from PIL import Image

from workbench.datasets.decoding import load_array
from workbench.datasets.sixteen_bit import Levels
from workbench.errors import UserError
from workbench.evaluation.evaluate import evaluate, find_images, predict
from workbench.evaluation.model_file import CONTRACT, load_model, save_model
from workbench.experiment.toml import parse_spec
from workbench.training.models import build_model

LABELS = ("dark", "grey", "light")
SPEC = parse_spec(
    {
        "data": {"source": "x", "image_size": [12, 10], "channels": 1, "resize": "pad"},
        "model": {"strategy": "convnet", "filters": [4], "dense_units": [8], "dropout": 0.5},
        "training": {"seed": 3},
    },
    "test",
)


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, keras.Model]:
    model = build_model(SPEC, len(LABELS))
    save_model(tmp_path / "model.keras", model, SPEC, LABELS)
    return tmp_path / "model.keras", model


def noise(count: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, 12, 10, 1), dtype=np.uint8)


def test_it_comes_back_with_labels_and_the_same_predictions(
    saved: tuple[Path, keras.Model],
) -> None:
    path, model = saved
    loaded = load_model(path)
    assert loaded.labels == LABELS
    assert loaded.spec == SPEC
    images = noise(5).astype(np.float32)
    assert np.array_equal(loaded.model.predict_on_batch(images), model.predict_on_batch(images))


def test_the_levels_of_16_bits_are_stored_and_used(tmp_path: Path) -> None:
    model = build_model(SPEC, len(LABELS))
    levels = Levels(10, 4095)
    save_model(tmp_path / "deep.keras", model, SPEC, LABELS, levels)
    loaded = load_model(tmp_path / "deep.keras")
    assert loaded.levels == levels
    values = np.random.default_rng(2).integers(0, 4096, (12, 10, 1)).astype(np.uint16)
    (tmp_path / "a.png").write_bytes(png16(values))
    (found,) = predict(loaded, [str(tmp_path / "a.png")])
    image = load_array(tmp_path / "a.png", SPEC.data, levels)[None]
    expected = model.predict_on_batch(image.astype(np.float32))[0]
    assert np.allclose(found.probabilities, expected, atol=1e-6)
    other = load_array(tmp_path / "a.png", SPEC.data)[None].astype(np.float32)
    assert not np.allclose(found.probabilities, model.predict_on_batch(other)[0], atol=1e-3)


def test_a_model_from_before_levels_divides_by_257(saved: tuple[Path, keras.Model]) -> None:
    assert load_model(saved[0]).levels is None


def test_plain_keras_can_open_it(saved: tuple[Path, keras.Model]) -> None:
    path, model = saved
    plain = keras.models.load_model(path)
    raw = noise(5)
    assert np.allclose(plain.predict(raw, verbose=0), model.predict(raw, verbose=0))


def test_the_contract_can_be_read_without_keras(saved: tuple[Path, keras.Model]) -> None:
    with zipfile.ZipFile(saved[0]) as archive:
        contract = json.loads(archive.read(CONTRACT))
    assert contract["labels"] == list(LABELS)
    assert contract["spec"]["data"]["image_size"] == [12, 10]
    assert contract["spec"]["data"]["resize"] == "pad"


@pytest.mark.parametrize("content", [b"", b"no zip at all"])
def test_other_files_than_zip_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(content)
    with pytest.raises(UserError, match="is not a model of the workbench"):
        load_model(path)


def test_a_foreign_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "foreign.keras"
    build_model(SPEC, 3).save(path)
    with pytest.raises(UserError, match="is not a model of the workbench"):
        load_model(path)


def test_a_contract_that_does_not_fit_the_weights_is_refused(
    saved: tuple[Path, keras.Model], tmp_path: Path
) -> None:
    forged = tmp_path / "forged.keras"
    with zipfile.ZipFile(saved[0]) as old, zipfile.ZipFile(forged, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == CONTRACT:
                contract = json.loads(content)
                contract["labels"] = ["a", "b", "c", "d"]
                content = json.dumps(contract).encode()
            new.writestr(name, content)
    with pytest.raises(UserError, match=r"The weights in .*forged.keras cannot be read"):
        load_model(forged)


def test_a_missing_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no model file"):
        load_model(tmp_path / "gone.keras")


def test_a_failed_save_spares_the_old_file(
    saved: tuple[Path, keras.Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, model = saved
    before = path.read_bytes()

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keras.Model, "save", full)
    with pytest.raises(OSError, match="No space left"):
        save_model(path, model, SPEC, LABELS)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["model.keras"]


def test_prediction_prepares_images_as_the_contract_says(
    saved: tuple[Path, keras.Model], tmp_path: Path
) -> None:
    path, model = saved
    raw = noise(1)[0]
    Image.fromarray(raw[:, :, 0]).save(tmp_path / "exact.png")
    (tmp_path / "broken.png").write_bytes(b"x")
    loaded = load_model(path)
    found = predict(loaded, [str(tmp_path / "broken.png"), str(tmp_path / "exact.png")])
    assert found[0].label is None
    assert found[0].problem
    expected = model.predict_on_batch(raw[None].astype(np.float32))[0]
    assert found[1].probabilities == pytest.approx(expected.tolist())
    assert found[1].label == LABELS[int(expected.argmax())]


def test_find_images(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for name in ("b.png", "a.JPG", "deep/er/c.webp", "notes.txt"):
        (tmp_path / name).touch()
    names = [Path(p).name for p in find_images([str(tmp_path)])]
    assert names == ["a.JPG", "b.png", "c.webp"]
    assert find_images([str(tmp_path / "notes.txt")]) == [str(tmp_path / "notes.txt")]
    with pytest.raises(UserError, match="There is no file or folder"):
        find_images([str(tmp_path / "gone")])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"No images in .*empty"):
        find_images([str(tmp_path / "empty")])


def test_evaluation_agrees_with_keras() -> None:
    model = build_model(SPEC, 3)
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    images, labels = noise(70), np.arange(70) % 3
    paths = [f"{i}.png" for i in range(70)]
    rows = np.arange(70)
    metrics = evaluate(model, images, rows, labels, paths, LABELS, shift=1).metrics
    loss, accuracy = model.evaluate(images.astype(np.float32), labels, verbose=0)
    assert metrics["loss"] == pytest.approx(loss, rel=1e-4)
    assert metrics["accuracy"] == pytest.approx(accuracy)
    assert np.sum(metrics["confusion"]) == 70
    assert metrics["shifted"]["pixels"] == 1
    worst = metrics["worst"]
    assert worst == sorted(worst, key=lambda error: -error["loss"])
    assert all(error["label"] != error["predicted"] for error in worst)


def test_shifts_do_not_matter_for_uniform_images() -> None:
    model = build_model(SPEC, 3)
    uniform = np.repeat(np.array([0, 120, 255], np.uint8), 12 * 10).reshape(3, 12, 10, 1)
    metrics = evaluate(
        model, uniform, np.arange(3), np.arange(3), ["a", "b", "c"], LABELS, shift=2
    ).metrics
    assert metrics["shifted"]["accuracy"] == pytest.approx(metrics["accuracy"])

"""One tiny run on a base, from images to a model that plain Keras opens.

One always; every base with FAULTS=all (`make faults`).
"""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from everything import EVERYTHING, with_all
from tiny_runs import TinyRun, base_spec, same_weights

from workbench.bases.architectures import BASES, base_table
from workbench.evaluation.export import export_model, load_exported, predict_in_batches
from workbench.evaluation.model_file import LoadedModel, load_model, save_model
from workbench.experiment.plan import plan_stages
from workbench.export.formats import FORMATS, MAX_DIFFERENCE
from workbench.training.data import TrainingData
from workbench.training.models import build_model
from workbench.training.prefix import Prefix

CHOSEN = list(BASES) if EVERYTHING else ["efficientnet-lite0"]
# Residual and dense connections, squeeze-and-excite, branches with poolings.
CUT = ("efficientnetv2-b0", "convnext-tiny", "densenet121", "xception")
LABELS = ("dark", "light")


def images(side: int) -> TrainingData:
    """16 images with a bright upper or lower half, depending on the label."""
    labels = np.arange(16) % 2
    pixels = np.random.default_rng(0).integers(0, 90, (16, side, side, 3), dtype=np.uint8)
    for image, label in zip(pixels, labels, strict=True):
        half = slice(0, side // 2) if label else slice(side // 2, side)
        image[half] += np.uint8(150)
    rows = np.arange(16)
    split = {"train": rows[:8], "validation": rows[8:12], "test": rows[12:]}
    return TrainingData(pixels, labels.astype(np.int64), rows.astype(np.uint64), split, 2)


def tiny_run(name: str, folder: Path, *settings: str) -> TinyRun:
    side = BASES[name].smallest_size
    spec = base_spec(
        f"base.name={name}",
        f"data.image_size=[{side}, {side}]",
        "model.strategy=fine-tuning",
        f"base.trainable={[*BASES[name].top]}",
        "training.epochs=1",
        "training.keep=last",
        *settings,
    )
    # Only the stage that trains blocks of the base.
    stage = replace(plan_stages(spec)[1], index=0)
    return TinyRun(spec, folder, images(side), stages=(stage,))


@pytest.mark.parametrize("name", CHOSEN)
def test_a_run_on_a_base(name: str, tmp_path: Path) -> None:
    run = tiny_run(name, tmp_path / "cached")
    table = run.spec.base_table
    assert run.stages[0].prefix in table.cuts[:-1]  # somewhere in the middle
    model = run.run()
    trained = set(run.spec.base.trained_layers(table)) if run.spec.base else set()
    moved = {row["name"] for row in run.layers(0).values() if row["moved"]}
    assert moved <= trained | {"dense1", "output"}
    assert all(row["compiled"] == row["requested"] for row in run.layers(0).values())
    streamed = tiny_run(name, tmp_path / "streamed", "base.prefix=streamed")
    assert same_weights(model, streamed.run())
    assert run.history() == streamed.history()
    _check_saved(LoadedModel(model, LABELS, run.spec), run.data.images, tmp_path / "model.keras")


def _check_saved(loaded: LoadedModel, pixels: np.ndarray, path: Path) -> None:
    """Open the saved model with us and with Keras alone."""
    save_model(path, loaded.model, loaded.spec, loaded.labels)
    expected = loaded.model.predict_on_batch(pixels.astype(np.float32))
    again = load_model(path).model.predict_on_batch(pixels.astype(np.float32))
    assert np.array_equal(expected, again)
    keras.saving.get_custom_objects().clear()
    alone = keras.saving.load_model(path, safe_mode=True)
    assert np.allclose(alone.predict_on_batch(pixels.astype(np.float32)), expected, atol=1e-6)


@with_all
@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("name", CHOSEN)
def test_a_base_in_every_format(name: str, file_format: str, tmp_path: Path) -> None:
    for module in FORMATS[file_format].packages:
        pytest.importorskip(module)
    run = tiny_run(name, tmp_path)
    loaded = LoadedModel(build_model(run.spec, 2), LABELS, run.spec)
    expected = predict_in_batches(loaded.model.predict_on_batch, run.data.images)
    export_model(file_format, loaded, tmp_path)
    exported = load_exported(file_format, tmp_path / FORMATS[file_format].file)
    found = predict_in_batches(exported, run.data.images)
    assert np.abs(found - expected).max() <= MAX_DIFFERENCE


@pytest.mark.parametrize("name", CUT)
def test_a_cut_really_cuts(name: str) -> None:
    """The network above reads only that tensor: both parts are models of their own."""
    side = BASES[name].smallest_size
    table = base_table(name, (side, side))
    spec = tiny_run(name, Path()).spec
    model = build_model(spec, 2)
    for cut in (table.cuts[0], table.cuts[len(table.cuts) // 2], table.cuts[-2]):
        prefix = Prefix(model, cut)
        assert prefix.shape == table.layer(cut).output_shape
        above = keras.Model(model.get_layer(cut).output, model.output)
        below = {layer.name for layer in prefix.network.layers}
        inside = {layer.name for layer in above.layers if layer.weights}
        assert not inside & below
        assert len(inside | {n for n in below if model.get_layer(n).weights}) == len(
            [layer for layer in model.layers if layer.weights]
        )


@pytest.mark.parametrize("name", ["vgg16", "mobilenetv2-0.35"])
def test_random_weights_are_those_that_keras_would_draw(name: str) -> None:
    """Runs with random weights begin as they always did."""
    spec = base_spec(f"base.name={name}")
    model = build_model(spec, 2)
    keras.utils.set_random_seed(spec.training.seed)
    make = getattr(keras.applications, BASES[name].keras)
    theirs = make(
        include_top=False,
        weights=None,
        input_shape=(32, 32, 3),
        **BASES[name].arguments,
    )
    for layer in spec.base_table.layers:
        pairs = zip(
            model.get_layer(layer.name).weights, theirs.get_layer(layer.name).weights, strict=True
        )
        assert all(np.array_equal(a, b) for a, b in pairs), layer.name

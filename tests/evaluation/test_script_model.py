"""The script's network and images equal the workbench's own, by layer and by pixel."""

import math
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import pytest
from everything import BUILT
from image_files import png16
from PIL import Image

from workbench.analysis.scores import measure_score
from workbench.bases.architectures import BASES
from workbench.bases.weights import installed_file
from workbench.datasets.augment import Draw, augment
from workbench.datasets.decoding import load_array
from workbench.datasets.sixteen_bit import Levels
from workbench.experiment.metrics import SCORES
from workbench.experiment.plan import plan_stages
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import parse_spec
from workbench.export.script import ScriptInputs, script
from workbench.training.base_weights import load_base_weights
from workbench.training.models import build_model
from workbench.training.trainer_state import TrainerState

DATA = {"source": "x", "image_size": [32, 40]}
CONVNET = {"strategy": "convnet", "filters": [4, 6], "dense_units": [8, 5], "dropout": 0.5}
MODELS: dict[str, dict[str, Any]] = {
    "convnet": {"data": DATA, "model": CONVNET},
    "strided": {
        "data": {**DATA, "channels": 1},
        "model": {**CONVNET, "stride": 2, "padding": "same", "pooling": [False, True]},
    },
    "dense": {"data": DATA, "model": {"strategy": "dense", "dense_units": [8]}},
    "mobilenet": {
        "data": DATA,
        "base": {"name": "mobilenetv2-0.35", "weights": "random"},
        "model": {"strategy": "feature-extraction", "dense_units": [8], "dropout": 0.2},
    },
    "vgg16": {
        "data": DATA,
        "base": {"name": "vgg16", "weights": "random"},
        "model": {"strategy": "feature-extraction", "head": "flatten", "dense_units": [4]},
    },
}


def script_module(folder: Path, spec: ExperimentSpec, labels: tuple[str, ...]) -> ModuleType:
    path = folder / "script.py"
    path.write_text(script(spec, ScriptInputs(labels, {"train": 4, "validation": 2})))
    return loaded_module(path)


def loaded_module(path: Path) -> ModuleType:
    given = spec_from_file_location("script", path)
    assert given
    assert given.loader
    module = module_from_spec(given)
    given.loader.exec_module(module)
    return module


def predicted(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Return the outputs without compiling the network, which takes longer than they do."""
    return np.asarray(model(images, training=False))


@pytest.mark.parametrize(
    ("name", "labels"),
    [*((name, ("a", "b")) for name in MODELS), ("convnet", ("a", "b", "c"))],
)
def test_the_network_is_the_same(tmp_path: Path, name: str, labels: tuple[str, ...]) -> None:
    spec = parse_spec(MODELS[name], "test")
    own, built = build_model(spec, len(labels)), script_module(tmp_path, spec, labels).build_model()
    assert [layer.name for layer in built.layers if layer.weights] == [
        layer.name for layer in own.layers if layer.weights
    ]
    assert [type(layer) for layer in built.layers] == [type(layer) for layer in own.layers]
    assert built.count_params() == own.count_params()
    images = np.random.default_rng(1).integers(0, 256, (3, *spec.data.input_shape))
    images = images.astype(np.float32)
    expected = predicted(own, images)
    assert np.allclose(predicted(built, images), expected, atol=1e-5)  # the seed's weights
    own.set_weights([weight + 0.01 for weight in own.get_weights()])
    assert not np.allclose(predicted(own, images), expected, atol=1e-7)
    own.save_weights(tmp_path / "own.weights.h5")
    built.load_weights(tmp_path / "own.weights.h5")
    assert np.allclose(predicted(built, images), predicted(own, images), atol=1e-5)


@pytest.mark.parametrize("base", BUILT)
def test_a_base_in_the_script_is_the_runs(tmp_path: Path, base: str) -> None:
    """Its layers with weights have the same names, so that the script trains the same ones."""
    side = max(BASES[base].smallest_size, 32)
    tree = {
        "data": {**DATA, "image_size": [side, side + 9]},
        "base": {"name": base, "weights": "random"},
        "model": {"strategy": "feature-extraction", "dense_units": [8]},
    }
    spec = parse_spec(tree, "test")
    keras.backend.clear_session()  # as in a process of its own
    built = script_module(tmp_path, spec, ("a", "b")).build_model()
    own = build_model(spec, 2)
    inner = [one for layer in built.layers for one in getattr(layer, "layers", [layer])]
    assert [layer.name for layer in inner if layer.weights] == [
        layer.name for layer in own.layers if layer.weights
    ]
    rng = np.random.default_rng(1)
    for theirs, ours in zip(built.weights, own.weights, strict=True):
        values = rng.normal(1 if "variance" in theirs.path else 0, 0.1, theirs.shape)
        theirs.assign(values)
        ours.assign(values.reshape(ours.shape))
    images = rng.integers(0, 256, (2, *spec.data.input_shape)).astype(np.float32)
    found, expected = predicted(built, images), predicted(own, images)
    assert np.allclose(found, expected, atol=1e-5)


@pytest.mark.packages
@pytest.mark.parametrize("name", ["efficientnet-lite0", "efficientnet-lite2"])
def test_the_script_reads_the_weights_of_the_package(tmp_path: Path, name: str) -> None:
    path = installed_file(name)
    if path is None:
        pytest.skip("the packages of weights are not installed")
    own = None
    for weights in ("imagenet", str(path)):
        tree = {
            "data": DATA,
            "base": {"name": name, "weights": weights},
            "model": {"strategy": "feature-extraction"},
        }
        spec = parse_spec(tree, "test")
        built = script_module(tmp_path, spec, ("a", "b")).build_model()
        if own is None:
            own = build_model(spec, 2)
            load_base_weights(own, spec.base_table, path)
        for layer in spec.base_table.layers:
            pairs = zip(
                built.get_layer(layer.name).weights,
                own.get_layer(layer.name).weights,
                strict=True,
            )
            assert all(np.array_equal(theirs, ours) for theirs, ours in pairs), layer.name


@pytest.mark.parametrize("optimizer", ["rmsprop", "adam", "sgd"])
def test_the_compile_is_the_same(tmp_path: Path, optimizer: str) -> None:
    tree = {**MODELS["convnet"], "training": {"optimizer": optimizer}}
    module = script_module(tmp_path, parse_spec(tree, "test"), ("a", "b"))
    model = module.build_model()
    module.compile_model(model, 0.25)
    assert model.optimizer.__class__.__name__.lower() == optimizer
    assert float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)) == 0.25
    assert isinstance(model.loss, keras.losses.BinaryCrossentropy)


@pytest.mark.parametrize("labels", [("a", "b"), tuple("abcdefg")])
@pytest.mark.parametrize("name", SCORES)
def test_the_monitored_score_is_the_workbenchs(
    tmp_path: Path, name: str, labels: tuple[str, ...]
) -> None:
    tree = {**MODELS["convnet"], "training": {"monitor": f"val_{name}"}}
    module = script_module(tmp_path, parse_spec(tree, "test"), labels)
    rng = np.random.default_rng(4)
    probabilities = rng.random((50, len(labels))).round(1)  # some are equal
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    truth = rng.integers(0, len(labels) - 1, 50)  # none of the last label
    if name == "top5_accuracy" and len(labels) == 2:
        return  # the run refuses it
    if len(labels) == 2:
        truth = rng.integers(0, 2, 50)
    found = module.score(truth, probabilities)
    assert found == pytest.approx(measure_score(name, truth, probabilities))


def test_the_monitored_score_is_seen_by_the_callbacks_after_it(tmp_path: Path) -> None:
    """Keras passes the metrics of an epoch from one callback to the next."""
    tree = {**MODELS["dense"], "training": {"monitor": "val_macro_f1", "early_stopping": 1}}
    spec = parse_spec(tree, "test")
    module = script_module(tmp_path, spec, ("a", "b"))
    images = np.random.default_rng(5).integers(0, 256, (4, 32, 40, 3), dtype=np.uint8)
    parts = {"train": images, "validation": images}
    labels = np.array([[0], [1], [0], [1]], np.float32)
    model = module.build_model()
    module.score = lambda truth, probabilities: 0.25  # never better than in the first epoch
    module.train(model, parts, {"train": labels, "validation": labels}, rate=0.001, epochs=9)
    assert model.history.history["val_macro_f1"] == [0.25, 0.25]


RECIPE = {
    "optimizer": "adamw", "weight_decay": 0.1, "schedule": "cosine", "warmup_epochs": 1,
    "clip_norm": 1.0, "ema": 0.9, "label_smoothing": 0.1, "class_weights": "balanced",
    "batch_size": 4, "epochs": 2,
}  # fmt: skip


@pytest.mark.parametrize(
    ("base", "labels"),
    [(False, ("a", "b")), (False, ("a", "b", "c")), (True, ("a", "b"))],
)
def test_the_recipe_trains(tmp_path: Path, labels: tuple[str, ...], base: bool) -> None:
    """A script does what its run did: options of the optimizer, rates, averages, mixed labels."""
    tree: dict[str, Any] = {**MODELS["convnet"], "training": RECIPE}
    tree["augmentation"] = {"mixup": 0.4, "cutmix": 1.0, "random_crop": 0.5}
    if base:
        tree = {
            "data": DATA,
            "base": {"name": "vgg16", "weights": "random", "trainable": ["block5"]},
            "model": {"strategy": "fine-tuning", "dense_units": [4]},
            "augmentation": {"mixup": 0.4},
            "training": {**RECIPE, "layer_decay": 0.5},
        }
    module = script_module(tmp_path, parse_spec(tree, "test"), labels)
    model, rng = module.build_model(), np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 32, 40, 3), dtype=np.uint8)
    numbers = np.arange(6) % len(labels)
    targets = np.eye(3, dtype=np.float32)[numbers]
    if len(labels) == 2:
        targets = numbers[:, None].astype(np.float32)
    parts = ({"train": images, "validation": images}, {"train": targets, "validation": targets})
    convolutions = [f"block5_conv{number}" for number in (1, 2, 3)]
    trains = ([*convolutions, "dense1", "output"],) if base else ()
    module.train(model, *parts, *trains, rate=0.01, epochs=2)
    optimizer = model.optimizer
    assert (optimizer.weight_decay, optimizer.global_clipnorm) == (0.1, 1.0)
    assert (optimizer.use_ema, optimizer.ema_momentum) == (True, 0.9)
    assert isinstance(optimizer, keras.optimizers.AdamW)
    schedule = optimizer._learning_rate
    assert (schedule.warmup_steps, schedule.decay_steps) == (1, 1)  # of one step an epoch
    spared = {v.name for v in model.trainable_variables if not optimizer._use_weight_decay(v)}
    assert spared == {"bias"}
    if base:
        assert optimizer.factors == (*[0.5] * 6, *[1.0] * 4)
    assert all(np.isfinite(weights).all() for weights in model.get_weights())


def test_a_constant_rate_warms_up_as_in_the_run(tmp_path: Path) -> None:
    tree = {**MODELS["convnet"], "training": {"warmup_epochs": 2.5, "batch_size": 1}}
    module = script_module(tmp_path, parse_spec(tree, "test"), ("a", "b"))
    model = module.build_model()
    module.compile_model(model, 0.5, 10)  # epochs of 4 steps
    schedule = model.optimizer._learning_rate
    rates = [float(keras.ops.convert_to_numpy(schedule(step))) for step in range(12)]
    (stage,) = plan_stages(parse_spec(tree, "test"))
    state, stage = TrainerState(), replace(stage, learning_rate=0.5)
    expected = [state.learning_rate(stage, 1 + step // 4, step % 4, 4) for step in range(12)]
    assert rates == pytest.approx(expected)


@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("decode", ["exact", "fast"])
def test_images_are_read_as_the_workbench_reads_them(
    tmp_path: Path, resize: str, channels: int, decode: str
) -> None:
    data = {**DATA, "resize": resize, "channels": channels, "decode": decode}
    spec = parse_spec({**MODELS["convnet"], "data": data}, "test")
    paths = _odd_images(tmp_path)
    found = script_module(tmp_path, spec, ("a", "b")).load_images(tmp_path, paths)
    for path, image in zip(paths, found, strict=True):
        assert np.array_equal(image, load_array(tmp_path / path, spec.data)), path


@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_16_bits_are_scaled_by_the_runs_levels(tmp_path: Path, channels: int) -> None:
    data = {**DATA, "channels": channels}
    spec = parse_spec({**MODELS["convnet"], "data": data}, "test")
    levels = Levels(100, 4095)
    path = tmp_path / "script.py"
    path.write_text(script(spec, ScriptInputs(("a", "b"), {"train": 4}, levels=levels)))
    rng = np.random.default_rng(3)
    for name, depth in (("grey.png", 1), ("colour.png", 3)):
        values = rng.integers(0, 4096, (40, 50, depth)).astype(np.uint16)
        (tmp_path / name).write_bytes(png16(values))
    stored = rng.integers(0, 256, (40, 50), np.uint8)
    Image.fromarray(stored.astype(np.uint16) * 257).save(tmp_path / "stored.png")
    Image.fromarray(stored).save(tmp_path / "plain.png")
    paths = ["grey.png", "colour.png", "stored.png", "plain.png"]
    found = loaded_module(path).load_images(tmp_path, paths)
    for name, image in zip(paths, found, strict=True):
        assert np.array_equal(image, load_array(tmp_path / name, spec.data, levels)), name


def _odd_images(folder: Path) -> list[str]:
    pixels = np.random.default_rng(2).integers(0, 256, (90, 120, 4), dtype=np.uint8)
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(pixels[..., :3]).save(folder / "turned.jpg", exif=turned)
    Image.fromarray(pixels[..., :3]).save(folder / "plain.jpg")
    Image.fromarray(pixels).save(folder / "clear.png")
    Image.fromarray(pixels[..., 0]).save(folder / "grey.png")
    Image.fromarray(pixels[:32, :40, :3]).save(folder / "fits.png")
    Image.fromarray(pixels[..., 0].astype(np.uint16) * 200).save(folder / "deep.png")
    Image.fromarray(pixels[..., :3]).convert("P").save(folder / "palette.gif")
    Image.fromarray(pixels[..., :3]).convert("CMYK").save(folder / "print.jpg")
    return sorted(path.name for path in folder.iterdir())


class Fixed:
    """Returns given values in the order of the script's draws."""

    def __init__(self, *values: Any) -> None:
        self.values = list(values)

    def uniform(self, low: float, high: float, size: int | None = None) -> Any:
        value = self.values.pop(0)
        assert low <= np.min(value)
        assert np.max(value) <= high
        return value if size is None else np.array(value)

    def random(self) -> float:
        return self.values.pop(0)


@pytest.mark.parametrize("fill", ["nearest", "black"])
@pytest.mark.parametrize("channels", [1, 3])
def test_changes_move_pixels_as_the_workbench_does(
    tmp_path: Path, fill: str, channels: int
) -> None:
    changes = {
        "rotation": 40.0, "height_shift": 0.2, "width_shift": 0.2, "shear": 12.0, "zoom": 0.2,
        "horizontal_flip": True, "vertical_flip": True, "brightness": 0.2, "contrast": 0.2,
        "random_crop": 0.3, "fill": fill,
    }  # fmt: skip
    data = {**DATA, "channels": channels}
    spec = parse_spec({"data": data, "model": CONVNET, "augmentation": changes}, "test")
    module = script_module(tmp_path, spec, ("a", "b"))
    image = np.random.default_rng(3).integers(0, 256, (32, 40, channels), dtype=np.uint8)
    part = (0.5 * 0.8) ** 0.5, (0.5 / 0.8) ** 0.5
    corner = 0.3 * (1 - part[0]), 0.9 * (1 - part[1])
    draws = Draw(31.0, -0.15, 0.1, -9.0, 0.85, 1.1, True, False, 1.1, 0.9, *corner, *part)
    moves = (31.0, -0.15, 0.1, -9.0, (0.85, 1.1), 0.6, 0.4)
    module.RANDOM = Fixed(1.1, 0.9, *moves, 0.5, math.log(0.8), (0.3, 0.9))
    found = module.change(image)
    assert module.RANDOM.values == []
    expected = augment(image, spec.augmentation, draws)
    # Grey levels are rounded at another point, which may change one by a level.
    assert np.abs(found.astype(int) - expected).max() <= 2

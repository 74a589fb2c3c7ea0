"""Optimizers of a stage: what each option of a spec does to a step, in numbers."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from tiny_runs import NO_AUGMENTATION, TinyRun, base_spec, convnet_spec, run_on_base

from workbench.experiment.plan import plan_stages, rate_factors
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import parse_spec
from workbench.training.fused_steps import FusedSteps
from workbench.training.models import build_model, loss_for
from workbench.training.optimizers import averages, build_optimizer
from workbench.training.pieces import Piece

BLOCKS = ("block4", "block5")


def vgg_spec(**training: Any) -> ExperimentSpec:
    tree = {
        "data": {"source": "x", "image_size": [32, 32]},
        "base": {"name": "vgg16", "weights": "random", "trainable": list(BLOCKS)},
        "model": {"strategy": "fine-tuning", "dense_units": [4]},
        "training": {"learning_rate": 0.01, **training},
    }
    return parse_spec(tree, "test")


class Line:
    """A network of three layers of one weight and one bias each, under names of a base."""

    def __init__(self, spec: ExperimentSpec) -> None:
        self.spec = spec
        self.stage = plan_stages(spec)[-1]
        x = inputs = keras.Input((1,))
        for name in ("block4_conv1", "block5_conv1", "output"):
            x = keras.layers.Dense(1, name=name)(x)
        self.model = keras.Model(inputs, x)
        self.model.set_weights([np.ones(w.shape, np.float32) for w in self.model.get_weights()])
        optimizer = build_optimizer(spec, self.stage, self.model)
        self.model.compile(optimizer, "mse")
        self.optimizer = self.model.optimizer
        self.optimizer.build(self.model.trainable_variables)

    def apply(self, *gradients: float) -> list[float]:
        """Take a step with a gradient for each of the six variables; return what they are then."""
        variables = self.model.trainable_variables
        tensors = [
            keras.ops.full(v.shape, g, "float32") for v, g in zip(variables, gradients, strict=True)
        ]
        if keras.backend.backend() == "jax":
            values = [v.value for v in self.optimizer.variables], [v.value for v in variables]
            trainable, state = self.optimizer.stateless_apply(values[0], tensors, values[1])
            for variable, value in zip(
                [*variables, *self.optimizer.variables], [*trainable, *state], strict=True
            ):
                variable.assign(value)
        else:
            self.optimizer.apply(tensors, variables)
        return [float(keras.ops.convert_to_numpy(v).item()) for v in variables]


def steps_of(**training: Any) -> list[float]:
    """Return by how much a first step with gradients of 1 moves each variable from 1."""
    return [1 - value for value in Line(vgg_spec(**training)).apply(*[1.0] * 6)]


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "rmsprop", "sgd"])
def test_lower_blocks_take_smaller_steps(optimizer: str) -> None:
    """Not smaller gradients: Adam and RMSprop divide by their size."""
    whole = steps_of(optimizer=optimizer)
    found = steps_of(optimizer=optimizer, layer_decay=0.5)
    assert found == pytest.approx(
        [whole[0] / 4, whole[1] / 4, whole[2] / 2, whole[3] / 2, whole[4], whole[5]], rel=1e-4
    )
    assert whole == pytest.approx([whole[0]] * 6)


def test_the_factors_follow_from_the_blocks_of_the_base() -> None:
    factors = rate_factors(vgg_spec(layer_decay=0.5))
    assert {name: factors[name] for name in ("block5_conv3", "block5_conv1", "block1_conv1")} == {
        "block5_conv3": 0.5, "block5_conv1": 0.5, "block1_conv1": 0.5**5,
    }  # fmt: skip
    assert "output" not in factors
    assert rate_factors(vgg_spec()) == {}


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("layer_decay", [1.0, 0.5])
def test_weight_decay_shrinks_kernels_by_the_rate_of_their_layer(
    optimizer: str, layer_decay: float
) -> None:
    """Decoupled: without a gradient the kernels still shrink; biases never do."""
    line = Line(vgg_spec(optimizer=optimizer, weight_decay=0.5, layer_decay=layer_decay))
    found = line.apply(*[0.0] * 6)
    expected = [1 - 0.01 * 0.5 * layer_decay**depth for depth in (2, 1, 0)]
    assert found[::2] == pytest.approx(expected, rel=1e-6)
    assert found[1::2] == [1.0, 1.0, 1.0]


def test_momentum_is_nesterovs() -> None:
    line = Line(vgg_spec(optimizer="sgd", momentum=0.5))
    assert line.apply(*[1.0] * 6)[0] == pytest.approx(1 - 0.01 * 1.5)  # 0.5 * velocity + gradient
    assert line.apply(*[0.0] * 6)[0] == pytest.approx(1 - 0.01 * 1.75)


def test_the_norm_of_all_gradients_together_is_clipped() -> None:
    moved = steps_of(optimizer="sgd", clip_norm=1.0)
    assert moved == pytest.approx([0.01 / 6**0.5] * 6, rel=1e-4)
    assert steps_of(optimizer="sgd", clip_norm=3.0) == pytest.approx([0.01] * 6, rel=1e-4)


def test_the_average_begins_short_and_reaches_its_decay() -> None:
    line = Line(vgg_spec(optimizer="sgd", ema=0.2))
    expected, values = 0.0, []
    for step in range(4):
        value = line.apply(*[float(step + 1)] * 6)[0]
        decay = min(step / (step + 9), 0.2)
        expected = decay * expected + (1 - decay) * value
        values.append(value)
    (average, *others) = averages(line.optimizer)
    assert len(others) == 5
    assert float(keras.ops.convert_to_numpy(average).item()) == pytest.approx(expected)
    assert values[-1] < expected < values[0]


@pytest.mark.parametrize(
    ("training", "numbers"),
    [
        ({"optimizer": "rmsprop"}, 1), ({"optimizer": "adam"}, 2), ({"optimizer": "sgd"}, 0),
        ({"optimizer": "sgd", "momentum": 0.9}, 1),
        ({"optimizer": "adamw", "weight_decay": 0.1, "ema": 0.9, "layer_decay": 0.5}, 3),
    ],
)  # fmt: skip
def test_the_memory_that_a_spec_states_is_what_the_optimizer_keeps(
    training: dict[str, Any], numbers: int
) -> None:
    spec = vgg_spec(**training)
    assert spec.training.optimizer_slots == numbers
    kept = [v for v in Line(spec).optimizer.variables if len(v.shape)]
    assert len(kept) == numbers * 6


def test_without_options_it_is_keras_own() -> None:
    for name, keras_class in (("rmsprop", "RMSprop"), ("adam", "Adam"), ("sgd", "SGD")):
        optimizer = Line(vgg_spec(optimizer=name)).optimizer
        assert type(optimizer).__module__ != "keras.optimizers"
        assert isinstance(optimizer, getattr(keras.optimizers, keras_class))
        assert optimizer.name == name


def test_a_saved_model_loads_in_plain_keras(tmp_path: Path) -> None:
    """Its optimizer is stored as Keras's own."""
    spec = convnet_spec("training.optimizer=adamw", "training.weight_decay=0.1", "training.ema=0.9")
    model = TinyRun(spec, tmp_path).run()
    assert type(model.optimizer).__mro__[1].__name__ == "_Recipe"
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.optimizer, keras.optimizers.AdamW)
    assert not hasattr(loaded.optimizer, "factors")
    assert loaded.optimizer.weight_decay == 0.1


# --- averages of the weights -------------------------------------------------------------------


def test_an_evaluation_takes_the_averages_and_leaves_the_weights() -> None:
    line = Line(vgg_spec(optimizer="sgd", ema=0.5))
    line.model.layers[-1].activation = keras.activations.sigmoid
    for _ in range(3):
        line.apply(*[5.0] * 6)
    weights = line.model.get_weights()
    inputs = np.array([[0.5], [2.0]], np.float32)
    piece = Piece(inputs, np.array([[0, 1]]), np.array([[0, 1]]))
    targets = np.array([[0.0], [1.0]], np.float32)
    (log,) = FusedSteps(line.model, 2, targets).evaluate(piece)
    assert all(map(np.array_equal, line.model.get_weights(), weights))
    raw = float(loss_for(2)(targets, line.model(inputs)))
    line.model.set_weights([keras.ops.convert_to_numpy(a) for a in averages(line.optimizer)])
    assert log["loss"] == pytest.approx(float(loss_for(2)(targets, line.model(inputs))))
    assert log["loss"] != pytest.approx(raw)


@pytest.mark.parametrize("keep", ["best", "last"])
def test_a_run_ends_with_the_averages(tmp_path: Path, keep: str) -> None:
    settings = ("training.ema=0.9", f"training.keep={keep}", "training.schedule=constant")
    run = TinyRun(convnet_spec(*settings), tmp_path)
    model = run.run()
    data, epochs = run.data, run.of_kind("epoch_finished")
    kept = run.of_kind("stage_finished")[0]["kept_epoch"]
    rows = data.rows["validation"]
    predicted = model.predict_on_batch(data.images[rows])
    loss = float(loss_for(2)(data.targets(rows), predicted))
    assert loss == pytest.approx(epochs[kept - 1]["val_loss"], rel=1e-5)
    with np.load(run.checkpoints / "last.npz") as last:  # both: weights, and their averages
        average = {key for key in last.files if key.endswith("_average")}
        assert len(average) == len(model.trainable_variables)
        raw = next(last[f"model/{v.path}"] for v in model.trainable_variables)
    assert not np.array_equal(raw, keras.ops.convert_to_numpy(model.trainable_variables[0]))


def test_a_solved_start_is_rated_by_its_own_weights(tmp_path: Path) -> None:
    """Averages begin there."""
    settings = ("training.head_start=solved", "model.dense_units=[]", "training.epochs=1")
    plain = run_on_base(base_spec(*settings), tmp_path / "plain")
    averaged = run_on_base(base_spec(*settings, "training.ema=0.9"), tmp_path / "averaged")
    starts = []
    for run in (plain, averaged):
        run.run()
        starts += [e["val_loss"] for e in run.of_kind("epoch_finished") if e["epoch"] == 0]
    assert len(starts) == 2
    assert starts[0] == starts[1]


def test_the_statistics_of_batch_norm_are_those_of_the_last_step(tmp_path: Path) -> None:
    """They are moving averages already; all that gradients train is averaged."""
    settings = (
        "model.strategy=fine-tuning", 'base.trainable=["top"]', "base.batch_norm=adapt",
        "training.ema=0.9", "training.head_epochs=1", "training.epochs=1", "training.keep=last",
    )  # fmt: skip
    run = run_on_base(base_spec(*settings), tmp_path)
    model = run.run()
    with np.load(run.checkpoints / "last.npz") as last:
        same = {
            v.name: np.array_equal(last[f"model/{v.path}"], keras.ops.convert_to_numpy(v))
            for v in model.get_layer("Conv_1_bn").weights
        }
    assert same == {"gamma": False, "beta": False, "moving_mean": True, "moving_variance": True}


# --- the stages --------------------------------------------------------------------------------


def test_gradual_unfreezing_trains_one_block_more_in_each_stage(tmp_path: Path) -> None:
    spec = base_spec(
        "model.strategy=fine-tuning", 'base.trainable=["block_15", "block_16", "top"]',
        "training.unfreeze=gradual", "training.unfreeze_epochs=1", "training.head_epochs=1",
        "training.epochs=1", "training.keep=last", "training.layer_decay=0.5",
    )  # fmt: skip
    run = run_on_base(spec, tmp_path)
    run.run()
    trained = {
        stage: {
            row["name"].split("_")[1] if row["name"].startswith("block") else row["name"]
            for row in run.layers(stage).values()
            if row["moved"]
        }
        for stage in range(4)
    }
    head = {"dense1", "output"}
    assert trained[0] == head
    assert trained[1] == head | {"Conv_1"}
    assert trained[2] == trained[1] | {"16"}
    assert trained[3] == trained[2] | {"15"}
    cuts = [event["prefix"] for event in run.of_kind("stage_started")]
    assert cuts == ["average", "block_16_project_BN", "block_15_add", "block_14_add"]


def test_mixed_precision_keeps_every_option(tmp_path: Path) -> None:
    settings = (
        "training.precision=mixed_float16", "training.optimizer=adamw", "training.ema=0.9",
        "training.weight_decay=0.1", "training.clip_norm=0.5", "training.label_smoothing=0.1",
        "augmentation.mixup=0.4", "augmentation.cutmix=1.0", *NO_AUGMENTATION,
    )  # fmt: skip
    keras.config.set_dtype_policy("mixed_float16")
    try:
        run = TinyRun(convnet_spec(*settings), tmp_path)
        model = run.run()
        inner = model.optimizer.inner_optimizer
        assert (inner.global_clipnorm, inner.use_ema, inner.weight_decay) == (0.5, True, 0.1)
        assert all(np.isfinite(event["val_loss"]) for event in run.of_kind("epoch_finished"))
    finally:
        keras.config.set_dtype_policy("float32")


def test_a_smoothed_loss_is_for_training_alone() -> None:
    targets, predicted = np.array([0, 2]), np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]], np.float32)
    soft = np.eye(3)[targets] * 0.7 + 0.1
    expected = -(soft * np.log(predicted)).sum(axis=1).mean()
    assert float(loss_for(3, 0.3)(targets, predicted)) == pytest.approx(expected, rel=1e-5)
    binary = np.array([[1.0], [0.0]]), np.array([[0.8], [0.3]], np.float32)
    expected = -np.mean(
        [0.85 * np.log(0.8) + 0.15 * np.log(0.2), 0.15 * np.log(0.3) + 0.85 * np.log(0.7)]
    )
    assert float(loss_for(2, 0.3)(*binary)) == pytest.approx(expected, rel=1e-5)
    model = build_model(convnet_spec("model.dropout=0", *NO_AUGMENTATION), 3)
    model.compile("sgd", loss_for(3))
    model.optimizer.build(model.trainable_variables)
    images = np.zeros((2, 8, 8, 1), np.uint8)
    piece = Piece(images, np.array([[0, 1]]), np.array([[0, 1]]))
    steps = FusedSteps(model, 3, targets, smoothing=0.3)
    (evaluated,) = steps.evaluate(piece)
    seeds = np.zeros((1, len(steps.network.dropouts), 2), np.int32)
    (trained,) = steps.train(piece, np.zeros(1), seeds)
    prediction = model(images)
    assert evaluated["loss"] == pytest.approx(float(loss_for(3)(targets, prediction)), rel=1e-5)
    assert trained["loss"] == pytest.approx(float(loss_for(3, 0.3)(targets, prediction)), rel=1e-5)

"""What a training step costs beside its arithmetic: an epoch of steps, four ways.

    python benchmarks/steps.py [--rounds 5] [--json FILE]

Steps only, without validation and files: the trainer's own loop; `fit` on the same arrays; a call
of the framework a step, with the learning rate and the dropout seeds set before each; and a bare
compiled loop over arrays in memory, which is the limit. Networks: the preset's head on averaged
features (2,000 x 1,280, from MobileNetV2), a linear one on them, the book's head on VGG16's
flattened features, and block5 of VGG16 with that head. All read the same features, 32 a step.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from side_by_side import Row, by_seconds, in_turns, parser, seconds, show

from workbench.worker.startup import prepare_environment

prepare_environment()

import keras  # noqa: E402
import ours  # noqa: E402
import tensorflow as tf  # noqa: E402

from workbench.experiment.toml import parse_spec  # noqa: E402
from workbench.runs.fields import Position  # noqa: E402
from workbench.training.models import accuracy_for, loss_for  # noqa: E402
from workbench.training.stage_trainer import StageTrainer  # noqa: E402

BATCH = 32
CASES = {  # the base, its side, the spec of the model, images
    "head, averaged features": (
        "mobilenetv2-0.35", 160, {"head": "average", "dense_units": [128], "dropout": 0.5}, 2000,
    ),
    "linear head, averaged features": (
        "mobilenetv2-0.35", 160, {"head": "average", "dense_units": []}, 2000,
    ),
    "head, flattened features": (
        "vgg16", 150, {"head": "flatten", "dense_units": [256]}, 2000,
    ),
    "block5 and head": ("vgg16", 150, {"head": "flatten", "dense_units": [256]}, 160),
}  # fmt: skip
Way = Callable[[], object]


def stage_trainer(name: str, folder: Path) -> StageTrainer:
    """Return the trainer of a case's last stage, compiled, its features at hand."""
    base, side, model, images = CASES[name]
    tuning = "block5" in name
    tree = {
        "data": {"source": "x", "image_size": [side, side]},
        "base": {"name": base, "weights": "random"},
        "model": {"strategy": "fine-tuning" if tuning else "feature-extraction", **model},
        "training": {"batch_size": BATCH, "epochs": 1000, "learning_rate": 1e-5},
    }
    if tuning:
        tree["base"]["trainable"] = ["block5"]
        tree["training"]["head_epochs"] = 1
    spec = parse_spec(tree, name)
    data = ours.halves(np.zeros((images, 1, 1, 3), np.uint8), images)
    return ours.last_stage(spec, data, folder)


def ways(trainer: StageTrainer, folder: Path) -> dict[str, Way]:
    """Return the ways to train an epoch; all but the first on networks like the trainer's."""
    count = len(trainer.data.rows["train"])
    features = np.load(next(folder.glob(f"*-{count}.npy")))
    targets = trainer.data.targets(np.arange(count))
    order = np.random.default_rng(1).permutation(count)
    batches = [order[at : at + BATCH] for at in range(0, count, BATCH)]
    fitted, stepped, bare = (_like(trainer.model) for _ in range(3))
    seeds = [
        layer.seed_generator.state
        for layer in stepped.layers
        if getattr(layer, "seed_generator", None) is not None
    ]

    def step_by_step() -> None:
        for rows in batches:
            stepped.optimizer.learning_rate.assign(1e-5)
            for state in seeds:
                state.assign(np.array([1, 2]))
            stepped.train_on_batch(features[rows], targets[rows], return_dict=True)

    return {
        "ours": lambda: trainer.train_steps(Position(trainer.stage.index, 1)),
        "fit": lambda: fitted.fit(features, targets, batch_size=BATCH, verbose=0),
        "steps": step_by_step,
        "bare": _bare_loop(bare, features, targets, order),
    }


def _like(model: keras.Model) -> keras.Model:
    """Return a compiled copy with weights of its own."""
    copy = keras.models.clone_model(model)
    optimizer = type(model.optimizer)(1e-5)
    copy.compile(optimizer, loss_for(2), metrics=[accuracy_for(2)], jit_compile=False)
    optimizer.build(copy.trainable_variables)
    return copy


def _bare_loop(
    model: keras.Model, features: np.ndarray, targets: np.ndarray, order: np.ndarray
) -> Way:
    """Return one compiled loop over an epoch's batches: no more than training itself."""
    x, y, variables = tf.constant(features), tf.constant(targets), model.trainable_variables
    whole = len(order) // BATCH
    loss_of = loss_for(2)

    @tf.function
    def step(rows: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = loss_of(tf.gather(y, rows), model(tf.gather(x, rows), training=True))
        model.optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    @tf.function
    def epoch(order: tf.Tensor) -> tf.Tensor:
        losses = tf.TensorArray(tf.float32, whole)
        for at in tf.range(whole):
            losses = losses.write(at, step(order[at * BATCH : (at + 1) * BATCH]))
        if whole * BATCH < len(order):
            step(order[whole * BATCH :])
        return losses.stack()

    return lambda: epoch(tf.constant(order)).numpy()


def measure(rounds: int) -> list[Row]:
    """Measure three rows for each network: against a call a step, `fit` and the bare loop."""
    rows = []
    for name in CASES:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            found = ways(stage_trainer(name, folder), folder)
            for way in found.values():
                for _ in range(3):  # compiles, and the trainer learns how long its calls may be
                    way()
            took = in_turns(
                {key: lambda way=way: seconds(way) for key, way in found.items()}, rounds
            )
        rows += [
            by_seconds(f"{name}, an epoch: a call a step", took["steps"], took["ours"]),
            by_seconds(f"{name}, an epoch: `fit`", took["fit"], took["ours"]),
            by_seconds(f"{name}, an epoch: a bare loop", took["bare"], took["ours"]),
        ]
        print(
            f"{name}: {[f'{key} {value * 1e3:.1f} ms' for key, value in took.items()]}", flush=True
        )
    return rows


if __name__ == "__main__":
    given = parser(__doc__, rounds=5).parse_args()
    show(measure(given.rounds), given.json, ("another way", "workbench"))

"""Is XLA worth it? Training steps with jit off and on, for each kind of stage.

    python benchmarks/jit.py [--rounds 5] [--json FILE]

The kinds: a whole convnet (the book's), a head alone behind a frozen base, and what fine-tuning
trains above the prefix (block5 and the head of VGG16; the top of MobileNetV2). The default of
`training.jit = "auto"` follows from this. The notes have the first steps, which compile.
"""

from collections.abc import Callable

import numpy as np
from side_by_side import Row, by_speed, in_turns, parser, seconds, show

from workbench.worker.startup import prepare_environment

prepare_environment()

import keras  # noqa: E402

from workbench.experiment.facts import DataFacts  # noqa: E402
from workbench.experiment.plan import plan_stages  # noqa: E402
from workbench.experiment.presets import preset_tree  # noqa: E402
from workbench.experiment.toml import apply_settings, parse_spec  # noqa: E402
from workbench.training.models import accuracy_for, build_model, loss_for  # noqa: E402

BATCH = 20
SECONDS = 1.5  # of steps in a round, about
FACTS = DataFacts((374, 499), False, 3, 2, 25_000, 12_500, user_split=False)
KINDS = {
    "a whole convnet": ("book-convnet", "vgg16", ()),
    "a head, flattened": ("book-feature-extraction", "vgg16", ()),
    "a head, averaged": ("feature-extraction", "vgg16", ()),
    "block5 of VGG16 and the head": ("book-fine-tuning", "vgg16", ()),
    "the top of MobileNetV2 0.35 and the head": ("fine-tuning", "mobilenetv2-0.35", ()),
    "the whole of MobileNetV2 0.35": (
        "fine-tuning", "mobilenetv2-0.35", ('base.trainable=["block_1"]',),
    ),
}  # fmt: skip


def trained(preset: str, base: str, settings: tuple[str, ...]) -> keras.Model:
    """Return what the preset's last stage trains."""
    tree = preset_tree(preset, "none", FACTS, base, "random")
    spec = parse_spec(apply_settings(tree, settings), preset)
    stage = plan_stages(spec)[-1]
    model = build_model(spec, 2)
    for layer in model.layers:
        layer.trainable = stage.trains(layer.name)
    if stage.prefix is None:
        return model
    return keras.Model(model.get_layer(stage.prefix).output, model.output)


def steps(network: keras.Model, jit: bool, x: np.ndarray, y: np.ndarray) -> tuple[Callable, float]:
    """Return a way to measure the seconds of a step, and the seconds of the first."""
    model = keras.models.clone_model(network, clone_function=lambda layer: layer)
    model.compile("rmsprop", loss_for(2), metrics=[accuracy_for(2)], jit_compile=jit)
    first = seconds(lambda: model.train_on_batch(x, y))
    count = max(1, int(SECONDS / seconds(lambda: model.train_on_batch(x, y))))

    def run() -> float:
        return seconds(lambda: [model.train_on_batch(x, y) for _ in range(count)]) / count

    return run, first


def measure(rounds: int) -> list[Row]:
    """Measure a row for each kind: without jit on the left, with jit on the right."""
    rng, rows = np.random.default_rng(1), []
    for kind, case in KINDS.items():
        network = trained(*case)
        x = rng.uniform(0, 1, (BATCH, *network.input_shape[1:])).astype(np.float32)
        y = rng.integers(0, 2, (BATCH, 1)).astype(np.float32)
        off, first_off = steps(network, False, x, y)
        on, first_on = steps(network, True, x, y)
        found = in_turns({"off": off, "on": on}, rounds)
        note = f"the first step takes {first_off:.1f} s, with jit {first_on:.1f} s"
        rows.append(by_speed(kind, BATCH / found["off"], BATCH / found["on"], note=note))
        print(f"{kind}: {rows[-1].ratio:.2f} ({note})", flush=True)
    return rows


if __name__ == "__main__":
    given = parser(__doc__, rounds=5).parse_args()
    show(measure(given.rounds), given.json, ("jit off", "jit on"))

"""Is XLA worth it? Training steps of the book's convnet with jit off and on, side by side.

    python benchmarks/jit.py [--rounds 5] [--steps 20]

Prints images per second (medians over rounds that alternate) and the ratio. The default of
`training.jit = "auto"` follows from this: off on the CPU.
"""

import argparse
import time
from statistics import median

import numpy as np

from workbench.training.environment import prepare_environment

prepare_environment()

import keras  # noqa: E402

from workbench.experiment.facts import DataFacts  # noqa: E402
from workbench.experiment.presets import preset_tree  # noqa: E402
from workbench.experiment.toml import parse_spec  # noqa: E402
from workbench.training.backend import prepare_device  # noqa: E402
from workbench.training.models import accuracy_for, build_model, loss_for  # noqa: E402

BATCH = 32
FACTS = DataFacts((374, 499), False, 3, 2, 25_000, 12_500, user_split=False)


def compiled(jit: bool) -> keras.Model:
    """The book's convnet for 150 x 150 images, ready to train."""
    spec = parse_spec(preset_tree("book-convnet", "none", FACTS), "book-convnet")
    model = build_model(spec, classes=2)
    model.compile("rmsprop", loss_for(2), metrics=[accuracy_for(2)], jit_compile=jit)
    return model


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    given = parser.parse_args()
    device = prepare_device(deterministic=False)
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (BATCH, 150, 150, 3)).astype(np.float32)
    labels = rng.integers(0, 2, (BATCH, 1)).astype(np.float32)
    models = {"off": compiled(False), "on": compiled(True)}
    speeds: dict[str, list[float]] = {name: [] for name in models}
    for model in models.values():
        model.train_on_batch(images, labels)
    for _ in range(given.rounds):
        for name, model in models.items():
            started = time.perf_counter()
            for _ in range(given.steps):
                model.train_on_batch(images, labels)
            speeds[name].append(given.steps * BATCH / (time.perf_counter() - started))
    off, on = median(speeds["off"]), median(speeds["on"])
    print(f"{device.name}: jit off {off:.0f} images/s, jit on {on:.0f} images/s")
    print(f"ratio on / off: {on / off:.2f}")


if __name__ == "__main__":
    main()

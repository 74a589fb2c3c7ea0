"""How fast is a frozen base run, by Keras, and by OpenVINO exactly and approximately?

    python benchmarks/frozen.py [--weights FILE] [--images DIR] [--rounds 3] [--json FILE]

The book's way is `predict` in batches of 20. VGG16 has random weights of a size that keeps signals
alive, on 150 x 150 images: what it costs does not depend on them, and int8's error hardly. With
--weights, MobileNetV2 0.35 is measured too, with real ones. Errors are relative, against Keras.
"""

from pathlib import Path

import numpy as np
from side_by_side import Row, by_speed, in_turns, parser, seconds, show

from workbench.worker.startup import prepare_environment

prepare_environment()

import keras  # noqa: E402
from book import BATCH, SIDE, random_images, vgg16  # noqa: E402
from PIL import Image  # noqa: E402

from workbench.training.accelerator import (  # noqa: E402
    BOUNDS,
    SAMPLE,
    OpenVinoNetwork,
    convert,
    relative_error,
)
from workbench.training.prefix import Prefix  # noqa: E402

COUNT = 96
# Measured for the prototypes, on two cores with VNNI.
PROMISED = {"VGG16": {"exact": 1.32, "fast": 5.5}}


def lively_vgg16() -> keras.Model:
    """Return VGG16 with weights as He et al. draw them (arXiv:1502.01852): outputs do not fade."""
    base, rng = vgg16(), np.random.default_rng(1)
    for layer in base.layers:
        if layer.weights:
            spread = np.sqrt(2 / np.prod(layer.kernel.shape[:3]))
            layer.kernel.assign(rng.normal(0, spread, layer.kernel.shape))
    return base


def mobilenet(weights: Path) -> keras.Model:
    """Return MobileNetV2 0.35 with the weights of a file."""
    base = keras.applications.MobileNetV2(
        include_top=False, weights=None, alpha=0.35, input_shape=(160, 160, 3)
    )
    base.load_weights(weights)
    return base


def read(folder: Path | None, side: int) -> np.ndarray:
    """Return float32 (COUNT, side, side, 3) in -1 .. 1: photographs, or noise without a folder."""
    if folder is None:
        images = random_images(COUNT, side)
    else:
        paths = sorted(folder.rglob("*.jpg"))[:COUNT]
        images = np.stack([
            np.asarray(Image.open(path).convert("RGB").resize((side, side))) for path in paths
        ])  # fmt: skip
    return images.astype(np.float32) / 127.5 - 1


def measure(name: str, base: keras.Model, images: np.ndarray, rounds: int) -> list[Row]:
    """Measure images a second of each way."""
    prefix = Prefix(base, base.layers[-1].name)
    ways = {
        "book": lambda: base.predict(images, batch_size=BATCH, verbose=0),
        "Keras": lambda: prefix(images),
    }
    wanted, errors = prefix(images), {}
    for mode in BOUNDS:
        network = OpenVinoNetwork(convert(base, mode, images[:SAMPLE]))
        errors[mode] = relative_error(network(images), wanted)
        ways[mode] = lambda network=network: network(images)
    ways["book"]()
    taken = in_turns({key: lambda way=way: seconds(way) for key, way in ways.items()}, rounds)
    speeds = {key: len(images) / value for key, value in taken.items()}
    rows = [by_speed(f"{name} frozen, Keras", speeds["book"], speeds["Keras"], wanted=1.0)]
    for mode, error in errors.items():
        use = "used" if error <= BOUNDS[mode] else "refused"
        note = f"error {error:.2g}, {BOUNDS[mode]:g} is allowed: {use}"
        promised = PROMISED.get(name, {}).get(mode)
        work = f"{name} frozen, OpenVINO {mode}"
        rows.append(by_speed(work, speeds["book"], speeds[mode], wanted=promised, note=note))
    return rows


if __name__ == "__main__":
    options = parser(__doc__, rounds=3)
    options.add_argument("--weights", type=Path)
    options.add_argument("--images", type=Path)
    given = options.parse_args()
    found = measure("VGG16", lively_vgg16(), read(given.images, SIDE), given.rounds)
    if given.weights:
        images = read(given.images, 160)
        found += measure("MobileNetV2 0.35", mobilenet(given.weights), images, given.rounds)
    show(found, given.json)

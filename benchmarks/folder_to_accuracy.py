"""From a folder of photographs to a measured accuracy, beside scripts that check nothing.

    python benchmarks/folder_to_accuracy.py [--rounds 3] [--images DIR] [--weights FILE]

Photographs of two classes in folders, MobileNetV2 0.35 at 160 x 160. Both are one process start
from a shell: `workbench train`, which scans, audits, splits, packs, runs the base, trains or solves
the head, evaluates and writes the run's folder; and a script that decodes with Pillow and runs the
same base with the same weights. Of 400 photographs, a head trains for 10 epochs, where the script
fits ridge regression on the averaged features; of 600, a linear probe is solved by both, on the
same maps of images and mirror images by the same cross-validation. The folder of ours is empty
before each round; the machine was measured once.
"""

import os
import subprocess
import sys
import tempfile
from argparse import Namespace
from functools import partial
from pathlib import Path

from side_by_side import Row, by_seconds, in_turns, parser, seconds, show

from workbench.bases.architectures import base_table

SIDE, EPOCHS = 160, 10

BARE = """
import sys
from pathlib import Path
import numpy as np
from PIL import Image
import keras
folder, weights, side = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
files = sorted(folder.rglob("*.jpg"))
classes = sorted({file.parent.name for file in files})
images = np.stack([
    np.asarray(Image.open(file).convert("RGB").resize((side, side), Image.Resampling.BILINEAR))
    for file in files
])
labels = np.array([classes.index(file.parent.name) for file in files])
base = keras.applications.MobileNetV2(
    (side, side, 3), alpha=0.35, include_top=False, pooling="avg",
    weights=None if weights == "random" else weights,
)
features = base.predict(images / 127.5 - 1.0, batch_size=32, verbose=0)
order = np.random.default_rng(1).permutation(len(files))
train, test = order[: len(order) * 4 // 5], order[len(order) * 4 // 5 :]
x = np.c_[features, np.ones(len(features))]
gram = x[train].T @ x[train] + 10.0 * np.eye(x.shape[1])
solution = np.linalg.solve(gram, x[train].T @ (2.0 * labels[train] - 1))
print(((x[test] @ solution > 0) == labels[test]).mean())
"""
READ, _, _ = BARE.partition("base = ")
PROBE = (
    READ
    + """
from workbench.training.solve import Examples, predicted, solve_classifier
base = keras.applications.MobileNetV2(
    (side, side, 3), alpha=0.35, include_top=False,
    weights=None if weights == "random" else weights,
)
maps = [base.get_layer(name).output for name in sys.argv[4:]]
average = keras.layers.GlobalAveragePooling2D()
features = keras.Model(base.input, keras.layers.Concatenate()([average(one) for one in maps]))
order = np.random.default_rng(1).permutation(len(files))
fitted, test = order[: len(order) * 17 // 20], order[len(order) * 17 // 20 :]
views = [
    features.predict(pixels / 127.5 - 1.0, batch_size=32, verbose=0)
    for pixels in (images[fitted], images[fitted, :, ::-1])
]
examples = Examples(views, labels[fitted], 2, np.ones(len(fitted)))
solution = solve_classifier(examples, "ridge", 5, 1, lambda done, total: None)
outputs = features.predict(images[test] / 127.5 - 1.0, batch_size=32, verbose=0)
print((predicted(outputs @ solution.kernel + solution.bias) == labels[test]).mean())
"""
)


def photographs(folder: Path, images: Path | None, count: int) -> Path:
    """Return a folder of photographs of two classes: links to real ones, or made-up ones."""
    classes = [one for one in sorted(images.iterdir()) if one.is_dir()][:2] if images else []
    if len(classes) < 2:
        import book

        for name in ("one", "two"):
            book.as_folder(book.photographs(count // 2), folder / name)
        return folder
    for one in classes:
        (folder / one.name).mkdir(parents=True)
        for file in sorted(one.glob("*.jpg"))[: count // len(classes)]:
            (folder / one.name / file.name).symlink_to(file.resolve())
    return folder


class Turns:
    """Both ways on the same photographs, each a process of its own."""

    def __init__(self, scratch: Path, images: Path | None, weights: str, count: int) -> None:
        self.scratch, self.weights = scratch, weights
        self.data = photographs(scratch / "photos", images, count)
        self.rounds = 0

    def ours(self, *options: str) -> float:
        """Return the seconds of `workbench train` in a new workspace."""
        self.rounds += 1
        workspace = self.scratch / f"workspace-{self.rounds}"
        workspace.mkdir()
        return self._run(
            "-m", "workbench", "train", "--workspace", str(workspace), "--data", str(self.data),
            "--base", "mobilenetv2-0.35", "--weights", self.weights, "--gpu", "none",
            "--set", f"data.image_size=[{SIDE},{SIDE}]", *options,
        )  # fmt: skip

    def bare(self, script: str, *arguments: str) -> float:
        """Return the seconds of a script."""
        return self._run("-c", script, str(self.data), self.weights, str(SIDE), *arguments)

    def _run(self, *command: str) -> float:
        quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
        run = partial(subprocess.run, check=True, env=quiet, stdout=subprocess.DEVNULL)
        return seconds(lambda: run([sys.executable, *command]))


def compare(
    work: str, count: int, ours: tuple[str, ...], bare: tuple[str, ...], wanted: float,
    given: Namespace, note: str,
) -> Row:  # fmt: skip
    """Measure both in turns."""
    with tempfile.TemporaryDirectory() as scratch:
        turns = Turns(Path(scratch), given.images, given.weights, count)
        ways = {"bare": lambda: turns.bare(*bare), "ours": lambda: turns.ours(*ours)}
        for way in ways.values():  # the machine is measured, and the disk's cache filled
            way()
        found = in_turns(ways, given.rounds)
    return by_seconds(work, found["bare"], found["ours"], wanted, f"{count} photographs, {note}")


def main() -> None:
    """Measure and print the table."""
    options = parser(__doc__, rounds=3)
    options.add_argument("--images", type=Path, help="two folders of photographs")
    options.add_argument("--weights", default="random", help="a file of MobileNetV2 0.35")
    given = options.parse_args()
    maps = [layer.name for layer in base_table("mobilenetv2-0.35", (SIDE, SIDE)).widest(4)]
    head = ("--preset", "feature-extraction", "--set", f"training.epochs={EPOCHS}")
    rows = [
        compare("from the folder to the accuracy", 400, head, (BARE,), 0.8, given,
                f"{EPOCHS} epochs of the head in ours, ridge regression in the script"),
        compare("the same, a linear probe", 600, ("--preset", "linear-probe"), (PROBE, *maps),
                1 / 1.3, given, "the same maps and the same solver in both"),
    ]  # fmt: skip
    show(rows, given.json, ("a bare script", "workbench"))


if __name__ == "__main__":
    main()

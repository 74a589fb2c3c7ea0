"""From a folder of photographs to a measured accuracy, beside a script that checks nothing.

    python benchmarks/folder_to_accuracy.py [--rounds 3] [--images DIR] [--weights FILE]

400 photographs of two classes in folders, feature extraction with MobileNetV2 0.35 at 160 x 160.
Both are one process start from a shell: `workbench train`, which scans, audits, splits, packs, runs
the base, trains the head for 10 epochs, evaluates and writes the run's folder; and a script that
decodes with Pillow, runs the same base with the same weights, and fits ridge regression on the
averaged features. The folder of ours is empty before each round; the machine was measured once.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from side_by_side import Row, by_seconds, in_turns, parser, seconds, show

COUNT, SIDE, EPOCHS = 400, 160, 10

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


def photographs(folder: Path, images: Path | None) -> Path:
    """Return a folder of COUNT photographs of two classes: links to real ones, or made-up ones."""
    classes = [one for one in sorted(images.iterdir()) if one.is_dir()][:2] if images else []
    if len(classes) < 2:
        import book

        for name in ("one", "two"):
            book.as_folder(book.photographs(COUNT // 2), folder / name)
        return folder
    for one in classes:
        (folder / one.name).mkdir(parents=True)
        for file in sorted(one.glob("*.jpg"))[: COUNT // len(classes)]:
            (folder / one.name / file.name).symlink_to(file.resolve())
    return folder


def measure(rounds: int, images: Path | None, weights: str) -> list[Row]:
    """Measure both in turns, each in a process of its own."""
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
    with tempfile.TemporaryDirectory() as scratch:
        data = photographs(Path(scratch, "photos"), images)
        workspaces = iter(Path(scratch, f"workspace-{i}") for i in range(rounds + 1))

        def run(*command: str) -> float:
            return seconds(
                lambda: subprocess.run(
                    [sys.executable, *command], check=True, env=quiet, stdout=subprocess.DEVNULL
                )
            )

        def ours() -> float:
            workspace = next(workspaces)
            workspace.mkdir()
            return run(
                "-m", "workbench", "train", "--workspace", str(workspace), "--data", str(data),
                "--preset", "feature-extraction", "--base", "mobilenetv2-0.35",
                "--weights", weights, "--gpu", "none", "--set", f"training.epochs={EPOCHS}",
                "--set", f"data.image_size=[{SIDE},{SIDE}]",
            )  # fmt: skip

        def bare() -> float:
            return run("-c", BARE, str(data), weights, str(SIDE))

        ours(), bare()  # the machine is measured, and the disk's cache filled
        found = in_turns({"bare": bare, "ours": ours}, rounds)
    note = (
        f"{COUNT} photographs, {EPOCHS} epochs of the head in ours, ridge regression in the script"
    )
    return [by_seconds("from the folder to the accuracy", found["bare"], found["ours"], 0.8, note)]


if __name__ == "__main__":
    options = parser(__doc__, rounds=3)
    options.add_argument("--images", type=Path, help="two folders of photographs")
    options.add_argument("--weights", default="random", help="a file of MobileNetV2 0.35")
    given = options.parse_args()
    rows = measure(given.rounds, given.images, given.weights)
    show(rows, given.json, ("a bare script", "workbench"))

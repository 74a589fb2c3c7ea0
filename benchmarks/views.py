"""How many cached views are enough? Test accuracy over base.views, on photographs.

    python benchmarks/views.py --weights FILE --images DIR [--seeds 5] [--json FILE]

MobileNetV2 0.35 with real weights at 160 x 160, its recommended preset of feature extraction with
augmentation: the same split, head and draws for every row of a seed, only how often views come
again differs. A third of the images trains; half is for the test. "no augmentation" is the same
preset without it. Errors are standard errors over seeds.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from side_by_side import markdown

from workbench.worker.startup import prepare_environment

prepare_environment()

import ours  # noqa: E402

from workbench.datasets.prepare import prepare, survey  # noqa: E402
from workbench.experiment.presets import preset_tree  # noqa: E402
from workbench.experiment.spec import ExperimentSpec  # noqa: E402
from workbench.experiment.toml import apply_settings, parse_spec  # noqa: E402
from workbench.paths import Workspace  # noqa: E402
from workbench.runs.events import EpochFinished  # noqa: E402
from workbench.training.data import TrainingData  # noqa: E402
from workbench.training.models import accuracy_for, loss_for  # noqa: E402
from workbench.worker.training_setup import training_data  # noqa: E402

EVERY_EPOCH = 1000  # more views than epochs: each is used once, with the bits of views = 0
VIEWS = {"no augmentation": 0, "1": 1, "3": 3, "5": 5, "10": 10, "every epoch": EVERY_EPOCH}
PRESET = "feature-extraction-augmented"
SPLIT = ("data.split.train=0.33", "data.split.validation=0.17", "data.split.test=0.5")


def spec_for(images: Path, weights: Path, seed: int, name: str, head: str) -> ExperimentSpec:
    """Return the preset with as many views as the row's name says."""
    tree = preset_tree(PRESET, str(images), survey(images), "mobilenetv2-0.35", str(weights))
    if name == "no augmentation":
        del tree["augmentation"], tree["base"]["views"]
    settings = [*SPLIT, f"data.split.seed={seed}", f"training.seed={seed}", f"model.head={head}"]
    if VIEWS[name]:
        settings.append(f"base.views={VIEWS[name]}")
    return parse_spec(apply_settings(tree, settings), name)


def measure(images: Path, weights: Path, seed: int, head: str, scratch: Path) -> dict[str, tuple]:
    """Measure test accuracy, test loss and epochs of every row."""
    found = {}
    for name in VIEWS:
        spec = spec_for(images, weights, seed, name, head)
        prepared = prepare(spec.data, Workspace(scratch / "workspace"))
        data = training_data(prepared)
        run = scratch / f"{seed}-{head}-{name}"
        store = ours.store_in(scratch / f"features-{seed}", weights=str(weights))
        model, events = ours.train(spec, data, run, weights, store)
        epochs = sum(isinstance(event, EpochFinished) for event in events)
        found[name] = (*tested(model, data), epochs)
    return found


def tested(model, data: TrainingData) -> tuple[float, float]:
    """Return accuracy and loss on the test images."""
    rows = data.rows["test"]
    model.compile(loss=loss_for(data.classes), metrics=[accuracy_for(data.classes)])
    loss, accuracy = model.evaluate(
        data.images[rows].astype(np.float32), data.targets(rows), batch_size=32, verbose=0
    )
    return accuracy, loss


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--head", choices=("average", "flatten"), default="average")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    all_found = []
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(1, given.seeds + 1):
            all_found.append(measure(given.images, given.weights, seed, given.head, Path(scratch)))
            print(f"seed {seed}: {all_found[-1]}", flush=True)
    rows, cells = [], []
    for name in VIEWS:
        accuracy, loss, epochs = np.array([found[name] for found in all_found]).T
        best = np.array([found["every epoch"][0] for found in all_found])
        gap, error = (accuracy - best).mean(), (accuracy - best).std(ddof=1) / len(best) ** 0.5
        rows.append({"views": name, "accuracy": accuracy.mean(), "gap": gap, "error": error})
        numbers = f"{accuracy.mean():.4f}", f"{gap:+.4f} ± {error:.4f}", f"{loss.mean():.4f}"
        cells.append((name, *numbers, f"{epochs.mean():.0f}"))
    titles = ("views", "test accuracy", "against every epoch", "test loss", "epochs")
    print("\n" + markdown(titles, cells))
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()

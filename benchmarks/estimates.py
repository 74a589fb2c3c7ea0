"""How close are the estimated seconds of a plan? Real runs compared with their estimates.

    python benchmarks/estimates.py [--images DIR] [--weights FILE] [--epochs 4] [--count 300]

Trains a few epochs of each kind of stage with a worker of its own, on the CPU or whatever GPU is
chosen, and prints for each stage the estimated seconds of an epoch, those measured (median of all
epochs but the first, which compiles), their ratio, and the ratio that the run reported after
the first epoch, without what it spent compiling. Without --images, made-up photographs are
written to a temporary folder; without --weights, bases have random ones (the same operations).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from workbench.machine.decoding import synthetic_photograph
from workbench.runs.event_log import read_events
from workbench.runs.events import StageStarted, newest_by_stage

CASES = {
    "dense": ("--preset", "dense"),
    "convnet": ("--preset", "convnet"),
    "book-convnet, 20 steps": ("--preset", "book-convnet", "--set", "training.steps_per_epoch=20"),
    "convnet, augmented": ("--preset", "convnet-augmented"),
    "features, mobilenetv2-0.35": ("--preset", "feature-extraction", "--base", "mobilenetv2-0.35"),
    "features, vgg16": ("--preset", "feature-extraction", "--base", "vgg16"),
    "features streamed, mobilenetv2-0.35": (
        *("--preset", "feature-extraction", "--base", "mobilenetv2-0.35"),
        *("--set", "base.prefix=streamed"),
    ),
    "fine-tuning, mobilenetv2-0.35": ("--preset", "fine-tuning", "--base", "mobilenetv2-0.35"),
    "fine-tuning, vgg16": ("--preset", "fine-tuning", "--base", "vgg16"),
}


def make_photographs(folder: Path, count: int) -> Path:
    """Write photographs of two labels, each a little different."""
    rng = np.random.default_rng(1)
    with tempfile.TemporaryFile() as file:
        file.write(synthetic_photograph())
        pixels = np.asarray(Image.open(file)).astype(np.int16)
    for number in range(count):
        label = ("dark", "light")[number % 2]
        (folder / label).mkdir(parents=True, exist_ok=True)
        shade = rng.integers(-40, 40) + (-30, 30)[number % 2]
        Image.fromarray(np.clip(pixels + shade, 0, 255).astype(np.uint8)).save(
            folder / label / f"{number}.jpg", quality=90
        )
    return folder


def run(workspace: Path, words: tuple[str, ...], images: Path, epochs: int) -> Path:
    """Train; return the run's log."""
    settings = (f"training.epochs={epochs}", "training.early_stopping=0")
    if "fine-tuning" in words:
        settings = (*settings, f"training.head_epochs={epochs}")
    command = [sys.executable, "-m", "workbench", "train", *words, "--data", str(images)]
    for setting in settings:
        command += ["--set", setting]
    before = set((workspace / "saved_models").glob("*"))
    environment = {**os.environ, "WORKBENCH_HOME": str(workspace)}
    subprocess.run(command, check=True, env=environment, capture_output=True)
    (made,) = set((workspace / "saved_models").glob("*")) - before
    return made / "events.jsonl"


def stages(log: Path) -> list[tuple[str, float, float, float | None]]:
    """Return name, estimated and measured seconds of an epoch, and the ratio after the first."""
    events = read_events(log)
    first = {e.stage: e.ratio for e in events if e.event == "estimate_checked" and e.epoch == 1}
    found = []
    for number, started in newest_by_stage(events, StageStarted).items():
        taken = [
            e.seconds
            for e in events
            if e.event == "epoch_finished" and e.stage == number and e.epoch > 1
        ]
        estimated = started.estimated_seconds
        found.append((started.name, estimated, median(taken), first.get(number)))
    return found


def main() -> None:
    """Run all cases and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=Path)
    parser.add_argument("--weights")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--only", help="cases whose name contains this")
    given = parser.parse_args()
    ratios = []
    with tempfile.TemporaryDirectory() as scratch:
        workspace = Path(scratch)
        images = given.images or make_photographs(workspace / "photographs", given.count)
        print(
            f"{'case':<36} {'stage':<26} {'estimated':>9} {'measured':>9} {'ratio':>6} {'first':>6}"
        )
        for name, words in CASES.items():
            if given.only and given.only not in name:
                continue
            if "--base" in words:
                fits = given.weights and "mobilenetv2-0.35" in words
                words = (*words, "--weights", given.weights if fits else "random")
            for stage, estimated, measured, first in stages(
                run(workspace, words, images.absolute(), given.epochs)
            ):
                ratios.append(measured / estimated)
                shown = "-" if first is None else f"{first:.2f}"
                print(
                    f"{name:<36} {stage[:26]:<26} {estimated:9.2f} {measured:9.2f} "
                    f"{ratios[-1]:6.2f} {shown:>6}",
                    flush=True,
                )
    print(json.dumps({"lowest": round(min(ratios), 2), "highest": round(max(ratios), 2)}))


if __name__ == "__main__":
    main()

"""The screens that are kept as text: how each is opened, and what it shows once it is drawn."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import fake_lessons
import numpy as np
from fake_runs import flowers
from image_files import write_photo
from made_curves import write_curve, write_folds
from made_sweeps import made_sweep
from ui_pilot import FIGURES

from workbench.app.draft import Draft
from workbench.app.relabel import Relabeling
from workbench.datasets.manifest import read_manifest, write_manifest
from workbench.datasets.prepare import prepare
from workbench.experiment.toml import dump_spec
from workbench.lessons.catalogue import save_results
from workbench.runs.folder import RunFolder, create_run
from workbench.runs.sweep import SweepTrial
from workbench.runs.watch import RunFeed, RunView
from workbench.ui.base import Route

RUNNING = "1 running"
Arguments = Callable[[Draft], tuple[Any, ...]]


def no_arguments(draft: Draft) -> tuple[Any, ...]:
    return ()


@dataclass(frozen=True)
class Case:
    """A screen to show.

    Attributes:
        route: its name; home is open already.
        words: all of them are there once the screen is drawn.
        arguments: of the screen.
        key: pressed then; "" for none.
        more: what is there afterwards.
        asks: number of question marks in its texts.
        size: of the terminal at which it is kept.
    """

    route: Route
    words: tuple[str, ...]
    arguments: Arguments = no_arguments
    key: str = ""
    more: tuple[str, ...] = ()
    utf8: bool = True
    asks: int = 0
    size: tuple[int, int] = (80, 24)


def the_draft(draft: Draft) -> tuple[Any, ...]:
    return (draft,)


def run(name: str) -> Arguments:
    return lambda draft: (name,)


def runs(*names: str) -> Arguments:
    return lambda draft: (names,)


def preset(name: str) -> Arguments:
    return lambda draft: (replace(draft, preset=name),)


def _layers(draft: Draft) -> tuple[Any, ...]:
    tuned = replace(draft, preset="fine-tuning")
    tuned.complete_step("strategy")
    return tuned, tuned.spec(), FIGURES, lambda spec: None


def _ladder(draft: Draft) -> tuple[Any, ...]:
    presets = ("convnet", "convnet-augmented", "feature-extraction", "fine-tuning")
    rungs = [{"preset": p, "run": f"cats-dogs-{11 - at}"} for at, p in enumerate(presets[:3])]
    rungs.append({"preset": presets[3], "run": "cats-dogs-12"})
    record = draft.workspace.runs / "cats-dogs.ladder.json"
    record.write_text(json.dumps({"format": 1, "rungs": rungs}), encoding="ascii")
    return ("cats-dogs",)


def _sweep(draft: Draft) -> tuple[Any, ...]:
    """Two rates with two seeds; the runs are those of Home."""
    names = ("cats-dogs-11", "cats-dogs-12", "cats-dogs-10", "")
    rates = (0.001, 0.001, 0.01, 0.01)
    trials = [
        SweepTrial({"training.learning_rate": rate}, seed=1 + at % 2, run=name)
        for at, (rate, name) in enumerate(zip(rates, names, strict=True))
    ]
    made_sweep(draft.workspace, "rates", trials)
    return ("rates",)


def _flowers(draft: Draft) -> tuple[Any, ...]:
    """A run that records how its classes fare."""
    flowers(draft.workspace)
    return ("flowers-1",)


def _lessons(draft: Draft) -> tuple[Any, ...]:
    """One lesson has results."""
    save_results(
        draft.workspace, fake_lessons.results("translation", fake_lessons.EXAMPLES["translation"])
    )
    return ()


def tuning(name: str) -> Arguments:
    def arguments(draft: Draft) -> tuple[Any, ...]:
        chosen = replace(draft, preset=name)
        return chosen, FIGURES, lambda settings: None

    return arguments


def _analyze(draft: Draft) -> tuple[Any, ...]:
    _review(draft)
    return (_view(draft, "pets-1"),)


def _review(draft: Draft) -> tuple[Any, ...]:
    """A run that confuses the labels of all test images; one of them was given another label."""
    workspace, spec = draft.workspace, replace(draft, preset="convnet").spec()
    run = create_run(workspace, dump_spec(spec), "pets-1", "")
    rows = prepare(spec.data, workspace).rows
    write_manifest(run.manifest_path, rows)
    lines = ["path,label,predicted,cats,dogs"]
    for at, row in enumerate(row for row in rows if row.split == "test"):
        sure = 0.99 - 0.1 * at
        said, cats = ("dogs", 1 - sure) if row.label == "cats" else ("cats", sure)
        lines.append(f"{row.path},{row.label},{said},{cats:.2f},{1 - cats:.2f}")
    run.predictions_path.write_text("\n".join(lines))
    marking = Relabeling(workspace, run)
    marking.relabel(marking.find([lines[2].split(",")[0]]), lines[2].split(",")[2])
    return ("pets-1",)


def _curve(draft: Draft) -> tuple[Any, ...]:
    arguments = _analyze(draft)
    write_curve(RunFolder(draft.workspace.runs / "pets-1"))
    return arguments


def _map(draft: Draft) -> tuple[Any, ...]:
    """Two labels that lie apart, but for one image of each."""
    _review(draft)
    run = RunFolder(draft.workspace.runs / "pets-1")
    rng, images, points = np.random.default_rng(3), [], []
    for number, row in enumerate(read_manifest(run.manifest_path)):
        dogs = (row.label == "dogs") != (number in (4, 15))
        images.append((row.path, row.label, 0.9 - 0.01 * number if dogs else 0.01 * number))
        points.append((*(4.0 * dogs + rng.random(2)).round(3),))
    write_folds(run, images, ("cats", "dogs"), points)
    return ("pets-1",)


def _label(draft: Draft) -> tuple[Any, ...]:
    """Beside the run a folder of images without labels."""
    _review(draft)
    folder = draft.workspace.root.absolute() / "new"
    for seed in range(13):
        write_photo(folder / f"IMG_{seed + 4711}.png", 500 + seed, 80, 60)
    return "pets-1", folder.relative_to(Path.cwd())


def _export(draft: Draft) -> tuple[Any, ...]:
    return _view(draft, "cats-dogs-11"), Path("/home/ada")


def _view(draft: Draft, name: str) -> RunView:
    feed = RunFeed(draft.workspace, lambda runs: None)
    feed.poll()
    [view] = [view for view in feed.views() if view.name == name]
    return view


HOME = (RUNNING, "epoch 17 of 30")
TRAINING = ("val 0.", "saved 40 s ago")
CASES = {
    "home": Case("home", HOME),
    "home-ascii": Case("home", HOME, utf8=False),
    "machine": Case("machine", ("just now", "alice python")),
    "machine-step": Case("machine-step", ("alice python", "n Next: data"), the_draft),
    # Another class: the first pictures are drawn before their place has its size.
    "data": Case("data", ("cat-0.bmp",), the_draft, key="down", more=("dog-0.bmp",)),
    "augmentation": Case("augmentation", ("views 1 to 8", "▀▀▀▀"), preset("convnet-augmented")),
    "strategy": Case("strategy", ("on the CPU",), the_draft),
    "lr-find": Case("lr-find", ("now 0.0005",), tuning("convnet"), "enter", ("loss over",)),
    "tune": Case(
        "tune", ("heads train on them",), tuning("feature-extraction"), "enter", ("optimistic",)
    ),
    "layers": Case("layers-step", ("prefix",), _layers),
    "train": Case("train", TRAINING, run("cats-dogs-12")),
    "train-ascii": Case("train", TRAINING, run("cats-dogs-12"), utf8=False),
    "train-noise": Case(
        "train", ("val 0.",), _flowers, "v", ("percentile",), size=(120, 40)
    ),
    "train-finished": Case("train", ("Finished.",), run("cats-dogs-11")),
    "train-stopped": Case("train", ("Stopped on request",), run("cats-dogs-10")),
    "train-failed": Case("train", ("Failed.",), run("cats-dogs-9")),
    "ladder": Case("ladder", ("26/40", "1 of 4 runs"), _ladder),
    "sweep": Case("sweep", ("1 of 4 runs", "0.93"), _sweep),
    "results": Case("results", ("true label in rows",), run("cats-dogs-11")),
    "compare": Case("compare", ("strategy",), runs("cats-dogs-12", "cats-dogs-11")),
    "compare-curves": Case(
        "compare", ("strategy",), runs("cats-dogs-12", "cats-dogs-11", "cats-dogs-10"),
        "v", ("validation loss", "cats-dogs-10"),
    ),
    "review": Case("review", ("1 label fix", "▀▀▀▀"), _review),
    "label": Case("label", ("13 left", "▀▀▀▀", "most similar"), _label, asks=1),
    "analyze": Case("analyze", ("threshold 0.5",), _analyze),
    "analyze-curve": Case("analyze", ("threshold 0.5",), _curve, "v", ("Twice as many",)),
    "map": Case("map", ("by doubt 1 of", "▀▀▀▀"), _map),
    "export": Case("export", ("The model as Keras",), _export),
    "lessons": Case("lessons", ("Seen here.", "enter runs translation"), _lessons, asks=1),
    "concepts": Case("concepts", ("place 1",), lambda draft: (("border-effect",),)),
}  # fmt: skip

"""How good the presets are, beside the simplest things that a person could do instead.

    python benchmarks/quality.py [--data DIR ...] [--base NAME[=FILE] ...] [--presets NAME ...]
                                 [--splits 5] [--seeds 3] [--kept FILE]

For every folder of images, base, split and seed, on the same images:

- scikit-learn's logistic regression on the base's averaged outputs, fitted to training and
  validation images;
- the book's head: dense 256 and dropout on the base's flattened outputs;
- presets, with whatever is given behind them: `fine-tuning:training.epochs=10`.

Prints accuracy on test images with its 95 % interval over the splits, the paired difference to the
better of the first two, and seconds; for each set, and for each base over all sets. Nothing is
chosen on test images: to choose between values of a preset, compare the column of validation
accuracy. What is done is kept in a file, and a run that was interrupted goes on with it.
"""

import io
import json
import math
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import keras
import numpy as np
from scipy.stats import t as student
from side_by_side import markdown
from sklearn.linear_model import LogisticRegression

from workbench.datasets.prepare import survey
from workbench.evaluation.mirror import predict_batch
from workbench.experiment.fitting import fit_preset
from workbench.experiment.plan import plan_stages, top_cut
from workbench.experiment.presets import preset_tree
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import apply_settings, flat, parse_spec, spec_tree
from workbench.runs.events import CrossValidated, EpochFinished, Event
from workbench.training.inputs import plain_batches
from workbench.training.prefix import Prefix
from workbench.worker.jobs import JobEvents
from workbench.worker.training_setup import TrainingSetup, make_training_setup

LOGISTIC, BOOK = "logistic regression", "the book's head"
SIMPLE = (LOGISTIC, BOOK)
Split = tuple[str, int]  # the set of images, and the number of the split
SPLIT = "data.split={{train=0.6, validation=0.15, test=0.25, seed={}}}"


@dataclass(frozen=True)
class Measured:
    """One way on one split with one seed.

    Attributes:
        way: its name; a preset with its settings.
        validation: accuracy on validation images, or in cross-validation; None where these were
            fitted.
    """

    data: str
    base: str
    way: str
    split: int
    seed: int
    accuracy: float
    validation: float | None
    seconds: float

    @property
    def key(self) -> tuple[str | int, ...]:
        """What it is of."""
        return self.data, self.base, self.way, self.split, self.seed


class Bench:
    """The images and the base of one comparison, in a folder of its own for packs and features."""

    def __init__(self, data: Path, base: str, scratch: Path) -> None:
        name, _, weights = base.partition("=")
        self.data, self.base, self.weights = data, name, weights or "imagenet"
        self.workspace = scratch / f"{data.name}-{name}"
        self.workspace.mkdir(parents=True)
        self.facts = survey(str(data))

    def spec(self, preset: str, split: int, seed: int, settings: Sequence[str]) -> ExperimentSpec:
        """Return the spec of a preset as `workbench train` makes it."""
        given = (SPLIT.format(split), f"training.seed={seed}", *settings)
        own = preset_tree(preset, str(self.data), self.facts, self.base, self.weights)
        chosen = flat(apply_settings({}, given))
        return parse_spec(fit_preset(own, apply_settings(own, given), chosen), preset)

    def setup(self, spec: ExperimentSpec) -> TrainingSetup:
        """Prepare images, weights and device, as a worker does."""
        request = {
            "spec": spec_tree(spec),
            "workspace": str(self.workspace),
            "scratch": str(self.workspace / "scratch"),
        }
        return make_training_setup(request, JobEvents(io.StringIO()))[0]

    def run(self, preset: str, split: int, seed: int, settings: Sequence[str]) -> tuple[float, ...]:
        """Train; return test accuracy, validation accuracy, seconds without preparation."""
        spec = self.spec(preset, split, seed, settings)
        setup = self.setup(spec)
        keras.utils.clear_session()
        events: list[Event] = []
        started = time.perf_counter()
        with tempfile.TemporaryDirectory(dir=self.workspace) as folder:
            trainer = setup.make_trainer(spec, Path(folder), events.append)
            trainer.run(plan_stages(spec))
        seconds = time.perf_counter() - started
        rows = setup.data.rows["test"]
        mirror = spec.evaluation.mirror
        batches = plain_batches(setup.data.images, rows, 32)
        outputs = np.concatenate([predict_batch(trainer.model, x, mirror) for x, _ in batches])
        found = (outputs[:, 0] > 0.5) if setup.data.classes == 2 else outputs.argmax(axis=1)
        accuracy = float(np.mean(found == setup.data.labels[rows]))
        return accuracy, _validation(events, spec), seconds

    def logistic(self, split: int, seed: int) -> tuple[float, float | None, float]:
        """Fit scikit-learn's logistic regression, its values left as they are."""
        spec = self.spec("feature-extraction", split, seed, ())
        setup = self.setup(spec)
        keras.utils.clear_session()
        trainer = setup.make_trainer(spec, self.workspace / "unused", lambda event: None)
        started = time.perf_counter()
        prefix = Prefix(trainer.model, top_cut(spec))
        data = setup.data
        fitted = np.concatenate([data.rows["train"], data.rows["validation"]])
        model = LogisticRegression(max_iter=1000)
        model.fit(prefix(data.images[fitted]), data.labels[fitted])
        seconds = time.perf_counter() - started
        test = data.rows["test"]
        return float(model.score(prefix(data.images[test]), data.labels[test])), None, seconds


def _validation(events: Sequence[Event], spec: ExperimentSpec) -> float | None:
    if spec.model.strategy == "linear-probe":
        (found,) = (event for event in events if isinstance(event, CrossValidated))
        return next(one.accuracy for one in found.tried if one.value == found.chosen)
    epochs = [event for event in events if isinstance(event, EpochFinished)]
    last = [epoch for epoch in epochs if epoch.stage == epochs[-1].stage]
    kept = [epoch for epoch in last if epoch.best] or last
    return kept[-1].val_accuracy


def ways(presets: Sequence[str]) -> dict[str, Callable[[Bench, int, int], tuple[Any, ...]]]:
    """Return the ways to compare, by name."""

    def trained(preset: str, *settings: str) -> Callable[[Bench, int, int], tuple[Any, ...]]:
        return lambda bench, split, seed: bench.run(preset, split, seed, settings)

    book = ("base.preprocessing=own",)
    found = {LOGISTIC: lambda bench, split, seed: bench.logistic(split, seed),
             BOOK: trained("book-feature-extraction", *book)}  # fmt: skip
    for given in presets:
        preset, *settings = given.split(":")
        found[given] = trained(preset, *settings)
    return found


def measure(given: Namespace, kept: Path) -> list[Measured]:
    """Measure what the file does not have yet; return everything in it."""
    done = [Measured(**json.loads(line)) for line in kept.read_text().splitlines()]
    known = {one.key for one in done}
    with tempfile.TemporaryDirectory() as scratch, kept.open("a") as file:
        for data, base in product(given.data, given.base):
            bench = None
            name = base.partition("=")[0]
            chosen = ways(given.presets)
            for split, (way, run) in product(range(1, given.splits + 1), chosen.items()):
                # Two are the same for every seed.
                seeds = 1 if way == LOGISTIC else given.seeds
                for seed in range(1, seeds + 1):
                    if (data.name, name, way, split, seed) in known:
                        continue
                    bench = bench or Bench(data, base, Path(scratch))
                    one = Measured(data.name, name, way, split, seed, *run(bench, split, seed))
                    done.append(one)
                    file.write(json.dumps(asdict(one)) + "\n")
                    file.flush()
                    print(*one.key, f"{one.accuracy:.4f}", file=sys.stderr, flush=True)
    return done


def rows(done: Sequence[Measured], base: str, sets: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the rows of the table of a base, on one set of images or over several."""
    of_ways: dict[str, dict[Split, list[Measured]]] = {}
    for one in done:
        if one.base == base and one.data in sets:
            of_ways.setdefault(one.way, {}).setdefault((one.data, one.split), []).append(one)
    means = {way: of_splits(splits) for way, splits in of_ways.items()}
    simple = [way for way in SIMPLE if way in means]
    better = max(simple, key=lambda way: mean(means[way].values()), default="")
    for way, accuracies in means.items():
        differences = [
            accuracy - means[better][split]
            for split, accuracy in accuracies.items()
            if better and split in means[better]
        ]
        all_of_it = [one for many in of_ways[way].values() for one in many]
        checked = [one.validation for one in all_of_it if one.validation is not None]
        yield (
            way,
            with_interval(list(accuracies.values())),
            "-" if way == better or not differences else with_interval(differences, sign=True),
            f"{mean(checked):.3f}" if checked else "-",
            f"{mean(one.seconds for one in all_of_it):.1f}",
        )


def of_splits(splits: dict[Split, list[Measured]]) -> dict[Split, float]:
    """Return the mean accuracy over the seeds of each split."""
    return {split: mean(one.accuracy for one in many) for split, many in splits.items()}


def with_interval(values: Sequence[float], sign: bool = False) -> str:
    """Format a mean with half the width of its 95 % interval (Student's t over the splits)."""
    shown = f"{mean(values):{'+' if sign else ''}.3f}"
    if len(values) < 2:
        return shown
    half = float(student.ppf(0.975, len(values) - 1)) * stdev(values) / math.sqrt(len(values))
    return f"{shown} +- {half:.3f}"


def main() -> None:
    """Measure and print a table for each set of images and base."""
    parser = ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--base", nargs="+", default=["efficientnet-lite0"])
    parser.add_argument(
        "--presets", nargs="+", default=["linear-probe", "feature-extraction", "fine-tuning"]
    )
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--kept", type=Path, default=Path("quality.jsonl"))
    given = parser.parse_args()
    given.kept.touch()
    done = measure(given, given.kept)
    titles = ("", "test accuracy", "to the better simple way", "validation", "seconds")
    sets = [data.name for data in given.data]
    for base in given.base:
        name = base.partition("=")[0]
        for shown in [[one] for one in sets] + ([sets] if len(sets) > 1 else []):
            print(f"\n{' and '.join(shown)}, {name}\n")
            print(markdown(titles, list(rows(done, name, shown))))


if __name__ == "__main__":
    main()

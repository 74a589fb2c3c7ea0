"""Labels flipped on purpose: how many are among the first suspects, beside cleanlab.

    python benchmarks/label_suspects.py --data DIR [--data DIR ...] [--base NAME] [--weights FILE]
    python benchmarks/label_suspects.py --speed

Of every folder 5 % and then 10 % of the labels are flipped to another class (seeds 1 to 3). The
features are of the base, as `workbench analyze --folds 5` computes them. Printed is the share of
flipped labels among the first twice as many suspects, and what cleanlab has there from the same
probabilities: its ranking of all images by self-confidence, by normalized margin, and the images
that its filter finds. cleanlab is not a dependency: pip install cleanlab, or --without-cleanlab.

--speed needs no images: 5 x 5 folds of 2,000 images with made-up features, and the seconds of
folds, ranking and neighbours of 25,000 and 50,000 images, which should be twice as many.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from workbench.analysis.folds import stratified_folds
from workbench.analysis.neighbours import nearest
from workbench.analysis.suspects import confident_joint, rank_by_doubt
from workbench.training.out_of_fold import predict_out_of_fold
from workbench.training.solve import Examples

FOLDS, REPEATS = 5, 5
RATES, SEEDS = (0.05, 0.1), (1, 2, 3)
WIDTH = 1280 + 3 * 1152  # of the features of EfficientNet-Lite0, four blocks
Rank = Callable[[np.ndarray, np.ndarray], np.ndarray]


def features_of(
    folder: Path, base: str, weights: str, workspace: Path
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return features, labels and groups of the images of a folder."""
    from workbench.bases.architectures import BASES
    from workbench.datasets.prepare import prepare
    from workbench.experiment.spec import ExperimentSpec
    from workbench.paths import Workspace
    from workbench.worker import folds
    from workbench.worker.jobs import JobEvents
    from workbench.worker.training_setup import base_weights, training_data

    tree = {
        "data": {"source": str(folder), "image_size": BASES[base].recommended_size},
        "base": {"name": base, "weights": weights},
        "model": {"strategy": "linear-probe"},
    }
    spec = ExperimentSpec.model_validate(tree, strict=False)
    with Path("/dev/null").open("w") as nowhere:
        events = JobEvents(nowhere)
        prepared = prepare(spec.data, Workspace(workspace))
        data = training_data(prepared.rows, prepared.labels, prepared.pack)
        found = folds.base_features(
            spec, prepared, data, base_weights(spec, events, events.notice), events
        )
    groups = folds.group_numbers(prepared.rows, prepared.audit.near_pairs())
    return np.array(found), data.labels, groups


def flip(labels: np.ndarray, rate: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return labels of which a share is another one, and the images these are of."""
    rng, classes = np.random.default_rng(seed), int(labels.max()) + 1
    flipped = rng.choice(len(labels), round(rate * len(labels)), replace=False)
    wrong = labels.copy()
    wrong[flipped] = (wrong[flipped] + rng.integers(1, classes, len(flipped))) % classes
    return wrong, flipped


def probabilities_of(features: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return probabilities (n, classes), out of fold."""
    examples = Examples([features], labels, int(labels.max()) + 1, np.ones(len(labels)))
    repeats = stratified_folds(labels, groups, FOLDS, REPEATS, 1)
    return predict_out_of_fold(examples, repeats, lambda done, total: None).probabilities


def cleanlab_ranks() -> dict[str, Rank]:
    """Return what cleanlab offers, by name; none if it is not installed."""
    try:
        from cleanlab.filter import find_label_issues
        from cleanlab.rank import get_label_quality_scores
    except ImportError as error:
        sys.exit(f"{error}. Install it: pip install cleanlab; or leave out: --without-cleanlab")

    def by(method: str) -> Rank:
        return lambda labels, p: np.argsort(
            get_label_quality_scores(labels, p, method=method), kind="stable"
        )

    return {
        "self-confidence": by("self_confidence"),
        "normalized margin": by("normalized_margin"),
        "its filter": lambda labels, p: find_label_issues(
            labels, p, return_indices_ranked_by="self_confidence"
        ),
    }


def measure(
    features: np.ndarray, labels: np.ndarray, groups: np.ndarray, ranks: dict[str, Rank]
) -> Iterator[tuple[float, int, float, dict[str, float]]]:
    """Yield rate, seed, estimated wrong labels per flipped one, and shares found by name."""
    for rate in RATES:
        for seed in SEEDS:
            wrong, flipped = flip(labels, rate, seed)
            found = probabilities_of(features, wrong, groups)
            shares = {
                name: float(np.isin(flipped, rank(wrong, found)[: 2 * len(flipped)]).mean())
                for name, rank in ranks.items()
            }
            yield rate, seed, confident_joint(wrong, found).wrong / len(flipped), shares


def report(given: argparse.Namespace) -> None:
    """Measure every folder and print the table, and the means."""
    ranks: dict[str, Rank] = {"workbench": rank_by_doubt}
    ranks |= {} if given.without_cleanlab else cleanlab_ranks()
    everything: dict[str, list[float]] = {name: [] for name in ranks}
    print(f"{'images':<20} {'flipped':>7} {'seed':>4} {'estimate':>9}  {'  '.join(ranks)}")
    for folder in given.data:
        with tempfile.TemporaryDirectory() as scratch:
            data = features_of(folder.absolute(), given.base, given.weights, Path(scratch))
        for rate, seed, estimate, shares in measure(*data, ranks):
            cells = "  ".join(f"{shares[name]:>{len(name)}.1%}" for name in ranks)
            print(
                f"{folder.name:<20} {rate:>7.0%} {seed:>4} {estimate:>8.1f}x  {cells}", flush=True
            )
            for name in ranks:
                everything[name].append(shares[name])
    for name, values in everything.items():
        print(f"{name}: {np.mean(values):.1%} on average, {min(values):.1%} at least")


def speed() -> None:
    """Print the seconds of each part on made-up features."""

    def show(what: str, work: Callable[[], object]) -> None:
        started = time.perf_counter()
        work()
        print(f"{what}: {time.perf_counter() - started:.2f} s", flush=True)

    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, 2000)
    features = rng.standard_normal((2000, WIDTH), np.float32) + labels[:, None] * 0.02
    images = np.arange(2000)
    show(
        f"5 x 5 folds of 2,000 images, {WIDTH:,} features",
        lambda: probabilities_of(features, labels, images),
    )
    for count in (25_000, 50_000):
        labels = rng.integers(0, 10, count)
        likely = rng.dirichlet(np.ones(10), count)
        wide = rng.standard_normal((count, 256), np.float32)
        pairs = np.arange(count) // 2
        show(f"folds of {count:,}", lambda: stratified_folds(labels, pairs, 5, 5, 1))  # noqa: B023
        show(f"ranking of {count:,}", lambda: rank_by_doubt(labels, likely))  # noqa: B023
        show(f"neighbours of 200 in {count:,}", lambda: nearest(wide, range(200), 5))  # noqa: B023


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    options.add_argument("--data", type=Path, action="append", default=[], help="folder of images")
    options.add_argument("--base", default="efficientnet-lite0")
    options.add_argument("--weights", default="imagenet")
    options.add_argument("--without-cleanlab", action="store_true")
    options.add_argument("--speed", action="store_true")
    given = options.parse_args()
    if given.speed:
        speed()
    elif given.data:
        report(given)
    else:
        options.error("--data DIR or --speed")


if __name__ == "__main__":
    main()

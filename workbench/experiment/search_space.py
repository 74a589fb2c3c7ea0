"""Random search over the head of feature extraction: candidates, and how to read the results.

Bergstra and Bengio, "Random search for hyper-parameter optimization", 2012: if only few values
matter, random trials cover more different ones than a grid.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from workbench.errors import UserError
from workbench.experiment.plan import plan_stages
from workbench.experiment.spec import ExperimentSpec
from workbench.messages import tr
from workbench.text import plural

DENSE_UNITS: tuple[tuple[int, ...], ...] = ((), (32,), (64,), (128,), (256,), (512,))
DROPOUTS = (0.0, 0.2, 0.35, 0.5)
LOWEST_RATE, HIGHEST_RATE = 1e-4, 1e-2


@dataclass(frozen=True)
class Candidate:
    """The values of a trial."""

    dense_units: tuple[int, ...]
    dropout: float
    learning_rate: float

    @property
    def values(self) -> dict[str, Any]:
        """The values by their keys in the spec."""
        return {
            "model.dense_units": list(self.dense_units),
            "model.dropout": self.dropout,
            "training.learning_rate": self.learning_rate,
        }

    @property
    def settings(self) -> tuple[str, ...]:
        """The values as `--set` takes them."""
        return tuple(
            f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}"
            for key, value in self.values.items()
        )


@dataclass(frozen=True)
class Trial:
    """The result of a candidate.

    Attributes:
        number: from 1, in the order of training; the first is the spec as given.
        candidate: its values.
        epoch: the best one, to which accuracy and loss belong; 0 if training diverged.
        accuracy: on the validation images; None if training diverged.
        loss: likewise.
        seconds: duration.
    """

    number: int
    candidate: Candidate
    epoch: int
    accuracy: float | None
    loss: float | None
    seconds: float


def parse_trial(event: Mapping[str, Any]) -> Trial:
    """Return the trial in a worker's event `trial`."""
    tried = event["candidate"]
    candidate = Candidate(tuple(tried["dense_units"]), tried["dropout"], tried["learning_rate"])
    rest = {name: event[name] for name in ("number", "epoch", "accuracy", "loss", "seconds")}
    return Trial(candidate=candidate, **rest)


def check_tunable(spec: ExperimentSpec) -> None:
    """Check that trials can share cached features.

    Raises:
        UserError: they cannot, or there are no validation images to compare them on.
    """
    strategy = spec.model.strategy
    if strategy != "feature-extraction":
        why = (
            tr(
                "a network without a base has no cached features, so every trial would "
                "train all of it"
            )
            if spec.base is None
            else tr("it trains blocks of the base, so every trial would run through these")
        )
        raise UserError(
            tr(
                "A search trains heads on cached features, and this is {strategy}: {why}.",
                strategy=strategy,
                why=why,
            ),
            tr(
                "Search with --preset feature-extraction; for the learning rate "
                "only, use `workbench lr-find`."
            ),
        )
    if not plan_stages(spec)[-1].cached:
        fix = "base.prefix=cached"
        if spec.base and spec.base.prefix == "cached":
            fix = tr("base.views=4 (cached views of each image), or search without augmentation")
        raise UserError(
            tr(
                "A search trains heads on cached features, and this spec computes "
                "them in every epoch."
            ),
            f"--set {fix}",
        )
    if not spec.data.split.validation:
        raise UserError(
            tr("A search is judged by validation images, and data.split.validation is 0."),
            tr("Give it a share, such as --set data.split.validation=0.15."),
        )


def draw_candidates(spec: ExperimentSpec, trials: int, seed: int) -> tuple[Candidate, ...]:
    """Return the candidates: the spec as it is, then values drawn by the seed.

    Learning rates are log-uniform from 1e-4 to 1e-2, rounded to two digits.
    """
    # Imported here: they take a second, and only the worker draws.
    from scipy.stats import loguniform
    from sklearn.model_selection import ParameterSampler

    own = Candidate(spec.model.dense_units, spec.model.dropout, spec.training.learning_rate)
    space = {
        "dense_units": DENSE_UNITS,
        "dropout": DROPOUTS,
        "learning_rate": loguniform(LOWEST_RATE, HIGHEST_RATE),
    }
    drawn = [
        Candidate(d["dense_units"], d["dropout"], float(f"{d['learning_rate']:.1e}"))
        for d in ParameterSampler(space, n_iter=trials - 1, random_state=seed)
    ]
    return (own, *drawn)


def with_candidate(spec: ExperimentSpec, candidate: Candidate) -> ExperimentSpec:
    """Return the spec with the candidate's values."""
    head = {"dense_units": candidate.dense_units, "dropout": candidate.dropout}
    rate: dict[str, Any] = {"learning_rate": candidate.learning_rate}
    if candidate.dense_units:  # only a linear head can begin solved
        rate["head_start"] = "random"
    return spec.model_copy(
        update={
            "model": spec.model.model_copy(update=head),
            "training": spec.training.model_copy(update=rate),
        }
    )


def rank_trials(trials: Sequence[Trial]) -> list[Trial]:
    """Sort by highest accuracy, then lowest loss; diverged trials come last.

    Accuracies are compared to six digits: sums over batches differ beyond that.
    """

    def key(trial: Trial) -> tuple[float, float, int]:
        if trial.accuracy is None or trial.loss is None:
            return 1.0, math.inf, trial.number
        return -round(trial.accuracy, 6), trial.loss, trial.number

    return sorted(trials, key=key)


def standard_error(accuracy: float, images: int) -> float:
    """Return the standard error of an accuracy measured on `images` images.

    One right and one wrong image are added, so that it is not 0 if all were right.
    """
    share = (accuracy * images + 1) / (images + 2)
    return math.sqrt(share * (1 - share) / images)


def highest_by_chance(trials: int) -> float:
    """Return the expected maximum of normal values, in standard deviations (Blom, 1958)."""
    return NormalDist().inv_cdf((trials - 0.375) / (trials + 0.25)) if trials > 1 else 0.0


def describe_trials(trials: Sequence[Trial], images: int) -> list[str]:
    """Return as text how optimistic the best result is, and which trials are as good.

    Args:
        trials: all of them.
        images: number of validation images.
    """
    order = [trial for trial in rank_trials(trials) if trial.accuracy is not None]
    if not order:
        return [
            tr("Every trial diverged: lower --set training.learning_rate, or look at the images.")
        ]
    if len(order) == 1:
        return [tr("One trial only: there is nothing to compare it with.")]
    best = order[0]
    assert best.accuracy is not None
    error = standard_error(best.accuracy, images)
    too_high = 100 * highest_by_chance(len(order)) * error
    near = sum(t.accuracy is not None and best.accuracy - t.accuracy <= error for t in order[1:])
    lines = [
        tr(
            "The best of {order} validation accuracies is optimistic: it was chosen "
            "for being high on these {images}. Chance alone may account for up to "
            "{too_high:.1f} points of it, and more trials make that more. Trust the "
            "test accuracy of a run with these values.",
            order=len(order),
            images=plural(images, "image"),
            too_high=too_high,
        )
    ]
    if near:
        others = f"{plural(near, 'other trial')} {'is' if near == 1 else 'are'}"
        lines.append(
            tr(
                "{others} within one standard error of it ({value:.1f} points): "
                "these images cannot tell them apart.",
                others=others,
                value=100 * error,
            )
        )
    if best.number == 1:
        lines.append(tr("The spec as it was given came out best: no need to change it."))
    return lines

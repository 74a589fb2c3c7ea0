"""Fits the epochs of an experiment to the time there is, once, before the first step.

Epochs are only ever reduced, those of all stages in the same proportion; the cosine schedule
follows, for it falls to 0 over the epochs of its stage.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from workbench.experiment.cost import StageCost, stage_costs
from workbench.experiment.deadline import parse_budget
from workbench.experiment.estimate import StageSeconds, evaluation_seconds, stage_seconds
from workbench.experiment.facts import DataFacts, expected_images
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.throughput import ThroughputModel
from workbench.experiment.toml import spec_tree
from workbench.messages import tr
from workbench.text import format_seconds

# Times the estimate, which is off by up to a quarter (see benchmarks/estimates.py).
MARGIN = 1.25
STAGE_SECONDS = 5.0  # to build and compile a stage's network
END_SECONDS = 10.0  # to save the model and to load it again for its evaluation
SHIFTS = 8  # more passes of the evaluation with `evaluation.shift`
START_SECONDS = 10.0  # of a worker, before it reads images
# Of [training], in the order of the stages.
EPOCH_KEYS = ("head_epochs", "unfreeze_epochs", "epochs")


@dataclass(frozen=True)
class PlanTime:
    """The time that an experiment takes from its first stage to its end, by its estimate.

    Attributes:
        spec: the experiment.
        images: of each split.
        classes: number of labels.
        speed: of the device.
        missing: images whose features a stage has still to compute, by its index; one without an
            entry has to compute all.
    """

    spec: ExperimentSpec
    images: Mapping[str, int]
    classes: int
    speed: ThroughputModel
    missing: Mapping[int, int] = field(default_factory=dict)

    @property
    def costs(self) -> Sequence[StageCost]:
        """Cost of each stage."""
        return stage_costs(self.spec, self.classes)

    @property
    def stages(self) -> list[StageSeconds]:
        """Estimated time of each stage, without a margin."""
        return [
            stage_seconds(cost, self.images, self.speed, self.missing.get(cost.stage.index))
            for cost in self.costs
        ]

    @property
    def reserve(self) -> float:
        """Seconds to keep for what follows training, with the margin."""
        measured = self.images["test"] or self.images["validation"]
        passes = 1 + (SHIFTS if self.spec.evaluation.shift else 0)
        seconds = evaluation_seconds(self.costs[0], measured, passes, self.speed)
        return MARGIN * (END_SECONDS + seconds)

    @property
    def needed(self) -> float:
        """Seconds to the end of the run, with the margin."""
        return MARGIN * sum(STAGE_SECONDS + stage.total for stage in self.stages) + self.reserve

    @property
    def shortest(self) -> "PlanTime":
        """The same with one epoch in each stage, or nearly: with the least that `fit` gives."""
        return self._in_proportion(1)

    def fit(self, seconds: float) -> ExperimentSpec | None:
        """Return the experiment with the most epochs that the time allows, its own at most.

        None if the shortest does not fit.
        """
        low, high = 0, self._longest  # epochs of the longest stage: low fit, more than high do not
        while low < high:
            middle = (low + high + 1) // 2
            if self._in_proportion(middle).needed <= seconds:
                low = middle
            else:
                high = middle - 1
        return self._in_proportion(low).spec if low else None

    @property
    def epochs(self) -> dict[str, int]:
        """The epochs in the spec that have an effect, by their key in [training]."""
        training = spec_tree(self.spec)["training"]
        return {key: training[key] for key in EPOCH_KEYS if key in training}

    @property
    def _longest(self) -> int:
        return max(self.epochs.values(), default=1)  # a linear probe has none

    def _in_proportion(self, epochs: int) -> "PlanTime":
        """Return the same with so many epochs in the longest stage, as few in the others."""
        fewer = {key: max(own * epochs // self._longest, 1) for key, own in self.epochs.items()}
        training = self.spec.training.model_copy(update=fewer)
        return replace(self, spec=self.spec.model_copy(update={"training": training}))

    def describe_fit(self, fitted: ExperimentSpec, seconds: float) -> str:
        """Describe what was fitted: "40 -> 17 epochs of about 6 min 30 s; 2 h 00 min are left"."""
        after = replace(self, spec=fitted)
        parts = []
        for before, cost, time in zip(self.costs, after.costs, after.stages, strict=True):
            change = tr(
                "{planned} -> {fitted} epochs of about {each}",
                planned=before.stage.epochs,
                fitted=cost.stage.epochs,
                each=format_seconds(time.epoch),
            )
            if len(self.costs) > 1:
                number = cost.stage.index + 1
                change = tr("stage {number}: {change}", number=number, change=change)
            parts.append(change)
        left = format_seconds(seconds)
        return tr("{parts}; {left} are left", parts=", ".join(parts), left=left)


def plan_time(spec: ExperimentSpec, facts: DataFacts, speed: ThroughputModel) -> PlanTime:
    """Return the time of an experiment before its images are read; all features are missing."""
    return PlanTime(spec, expected_images(facts, spec.data.split), facts.classes, speed)


def fit_beforehand(plan: PlanTime, reading: float, now: float) -> tuple[ExperimentSpec, str]:
    """Return the experiment as its run is expected to fit it when it starts, and what changes.

    Without a deadline or with enough time nothing does, and the text is "".

    Args:
        plan: of the experiment.
        reading: seconds to read the images.
        now: unix seconds.
    """
    training = plan.spec.training
    if training.deadline is not None:
        left = training.deadline - now
    elif training.time_budget is not None:
        left = float(parse_budget(training.time_budget))
    else:
        return plan.spec, ""
    before = MARGIN * (START_SECONDS + reading)
    fitted = plan.fit(left - before)
    if fitted is None:
        return plan.spec, tr(
            "too little time: {left}, and one epoch, with all before and after it, takes {needed}",
            left=format_seconds(max(left, 0.0)),
            needed=format_seconds(before + plan.shortest.needed),
        )
    return fitted, "" if fitted == plan.spec else plan.describe_fit(fitted, left)


def divide_time(plans: Sequence[PlanTime], now: float, at: int) -> list[int] | None:
    """Return a deadline for each of several runs, one after the other, the last one's `at`.

    Each has what its shortest form needs; the rest is divided in proportion to what more they
    need. A run that ends early leaves its time to the next. None if there is too little.

    Args:
        plans: of the runs, in their order.
        now: unix seconds.
        at: unix seconds.
    """
    start = MARGIN * START_SECONDS
    least = [start + plan.shortest.needed for plan in plans]
    more = [start + plan.needed - short for plan, short in zip(plans, least, strict=True)]
    rest = at - now - sum(least)
    if rest < 0:
        return None
    share = rest / sum(more) if any(more) else 0.0
    ends, end = [], now
    for short, extra in zip(least, more, strict=True):
        end += short + share * extra
        ends.append(int(end))
    return [*ends[:-1], at]

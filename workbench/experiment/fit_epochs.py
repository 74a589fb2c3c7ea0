"""Fits the epochs of an experiment to the time there is, once, before the first step.

Epochs are only ever reduced, those of all stages in the same proportion; the cosine schedule
follows, for it falls to 0 over the epochs of its stage.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from workbench.experiment.cost import StageCost, stage_costs
from workbench.experiment.estimate import (
    StageSeconds,
    ThroughputModel,
    evaluation_seconds,
    stage_seconds,
)
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import spec_tree
from workbench.messages import tr
from workbench.text import format_seconds

# Times the estimate, which is off by up to a quarter (see benchmarks/estimates.py).
MARGIN = 1.25
STAGE_SECONDS = 5.0  # to build and compile a stage's network
END_SECONDS = 10.0  # to save the model and to load it again for its evaluation
SHIFTS = 8  # more passes of the evaluation with `evaluation.shift`
EPOCH_KEYS = ("head_epochs", "epochs")  # of [training], in the order of the stages


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
        low, high = 0, max(self.epochs.values())  # of the longest stage: low fits, above high not
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

    def _in_proportion(self, epochs: int) -> "PlanTime":
        """Return the same with so many epochs in the longest stage, as few in the others."""
        longest = max(self.epochs.values())
        fewer = {key: max(own * epochs // longest, 1) for key, own in self.epochs.items()}
        training = self.spec.training.model_copy(update=fewer)
        return replace(self, spec=self.spec.model_copy(update={"training": training}))

    def describe_fit(self, fitted: ExperimentSpec, seconds: float) -> str:
        """Describe what was fitted: "40 -> 17 epochs of about 6 min 30 s; 2 h 00 min are left"."""
        after = replace(self, spec=fitted)
        parts = []
        for before, cost, time in zip(self.costs, after.costs, after.stages, strict=True):
            where = f"stage {cost.stage.index + 1}: " if len(self.costs) > 1 else ""
            parts.append(
                tr(
                    "{where}{planned} -> {fitted} epochs of about {each}",
                    where=where,
                    planned=before.stage.epochs,
                    fitted=cost.stage.epochs,
                    each=format_seconds(time.epoch),
                )
            )
        left = format_seconds(seconds)
        return tr("{parts}; {left} are left", parts=", ".join(parts), left=left)

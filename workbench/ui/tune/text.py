"""What a range test and a search will do and cost, before they begin."""

from dataclasses import replace

from workbench.experiment.cost import stage_costs
from workbench.experiment.estimate import reading_seconds, stage_seconds
from workbench.experiment.facts import DataFacts, expected_images
from workbench.experiment.lr_find import HIGHEST, LOWEST, range_stage
from workbench.experiment.spec import ExperimentSpec
from workbench.machine.benchmark_store import Figures
from workbench.render.strategy import UNKNOWN_TIME
from workbench.text import human_seconds, plural, safe_text


def range_test_words(
    spec: ExperimentSpec, facts: DataFacts, figures: Figures | None, steps: int
) -> str:
    """What a range test of the first stage is, and what it costs here."""
    stage = range_stage(spec, 1, steps)
    cost = replace(stage_costs(spec, facts.classes)[0], stage=stage)
    seconds = None
    if figures:
        seconds = stage_seconds(cost, expected_images(facts, spec.data.split), figures.speed).total
    return (
        f"Trains {steps:,} steps of {plural(spec.training.batch_size, 'image')} from fresh "
        f"weights while the learning rate rises from {LOWEST:g} to {HIGHEST:g}, and looks where "
        "the loss falls most steeply (Smith 2017): a good rate to begin with. No run is made.\n\n"
        f"stage   1, {stage.name}: {stage.optimizer}, now {stage.learning_rate:g}\n"
        f"time    {_time(seconds, facts, figures)}"
    )


def search_words(
    spec: ExperimentSpec, facts: DataFacts, figures: Figures | None, trials: int
) -> str:
    """What a search over the head is, and what it costs here."""
    cost = stage_costs(spec, facts.classes)[0]
    seconds = None
    if figures:
        one = stage_seconds(cost, expected_images(facts, spec.data.split), figures.speed)
        seconds = one.prefix + trials * (one.total - one.prefix)
    return (
        "The frozen base runs once over each image and its outputs are kept; then "
        f"{trials:,} heads train on them: yours first, then others whose dense layers, dropout "
        "and learning rate are drawn at random. What is best on the validation images stands on "
        "top, and looks better than it is: the end says by how much. No run is made.\n\n"
        f"each    at most {plural(cost.stage.epochs, 'epoch')}\n"
        f"time    {_time(seconds, facts, figures)}"
    )


def _time(seconds: float | None, facts: DataFacts, figures: Figures | None) -> str:
    """At most, with the reading of images that were not packed before."""
    if seconds is None or figures is None:
        return UNKNOWN_TIME
    if figures.images_per_second:
        seconds += reading_seconds(facts, figures.images_per_second)
    device = "the CPU" if figures.kind == "cpu" else safe_text(figures.device, 24)
    return f"at most about {human_seconds(seconds)} on {device}, and some for Keras to start"

"""The learning-rate range test: its curve and the suggested rate."""

from dataclasses import replace
from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from workbench.experiment.cost import stage_costs
from workbench.experiment.estimate import stage_seconds
from workbench.experiment.facts import DataFacts, expected_images
from workbench.experiment.int_range import LR_FIND_STEPS
from workbench.experiment.lr_find import (
    MAX_RATE,
    MIN_RATE,
    Suggestion,
    format_rate,
    learning_rate_key,
    lr_find_stage,
    suggest,
)
from workbench.render.strategy import lr_find_plot
from workbench.text import plural
from workbench.ui.tune.trial import TrialScreen, format_time
from workbench.ui.widgets.line_plot import LinePlot

TITLE = "loss over learning rate"
STAGE = 1  # a later one continues with what the first has learned


class LrFindScreen(TrialScreen):
    """Find the learning rate of the plan's first stage."""

    CONCEPTS = ("learning-rate",)
    JOB = "lr-find"
    BOUNDS = LR_FIND_STEPS
    COUNTED = "steps"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("s", "count", "Steps", id="trial.count")]

    _steps = 0  # of the newest test
    _found: Suggestion | None = None  # computed once: a long test takes a moment

    def compose_result(self) -> ComposeResult:
        """Yield the curve."""
        yield LinePlot(id="curve")

    def describe(self, facts: DataFacts) -> str:
        """Return what the test does and costs."""
        stage = lr_find_stage(self.spec, STAGE, self.count)
        cost = replace(stage_costs(self.spec, facts.classes)[0], stage=stage)
        seconds = None
        if self.benchmark:
            images = expected_images(facts, self.spec.data.split)
            seconds = stage_seconds(cost, images, self.benchmark.speed).total
        batch = plural(self.spec.training.batch_size, "image")
        return (
            f"Trains {self.count:,} steps of {batch} from fresh weights while the learning rate "
            f"rises from {MIN_RATE:g} to {MAX_RATE:g}, and finds where the loss falls most steeply "
            "(Smith 2017): a good rate to start with. No run is created.\n\n"
            f"stage   1, {stage.name}: {stage.optimizer}, now {stage.learning_rate:g}\n"
            f"time    {format_time(seconds, facts, self.benchmark)}"
        )

    def request(self) -> dict[str, Any]:
        """Return the stage."""
        return {"stage": STAGE}

    def chosen(self) -> dict[str, Any]:
        """Return the suggested rate, if one stands out."""
        if self._found is None or self._found.rate is None:
            return {}
        return {learning_rate_key(lr_find_stage(self.spec, STAGE, self._steps)): self._found.rate}

    def has_result(self) -> bool:
        """Return whether there is a curve."""
        return self._found is not None

    def clear_result(self) -> None:
        """Hide the curve."""
        self._found, self._steps = None, self.count
        self.query_one("#curve").display = False

    def show_result(self, result: dict[str, Any]) -> None:
        """Show the curve and the suggestion."""
        if "losses" not in result:
            return
        losses = tuple(float(loss) for loss in result["losses"])
        found = self._found = suggest(losses, self._steps)
        now = f"It is {lr_find_stage(self.spec, STAGE, self._steps).learning_rate:g} now"
        end = f"{now}; enter uses {format_rate(found.rate)}." if found.rate else f"{now}."
        self.show_about(" ".join((*found.lines, end)))
        plot = self.query_one("#curve", LinePlot)
        plot.display = True
        series, options = lr_find_plot(losses, self._steps, found, self.workbench.utf8)
        plot.show(Text(TITLE, "bold"), [series], options)

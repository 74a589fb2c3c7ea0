"""The learning-rate range test: its curve, what it suggests, one key to take it over."""

from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from workbench.experiment.bounds import RANGE_TEST_STEPS
from workbench.experiment.lr_find import Suggestion, range_stage, rate_key, shown, suggest
from workbench.render.lr_find import curve
from workbench.ui.tune.text import range_test_words
from workbench.ui.tune.trial import TuneScreen
from workbench.ui.widgets.line_plot import LinePlot

TITLE = "loss over learning rate"
STAGE = 1  # a later one begins with what the first has learned


class FindRateScreen(TuneScreen):
    """Looks for the rate of the plan's first stage."""

    CONCEPTS = ("learning-rate",)
    JOB = "find-rate"
    BOUNDS = RANGE_TEST_STEPS
    COUNTED = "steps"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "count", "Steps", id="tune.count"),
        Binding("u", "use", "Use", id="tune.use"),
    ]

    _steps = 0  # of the test that was begun last
    _found: Suggestion | None = None  # read off the curve once: of long tests it takes a moment

    def compose_result(self) -> ComposeResult:
        """The curve."""
        yield LinePlot(id="curve")

    def about(self) -> str:
        """What a test will do and cost."""
        facts = self.draft.facts
        return range_test_words(self.spec, facts, self.figures, self.count) if facts else ""

    def request(self) -> dict[str, Any]:
        """The stage."""
        return {"stage": STAGE}

    def chosen(self) -> dict[str, Any]:
        """The suggested rate, where one stands out."""
        if self._found is None or self._found.rate is None:
            return {}
        return {rate_key(range_stage(self.spec, STAGE, self._steps)): self._found.rate}

    def action_begin(self) -> None:
        """Another test, without the curve of the one before."""
        self._found, self._steps = None, self.count
        super().action_begin()
        self.query_one("#curve").display = False

    def ended(self, result: dict[str, Any]) -> None:
        """Shows the curve and what it says."""
        if "losses" not in result:
            return
        losses = tuple(float(loss) for loss in result["losses"])
        found = self._found = suggest(losses, self._steps)
        now = f"It is {range_stage(self.spec, STAGE, self._steps).learning_rate:g} now"
        end = f"{now}; u takes {shown(found.rate)}." if found.rate else f"{now}."
        self.show_about(" ".join((*found.lines, end)))
        plot = self.query_one("#curve", LinePlot)
        plot.display = True
        series, options = curve(losses, self._steps, found, self.workbench.utf8)
        plot.show(Text(TITLE, "bold"), [series], options)

"""The learning-rate range test: its curve, what it suggests, one key to take it over."""

from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from workbench.experiment.bounds import RANGE_TEST_STEPS
from workbench.experiment.rate_test import Suggestion, range_stage, rate_key, shown, suggest
from workbench.ui.rate_text import curve
from workbench.ui.screens.tune import TuneScreen
from workbench.ui.tune_text import range_test_words
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

    _losses: tuple[float, ...] | None = None
    _steps = 0  # of the test that is shown

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
        found = self._found
        key = rate_key(range_stage(self.spec, STAGE, RANGE_TEST_STEPS.usual))
        return {key: found.rate} if found and found.rate else {}

    def action_begin(self) -> None:
        """Another test, without the curve of the one before."""
        self._losses, self._steps = None, self.count
        super().action_begin()
        self._draw()

    def ended(self, result: dict[str, Any]) -> None:
        """Shows the curve and what it says."""
        if "losses" in result:
            self._losses = tuple(float(loss) for loss in result["losses"])
            found = self._found
            assert found
            now = f"It is {range_stage(self.spec, STAGE, self._steps).learning_rate:g} now"
            end = f"{now}; u takes {shown(found.rate)}." if found.rate else f"{now}."
            self.show_about(" ".join((*found.lines, end)))
        self._draw()

    @property
    def _found(self) -> Suggestion | None:
        return None if self._losses is None else suggest(self._losses, self._steps)

    def _draw(self) -> None:
        found, plot = self._found, self.query_one("#curve", LinePlot)
        plot.display = found is not None
        if found is not None and self._losses is not None:
            series, options = curve(self._losses, self._steps, found, self.workbench.utf8)
            plot.show(Text(TITLE, "bold"), [series], options)

"""The learning-rate range test: its curve, what it suggests, one key to take it over."""

from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from workbench.experiment.bounds import RANGE_TEST_STEPS
from workbench.experiment.rate_test import Suggestion, range_stage, rate_key, shown, suggest
from workbench.ui.rate_text import curve
from workbench.ui.screens.tune import TuneScreen
from workbench.ui.tune_text import range_test_words

LEAST_ROWS = 8
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
        yield Static(id="curve")

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
            self.show_about("\n".join((*found.lines, end)))
        self.call_after_refresh(self._draw)  # the words may leave it other room

    def on_resize(self) -> None:
        """A curve in the room there is."""
        super().on_resize()
        self.call_after_refresh(self._draw)

    @property
    def _found(self) -> Suggestion | None:
        return None if self._losses is None else suggest(self._losses, self._steps)

    def _draw(self) -> None:
        for box in self.query("#curve").results(Static):  # none while the screen goes
            found = self._found
            if found is None or self._losses is None:
                box.update("")
                continue
            rows = max(box.size.height, LEAST_ROWS)
            utf8 = self.workbench.utf8
            box.update(curve(self._losses, self._steps, found, box.size.width, rows, utf8))

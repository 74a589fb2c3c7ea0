"""The learning-rate range test and the search over heads."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import DataTable

from workbench.app.jobs import JobEvent
from workbench.app.tune import run_search
from workbench.experiment.cost import stage_costs
from workbench.experiment.estimate import stage_seconds
from workbench.experiment.facts import DataFacts, expected_images
from workbench.experiment.int_range import LR_FIND_STEPS, TUNE_TRIALS
from workbench.experiment.lr_find import (
    MAX_RATE,
    MIN_RATE,
    Suggestion,
    format_rate,
    learning_rate_key,
    lr_find_stage,
    suggest,
)
from workbench.experiment.search_space import (
    Trial,
    check_tunable,
    describe_trials,
    parse_trial,
    rank_trials,
)
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.stage_titles import stage_title
from workbench.messages import tr
from workbench.render.strategy import TRIAL_HEADERS, lr_find_plot, trial_cells
from workbench.text import plural
from workbench.ui.keys import key_of
from workbench.ui.tune.trial import TrialScreen, format_time
from workbench.ui.widgets.job_part import Job
from workbench.ui.widgets.lines import LinePlot

TITLE = tr("loss over learning rate")
STAGE = 1  # a later one continues with what the first has learned
SEED = 1  # of the candidates


class LrFindScreen(TrialScreen):
    """Find the learning rate of the plan's first stage."""

    CONCEPTS = ("learning-rate", "optimizer", "warm-up", "batches")
    JOB = "lr-find"
    BOUNDS = LR_FIND_STEPS
    COUNTED = "steps"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("s", "count", tr("Steps"), id="trial.count")]

    _steps = 0  # of the newest test
    _found: Suggestion | None = None  # computed once: a long test takes a moment

    @staticmethod
    def check(spec: ExperimentSpec) -> None:
        """Check whether the first stage has a learning rate."""
        lr_find_stage(spec, STAGE, LR_FIND_STEPS.default)

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
        return tr(
            "Trains {count:,} steps of {batch} from fresh weights while the learning "
            "rate rises from {min_rate:g} to {max_rate:g}, and finds where the loss "
            "falls most steeply (Smith 2017): a good rate to start with. No run is "
            "created.\n\nstage   1, {stage}: {optimizer}, now {learning_rate:g}\ntime    "
            "{seconds}",
            count=self.count,
            batch=batch,
            min_rate=MIN_RATE,
            max_rate=MAX_RATE,
            stage=stage_title(stage.name),
            optimizer=stage.optimizer,
            learning_rate=stage.learning_rate,
            seconds=format_time(seconds, facts, self.benchmark),
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
        self.remove_class("-found")

    def show_result(self, result: dict[str, Any]) -> None:
        """Show the curve and the suggestion."""
        if "losses" not in result:
            return
        losses = tuple(float(loss) for loss in result["losses"])
        found = self._found = suggest(losses, self._steps)
        now = tr(
            "It is {learning_rate:g} now",
            learning_rate=lr_find_stage(self.spec, STAGE, self._steps).learning_rate,
        )
        end = (
            tr("{now}; enter uses {rate}.", now=now, rate=format_rate(found.rate))
            if found.rate
            else f"{now}."
        )
        self.show_about(" ".join((*found.lines, end)))
        plot = self.query_one("#curve", LinePlot)
        self.add_class("-found")
        series, options = lr_find_plot(losses, self._steps, found, self.workbench.utf8)
        plot.show(Text(TITLE, "bold"), [series], options)


class TrialTable(DataTable[str]):
    """A table that names its enter key in the footer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select_cursor", tr("Use this"), id="trial.pick")
    ]


class TuneHeadScreen(TrialScreen):
    """Search dense layers, dropout and learning rate of a head."""

    CONCEPTS = ("feature-extraction", "learning-rate", "dropout", "validation")
    JOB = "tune"
    BOUNDS = TUNE_TRIALS
    COUNTED = "trials"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("s", "count", tr("Trials"), id="trial.count")]

    check = staticmethod(check_tunable)

    _trials: Sequence[Trial] = ()
    _ranking: Sequence[Trial] = ()
    _images = 0  # validated on

    def compose_result(self) -> ComposeResult:
        """Yield the trials, hidden until there is one."""
        table = TrialTable(id="trials", cursor_type="row")
        table.display = False
        yield table

    def on_mount(self) -> None:
        """Add the columns."""
        self.query_one(TrialTable).add_columns(*TRIAL_HEADERS)

    def describe(self, facts: DataFacts) -> str:
        """Return what the search does and costs."""
        cost = stage_costs(self.spec, facts.classes)[0]
        seconds = None
        if self.benchmark:
            images = expected_images(facts, self.spec.data.split)
            one = stage_seconds(cost, images, self.benchmark.speed)
            seconds = one.prefix + self.count * (one.total - one.prefix)
        return tr(
            "The frozen base runs once over each image and its features are cached; "
            "then {count:,} heads train on them: yours first, then others with random "
            "dense layers, dropout and learning rate. The best on the validation "
            "images is listed first, and looks better than it is: the summary shows by "
            "how much. No run is created; finished trials are kept, and more can be "
            "added.\n\neach    at most {epochs}\ntime    {seconds}",
            count=self.count,
            epochs=plural(cost.stage.epochs, "epoch"),
            seconds=format_time(seconds, facts, self.benchmark),
        )

    def request(self) -> dict[str, Any]:
        """Return the seed of the candidates; the seed of training is the spec's."""
        return {"seed": SEED}

    def run_job(
        self, request: dict[str, Any], on_event: Callable[[JobEvent], None], job: Job
    ) -> dict[str, Any]:
        """Search, and keep the trials; those of an earlier search come first."""
        run_search(self.workbench.workspace, self.spec, request, on_event, job)
        return {}

    def chosen(self) -> dict[str, Any]:
        """Return the values of the selected trial once the search ended, unless it diverged."""
        for table in () if self.running else self.query(TrialTable):  # none before it is composed
            if table.display and table.cursor_row < len(self._ranking):
                trial = self._ranking[table.cursor_row]
                return trial.candidate.values if trial.accuracy is not None else {}
        return {}

    def has_result(self) -> bool:
        """Return whether there is a trial."""
        return bool(self._trials)

    def clear_result(self) -> None:
        """Remove the trials."""
        self._trials = ()
        self._fill()

    def receive_event(self, event: JobEvent) -> None:
        """Add a trial to the table."""
        if event["event"] == "trial":
            self._images = int(event["images"])
            self._trials = (*self._trials, parse_trial(event))
            self._fill()

    def show_result(self, result: dict[str, Any]) -> None:
        """Show what the trials mean."""
        if self._trials:
            lines = describe_trials(self._trials, self._images)
            self.show_about("\n".join((*lines, tr("enter uses the values of the selected trial."))))

    @on(DataTable.RowHighlighted)
    def _highlighted(self) -> None:
        self.refresh_bindings()

    @on(DataTable.RowSelected)
    def _use_selected(self) -> None:
        if self.running:
            self.notify(
                tr(
                    "The search is running; {stop} stops it, then enter uses a trial.",
                    stop=key_of(self, "trial.stop"),
                )
            )
        self.action_use()

    def _fill(self) -> None:
        table = self.query_one(TrialTable)
        self._ranking = rank_trials(self._trials)
        row = table.cursor_row
        selected = table.get_row_at(row)[0] if row < table.row_count else ""
        table.clear()
        for trial in self._ranking:
            table.add_row(*trial_cells(trial))
        table.styles.max_height = table.row_count + 1
        has_trials = bool(self._trials)
        if has_trials and not table.display:
            table.display = True
            table.focus()
        table.display = has_trials
        names = [trial_cells(trial)[0] for trial in self._ranking]
        # The cursor stays on the best trial until it is moved.
        if row and selected in names:
            table.move_cursor(row=names.index(selected))

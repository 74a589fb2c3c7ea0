"""Layers of a run: what was frozen, as it really was."""

import contextlib
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import DataTable

from workbench.errors import UserError
from workbench.experiment.cost import StageCost, stage_costs
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.spec_advice import prefix_in_words
from workbench.experiment.toml import parse_spec
from workbench.render.layers import named_line, network_in_words, planned_row, stage_in_words
from workbench.runs.freeze_check import Layer, layers_of_spec, layers_of_stage
from workbench.runs.history import History
from workbench.runs.rows import StageRow, whole
from workbench.runs.watch import Runs, RunView
from workbench.text import plural, safe_text
from workbench.ui.layers.table import LayerTable
from workbench.ui.layers.view import LayersView


class LayersScreen(LayersView):
    """The freeze truth of a run: requested, compiled, moved; live while it trains.

    Args:
        run: its name.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "number(1)", "Stage", key_display="1-9", id="stage"),
    ]
    TRUTH = True

    def __init__(self, run: str) -> None:
        super().__init__()
        self.run = run
        self._stage: int | None = None  # None follows the stage at work
        self._view: RunView | None = None
        self._spec: ExperimentSpec | None = None
        self._plan: list[StageCost] = []

    def heading(self) -> Text:
        """The run, and how it stands."""
        text = Text.assemble((safe_text(self.run, 40), "bold"), "  layers")
        if self._view:
            text.append(f"   {self._view.summary.state.word}, {self._place()}", "dim")
        return text

    def on_mount(self) -> None:
        """Shows what is known and all that comes."""
        self.runs_changed(self.workbench.runs)

    def spec_shown(self) -> ExperimentSpec | None:
        """The run's spec; None for one of another version."""
        return self._spec

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offers another stage where there is one."""
        return action != "number" or self._stage_count > 1

    def action_number(self, number: int) -> None:
        """Shows another stage."""
        if number > self._stage_count:
            words = f"The plan has {plural(self._stage_count, 'stage')}."
            self.notify(words, severity="warning")
            return
        self._stage = number - 1
        self.show()

    @on(DataTable.RowSelected)
    def _selected(self) -> None:
        self.query_one(LayerTable).toggle_block()

    def runs_changed(self, runs: Runs) -> None:
        view = next((view for view in runs if view.name == self.run), None)
        if view is not None and view is self._view:
            return
        if view is not None:
            self._take(view)
            self.refresh_bindings()
        self.show()

    def _take(self, view: RunView) -> None:
        """Takes over a look at the run; what follows from its spec is counted once."""
        labels = len(self._history.labels)
        self._view = view
        if self._spec is None:
            with contextlib.suppress(UserError):
                self._spec = parse_spec(view.spec, "spec.toml")
        if self._spec and (not self._plan or labels != len(self._history.labels)):
            self._plan = stage_costs(self._spec, self._label_count)

    @property
    def _history(self) -> History:
        return self._view.history if self._view else History()

    @property
    def _label_count(self) -> int:
        return max(len(self._history.labels), 2)

    @property
    def _stage_count(self) -> int:
        return len(self._plan) or (max(self._history.stages, default=-1) + 1)

    @property
    def stage(self) -> int:
        """Index of the stage that is shown: the chosen one, else the newest that has begun."""
        return max(self._history.stages, default=0) if self._stage is None else self._stage

    def show(self) -> None:
        """Everything that is known of the stage."""
        self.refresh_heading()
        self.draw(self._title(), self._stage_layers(), self._details())

    def _stage_layers(self) -> tuple[Layer, ...]:
        """As told by the run where the stage has begun, else as the plan has them."""
        index, history = self.stage, self._history
        if index in history.stages:
            return layers_of_stage(history.stages[index].event, history.layers.get(index))
        if self._spec is None or index >= len(self._plan):
            return ()
        return layers_of_spec(self._spec, self._label_count, self._plan[index].stage)

    def _title(self) -> Text:
        if self._view is None:
            return Text(f"There is no run {safe_text(self.run, 40)} in the workspace.")
        if self._spec is None:
            return Text("Its spec is of another version; what it told of its layers is shown.")
        return Text(network_in_words(self._spec))

    def _place(self) -> str:
        """Which stage is shown, and of what moment."""
        history, index = self._history, self.stage
        count = max(len(self._plan), max(history.stages, default=0) + 1)
        place = f"stage {index + 1} of {count}"
        if index not in history.stages:
            return f"{place}, as planned: it has not begun"
        epoch = whole(history.layers.get(index, {}).get("epoch"))
        return f"{place}, after epoch {epoch}" if epoch else f"{place}, before its first epoch ends"

    def _details(self) -> list[Text]:
        plan, index, history = self._plan, self.stage, self._history
        stage = history.stages.get(index)
        cost = plan[index] if index < len(plan) else None
        lines = []
        event = stage.event if stage else {}
        parameters = whole(event.get("parameters")) or (cost.parameters if cost else None)
        trainable = whole(event.get("trainable_parameters"))
        if trainable is None:
            trainable = cost.trainable if cost else None
        if parameters and trainable is not None:
            lines.append(self.totals_line(trainable, parameters))
        if (stage and self._spec and self._spec.base) or event.get("prefix"):
            lines.append(named_line("prefix", self._prefix(stage)))
        stages = {**{c.stage.index: planned_row(c.stage) for c in plan}, **history.stages}
        for at, row in sorted(stages.items()):
            style = "" if at == index else "dim"
            name = "plan" if at == min(stages) else ""
            lines.append(named_line(name, f"{at + 1} {stage_in_words(row, history)}", style))
        return lines

    def _prefix(self, stage: StageRow | None) -> str:
        event = stage.event if stage else {}
        cut = str(event["prefix"]) if event.get("prefix") else None
        table = self._spec.base_table if self._spec and self._spec.base else None
        return prefix_in_words(table, cut, event.get("cached") is True, past=True)

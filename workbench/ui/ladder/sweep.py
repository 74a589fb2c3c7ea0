"""A sweep: its trials, the best first, with intervals over seeds and differences to the best."""

from rich.text import Text
from textual.widgets import Static

from workbench.analysis.trials import SeedResult, TrialRow, trial_rows
from workbench.app.sweep import metric_of, result_without_run, seed_result
from workbench.experiment.metrics import ACCURACY, SHORT_TITLES
from workbench.messages import tr
from workbench.render.marks import STATE_COLORS, state_symbol
from workbench.render.sweep import (
    describe_settings,
    describe_states,
    describe_values,
    format_difference,
    format_mean,
    format_range,
    seconds_of,
    short_keys,
    sweep_notes,
)
from workbench.runs.sweep import Sweep
from workbench.runs.sweep_record import SWEEP
from workbench.text import safe_text
from workbench.ui.base import WIDE_COLUMNS
from workbench.ui.dialogs import PickName
from workbench.ui.ladder.base import TrialsScreen
from workbench.ui.ladder.text import BORDERS, format_heading
from workbench.words import shown

# Titles of columns and their cells, with the gap before them.
NARROW = {"trial": 21, "state": 17, "val": 8, "95 %": 13, "to best": 9}
WIDE = {**NARROW, "state": 24, "95 % of it": 17, "test": 8, "seconds": 9}
LEFT = ("trial", "state")
COLUMN_TITLES = {
    "state": tr("state"), "95 %": tr("95 %"), "to best": tr("to best"),
    "95 % of it": tr("95 % of it"), "test": tr("test"), "seconds": tr("seconds"),
}  # fmt: skip
STARTING = "starting"


def _short_states(row: TrialRow) -> str:
    """Return the state of a trial in few cells: of seeds that differ, how many are finished."""
    if len(row.states) == 1:
        return describe_states(row)
    return tr("{done} of {count} done", done=row.states.get("finished", 0), count=len(row.seeds))


class SweepScreen(TrialsScreen):
    """The trials of a sweep while their runs train."""

    KIND = SWEEP
    CONCEPTS = ("interval", "validation", "learning-rate", "overfitting")

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._results: list[SeedResult] = []
        self._rows: list[TrialRow] = []
        self._metric = ACCURACY

    def heading(self) -> Text:
        """Return the sweep and its progress."""
        return format_heading(self.sweep_name, [one.state for one in self._results])

    def make_rows(self, sweep: Sweep) -> None:
        """Make a row of each trial, the best first."""
        self._metric = metric_of(sweep)
        results = []
        for trial in sweep.trials:
            if view := self.views.get(trial.run):
                results.append(seed_result(trial, self._metric, view.summary, view.history))
            else:
                state = STARTING if trial.run in self.unseen else ""
                results.append(result_without_run(trial, state))
        self._results, self._rows = results, trial_rows(results)

    def show_notes(self) -> None:
        """Show what the numbers mean."""
        lines = sweep_notes(self._rows, self._metric)
        if self.sweep and self.sweep.prune:
            lines.append(tr("Hopeless runs are stopped by the median rule."))
        self.query_one("#note", Static).update(Text("\n".join(lines)))

    def table_columns(self) -> dict[str, int]:
        """Return titles and widths of the columns; the trial gets the spare cells."""
        columns, room = self._columns(), self.app.size.width
        for name, width in columns.items():  # a title may be wide in another language
            title = 0 if name == "trial" else self.column_title(name).cell_len + 1
            columns[name] = max(width, title)
        spare = room - BORDERS - sum(columns.values())
        return {**columns, "trial": columns["trial"] + max(spare, 0)}

    def _columns(self) -> dict[str, int]:
        return dict(WIDE if self.app.size.width >= WIDE_COLUMNS else NARROW)

    def column_title(self, name: str) -> Text:
        """Return the title of a column."""
        shown = (
            tr("val {short_title}", short_title=SHORT_TITLES[self._metric])
            if name == "val"
            else COLUMN_TITLES.get(name, name)
        )
        if name == "trial":
            shown = safe_text(", ".join(short_keys(self._rows).values()) or name, 200)
        return Text(shown, justify="left" if name in LEFT else "right")

    def table_cells(self) -> list[list[Text]]:
        """Return the cells of every trial."""
        names, columns = short_keys(self._rows), self.table_columns()
        return [self._cells(row, names, columns) for row in self._rows]

    def _cells(self, row: TrialRow, names: dict[str, str], columns: dict[str, int]) -> list[Text]:
        states, seconds = list(row.states), seconds_of(row)
        wide = self.app.size.width >= WIDE_COLUMNS
        state = states[0] if len(states) == 1 else ""
        sign = f" {state_symbol(state, self.workbench.utf8)}" if state else ""
        color = STATE_COLORS.get(state, "$foreground").removeprefix("$")
        texts = {
            "trial": describe_values(row.settings, names),
            "state": (describe_states(row) if wide else _short_states(row)) + sign,
            "val": format_mean(row.mean),
            "95 %": format_range(row.interval),
            "to best": format_difference(row),
            "95 % of it": format_range(row.difference_interval, signed=True),
            "test": format_mean(row.test),
            "seconds": "-" if seconds is None else f"{seconds:,.0f}",
        }
        styles = {"state": self.app.theme_variables.get(color, ""), "val": "bold"}
        return [
            Text(
                safe_text(texts[name], columns[name] - 1),
                styles.get(name, ""),
                justify="left" if name in LEFT else "right",
            )
            for name in columns
        ]

    def show_row(self, row: int) -> None:
        """Show the seeds of a trial, and how one that is not finished ended."""
        if row >= len(self._rows):
            return
        found = self._rows[row]
        self.run = found.seeds[0].run
        seeds = [
            tr(
                "seed {seed}: {value}",
                seed=one.seed,
                value=shown(one.state) if one.value is None else format_mean(one.value),
            )
            for one in found.seeds
        ]
        lines = [
            safe_text(describe_settings(found.settings, {key: key for key in found.settings}), 160),
            safe_text(", ".join(seeds), 160),
        ]
        ended = next((one for one in found.seeds if one.detail and not one.measured), None)
        if ended:
            lines.append(safe_text(f"{ended.run}: {shown(ended.state)}: {ended.detail}", 300))
        self.query_one("#detail", Static).update(Text("\n".join(lines)), layout=True)

    def runs_of(self, row: int) -> list[str]:
        """Return the runs of a trial, one a seed."""
        return [one.run for one in self._rows[row].seeds if one.run in self.views]

    def open_row(self, row: int) -> None:
        """Open the run of a trial; ask which if it has several seeds."""
        runs = self.runs_of(row)

        def answered(run: str | None) -> None:
            if run is not None:
                self.open_run(run)

        if len(runs) == 1:
            answered(runs[0])
        elif runs:
            self.app.push_screen(PickName(tr("Open which run?"), tuple(runs)), answered)

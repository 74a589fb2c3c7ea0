"""The dialog of the table's options: metric, groups, and which columns are shown."""

from dataclasses import replace
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from workbench.app.run_query import GROUPS
from workbench.app.table_settings import TableSettings
from workbench.experiment.metrics import METRICS
from workbench.messages import tr
from workbench.render.run_table import COLUMNS, OPTIONAL
from workbench.text import pad_cells

LABEL = 10  # cells before a value


class TableOptions(ModalScreen[TableSettings | None]):
    """Gives the changed settings; None if they stay.

    Args:
        settings: as they are.
    """

    CSS = """
    TableOptions OptionList { height: auto; max-height: 16; }
    TableOptions #about { color: $secondary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,s", "done", tr("Done")),
        Binding("space", "change", tr("Change")),
    ]

    def __init__(self, settings: TableSettings) -> None:
        super().__init__()
        self._before = self._settings = settings

    def compose(self) -> ComposeResult:
        """Yield a line for each option."""
        with Vertical(classes="dialog"):
            yield Static(tr("What the table of runs shows"))
            yield OptionList()
            yield Static(tr("enter changes, escape is done; ? on Home explains the metrics"),
                         id="about")  # fmt: skip

    def on_mount(self) -> None:
        """List the options."""
        self._show(0)

    def _show(self, highlighted: int) -> None:
        settings = self._settings
        lines = [
            pad_cells(tr("metric"), LABEL) + METRICS[settings.metric],
            pad_cells(tr("groups"), LABEL) + GROUPS[settings.group],
            *(
                f"[{'x' if name in settings.columns else ' '}] {COLUMNS[name].title}"
                for name in OPTIONAL
            ),
        ]
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options(Option(Text(line)) for line in lines)
        options.highlighted = highlighted

    @on(OptionList.OptionSelected)
    def action_change(self) -> None:
        """Change the option under the cursor: the next value, or shown and hidden."""
        at = self.query_one(OptionList).highlighted or 0
        settings = self._settings
        if at == 0:
            self._settings = replace(settings, metric=_after(settings.metric, list(METRICS)))
        elif at == 1:
            self._settings = replace(settings, group=_after(settings.group, list(GROUPS)))
        else:
            name = OPTIONAL[at - 2]
            shown = {*settings.columns} ^ {name}
            columns = tuple(one for one in OPTIONAL if one in shown)
            self._settings = replace(settings, columns=columns)
        self._show(at)

    def action_done(self) -> None:
        """Give the settings."""
        self.dismiss(None if self._settings == self._before else self._settings)


def _after(value: str, values: list[str]) -> str:
    return values[(values.index(value) + 1) % len(values)]

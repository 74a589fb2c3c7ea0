"""The machine check as the first step of a new experiment."""

from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType

from workbench.app.draft import Draft
from workbench.ui.machine.screen import MachineScreen
from workbench.ui.widgets.step_rail import rail_heading


class MachineStep(MachineScreen):
    """Shows the machine; nobody has to wait for the check to go on."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "go_on", "Next: data", id="machine.go_on")
    ]

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self.draft = draft

    def heading(self) -> Text:
        """The rail."""
        return rail_heading(self.draft.name, "machine", self.draft.settled, self.workbench.utf8)

    def action_go_on(self) -> None:
        """To the data."""
        self.draft.settle("machine")
        self.refresh_heading()
        self.workbench.open("data", self.draft)

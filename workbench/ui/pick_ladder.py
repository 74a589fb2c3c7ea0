"""The question which ladder, over a screen."""

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from workbench.text import safe_text
from workbench.ui.base_app import BaseApp


class PickLadder(ModalScreen[str | None]):
    """Ladders by name; gives the chosen one's, None on escape."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "dismiss(None)", "Cancel")]

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__()
        self._names = names

    def compose(self) -> ComposeResult:
        """The question over the list."""
        with Vertical(classes="dialog"):
            yield Static("Open which ladder?")
            yield OptionList(*(Option(Text(safe_text(name, 56))) for name in self._names))

    @on(OptionList.OptionSelected)
    def _picked(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._names[event.option_index])


def open_ladders(app: BaseApp) -> None:
    """Shows the workspace's ladder; asks which where there are several."""

    def answered(name: str | None) -> None:
        if name is not None:
            app.open("ladder", name)

    if len(app.ladders) == 1:
        answered(app.ladders[0])
    elif app.ladders:
        app.push_screen(PickLadder(app.ladders), answered)

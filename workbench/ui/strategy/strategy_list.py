"""The list of rungs to choose from."""

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import OptionList
from textual.widgets.option_list import Option


class RungList(OptionList):
    """Says in the footer what enter does."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select", "Go on")]

    def show_rungs(self, names: Sequence[str], chosen: str, mark: str) -> str:
        """Lists presets, with a mark before the chosen one; gives the one under the cursor."""
        with self.prevent(OptionList.OptionHighlighted):
            self.clear_options()
            for name in names:
                sign = mark if name == chosen else " "
                self.add_option(Option(Text(f"{sign} {name.removeprefix('book-')}"), id=name))
            here = names.index(chosen) if chosen in names else 0
            self.highlighted = here
        return names[here]

"""The keys of a screen, and the panel at the right that lists them."""

from typing import ClassVar

from rich.table import Table
from textual.app import ComposeResult
from textual.screen import ActiveBinding, Screen
from textual.widgets import HelpPanel, Static


def screen_keys(screen: Screen[object]) -> list[ActiveBinding]:
    """Return the keys that do something here, one for each action.

    Those of Textual, which move a cursor or the focus, have no id and are not in the line of keys.
    """
    found: dict[str, ActiveBinding] = {}
    for active in screen.active_bindings.values():
        binding = active.binding
        if binding.description and (binding.show or binding.id):
            found.setdefault(binding.action.removeprefix("app."), active)
    return list(found.values())


class KeyPanel(HelpPanel):
    """The keys of the screen; Textual's own panel lists every key that moves a cursor first."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"key-panel--key"}
    DEFAULT_CSS = """
    KeyPanel > .key-panel--key { color: $footer-key-foreground; text-style: bold; }
    """

    def compose(self) -> ComposeResult:
        """Yield the list."""
        yield Static()

    def on_mount(self) -> None:
        """List the keys, again when they change."""
        self.screen.bindings_updated_signal.subscribe(self, lambda screen: self._list())
        self._list()

    def on_unmount(self) -> None:
        """Unsubscribe: the screen stays."""
        self.screen.bindings_updated_signal.unsubscribe(self)

    def _list(self) -> None:
        table = Table.grid(padding=(0, 1))
        table.add_column(justify="right", style=self.get_component_rich_style("key-panel--key"))
        for active in screen_keys(self.screen):
            table.add_row(self.app.get_key_display(active.binding), active.binding.description)
        self.query_one(Static).update(table)

"""The line of keys at the bottom of a screen."""

from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.screen import ActiveBinding, Screen
from textual.widgets import Footer


class KeyLine(Footer):
    """A footer that is one widget: one for each key made half the cost of opening a screen."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"key-line--key", "key-line--edge"}
    DEFAULT_CSS = """
    KeyLine > .key-line--key { color: $footer-key-foreground; text-style: bold; }
    KeyLine > .key-line--edge { color: $foreground 20%; }
    """

    def compose(self) -> ComposeResult:
        """Nothing: the line draws itself."""
        yield from ()

    def bindings_changed(self, screen: Screen[object]) -> None:
        """Draws the keys that can be pressed now."""
        self.refresh()

    @property
    def shown(self) -> list[ActiveBinding]:
        """What can be pressed, one key for each action; without the command palette."""
        found: dict[str, ActiveBinding] = {}
        for active in self.screen.active_bindings.values():
            if active.binding.show:
                found.setdefault(active.binding.action, active)
        return list(found.values())

    @property
    def keys(self) -> Text:
        """Each key and what it does."""
        return Text(" ").join(self._told(active) for active in self.shown)

    def render(self) -> Text:
        """The keys at the left, the command palette's at the right."""
        line = self.keys
        palette = self.screen.active_bindings.get(self.app.COMMAND_PALETTE_BINDING)
        if self.show_command_palette and palette:
            edge = " " if self.screen.has_class("-ascii") else "▏"
            end = Text.assemble((edge, self.get_component_rich_style("key-line--edge")))
            end.append_text(self._told(palette))
            line.append(" " * max(self.size.width - line.cell_len - end.cell_len - 1, 1))
            line.append_text(end)
        line.no_wrap = True
        return line

    def on_click(self, event: events.Click) -> None:
        """A click on a key presses it."""
        if key := event.style.meta.get("key"):
            self.app.simulate_key(key)

    def _told(self, active: ActiveBinding) -> Text:
        binding = active.binding
        style = self.get_component_rich_style("key-line--key", partial=True)
        text = Text.assemble((self.app.get_key_display(binding), style), f" {binding.description}")
        text.stylize(Style(meta={"key": binding.key}, dim=not active.enabled or None))
        return text

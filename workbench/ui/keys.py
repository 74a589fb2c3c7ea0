"""Keys: the line at the bottom of a screen, and those typed faster than a dialog opens."""

import unicodedata
from functools import partial
from itertools import chain
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from rich.style import Style
from rich.text import Text
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.keys import key_to_character
from textual.screen import ActiveBinding, ModalScreen, Screen
from textual.widgets import Footer

from workbench.messages import tr


def key_of(screen: Screen[Any], name: str) -> str:
    """Return the key of a binding as it is shown: the person's, or the usual one.

    Args:
        screen: that has the binding, or is above one that has it, such as Home, or the app.
        name: id of the binding.
    """
    app = screen.app
    owners = (screen, *reversed(app.screen_stack), app)
    for owner in chain.from_iterable(type(one).__mro__ for one in owners):
        for one in owner.__dict__.get("BINDINGS", ()):
            if isinstance(one, Binding) and one.id == name:
                key = app._keymap.get(name, one.key).split(",")[0]
                return app.get_key_display(one.with_key(key, key_display=None))
    raise KeyError(name)


def types_itself(screen: Screen[Any], binding: Binding) -> bool:
    """Return whether a key would be typed into the field that has the focus.

    Textual leaves such keys out, but for those that a person has chosen and the slash.
    """
    character = "/" if binding.key == "slash" else key_to_character(binding.key)
    return is_typed(screen, binding.key, character)


def is_typed(screen: Screen[Any], key: str, character: str | None) -> bool:
    """Return whether the field that has the focus takes a key."""
    return bool(screen.focused and screen.focused.check_consume_key(key, character))


def is_of_another_script(character: str) -> bool:
    """Return whether a letter is not Latin, so that no key is called like it: Hangul, Cyrillic."""
    return character.isalpha() and not unicodedata.name(character, "LATIN").startswith("LATIN")


class KeyLine(Footer):
    """A footer of one widget: one for each key cost half the time of opening a screen."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"key-line--key", "key-line--edge"}
    DEFAULT_CSS = """
    KeyLine > .key-line--key { color: $footer-key-foreground; text-style: bold; }
    KeyLine > .key-line--edge { color: $foreground 20%; }
    """

    def compose(self) -> ComposeResult:
        """Yield nothing: the line draws itself."""
        yield from ()

    def bindings_changed(self, screen: Screen[object]) -> None:
        """Draw the keys that can be pressed now."""
        self.refresh()

    @property
    def shown(self) -> list[ActiveBinding]:
        """The bindings that fit, one for each action, the screen's most important ones first.

        The command palette, whose key is always shown, has those that do not fit.
        """
        return self._fitting()[0]

    def _fitting(self) -> tuple[list[ActiveBinding], Text]:
        """Return the bindings that fit, and the end of the line, which says if there are others."""
        found: dict[str, ActiveBinding] = {}
        for active in self.screen.active_bindings.values():
            if active.binding.show and not types_itself(self.screen, active.binding):
                found.setdefault(active.binding.action, active)
        end = self._end(False)
        fitting = self._fit(found, end)
        if len(fitting) < len(found) and end.plain:
            end = self._end(True)
            fitting = self._fit(found, end)
        return fitting, end

    def _fit(self, found: dict[str, ActiveBinding], end: Text) -> list[ActiveBinding]:
        room = self.size.width - end.cell_len
        fitting = []
        for active in found.values():
            if (cells := self._label(active).cell_len + 1) <= room:
                fitting.append(active)
                room -= cells
        return fitting

    @property
    def keys(self) -> Text:
        """The keys that are shown, with their descriptions."""
        return Text(" ").join(self._label(active) for active in self.shown)

    def render(self) -> Text:
        """Return the keys at the left, the command palette's at the right."""
        shown, end = self._fitting()
        line = Text(" ").join(self._label(active) for active in shown)
        line.append(" " * (self.size.width - line.cell_len - end.cell_len))
        line.append_text(end)
        line.no_wrap = True
        return line

    def _end(self, more: bool) -> Text:
        """Return the command palette's key, with a cell on each side.

        Args:
            more: whether it has keys for which there is no room.
        """
        active = self.screen.active_bindings.values()
        palette = next((one for one in active if one.binding.action == "command_palette"), None)
        if palette is None:
            return Text()
        ascii_only = self.screen.has_class("-ascii")
        edge = " " if ascii_only else "▏"
        end = Text.assemble((edge, self.get_component_rich_style("key-line--edge")))
        if more:
            end.append("... " if ascii_only else "… ")
        return end.append_text(self._label(palette, tr("All") if more else "")).append(" ")

    def on_click(self, event: events.Click) -> None:
        """Press the key that was clicked."""
        if key := event.style.meta.get("key"):
            self.app.simulate_key(key)

    def _label(self, active: ActiveBinding, title: str = "") -> Text:
        binding = active.binding
        style = self.get_component_rich_style("key-line--key", partial=True)
        title = title or binding.description
        text = Text.assemble((self.app.get_key_display(binding), style), f" {title}")
        text.stylize(Style(meta={"key": binding.key}, dim=not active.enabled or None))
        return text


class KeyBuffer:
    """Holds keys back until the dialog on top is mounted and has its focus.

    The app sends a key to a screen; if nothing there handles it, it returns and is looked up among
    the bindings of the screen on top. A key that returns to a dialog which was not there when it
    was sent was typed for the dialog, so it is sent once more.
    """

    def __init__(self, app: App[None]) -> None:
        self._app = app
        self._sent_to: WeakKeyDictionary[events.Key, Screen[object]] = WeakKeyDictionary()
        self._open: WeakKeyDictionary[Screen[object], bool] = WeakKeyDictionary()
        self._held: WeakKeyDictionary[Screen[object], list[events.Key]] = WeakKeyDictionary()

    def intercepts(self, key: events.Key) -> bool:
        """Return True for a key that the app must not handle now; it is held or sent again."""
        screen = self._app.screen
        returned = key.is_forwarded
        if returned and (not isinstance(screen, ModalScreen) or self._sent_to.get(key) is screen):
            return False
        if isinstance(screen, ModalScreen) and not self._open.get(screen):
            self._hold(screen, key)
            return True
        if returned:
            self._app.post_message(_unsent(key))
            return True
        self._sent_to[key] = screen
        return False

    def _hold(self, screen: Screen[object], key: events.Key) -> None:
        held = self._held.get(screen)
        if held is None:
            held = self._held[screen] = []
            # A dialog sets its focus through the app's queue, so this comes after it.
            screen.call_after_refresh(self._app.call_later, partial(self._release, screen))
        held.append(key)

    async def _release(self, screen: Screen[object]) -> None:
        """Send the keys to the dialog, in the order in which they were typed."""
        self._open[screen] = True
        for key in sorted(self._held.pop(screen, ()), key=lambda key: key.time):
            await self._app.on_event(_unsent(key))


def _unsent(key: events.Key) -> events.Key:
    """Return the same key, not yet sent to any screen."""
    return events.Key(key.key, key.character)

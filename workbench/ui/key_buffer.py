"""Buffer keys typed faster than a dialog opens: none is lost or reaches another screen."""

from functools import partial
from weakref import WeakKeyDictionary

from textual import events
from textual.app import App
from textual.screen import ModalScreen, Screen


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

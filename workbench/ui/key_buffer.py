"""Keys typed faster than a dialog opens wait for it: none is lost or meant for another screen."""

from functools import partial
from weakref import WeakKeyDictionary

from textual import events
from textual.app import App
from textual.screen import ModalScreen, Screen


class TypedAhead:
    """Holds keys back until the dialog on top is mounted and has its focus.

    A key goes from the app to a screen and, where nothing there takes it, comes back to be looked
    up among the keys of the screen on top. One that comes back to a dialog which was not there
    when it left was typed for the dialog, so it sets out once more.
    """

    def __init__(self, app: App[None]) -> None:
        self._app = app
        self._sent: WeakKeyDictionary[events.Key, Screen[object]] = WeakKeyDictionary()
        self._open: WeakKeyDictionary[Screen[object], bool] = WeakKeyDictionary()
        self._held: WeakKeyDictionary[Screen[object], list[events.Key]] = WeakKeyDictionary()

    def keeps(self, key: events.Key) -> bool:
        """True for a key that the app shall leave alone for now."""
        screen = self._app.screen
        returned = key.is_forwarded
        if returned and (not isinstance(screen, ModalScreen) or self._sent.get(key) is screen):
            return False
        if isinstance(screen, ModalScreen) and not self._open.get(screen):
            self._hold(screen, key)
            return True
        if returned:
            self._app.post_message(_anew(key))
            return True
        self._sent[key] = screen
        return False

    def _hold(self, screen: Screen[object], key: events.Key) -> None:
        held = self._held.get(screen)
        if held is None:
            held = self._held[screen] = []
            # A dialog sets its focus by way of the app's queue, so this comes after it.
            screen.call_after_refresh(self._app.call_later, partial(self._let_go, screen))
        held.append(key)

    async def _let_go(self, screen: Screen[object]) -> None:
        """Hands the keys to the dialog, in the order in which they were typed."""
        self._open[screen] = True
        for key in sorted(self._held.pop(screen, ()), key=lambda key: key.time):
            await self._app.on_event(_anew(key))


def _anew(key: events.Key) -> events.Key:
    """The same key, not yet sent to any screen."""
    return events.Key(key.key, key.character)

"""Which epochs of a run are drawn: all, or a part that is moved along. Pure."""

from dataclasses import dataclass, replace
from typing import Self

MIN_WINDOW = 5  # epochs


@dataclass(frozen=True)
class EpochWindow:
    """A part of the epochs.

    Attributes:
        width: number of epochs; None for all.
        first: the first of them; None for the newest ones, also when more end.
    """

    width: int | None = None
    first: int | None = None

    def span(self, epochs: int) -> tuple[int, int] | None:
        """Return the first and last epoch of `epochs` that are drawn; None for all."""
        if self.width is None or self.width >= epochs:
            return None
        last_start = epochs - self.width + 1
        first = last_start if self.first is None else min(max(self.first, 1), last_start)
        return first, first + self.width - 1

    def zoomed(self, step: int, epochs: int, cursor: int | None) -> Self:
        """Return half the window for a step of 1, twice the window for -1, around the cursor.

        Args:
            step: 1 or -1.
            epochs: of the run so far.
            cursor: an epoch; None keeps the middle, or the newest epochs at the right edge.
        """
        first, last = self.span(epochs) or (1, epochs)
        shown = last - first + 1
        width = max(-(-shown // 2), MIN_WINDOW) if step > 0 else 2 * shown
        if width >= epochs:
            return replace(self, width=None, first=None)
        if cursor is None and last == epochs:
            return replace(self, width=width, first=None)
        middle = (first + last) // 2 if cursor is None else cursor
        start = min(max(middle - width // 2, 1), epochs - width + 1)
        return replace(self, width=width, first=start)

    def with_cursor(self, cursor: int | None, epochs: int) -> Self:
        """Return the window moved so that it has the cursor; without one it has the newest."""
        found = self.span(epochs)
        if found is None or cursor is None:
            return replace(self, first=None)
        first, last = found
        if first <= cursor <= last:
            return replace(self, first=first)
        return replace(self, first=cursor if cursor < first else cursor - (last - first))

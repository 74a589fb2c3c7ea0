"""Answers of a slow terminal to the questions at the start: they must not arrive as keys."""

import time
from collections.abc import Callable, Iterable
from functools import partial

from textual._xterm_parser import XTermParser
from textual.drivers import linux_driver
from textual.message import Message

from workbench.machine.terminal_graphics import ANSWER, ANSWER_BEGUN

LATEST = 10.0  # seconds after which no answer comes any more
_KEY = 0.1  # seconds after which an escape without more is the key
_REST = 1.0  # seconds for the rest of an answer that has begun beyond doubt
_MAYBE_KEY = ("\x1b", "\x1b[", "\x1b_", "\x1bP", "\x1b[6")


class AnswerFilter(XTermParser):
    """Textual's parser of input, without the terminal's answers.

    Args:
        debug: as Textual has it.
        unread: characters that came before Textual took the terminal.
        clock: in seconds.
    """

    def __init__(
        self, debug: bool = False, unread: str = "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(debug)
        self._held = ""
        self._unread = unread
        self._clock = clock
        self._until = clock() + LATEST
        self._held_at = 0.0

    def feed(self, data: str) -> Iterable[Message]:
        """Parse input; hold back what may become an answer."""
        if not data:  # the end of the input
            yield from super().feed(data)
            return
        data = self._held + data
        self._held = ""
        if self._clock() < self._until:
            data = ANSWER.sub("", data)
            if begun := ANSWER_BEGUN.search(data):
                data, self._held = data[: begun.start()], begun[0]
                self._held_at = self._clock()
        if data:
            yield from super().feed(data)

    def tick(self) -> Iterable[Message]:
        """Parse what came before, and release what became no answer in time."""
        if self._unread:
            unread, self._unread = self._unread, ""
            yield from self.feed(unread)
        if self._held:
            waited = self._clock() - self._held_at
            if self._held in _MAYBE_KEY and waited >= _KEY:
                held, self._held = self._held, ""
                yield from super().feed(held)
            elif waited >= _REST:
                self._held = ""
        yield from super().tick()


def filter_answers(unread: str) -> None:
    """Make Textual filter its input in this process.

    Textual's driver makes its parser itself, by this name.
    """
    linux_driver.XTermParser = partial(AnswerFilter, unread=unread)  # type: ignore[misc,assignment]

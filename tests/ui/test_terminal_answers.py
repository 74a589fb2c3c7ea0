"""Late answers of the terminal are no keys; keys that look like their beginning are."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from terminal import Terminal
from textual.drivers import linux_driver
from textual.events import Key

from workbench.ui.terminal_answers import LATEST, AnswerFilter, filter_answers

KITTY = "\x1b_Gi=31;OK\x1b\\"
NAME = "\x1bP>|kitty(0.35.0)\x1b\\"
CELL = "\x1b[6;20;10t"
COLORS = "\x1b[?1;0;256S"
ATTRIBUTES = "\x1b[?62;4;22c"
WORKBENCH = [sys.executable, "-m", "workbench"]
ALL = KITTY + NAME + CELL + COLORS + ATTRIBUTES


class Input:
    """An input whose clock stands still until `passes`."""

    def __init__(self, unread: str = "") -> None:
        self.now = 0.0
        self._parser = AnswerFilter(unread=unread, clock=lambda: self.now)

    def keys(self, *parts: str) -> list[str]:
        """Return the keys of input that arrives in these parts, at once."""
        return [key for part in parts for key in self._names(self._parser.feed(part))]

    def passes(self, seconds: float) -> list[str]:
        self.now += seconds
        return self._names(self._parser.tick())

    @staticmethod
    def _names(messages: object) -> list[str]:
        assert isinstance(messages, Iterator)
        return [message.key for message in messages if isinstance(message, Key)]


@pytest.mark.parametrize("answer", [KITTY, NAME, CELL, COLORS, ATTRIBUTES, ALL])
def test_late_answers_are_no_keys(answer: str) -> None:
    assert Input().keys(answer) == []
    assert Input().keys(f"a{answer}b") == ["a", "b"]


@pytest.mark.parametrize("answer", [KITTY, NAME, CELL, COLORS, ATTRIBUTES, ALL])
def test_late_answers_byte_by_byte_are_no_keys(answer: str) -> None:
    given = Input()
    assert given.keys(*answer) == []
    assert given.keys("q") == ["q"]


def test_an_answer_may_pause_once_it_is_beyond_doubt() -> None:
    given = Input()
    assert given.keys(ATTRIBUTES[:4]) == []
    assert given.passes(0.9) == []
    assert given.keys(ATTRIBUTES[4:], "a") == ["a"]


def test_an_answer_that_is_never_completed_is_dropped() -> None:
    given = Input()
    assert given.keys(ATTRIBUTES[:4]) == []
    assert given.passes(1.0) == []
    assert given.keys("2") == ["2"]


def test_an_answer_that_began_before_the_app_is_completed_in_it() -> None:
    given = Input(unread="a" + ATTRIBUTES[:4])
    assert given.passes(0) == ["a"]
    assert given.keys(ATTRIBUTES[4:], "b") == ["b"]


def test_the_escape_key_is_released_after_a_moment() -> None:
    given = Input()
    assert given.keys("\x1b") == []
    assert given.passes(0.09) == []
    given.passes(0.01)  # now Textual has it, and waits for more as always
    assert given.keys("[A") == ["up"]


@pytest.mark.parametrize(
    ("sequence", "key"), [("\x1b[A", "up"), ("\x1b[6~", "pagedown"), ("\x1bOP", "f1")]
)
def test_keys_that_begin_like_an_answer(sequence: str, key: str) -> None:
    assert Input().keys(sequence) == [key]
    assert Input().keys(*sequence) == [key]


def test_later_nothing_is_held_back() -> None:
    given = Input()
    given.now = LATEST
    assert given.keys("\x1b[?62", "\x1b") == [
        "circumflex_accent",
        "left_square_bracket",
        "question_mark",
        "6",
        "2",
    ]


def test_textual_takes_the_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linux_driver, "XTermParser", linux_driver.XTermParser)
    filter_answers("a")
    parser = linux_driver.XTermParser(False)
    assert isinstance(parser, AnswerFilter)
    assert "XTermParser" in linux_driver.LinuxDriver.run_input_thread.__code__.co_names
    assert [message.key for message in parser.tick() if isinstance(message, Key)] == ["a"]


def test_answers_after_the_limit_do_nothing_in_the_app(tmp_path: Path) -> None:
    """As keys, their "?" would open the concepts and "c" the comparison."""
    with Terminal(tmp_path, 80, 24, WORKBENCH, CI="", LC_ALL="C.UTF-8") as terminal:
        terminal.until("No runs yet")
        terminal.types(ALL)
        for byte in ALL:
            terminal.types(byte)
        terminal.types("m")
        drawn = terminal.until("Details")
    assert "Scroll" not in drawn


def test_keys_typed_while_the_app_starts_reach_it(tmp_path: Path) -> None:
    with Terminal(tmp_path, 80, 24, WORKBENCH, CI="", LC_ALL="C.UTF-8") as terminal:
        terminal.until("\x1b_Gi=31")  # the questions are sent, and so keys are no longer echoed
        terminal.types("m" + ATTRIBUTES)
        terminal.until("Details")

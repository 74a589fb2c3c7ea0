"""The question to the terminal: right, wrong, partial, late and no answers; tmux; its mode."""

import array
import fcntl
import os
import pty
import struct
import termios
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pytest
from waiting import GUARD, poll

from workbench.errors import UserError
from workbench.machine import terminal_probe
from workbench.machine.terminal_graphics import Graphics, graphics_in_tmux, has_placeholders
from workbench.machine.terminal_probe import (
    CHOICES,
    QUESTIONS,
    SSH_BYTES,
    VARIABLE,
    TerminalProbe,
)

KITTY = "\x1b_Gi=31;OK\x1b\\"
NAME = "\x1bP>|{}\x1b\\"
CELL = "\x1b[6;18;9t"
COLORS = "\x1b[?1;0;64S"
PLAIN, WITH_SIXEL = "\x1b[?62;22c", "\x1b[?62;4;22c"
USUAL = {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}


@dataclass
class SimulatedTerminal:
    """Both ends of a pseudo-terminal.

    Attributes:
        master: of the terminal.
        slave: of the program in it.
    """

    master: int
    slave: int
    environment: dict[str, str] = field(default_factory=lambda: dict(USUAL))

    def fileno(self) -> int:
        return self.slave

    def probe(self, limit: float = 0.0, **options: object) -> TerminalProbe:
        return TerminalProbe(self.environment, self, self, limit=limit, **options)  # type: ignore[arg-type]

    def answers(self, text: str) -> None:
        """Answer, and wait until the program can read it."""
        os.write(self.master, text.encode())
        count = array.array("i", [0])
        for _ in poll():
            fcntl.ioctl(self.slave, termios.FIONREAD, count)
            if count[0] >= len(text.encode()):
                return

    def asked(self) -> bytes:
        return os.read(self.master, 4096)

    def mode(self) -> list[object]:
        return termios.tcgetattr(self.slave)

    def found(self, text: str, **options: object) -> Graphics:
        """Return what is found after this answer, within the time limit."""
        with self.probe(**options) as probe:
            self.answers(text)
            return probe.graphics()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedTerminal]:
    monkeypatch.setattr(terminal_probe, "_is_ours", os.isatty)  # the tests' own is another
    master, slave = pty.openpty()
    yield SimulatedTerminal(master, slave)
    os.close(master)
    os.close(slave)


@pytest.mark.parametrize(
    ("answers", "protocol"),
    [
        (KITTY + NAME.format("kitty(0.28.0)") + PLAIN, "kitty"),
        (KITTY + NAME.format("kitty(0.27.1)") + PLAIN, "blocks"),  # without placeholders
        (KITTY + NAME.format("ghostty 1.1.3") + PLAIN, "kitty"),
        (KITTY + NAME.format("WezTerm 20240203-110809") + CELL + WITH_SIXEL, "iterm2"),
        (KITTY + NAME.format("Konsole 23.08.1") + CELL + WITH_SIXEL, "sixel"),
        (NAME.format("iTerm2 3.5.0") + WITH_SIXEL, "iterm2"),
        (NAME.format("foot(1.16.2)") + CELL + COLORS + WITH_SIXEL, "sixel"),
        (CELL + WITH_SIXEL, "sixel"),
        (WITH_SIXEL, "blocks"),  # of unknown size
        (CELL + PLAIN, "blocks"),
        (PLAIN, "blocks"),  # mosh
        (NAME.format("tmux 3.5a") + CELL + WITH_SIXEL, "blocks"),  # of another machine
        ("\x1b_Gi=31;ENOTSUPPORTED:no\x1b\\" + NAME.format("kitty(0.35.0)") + PLAIN, "blocks"),
        ("\x1b_Gi=32;OK\x1b\\" + NAME.format("kitty(0.35.0)") + PLAIN, "blocks"),  # to another
        (NAME.format("kitty(0.35.0)") + PLAIN, "blocks"),  # a name alone
        ("\x1b[?64;14;22c" + CELL, "blocks"),  # 14 is not 4
        (NAME.format("x" * 300) + CELL + WITH_SIXEL, "sixel"),
        ("\x1b[6;0;0t" + WITH_SIXEL, "blocks"),
        ("\x1b[6;9999;9999t" + WITH_SIXEL, "blocks"),
    ],
)
def test_what_the_answers_mean(terminal: SimulatedTerminal, answers: str, protocol: str) -> None:
    found = terminal.found(answers)
    assert found.protocol == protocol
    assert found.reason


def test_size_and_colors_are_taken_from_the_answers(terminal: SimulatedTerminal) -> None:
    found = terminal.found(CELL + COLORS + WITH_SIXEL)
    assert (found.cell, found.colors) == ((9, 18), 64)
    assert found.describe().startswith("sixel, 9x18 pixels a cell: ")


def test_size_is_taken_from_the_kernel_where_the_terminal_does_not_say(
    terminal: SimulatedTerminal,
) -> None:
    fcntl.ioctl(terminal.master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 640, 384))
    found = terminal.found(WITH_SIXEL)
    assert (found.protocol, found.cell) == ("sixel", (8, 16))


@pytest.mark.parametrize(
    "answers",
    [
        "",
        KITTY + NAME.format("kitty(0.35.0)"),  # and never the last one
        KITTY + NAME.format("kitty(0.35.0)") + PLAIN[:-1],
        KITTY[:5],
        "hello",
        QUESTIONS.decode(),  # an echo
    ],
)
def test_without_all_answers_in_time_there_are_half_blocks(
    terminal: SimulatedTerminal, answers: str
) -> None:
    with terminal.probe() as probe:
        terminal.answers(answers)
        assert probe.graphics().protocol == "blocks"
        assert probe.silent


def test_the_limit_counts_from_the_questions(terminal: SimulatedTerminal) -> None:
    """Time that imports took meanwhile is not waited for again; answers before it count."""
    now = iter([100.0, *[100.0 + GUARD] * 9])
    with terminal.probe(limit=GUARD, clock=lambda: next(now)) as probe:
        terminal.answers(KITTY)
        assert probe.graphics().protocol == "blocks"
    now = iter([100.0, *[100.0 + GUARD] * 9])
    with terminal.probe(limit=GUARD, clock=lambda: next(now)) as probe:
        terminal.answers(CELL + WITH_SIXEL)
        assert probe.graphics().protocol == "sixel"


def test_answers_may_come_byte_by_byte(terminal: SimulatedTerminal) -> None:
    def answer() -> None:
        assert terminal.asked().startswith(b"\x1b_G")
        for byte in (KITTY + NAME.format("kitty(0.35.0)") + PLAIN).encode():
            os.write(terminal.master, bytes([byte]))

    thread = threading.Thread(target=answer)
    with terminal.probe(limit=GUARD) as probe:
        thread.start()
        assert probe.graphics().protocol == "kitty"
        assert probe.graphics().protocol == "kitty"  # and does not wait again
    thread.join()


def test_keys_that_a_person_typed_meanwhile_are_kept(terminal: SimulatedTerminal) -> None:
    with terminal.probe() as probe:
        terminal.answers("ab" + CELL + "ü" + "\x1b[A" + WITH_SIXEL + "\r")
        assert probe.graphics().protocol == "sixel"
    assert probe.unread == "abü\r"
    assert not probe.silent


def test_an_answer_that_has_begun_stays_unread(terminal: SimulatedTerminal) -> None:
    with terminal.probe() as probe:
        terminal.answers("a" + KITTY + PLAIN[:4])
        assert probe.graphics().protocol == "blocks"
    assert probe.unread == "a" + PLAIN[:4]


def test_the_mode_is_restored(terminal: SimulatedTerminal) -> None:
    before = terminal.mode()
    with terminal.probe() as probe:
        flags = terminal.mode()[3]
        assert isinstance(flags, int)
        assert not flags & (termios.ECHO | termios.ICANON)
        assert flags & termios.ISIG  # Ctrl-C
        probe.graphics()
    assert terminal.mode() == before
    with pytest.raises(KeyboardInterrupt), terminal.probe():
        raise KeyboardInterrupt
    assert terminal.mode() == before


def test_a_terminal_that_goes_away_is_no_error(terminal: SimulatedTerminal) -> None:
    master, slave = pty.openpty()
    gone = SimulatedTerminal(master, slave)
    with gone.probe() as probe:
        os.close(master)
        assert probe.graphics().protocol == "blocks"
    os.close(slave)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"TERM": "dumb"}, "TERM=dumb draws none"),
        ({"TERM": ""}, "TERM= draws none"),
        ({"TERM": "linux"}, "TERM=linux draws none"),
        ({"CI": "true"}, "CI is set"),
        ({"STY": "1.pts"}, "screen draws none"),
        ({"TERM_PROGRAM": "Apple_Terminal"}, "Apple's Terminal draws none"),
    ],
)
def test_some_terminals_are_not_asked(
    terminal: SimulatedTerminal, changes: Mapping[str, str], reason: str
) -> None:
    terminal.environment |= changes
    before = terminal.mode()
    with terminal.probe() as probe:
        assert terminal.mode() == before
        assert probe.graphics() == Graphics(reason=reason)
    assert probe.graphics().describe() == f"half blocks: {reason}"


def test_a_slow_connection_is_not_asked(terminal: SimulatedTerminal) -> None:
    with terminal.probe(low_bandwidth=True) as probe:
        assert probe.graphics() == Graphics(reason="--low-bandwidth")


def test_what_is_no_terminal_is_not_asked() -> None:
    reads, writes = os.pipe()
    ends = os.fdopen(reads, "rb"), os.fdopen(writes, "wb")
    for source, output in (ends, (None, None)):
        with TerminalProbe(USUAL, source, output) as probe:
            assert probe.graphics() == Graphics(reason="not a terminal")
    for end in ends:
        end.close()


def test_a_person_can_choose(terminal: SimulatedTerminal) -> None:
    for choice in CHOICES[1:]:
        terminal.environment[VARIABLE] = f" {choice.upper()} "
        with terminal.probe() as probe:
            assert probe.graphics().protocol == choice
    terminal.environment[VARIABLE] = "auto"
    assert terminal.found(CELL + WITH_SIXEL).protocol == "sixel"


def test_another_choice_is_an_error(terminal: SimulatedTerminal) -> None:
    terminal.environment[VARIABLE] = "regis\x1b[31m"
    with pytest.raises(UserError) as error:
        terminal.probe()
    assert str(error.value) == (
        "WORKBENCH_GRAPHICS is regis\\e[31m, which is no kind of graphics.\n"
        "Use one of auto, kitty, sixel, iterm2, blocks."
    )


def test_over_ssh_pictures_are_limited(terminal: SimulatedTerminal) -> None:
    assert terminal.found(CELL + WITH_SIXEL).max_bytes == 0
    terminal.environment["SSH_CONNECTION"] = "10.0.0.1 50000 10.0.0.2 22"
    assert terminal.found(CELL + WITH_SIXEL).max_bytes == SSH_BYTES


def test_kitty_needs_its_marks_and_colors(terminal: SimulatedTerminal) -> None:
    answers = KITTY + NAME.format("kitty(0.35.0)") + PLAIN
    terminal.environment["NO_COLOR"] = "1"
    assert terminal.found(answers) == Graphics(reason="kitty, but NO_COLOR is set")
    del terminal.environment["NO_COLOR"]
    terminal.environment["LC_ALL"] = "C"
    assert terminal.found(answers) == Graphics(reason="kitty, but the locale is no UTF-8")


def test_iterm2_is_also_known_by_the_variable_that_ssh_carries(terminal: SimulatedTerminal) -> None:
    terminal.environment["LC_TERMINAL"] = "iTerm2"
    assert terminal.found(PLAIN).protocol == "iterm2"


@pytest.mark.parametrize(
    ("facts", "protocol", "reason"),
    [
        ("1\tkitty(0.35.2)\txterm-kitty\tbpaste,RGB,title\n", "kitty", "through tmux to "),
        ("1\t\txterm-ghostty\tRGB\n", "kitty", "through tmux to xterm-ghostty"),
        ("all\tghostty 1.1.3\txterm-256color\tRGB\n", "kitty", "through tmux to ghostty 1.1.3"),
        ("0\tkitty(0.35.2)\txterm-kitty\tRGB\n", "blocks", "tmux: run `tmux set -g allow-pass"),
        ("\tkitty(0.35.2)\txterm-kitty\tRGB\n", "blocks", "tmux: run `tmux set -g allow-pass"),
        ("1\tkitty(0.35.2)\txterm-kitty\ttitle\n", "blocks", "tmux: run `tmux set -as terminal-"),
        ("1\tkitty(0.27.0)\txterm-kitty\tRGB\n", "blocks", "tmux: its own terminal (kitty(0.27"),
        ("1\tiTerm2 3.5\txterm-256color\tRGB\n", "blocks", "tmux: its own terminal (iTerm2 3.5"),
        ("1\t\t\t\n", "blocks", "tmux: its own terminal (?) is no kitty"),
        ("", "blocks", "tmux: run `tmux set -g allow-passthrough on`"),
        ("no server running", "blocks", "tmux: run `tmux set -g allow-passthrough on`"),
    ],
)
def test_what_tmux_lets_through(facts: str, protocol: str, reason: str) -> None:
    found = graphics_in_tmux(facts, USUAL)
    assert found.protocol == protocol
    assert found.reason.startswith(reason)
    assert found.tmux == (protocol == "kitty")


def test_in_tmux_the_terminal_is_not_asked(terminal: SimulatedTerminal) -> None:
    terminal.environment["TMUX"] = "/tmp/tmux-0/default,1,0"
    fcntl.ioctl(terminal.master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 640, 384))
    before = terminal.mode()
    with terminal.probe(ask_tmux=lambda: "1\tkitty(0.35.2)\txterm-kitty\tRGB\n") as probe:
        assert terminal.mode() == before
        found = probe.graphics()
    assert (found.protocol, found.tmux, found.cell) == ("kitty", True, (8, 16))


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("kitty(0.28.0)", True),
        ("kitty(1.0.0)", True),
        ("kitty(0.27.9)", False),
        ("xterm-kitty", True),
        ("Ghostty", True),
        ("WezTerm", False),
        ("", False),
    ],
)
def test_names_of_terminals_with_placeholders(name: str, known: bool) -> None:
    assert has_placeholders(name) is known

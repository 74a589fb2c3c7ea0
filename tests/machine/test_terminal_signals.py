"""Clipboard, notifications and title: what is sent to which terminal, and what is said of it."""

import base64
from collections.abc import Mapping, Sequence

import pytest

from workbench.machine.terminal_signals import (
    copy_text,
    notification,
    restore_title,
    title_sequence,
    understands,
)

OSC_52 = f"\x1b]52;c;{base64.b64encode('/ws/é'.encode()).decode()}\a"
WRAPPED = f"\x1bPtmux;\x1b{OSC_52}\x1b\\"
XTERM = {"TERM": "xterm-256color"}
TMUX = {"TERM": "tmux-256color", "TMUX": "/tmp/tmux-0/default,1,0"}


class FakeTmux:
    """Answers as tmux with some options; None for one that does not answer."""

    def __init__(self, options: Mapping[str, str] | None) -> None:
        self.options = options
        self.buffers: list[tuple[bool, str]] = []

    def __call__(self, arguments: Sequence[str], text: str) -> str | None:
        if self.options is None:
            return None
        if arguments[0] == "load-buffer":
            self.buffers.append(("-w" in arguments, text))
            return ""
        return self.options.get(arguments[-1], "off")


@pytest.mark.parametrize(
    ("environment", "options", "sent", "buffers", "said"),
    [
        (XTERM, None, [OSC_52], [], "Sent to your terminal; whether it took it cannot be seen."),
        ({"TERM": "linux"}, None, [], [], "Not copied: this terminal has no clipboard."),
        ({"TERM": "dumb"}, None, [], [], "Not copied: this terminal has no clipboard."),
        (TMUX, {"set-clipboard": "external"}, [], [(True, "/ws/é")],
         "Handed to tmux, which passes it on if your terminal takes it."),
        (TMUX, {"set-clipboard": "off", "allow-passthrough": "on"}, [WRAPPED], [],
         "Sent through tmux; whether your terminal took it cannot be seen."),
        (TMUX, {"set-clipboard": "off"}, [], [(False, "/ws/é")],
         "In tmux's buffer alone, its set-clipboard is off; prefix ] pastes it."),
        (TMUX, None, [], [], "Not copied: tmux does not answer."),
    ],
)  # fmt: skip
def test_a_text_goes_as_far_as_it_is_allowed(
    environment: Mapping[str, str],
    options: Mapping[str, str] | None,
    sent: list[str],
    buffers: list[tuple[bool, str]],
    said: str,
) -> None:
    written: list[str] = []
    tmux = FakeTmux(options)
    assert copy_text("/ws/é", written.append, environment, tmux) == said
    assert (written, tmux.buffers) == (sent, buffers)


@pytest.mark.parametrize(
    ("environment", "sequence"),
    [
        (XTERM, "\x1b]9;pets-1: finished\a"),
        ({"TERM": "foot"}, "\x1b]777;notify;workbench;pets-1: finished\a"),
        ({**XTERM, "VTE_VERSION": "7000"}, "\x1b]777;notify;workbench;pets-1: finished\a"),
        ({"TERM": "dumb"}, ""),
        ({}, ""),
        (TMUX, ""),
    ],
)
def test_a_notification_has_the_form_that_the_terminal_knows(
    environment: Mapping[str, str], sequence: str
) -> None:
    found = notification("workbench", "pets-1: finished", environment, FakeTmux({}))
    assert found == sequence


def test_tmux_passes_a_notification_on_where_it_may() -> None:
    tmux = FakeTmux({"allow-passthrough": "all"})
    assert notification("w", "x", TMUX, tmux) == "\x1bPtmux;\x1b\x1b]9;x\a\x1b\\"


def test_the_title_is_set_and_restored_only_where_it_is_understood() -> None:
    assert title_sequence("pets-1: training") == "\x1b]2;pets-1: training\x1b\\"
    assert restore_title() == "\x1b]2;\x1b\\\x1b[23;2t"
    assert [understands({"TERM": term}) for term in ("xterm", "linux", "dumb", "")] == [
        True, False, False, False]  # fmt: skip

"""The end of a run: who is notified, and a command whose failure is only reported."""

from pathlib import Path

import pytest

from workbench.app.run_end import RunEnd, run_command, terminal_signals
from workbench.settings import NotificationSettings

END = RunEnd("pets-1", "finished", 60.0, "/ws/saved_models/pets-1")


@pytest.mark.parametrize(("after", "worth"), [(0, True), (60, True), (61, False)])
def test_only_a_run_that_took_long_enough_counts(after: int, worth: bool) -> None:
    assert END.is_worth(NotificationSettings(after=after)) is worth


@pytest.mark.parametrize(
    ("bell", "osc", "sent"),
    [(True, True, "\a\x1b]9;pets-1: finished\a"), (True, False, "\a"), (False, False, "")],
)
def test_bell_and_notification_are_as_set(
    monkeypatch: pytest.MonkeyPatch, bell: bool, osc: bool, sent: str
) -> None:
    for name in ("TMUX", "VTE_VERSION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert terminal_signals(END, NotificationSettings(bell=bell, osc=osc)) == sent
    assert terminal_signals(END, NotificationSettings(bell=bell, osc=osc, after=61)) == ""


def test_a_command_gets_run_and_state(tmp_path: Path) -> None:
    path = tmp_path / "ended"
    command = f'echo "$WORKBENCH_RUN $WORKBENCH_STATE $WORKBENCH_RUN_FOLDER" >> {path}'
    assert run_command(command, END) == ""
    assert path.read_text() == "pets-1 finished /ws/saved_models/pets-1\n"


def test_a_command_that_fails_is_reported_and_its_output_is_made_safe() -> None:
    problem = run_command("printf 'no\\n\\033[31mmail' >&2; exit 3", END)
    assert problem == "The command at the end of pets-1 failed: exit code 3, \\e[31mmail."

"""Dialogs of SLURM jobs: with which profile, and where a run that was a job is resumed."""

from collections.abc import Callable
from functools import partial
from typing import Any

from textual.screen import Screen

from workbench.app.slurm import (
    DEFAULT,
    change_profile,
    choose_profile,
    describe_profile,
    save_profile,
)
from workbench.errors import UserError
from workbench.messages import tr
from workbench.settings import SlurmProfile, read_settings
from workbench.ui.dialogs import PickName, Prompt, show_error

Chosen = Callable[[str, SlurmProfile], None]  # receives the profile's name, "" for none
EXAMPLE = "partition=gpu gres=gpu:1 time=08:00:00"


def ask_profile(screen: Screen[Any], then: Chosen) -> None:
    """Ask which profile a job uses; before there is one, for its settings, which are kept.

    Args:
        screen: in front.
        then: receives name and profile, unless the person cancels.
    """
    profiles = read_settings()[0].slurm
    if not profiles:
        question = tr(
            "The first job here. What to ask SLURM for, such as {example}? Nothing leaves it to "
            "the cluster. It is kept as the profile {default}.",
            example=EXAMPLE,
            default=DEFAULT,
        )
        screen.app.push_screen(Prompt(question, take=_check), partial(_typed, screen, then))
        return
    by_line = {f"{name}  {describe_profile(one)}".rstrip(): name for name, one in profiles.items()}
    likely = next((line for line, name in by_line.items() if name == DEFAULT), None)

    def picked(line: str | None) -> None:
        if line is not None:
            then(by_line[line], profiles[by_line[line]])

    screen.app.push_screen(PickName(tr("Submit with which profile?"), [*by_line], likely), picked)


def _check(line: str) -> str:
    """Return a line of settings, unless it raises a UserError."""
    change_profile(SlurmProfile(), line.split())
    return line


def _typed(screen: Screen[Any], then: Chosen, line: str | None) -> None:
    if line is None:
        return
    try:
        profile = change_profile(SlurmProfile(), line.split())
        if profile != SlurmProfile():
            save_profile(DEFAULT, profile)
        then(*choose_profile(DEFAULT))
    except UserError as error:
        show_error(screen, str(error))

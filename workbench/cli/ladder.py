"""`workbench ladder`: the book's rungs one after the other on a person's own images."""

import json
import textwrap
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from workbench.cli.complete import (
    complete_keys,
    complete_ladders,
    complete_preset_lists,
    complete_sources,
)
from workbench.cli.group import command_line, in_workspace
from workbench.cli.options import finish_environment, on_finish_option
from workbench.cli.runs import STOP_SECONDS, json_option
from workbench.cli.show import accuracy, progress_bar, say, table
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.text import plural

if TYPE_CHECKING:
    from workbench.app.ladder_rows import RungRow
    from workbench.experiment.spec import ExperimentSpec
    from workbench.runs.ladder import Ladder


@click.command()
@click.argument("name", required=False, shell_complete=complete_ladders)
@click.option(
    "--data",
    "source",
    shell_complete=complete_sources,
    metavar="PATH|NAME",
    help="Start a ladder on these images.",
)
@click.option(
    "--presets",
    shell_complete=complete_preset_lists,
    metavar="A,B,...",
    help="Other rungs than the book's, from the lowest up.",
)
@click.option("--base", metavar="NAME", help="Pretrained network of the rungs that have one.")
@click.option("--weights", metavar="imagenet|random|FILE", help="Weights of the base.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    shell_complete=complete_keys,
    metavar="KEY=VALUE",
    help="Change a key in every rung; keys of [base] in those that have one.",
)
@click.option("--detach", is_flag=True, help="With --data or --resume: return at once.")
@click.option("--watch", "watching", is_flag=True, help="Watch a ladder again.")
@click.option("--stop", "stopping", is_flag=True, help="Stop all of it.")
@click.option("--resume", "resuming", is_flag=True, help="Queue again what is not finished.")
@on_finish_option
@json_option
@in_workspace
def ladder(
    workspace: Workspace,
    name: str | None,
    source: str | None,
    presets: str | None,
    base: str | None,
    weights: str | None,
    settings: tuple[str, ...],
    detach: bool,
    watching: bool,
    stopping: bool,
    resuming: bool,
    on_finish: str | None,
    as_json: bool,
) -> None:
    """Climb from a dense network to fine-tuning on your images, one run after the other.

    All runs are queued at once and outlive the terminal; with a name alone, the table so far.

    \b
    workbench ladder --data photos
    workbench ladder photos-ladder-1
    workbench ladder photos-ladder-1 --stop
    """
    from workbench.app.ladder_lead import lead_in_words
    from workbench.app.ladder_rows import read_rows
    from workbench.runs.ladder import find_ladder, list_ladders

    if sum((source is not None, watching, stopping, resuming)) > 1:
        raise UserError("Give one of --data, --watch, --stop and --resume.")
    if source is None and (presets or base or weights or settings):
        raise UserError("--presets, --base, --weights and --set belong to a new ladder: --data.")
    if source is None and name is None:
        known = ", ".join(list_ladders(workspace))
        raise UserError(
            "Give --data for a new ladder, or the name of one.",
            f"There are: {known}" if known else "workbench ladder --data FOLDER",
        )
    if source is not None:
        specs = rung_specs(workspace, source, presets, base, weights, settings)
        chosen = _start_new(workspace, name, specs, on_finish)
    else:
        chosen = find_ladder(workspace, str(name))
    if stopping:
        _stop(workspace, chosen)
    elif resuming:
        _resume(workspace, chosen, on_finish)
    if (source or resuming or watching) and not detach and not as_json:
        _watch(workspace, chosen)
    rows = read_rows(workspace, chosen)
    if as_json:
        told = {"name": chosen.name, "rungs": [asdict(row) for row in rows]}
        click.echo(json.dumps(told, indent=1))
        return
    say(ladder_table(rows, lead_in_words(workspace, rows)))
    if any(row.state not in ("finished", "gone") for row in rows):
        say(f"\nThis table again: {command_line(workspace, 'ladder', chosen.name)}")


def rung_specs(
    workspace: Workspace,
    source: str,
    presets: str | None,
    base: str | None,
    weights: str | None,
    settings: tuple[str, ...],
) -> "list[tuple[str, ExperimentSpec]]":
    """Preset and checked spec of each rung.

    Raises:
        UserError: no such images or preset, or a setting that is not allowed in one of the rungs
            (which is named).
    """
    from workbench.cli.sources import preset_spec
    from workbench.experiment.strategies import LADDER

    names = [name.strip() for name in presets.split(",")] if presets else list(LADDER)
    specs = []
    for preset in names:
        pretrained = _has_base(preset)
        fitting = [s for s in settings if pretrained or not s.startswith("base.")]
        chosen = (base, weights) if pretrained else (None, None)
        try:
            spec = preset_spec(workspace, preset, source, tuple(fitting), None, *chosen)
        except UserError as error:
            raise UserError(f"rung {preset}: {error.message}", error.hint) from None
        specs.append((preset, spec))
    return specs


def _has_base(preset: str) -> bool:
    from workbench.experiment.presets import BOOK_FACTS, PRESETS

    return preset in PRESETS and "base" in PRESETS[preset].build(BOOK_FACTS)


def _start_new(
    workspace: Workspace,
    name: str | None,
    specs: "list[tuple[str, ExperimentSpec]]",
    on_finish: str | None,
) -> "Ladder":
    from workbench.cli.start_run import data_stem
    from workbench.machine.preflight import look_before_ladder
    from workbench.runs.ladder import prepare_ladder, start

    look_before_ladder(specs)
    with progress_bar() as progress:
        data = data_stem(workspace, specs[0][1])
        made = prepare_ladder(workspace, name, data, specs, progress)
    start(workspace, made, finish_environment(on_finish))
    say(f"ladder {made.name}: {plural(len(made.rungs), 'run')} queued", err=True)
    return made


def _resume(workspace: Workspace, chosen: "Ladder", on_finish: str | None) -> None:
    from workbench.machine.preflight import look_before_ladder
    from workbench.runs.ladder import left_elsewhere, specs_left_to_do, start

    look_before_ladder(specs_left_to_do(workspace, chosen))
    queued = start(workspace, chosen, finish_environment(on_finish))
    left = left_elsewhere(workspace, chosen)
    for rung in left:
        again = command_line(workspace, "resume", rung.name, "--queue")
        say(f"note   {rung.name} was last at work {rung.state.told}. If it has ended: {again}")
    if queued or not left:
        say(f"{plural(len(queued), 'run')} queued." if queued else "Nothing is left to do.")


def _stop(workspace: Workspace, chosen: "Ladder") -> None:
    from workbench.machine.quiet_clock import QuietClock
    from workbench.runs.ladder import ask_to_stop
    from workbench.runs.lock import is_locked

    asked = ask_to_stop(workspace, chosen)
    clock = QuietClock()
    while working := [folder.name for folder in asked if is_locked(folder.lock_path)]:
        if clock.read() > STOP_SECONDS:
            raise UserError(f"Asked to stop, but still at work: {', '.join(working)}.")
        time.sleep(0.1)
    if asked:
        again = command_line(workspace, "ladder", chosen.name, "--resume")
        say(f"{plural(len(asked), 'run')} stopped; everything is saved. Go on: {again}")
    else:
        say("None of its runs is at work.")


def _watch(workspace: Workspace, chosen: "Ladder") -> None:
    """Follows the rungs from the lowest up; Ctrl-C ends the watching, never a run."""
    from workbench.cli.follow import watch
    from workbench.runs.ladder import folders
    from workbench.runs.state import ENDED, summarise

    left = [f for f in folders(workspace, chosen) if summarise(f).state.word not in ENDED]
    for number, folder in enumerate(left, start=1):
        say(f"run    {folder.name} ({number} of {len(left)}); Ctrl-C leaves all of them training")
        try:
            kind = watch(workspace, folder, as_json=False, brief=True)
        except UserError as error:  # this rung's own; the others go on
            say(f"{error}\n")
            continue
        if kind == "detached":
            again = command_line(workspace, "ladder", chosen.name)
            say(f"The whole ladder: {again} (also with --watch, --stop)\n", err=True)
            return
        say("")


def ladder_table(rows: "Sequence[RungRow]", lead: str = "") -> str:
    """The rungs side by side with the book's figures, and what has to be said of them.

    Args:
        lead: whether the best rung is ahead of the next one by more than chance; "" for nothing.
    """
    from workbench.app.ladder_rows import figure, notes

    headers = ("rung", "accuracy", "95 % interval", "seconds", "book", "readers")
    cells = [
        (
            row.preset + (" (random)" if row.random_weights else ""),
            row.state if row.accuracy is None else accuracy(row.accuracy),
            f"{row.interval[0]:.3f} to {row.interval[1]:.3f}" if row.interval else "-",
            "-" if row.seconds is None else f"{row.seconds:,.0f}",
            figure(row.book),
            figure(row.readers),
        )
        for row in rows
    ]
    said = [*([lead] if lead else []), *notes(rows), "runs: " + ", ".join(row.run for row in rows)]
    said += [f"{row.run}: {row.detail}" for row in rows if row.state in ("failed", "interrupted")]
    wrapped = [textwrap.fill(note, 79, break_on_hyphens=False) for note in said]
    return "\n".join([table(headers, cells, "lrrrrr"), "", *wrapped])

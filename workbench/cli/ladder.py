"""`workbench ladder`: the book's rungs one after the other on a person's own images."""

import json
import textwrap
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from workbench.cli.complete import (
    complete_keys,
    complete_ladders,
    complete_preset_lists,
    complete_sources,
)
from workbench.cli.group import command_line, in_workspace
from workbench.cli.runs import STOP_SECONDS, json_option
from workbench.cli.show import accuracy, progress_bar, say, table
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.text import plural

if TYPE_CHECKING:
    from workbench.experiment.spec import ExperimentSpec
    from workbench.runs.ladder import Ladder


@dataclass(frozen=True)
class Row:
    """A rung of the table; what is not known is None.

    Attributes:
        state: of the run; "gone" where its folder is.
        split: of the accuracy: test, or validation for want of test images.
        seconds: of work, without the waiting.
        book, readers: accuracies to hold one's own beside (see `experiment.rungs`).
    """

    preset: str
    run: str
    state: str
    detail: str = ""
    split: str | None = None
    accuracy: float | None = None
    interval: tuple[float, float] | None = None
    seconds: float | None = None
    random_weights: bool = False
    book: float | None = None
    readers: float | None = None


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
    as_json: bool,
) -> None:
    """Climb from a dense network to fine-tuning on your images, one run after the other.

    All runs are queued at once and outlive the terminal; with a name alone, the table so far.

    \b
    workbench ladder --data photos
    workbench ladder photos-ladder-1
    workbench ladder photos-ladder-1 --stop
    """
    from workbench.runs.ladder import find_ladder, list_ladders, start

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
        chosen = _start_new(workspace, name, specs)
    else:
        chosen = find_ladder(workspace, str(name))
    if stopping:
        _stop(workspace, chosen)
    elif resuming:
        queued = start(workspace, chosen)
        say(f"{plural(len(queued), 'run')} queued." if queued else "Nothing is left to do.")
    if (source or resuming or watching) and not detach and not as_json:
        _watch(workspace, chosen)
    rows = table_rows(workspace, chosen)
    if as_json:
        told = {"name": chosen.name, "rungs": [asdict(row) for row in rows]}
        click.echo(json.dumps(told, indent=1))
        return
    say(ladder_table(rows))
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
        UserError: no such images or preset, a setting that is not allowed in one of the rungs
            (which is named), or weights that cannot be had.
    """
    from workbench.cli.sources import preset_spec
    from workbench.experiment.rungs import LADDER

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
    _find_weights([spec for _, spec in specs])
    return specs


def _has_base(preset: str) -> bool:
    from workbench.experiment.presets import BOOK_FACTS, PRESETS

    return preset in PRESETS and "base" in PRESETS[preset].build(BOOK_FACTS)


def _find_weights(specs: "list[ExperimentSpec]") -> None:
    """Brings what has to be downloaded now, while someone is there to read what went wrong."""
    from workbench.bases.weights import find_weights

    bases = [(s.base.name, s.data.image_size, s.base.weights) for s in specs if s.base]
    with progress_bar() as progress:
        for name, size, weights in dict.fromkeys(bases):
            find_weights(name, size, weights, progress)


def _start_new(
    workspace: Workspace, name: str | None, specs: "list[tuple[str, ExperimentSpec]]"
) -> "Ladder":
    from workbench.cli.train import data_stem
    from workbench.experiment.toml import dump_spec
    from workbench.runs.ladder import create_ladder, start

    data = data_stem(workspace, specs[0][1])
    texts = [(preset, dump_spec(spec)) for preset, spec in specs]
    made = create_ladder(workspace, name, data, texts)
    start(workspace, made)
    say(f"ladder {made.name}: {plural(len(made.rungs), 'run')} queued", err=True)
    return made


def _stop(workspace: Workspace, chosen: "Ladder") -> None:
    from workbench.runs.ladder import ask_to_stop
    from workbench.runs.lock import is_locked

    asked = ask_to_stop(workspace, chosen)
    deadline = time.monotonic() + STOP_SECONDS
    while working := [folder.name for folder in asked if is_locked(folder.lock_path)]:
        if time.monotonic() > deadline:
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


def table_rows(workspace: Workspace, chosen: "Ladder") -> list[Row]:
    """How the rungs stand."""
    from workbench.experiment.rungs import FIGURES, Figures
    from workbench.runs.compare import load_facts, result
    from workbench.runs.ladder import folders

    there = {folder.name: folder for folder in folders(workspace, chosen)}
    rows = []
    for rung in chosen.rungs:
        said = asdict(FIGURES.get(rung.preset, Figures()))
        if rung.run not in there:
            rows.append(Row(rung.preset, rung.run, "gone", **said))
            continue
        facts = load_facts(there[rung.run])
        figures = result(facts)
        rows.append(
            Row(
                rung.preset,
                rung.run,
                figures.state,
                facts.summary.state.detail,
                figures.split,
                figures.accuracy,
                figures.interval,
                figures.seconds,
                figures.random_weights,
                **said,
            )
        )
    return rows


def ladder_table(rows: list[Row]) -> str:
    """The rungs side by side with the book's figures, and what has to be said of them."""
    from workbench.experiment.rungs import ABOUT_BOOK, ABOUT_READERS

    headers = ("rung", "accuracy", "95 % interval", "seconds", "book", "readers")
    cells = [
        (
            row.preset + (" (random)" if row.random_weights else ""),
            row.state if row.accuracy is None else accuracy(row.accuracy),
            f"{row.interval[0]:.3f} to {row.interval[1]:.3f}" if row.interval else "-",
            "-" if row.seconds is None else f"{row.seconds:,.0f}",
            _said(row.book),
            _said(row.readers),
        )
        for row in rows
    ]
    notes = []
    if any(row.book for row in rows):
        notes.append(ABOUT_BOOK)
    if any(row.readers for row in rows):
        notes.append(ABOUT_READERS)
    if any(row.random_weights for row in rows):
        notes.append("random: the base had random weights, as asked for.")
    if any(row.split == "validation" for row in rows):
        notes.append(
            "There are no test images: accuracies are of the validation images that chose the best "
            "epoch, and so a little high."
        )
    notes.append("runs: " + ", ".join(row.run for row in rows))
    notes += [f"{row.run}: {row.detail}" for row in rows if row.state in ("failed", "interrupted")]
    wrapped = [textwrap.fill(note, 79, break_on_hyphens=False) for note in notes]
    return "\n".join([table(headers, cells, "lrrrrr"), "", *wrapped])


def _said(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:.3f}".rstrip("0").ljust(4, "0")

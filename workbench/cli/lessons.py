"""`workbench learn`: the chapter's claims as small experiments on one's own images."""

import json
import os
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench.cli.complete import complete_sources
from workbench.cli.group import command_line, in_workspace
from workbench.cli.paths import GivenPath
from workbench.cli.runs import json_option
from workbench.cli.show import progress_bar, say
from workbench.errors import UserError
from workbench.paths import Workspace

if TYPE_CHECKING:
    from workbench.lessons.catalogue import Experiment
    from workbench.lessons.results import Results
    from workbench.lessons.variants import Setting

DATA = "digits"
LIST_WIDTH = 79
MOST_WIDTH = 100  # columns of a plot


def _complete_experiments(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from workbench.lessons.catalogue import EXPERIMENTS

    return [name for name in EXPERIMENTS if name.startswith(incomplete)]


@click.command()
@click.argument("name", required=False, shell_complete=_complete_experiments)
@click.option(
    "--data",
    "data",
    shell_complete=complete_sources,
    metavar="PATH|NAME",
    help=f"Images: a path or a catalogue set; else {DATA}.",
)
@click.option("--seeds", metavar="1,2,3", help="Train each network once for each of these.")
@click.option("--weights", metavar="imagenet|random|FILE", help="Weights of the base.")
@click.option(
    "--specs",
    type=GivenPath(new=True),
    metavar="DIR",
    help="Only write the spec of each network there, for `workbench train`.",
)
@click.option("--show", "showing", is_flag=True, help="Only show the last results again.")
@json_option
@in_workspace
def learn(
    workspace: Workspace,
    name: str | None,
    data: str | None,
    seeds: str | None,
    weights: str | None,
    specs: Path | None,
    showing: bool,
    as_json: bool,
) -> None:
    """Try a claim of the chapter: small trainings, a plot, and a conclusion from their figures.

    Without a name, lists the experiments. Where the images show no difference, that is the
    conclusion. Results are kept; --show shows them again.
    """
    if name is None:
        _list(workspace, as_json)
        return
    from workbench.lessons.catalogue import find_experiment

    experiment = find_experiment(name)
    if weights and not experiment.on_base:
        raise UserError(f"--weights has no effect in {name}, which has no base.")
    if specs is not None:
        _write_specs(workspace, experiment, data or DATA, weights, specs)
        return
    if showing:
        results = _last(workspace, experiment, data)
    else:
        results = _run(workspace, experiment, data or DATA, seeds, weights)
    _print(results, as_json)


def _list(workspace: Workspace, as_json: bool) -> None:
    from workbench.lessons.catalogue import EXPERIMENTS
    from workbench.lessons.store import newest_results
    from workbench.text import human_seconds

    kept = {name: newest_results(workspace, name) for name in EXPERIMENTS}
    if as_json:
        rows = [
            {"name": e.name, "title": e.title, "question": e.question, "section": e.section,
             "on_base": e.on_base, "last_seconds": last.seconds if (last := kept[e.name]) else None}
            for e in EXPERIMENTS.values()
        ]  # fmt: skip
        click.echo(json.dumps(rows, indent=1))
        return
    for experiment in EXPERIMENTS.values():
        last = kept[experiment.name]
        took = human_seconds(last.seconds) if last else "not yet"
        start = f"{experiment.name:<14} {experiment.section}  {took:>12}  "
        after = " " * len(start)
        say(textwrap.fill(experiment.question, LIST_WIDTH, initial_indent=start,
                          subsequent_indent=after))  # fmt: skip
    say(f"\nSection of the book, what it took here last, the question.\n"
        f"Try one: {command_line(workspace, 'learn', next(iter(EXPERIMENTS)))}")  # fmt: skip


def _run(
    workspace: Workspace,
    experiment: "Experiment",
    data: str,
    seeds: str | None,
    weights: str | None,
) -> "Results":
    from workbench.app.lessons import perform
    from workbench.lessons.requests import parse_seeds

    chosen = parse_seeds(seeds) if seeds else experiment.seeds
    setting = _setting(workspace, data, weights)
    with progress_bar() as progress:
        return perform(workspace, experiment, setting, data, chosen, progress)


def _setting(workspace: Workspace, data: str, weights: str | None) -> "Setting":
    from workbench.app.lessons import setting_for
    from workbench.bases.weights import IMAGENET, given_weights
    from workbench.cli.sources import find_source

    path = find_source(workspace, data)
    given = given_weights(weights or IMAGENET)
    with progress_bar() as progress:
        return setting_for(path, given, progress)


def _write_specs(
    workspace: Workspace, experiment: "Experiment", data: str, weights: str | None, folder: Path
) -> None:
    from workbench.lessons.requests import write_specs

    variants = experiment.variants(_setting(workspace, data, weights))
    for path in write_specs(folder, experiment, variants):
        say(f"{path}")


def _last(workspace: Workspace, experiment: "Experiment", data: str | None) -> "Results":
    """The kept results; of whatever images came last where none are named.

    Raises:
        UserError: there are none.
    """
    from workbench.cli.sources import find_source
    from workbench.lessons.store import newest_results, read_results, results_path

    if data is None:
        found = newest_results(workspace, experiment.name)
    else:
        path = results_path(workspace, experiment.name, data, find_source(workspace, data))
        found = read_results(path)
    if found is None:
        words = ["learn", experiment.name, *(["--data", data] if data else [])]
        raise UserError(
            f"There are no results of {experiment.name} yet.",
            f"Run it: {command_line(workspace, *words)}",
        )
    return found


def _print(results: "Results", as_json: bool) -> None:
    from workbench.lessons.conclusions import conclude
    from workbench.lessons.store import as_tree

    if as_json:
        found = conclude(results)
        told = {"seen": found.seen, "conclusion": found.lines, **as_tree(results)}
        click.echo(json.dumps(told, indent=1))
        return
    from rich.console import Console

    from workbench.machine.terminal import look_at_terminal
    from workbench.render.lessons import results_text

    console = Console(file=sys.stdout, highlight=False)
    width = min(console.width, MOST_WIDTH)
    utf8 = look_at_terminal(os.environ, sys.stdout).utf8
    console.print(results_text(results, width - 1, utf8), soft_wrap=True)

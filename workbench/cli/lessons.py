"""`workbench lessons`: small experiments on the claims of the chapter, on your images."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench.cli.complete import complete_lessons
from workbench.cli.group import command_line, in_workspace
from workbench.cli.options import (
    PathArgument,
    data_option,
    json_option,
)
from workbench.cli.output import echo, echo_json, progress_bar, terminal
from workbench.errors import UserError
from workbench.messages import tr
from workbench.paths import Workspace

if TYPE_CHECKING:
    from workbench.lessons.lesson import Lesson, LessonResults
    from workbench.lessons.variants import LessonInputs

DATA = "digits"
LIST_WIDTH = 79
MOST_WIDTH = 100  # columns of a plot


@click.command()
@click.argument("name", required=False, shell_complete=complete_lessons)
@data_option(f"Images: a path or a catalogue set. Default: {DATA}.")
@click.option("--seeds", metavar="1,2,3", help="Train each network once per seed.")
@click.option("--weights", metavar="imagenet|random|FILE", help="Weights of the base.")
@click.option(
    "--specs",
    type=PathArgument(new=True),
    metavar="DIR",
    help="Only write the spec of each network there, for `workbench train`.",
)
@click.option("--show", "showing", is_flag=True, help="Only show the last results again.")
@json_option
@in_workspace
def lessons(
    workspace: Workspace,
    name: str | None,
    source: str | None,
    seeds: str | None,
    weights: str | None,
    specs: Path | None,
    showing: bool,
    as_json: bool,
) -> None:
    """Run a lesson: a few small trainings, a plot, and a conclusion from their results.

    Without a name, list the lessons. If the images show no difference, that is the conclusion.
    Results are stored; --show shows them again.
    """
    if name is None:
        _list(workspace, as_json)
        return
    from workbench.lessons.catalogue import find_lesson

    lesson = find_lesson(name)
    if weights and not lesson.needs_base:
        raise UserError(tr("--weights has no effect in {name}, which has no base.", name=name))
    if specs is not None:
        _write_specs(workspace, lesson, source or DATA, weights, specs)
        return
    if showing:
        results = _last(workspace, lesson, source)
    else:
        results = _run(workspace, lesson, source or DATA, seeds, weights)
    _print(results, as_json)


def _list(workspace: Workspace, as_json: bool) -> None:
    from workbench.lessons.catalogue import LESSONS, newest_results
    from workbench.text import cell_width, fill_cells, format_seconds, pad_cells

    kept = {name: newest_results(workspace, name) for name in LESSONS}
    if as_json:
        rows = [
            {
                "name": e.name,
                "title": e.title,
                "question": e.question,
                "section": e.section,
                "on_base": e.needs_base,
                "last_seconds": last.seconds if (last := kept[e.name]) else None,
            }
            for e in LESSONS.values()
        ]
        echo_json(rows)
        return
    for lesson in LESSONS.values():
        last = kept[lesson.name]
        took = format_seconds(last.seconds) if last else tr("not yet")
        start = f"{lesson.name:<14} {lesson.section}  {pad_cells(took, 12, 'r')}  "
        after = " " * cell_width(start)
        echo(fill_cells(lesson.question, LIST_WIDTH, initial_indent=start,
                          subsequent_indent=after))  # fmt: skip
    echo(tr("\n"
"Section of the book, duration of the last run here, question.\n"
"Run one: {command}", command=command_line(workspace, 'lessons', next(iter(LESSONS)))))  # fmt: skip


def _run(
    workspace: Workspace,
    lesson: "Lesson",
    data: str,
    seeds: str | None,
    weights: str | None,
) -> "LessonResults":
    from workbench.app.lessons import run_lesson
    from workbench.lessons.catalogue import parse_seeds

    chosen = parse_seeds(seeds) if seeds else lesson.seeds
    setting = _setting(workspace, data, weights)
    with progress_bar() as progress:
        return run_lesson(workspace, lesson, setting, data, chosen, progress)


def _setting(workspace: Workspace, data: str, weights: str | None) -> "LessonInputs":
    from workbench.app.lessons import lesson_setting
    from workbench.bases.weights import IMAGENET, parse_weights
    from workbench.cli.sources import resolve_source

    path = resolve_source(workspace, data)
    given = parse_weights(weights or IMAGENET)
    with progress_bar() as progress:
        return lesson_setting(path, given, progress)


def _write_specs(
    workspace: Workspace, lesson: "Lesson", data: str, weights: str | None, folder: Path
) -> None:
    from workbench.lessons.catalogue import write_specs

    variants = lesson.variants(_setting(workspace, data, weights))
    for path in write_specs(folder, lesson, variants):
        echo(f"{path}")


def _last(workspace: Workspace, lesson: "Lesson", data: str | None) -> "LessonResults":
    """Return the stored results; the newest on any images if none are named.

    Raises:
        UserError: there are none.
    """
    from workbench.cli.sources import resolve_source
    from workbench.lessons.catalogue import load_results, newest_results, results_path

    if data is None:
        found = newest_results(workspace, lesson.name)
    else:
        path = results_path(workspace, lesson.name, data, resolve_source(workspace, data))
        found = load_results(path)
    if found is None:
        words = ["lessons", lesson.name, *(["--data", data] if data else [])]
        raise UserError(
            tr("There are no results of {lesson_name} yet.", lesson_name=lesson.name),
            tr("Run it: {command}", command=command_line(workspace, *words)),
        )
    return found


def _print(results: "LessonResults", as_json: bool) -> None:
    from workbench.lessons.catalogue import as_tree, conclude

    if as_json:
        found = conclude(results)
        echo_json({"seen": found.seen, "conclusion": found.lines, **as_tree(results)})
        return
    from rich.console import Console

    from workbench.render.lessons import format_lesson_results

    console = Console(file=sys.stdout, highlight=False)
    width = min(console.width, MOST_WIDTH)
    console.print(format_lesson_results(results, width - 1, terminal().utf8), soft_wrap=True)

"""`workbench compare`: runs side by side."""

import json

import click

from workbench.cli.complete import complete_runs
from workbench.cli.group import in_workspace
from workbench.cli.runs import json_option
from workbench.cli.show import say
from workbench.paths import Workspace


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN...", shell_complete=complete_runs)
@json_option
@in_workspace
def compare(workspace: Workspace, runs: tuple[str, ...], as_json: bool) -> None:
    """Hold runs side by side: which settings differ, what was frozen, stages, results."""
    from workbench.app.compare import compare_runs
    from workbench.render.compare import comparison_text

    comparison = compare_runs(workspace, runs)
    if as_json:
        click.echo(json.dumps(comparison.as_dict(), indent=1))
    else:
        say(comparison_text(comparison))

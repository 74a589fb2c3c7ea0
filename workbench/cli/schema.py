"""`workbench schema`: JSON Schemas for those who script the workbench."""

import click

from workbench.cli.options import examples
from workbench.cli.output import echo, echo_json
from workbench.text import table

NAMES = ("spec", "events", "status", "results", "runs")


@click.command(epilog=examples("workbench schema events", "workbench schema spec > spec.json"))
@click.argument("name", type=click.Choice(NAMES), required=False)
def schema(name: str | None) -> None:
    """Print the JSON Schema of a file or an output; without a name, list them."""
    from workbench.app.schema import SCHEMAS, json_schema

    if name:
        echo_json(json_schema(name))
    else:
        echo(table(("schema", "of"), [(key, about) for key, (about, _) in SCHEMAS.items()]))

"""`workbench settings`: a person's own settings, listed and changed."""

from typing import TYPE_CHECKING, Any

import click

from workbench.cli.app import check_key
from workbench.cli.options import examples, json_option
from workbench.cli.output import echo, echo_json
from workbench.errors import UserError
from workbench.messages import tr
from workbench.text import safe_text, table

if TYPE_CHECKING:
    from workbench.settings import Settings


@click.command(
    epilog=examples(
        "workbench settings                        all, with their values",
        "workbench settings theme light",
        "workbench settings notifications.command 'mail -s \"$WORKBENCH_RUN\" me < /dev/null'",
        "workbench settings keys.stop f5",
        "workbench settings --unset theme",
    )
)
@click.argument("key", required=False)
@click.argument("value", required=False)
@click.option("--unset", is_flag=True, help="Remove it from the file: it has its default again.")
@click.option("--path", "show_path", is_flag=True, help="Print the path of the file.")
@json_option
def settings(
    key: str | None, value: str | None, unset: bool, show_path: bool, as_json: bool
) -> None:
    """List your own settings, show one, or change one; the app has a screen for them, key S."""
    from workbench.app.preferences import KEYS, find_place, format_value, save_setting
    from workbench.settings import read_settings, settings_path

    if show_path:
        echo(str(settings_path()))
        return
    if unset and (key is None or value is not None):
        raise UserError(tr("--unset takes the key of a setting alone."))
    if key is not None and (unset or value is not None):
        place = find_place(key)
        if place[0] == KEYS and value is not None:
            check_key(place[1], value)
        save_setting(place, None if unset else value)
        if unset:
            echo(tr("{key} has its default again.", key=safe_text(key)))
        else:
            echo(tr("{key} is saved in {path}.", key=safe_text(key), path=settings_path()))
        return
    found, notes = read_settings()
    for note in notes:
        echo(tr("note   {message}", message=note), err=True)
    rows = _rows(found)
    if key is not None:
        if key not in (KEYS, "hosts", "slurm"):
            find_place(key)  # refuses an unknown one
        rows = [row for row in rows if row["key"] == key or row["key"].startswith(f"{key}.")]
        if len(rows) == 1 and rows[0]["key"] == key and not as_json:
            echo(format_value(rows[0]["value"]))
            return
    if as_json:
        echo_json(rows)
        return
    echo(
        table(
            (tr("setting"), tr("value"), tr("source"), tr("allowed")),
            [
                (row["key"], format_value(row["value"]), row["source"], row["allowed"])
                for row in rows
            ],
            "llll",
        )
    )


def _rows(found: "Settings") -> list[dict[str, Any]]:
    """Return all settings, those of tables only where the file has them."""
    from workbench.app.preferences import list_settings

    rows = []
    for one in list_settings():
        value = one.value_in(found)
        source = tr("default") if value == one.default else tr("file")
        rows.append(
            {"key": one.key, "value": value, "source": source, "allowed": one.allowed,
             "about": one.about}
        )  # fmt: skip
    tree = found.model_dump(exclude_defaults=True)
    for name, keys in tree.get("keys", {}).items():
        rows.append(_row(f"keys.{name}", keys))
    for kind in ("hosts", "slurm"):
        for name, entry in tree.get(kind, {}).items():
            rows += [_row(f"{kind}.{name}.{key}", value) for key, value in entry.items()]
    return rows


def _row(key: str, value: object) -> dict[str, Any]:
    return {"key": key, "value": value, "source": tr("file"), "allowed": "", "about": ""}

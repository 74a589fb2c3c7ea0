"""Write events.md, the page on the event log, from the types of the events.

python docs/write_events.py
"""

import inspect
import re
from pathlib import Path
from typing import get_args

from pydantic import TypeAdapter

from workbench.runs import events
from workbench.runs.events import Event, Known

PAGE = Path(__file__).with_name("events.md")
_FIELD = re.compile(r"^    (\w+): (.+?)(?=^    \w+: |\Z)", re.MULTILINE | re.DOTALL)


def page() -> str:
    """Return the page: what all events have, then each kind with its fields."""
    about = inspect.getdoc(events) or ""
    title, _, rest = about.partition("\n\n")
    parts = [f"# {title.rstrip('.')}", rest, *map(_kind, get_args(Known))]
    return "\n\n".join(parts) + "\n"


def _kind(kind: type[Event]) -> str:
    """Return what a kind of event says, and a table of its fields."""
    text, _, fields = (inspect.getdoc(kind) or "").partition("\n\nAttributes:\n")
    properties = TypeAdapter(kind).json_schema()["properties"]
    rows = [
        f"| `{name}` | {_type(properties[name])} | {' '.join(about.split())} |"
        for name, about in _FIELD.findall(fields)
    ]
    table = ["| field | type | |", "|---|---|---|", *rows]
    return "\n".join([f"## {properties['event']['const']}", "", text, "", *table])


def _type(schema: dict[str, object]) -> str:
    """Name a type in JSON."""
    if "anyOf" in schema:
        return " or ".join(_type(part) for part in schema["anyOf"])  # type: ignore[attr-defined]
    if schema.get("type") == "array" and "items" in schema:
        return f"list of {_type(schema['items'])}"  # type: ignore[arg-type]
    return str(schema.get("type", "object"))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

"""The keys of a spec and what each allows, and errors that say so."""

import difflib
from functools import cache
from typing import Any

from pydantic_core import ErrorDetails

from workbench.experiment.spec import ExperimentSpec
from workbench.messages import tr
from workbench.text import format_choices, safe_text

Tree = dict[str, Any]
LONG_NUMBER = tr("a number of thousands of digits")


def field_at(location: tuple[str, ...]) -> Tree | None:
    """Return the JSON schema of a key such as ("training", "batch_size"); None if unknown."""
    schema = _schema()
    here = schema
    for name in location:
        here = _resolve(schema, here)
        if name not in here.get("properties", {}):
            return None
        here = here["properties"][name]
    return _resolve(schema, here)


@cache
def _schema() -> Tree:
    return ExperimentSpec.model_json_schema()


def keys() -> list[str]:
    """Return every key that can be set: "name", "data.source", "data.split.train", ..."""
    found: list[str] = []

    def collect(here: tuple[str, ...]) -> None:
        inner = (field_at(here) or {}).get("properties")
        if inner is None:
            found.append(".".join(here))
        for name in inner or {}:
            collect((*here, name))

    collect(())
    return found


def describe_error(detail: ErrorDetails) -> str:
    """Return what is wrong at a key: the value received, and what is allowed."""
    location = tuple(str(part) for part in detail["loc"])
    key = _known_part(location)
    name = ".".join(key) or "spec"
    if detail["type"] == "extra_forbidden":
        return _unknown_key(location)
    if detail["type"] == "missing":
        allowed = _allowed(field_at(location) or {})
        return tr(
            "{location}: missing; needed: {allowed}", location=".".join(location), allowed=allowed
        )
    if detail["type"] == "value_error":
        message = str(detail["ctx"]["error"])
        return f"{name}: {message}." if key else f"{message}."
    received = _received(detail["input"])
    if detail["type"] == "string_unicode":
        return tr(
            "{name}: received {received}; a spec is UTF-8 text and cannot hold it; rename it.",
            name=name,
            received=received,
        )
    position = location[len(key) :]
    entry = next((int(p) + 1 for p in position if p.isdecimal()), 0)
    if entry:
        received = tr("{received} (entry {entry})", received=received, entry=entry)
    return tr(
        "{name}: received {received}; allowed: {allowed}.",
        name=name,
        received=received,
        allowed=_allowed(field_at(key) or {}),
    )


def _received(value: Any) -> str:
    try:
        return safe_text(repr(value))
    except ValueError:  # beyond Python's limit of digits
        return LONG_NUMBER


def _unknown_key(location: tuple[str, ...]) -> str:
    parent = field_at(location[:-1]) or {}
    known = list(parent.get("properties", {}))
    close = difflib.get_close_matches(location[-1], known, n=1) or _elsewhere(location[-1])
    guess = " " + tr("Did you mean {close}?", close=repr(close[0])) if close else ""
    at, listed = safe_text(".".join(location)), ", ".join(known)
    if location[:-1]:
        return tr(
            "{location}: unknown key.{guess} Allowed in {table}: {known}.",
            location=at,
            guess=guess,
            table=f"[{'.'.join(location[:-1])}]",
            known=listed,
        )
    return tr(
        "{location}: unknown key.{guess} Allowed at the top: {known}.",
        location=at,
        guess=guess,
        known=listed,
    )


def _elsewhere(name: str) -> list[str]:
    """Return keys of this or a similar name in the tables: "training.epochs" for "epoch"."""
    tables = (field_at(()) or {}).get("properties", {})
    keys = [
        (table, key) for table in tables for key in (field_at((table,)) or {}).get("properties", {})
    ]
    close = difflib.get_close_matches(name, [key for _, key in keys], n=1)
    return [f"{table}.{key}" for table, key in keys if key in close]


def _known_part(location: tuple[str, ...]) -> tuple[str, ...]:
    """Return the leading part of a pydantic location that consists of keys of the spec."""
    key: tuple[str, ...] = ()
    for part in location:
        if field_at((*key, part)) is None:
            break
        key = (*key, part)
    return key


def _resolve(schema: Tree, node: Tree) -> Tree:
    """Follow references, also of an optional table."""
    tables = [choice for choice in node.get("anyOf", []) if "$ref" in choice]
    if len(tables) == 1:
        node = tables[0]
    while "$ref" in node:
        node = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    return node


def _allowed(field: Tree) -> str:
    """Return the allowed values of a field as text, from its JSON schema."""
    if "allowed" in field:
        return str(field["allowed"])
    if "const" in field:
        return repr(field["const"])
    if "enum" in field:
        return format_choices([repr(choice) for choice in field["enum"]])
    if "anyOf" in field:
        choices = [_allowed(f) for f in field["anyOf"] if f.get("type") != "null"]
        return tr(" or ").join(choices)
    kind = field.get("type")
    if kind in ("integer", "number"):
        noun = tr("a whole number") if kind == "integer" else tr("a number")
        return _bounded(noun, field)
    if kind == "boolean":
        return tr("true or false")
    if kind == "array":
        return _allowed_list(field)
    if kind == "string":
        return tr("text")
    return tr("a table of keys: ") + ", ".join(field.get("properties", {}))


def _allowed_list(field: Tree) -> str:
    if "prefixItems" in field:
        entries = field["prefixItems"]
        return tr(
            "a list of {entries_count}, each {allowed}",
            entries_count=len(entries),
            allowed=_allowed(entries[0]),
        )
    allowed = _allowed(field.get("items", {}))
    if "maxItems" in field:
        return tr(
            "a list of at most {most}, each {allowed}", most=field["maxItems"], allowed=allowed
        )
    return tr("a list, each {allowed}", allowed=allowed)


def _bounded(noun: str, field: Tree) -> str:
    """Return "a number above 0 and at most 10" of a noun and the bounds of a field."""
    low, above = field.get("minimum"), field.get("exclusiveMinimum")
    high = field.get("maximum")
    if above is not None and high is not None:
        return tr("{noun} above {above:g} and at most {high:,}", noun=noun, above=above, high=high)
    if above is not None:
        return tr("{noun} above {above:g}", noun=noun, above=above)
    if low is not None and high is not None:
        return tr("{noun} from {low:,} to {high:,}", noun=noun, low=low, high=high)
    return noun

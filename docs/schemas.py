"""The pages of what has values: spec, presets, settings, events and status.

Each follows from the classes of the code, with their descriptions and docstrings.
"""

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin, get_type_hints

import tomli_w
from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from workbench.experiment.presets import PRESETS
from workbench.experiment.spec import ExperimentSpec
from workbench.runs import events
from workbench.runs.event_log import StatusWriter
from workbench.runs.events import Event, Interrupted, Known
from workbench.settings import Settings

_FIELD = re.compile(r"^    (\w+): (.+?)(?=^    \w+: |\Z)", re.MULTILINE | re.DOTALL)

_OF_EVERY_EVENT = frozenset(TypeAdapter(Event).json_schema()["properties"])


def table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a table in Markdown."""
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


# --- spec and settings ------------------------------------------------------------------------


def models(model: type[BaseModel], place: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield a model and the models below it with their dotted names."""
    yield place, model
    for name, field in model.model_fields.items():
        named = f"{place}.{name}".lstrip(".")
        if get_origin(field.annotation) in (dict, Mapping):
            named += ".NAME"
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from models(kind, named)


def _is_model(kind: Any) -> bool:
    kinds = (kind, *get_args(kind))
    return any(isinstance(one, type) and issubclass(one, BaseModel) for one in kinds)


def spec_page() -> str:
    """Return the page of the spec's keys: type, range, default, and what each is for."""
    parts = [
        "# The spec",
        "An experiment is a `spec.toml`. `workbench presets NAME --data FOLDER > spec.toml` "
        "writes one with every value visible; `--set KEY=VALUE` reaches every key. An unknown "
        "key, a wrong type and a value out of range are refused before anything runs.",
    ]
    for place, model in models(ExperimentSpec):
        rows = _rows(model, place)
        if rows:
            about = inspect.cleandoc(model.__doc__ or "").partition("\n\nAttributes:")[0]
            parts += [f"## [{place}]" if place else "## Top level", about]
            parts.append(table(("key", "value", "default", ""), rows))
    return "\n\n".join(parts) + "\n"


def _rows(model: type[BaseModel], place: str) -> list[tuple[str, ...]]:
    properties = model.model_json_schema(mode="validation").get("properties", {})
    definitions = model.model_json_schema().get("$defs", {})
    rows = []
    for name, field in model.model_fields.items():
        if _is_model(field.annotation):
            continue
        key = f"{place}.{name}".lstrip(".")
        schema = properties.get(name, {})
        values = _values(schema, definitions).removesuffix(" or null")
        rows.append((f"`{key}`", values, _default(field), field.description or ""))
    return rows


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    return "left out" if value is None else f"`{_toml(value)}`"


def _toml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)  # as TOML writes what the defaults are


def _values(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    """Return which values a JSON schema allows."""
    if "$ref" in schema:
        return _values(definitions.get(schema["$ref"].rsplit("/", 1)[-1], {}), definitions)
    if "enum" in schema:
        return ", ".join(f"`{_toml(one)}`" for one in schema["enum"])
    if "const" in schema:
        return f"`{_toml(schema['const'])}`"
    if "anyOf" in schema:
        return " or ".join(_values(one, definitions) for one in schema["anyOf"])
    if schema.get("type") == "array":
        inner = schema.get("items") or (schema.get("prefixItems") or [{}])[0]
        low, high = schema.get("minItems"), schema.get("maxItems")
        count = f"{low}, each " if low == high and low else f"up to {high}, each " if high else ""
        return f"list of {count}{_values(inner, definitions)}"
    text = str(schema.get("type", "table"))
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is not None or high is not None:
        above = "above " if "exclusiveMinimum" in schema else ""
        below = "below " if "exclusiveMaximum" in schema else ""
        least = f"{above}{low:,}" if low is not None else "at most"
        most = f"{below}{high:,}" if high is not None else "or more"
        text += f" {least} {'' if None in (low, high) else 'to '}{most}"
    return text


def presets_page() -> str:
    """Return the page of the presets: what each is, when to choose it, what to expect."""
    title = "# Presets"
    about, fitted, replaced = (
        "A preset is a whole experiment, fitted to the images. `workbench presets NAME --data "
        "FOLDER` writes it as a spec; `--set KEY=VALUE` changes it, and other values follow. "
        "Why these: [](../explanation/strategies.md).",
        "`fitted` values are chosen for the images; `book` is the book's split, or its proportions "
        "where there are fewer images; `top` is the upper blocks of the base.",
        "Where the images are grey, instead:",
    )
    parts = [title, about, fitted]
    for name, preset in sorted(PRESETS.items(), key=lambda item: item[1].order):
        parts += [f"## {name}", f"{_sentence(preset.title)} {preset.does} {preset.choose}"]
        parts.append(f"Accuracy to expect: {preset.expect}.")
        parts.append(f"```toml\n{tomli_w.dumps(preset.spec).strip()}\n```")
        if preset.grey:
            parts += [replaced, f"```toml\n{tomli_w.dumps(preset.grey).strip()}\n```"]
    return "\n\n".join(parts) + "\n"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def settings_page() -> str:
    """Return the page of the settings: key, values, default."""
    parts = [
        "# Settings",
        "A person's own settings, in `~/.config/workbench/settings.toml` (`XDG_CONFIG_HOME` "
        "moves the folder). One that is not valid is named and ignored. How to change them: "
        "[](../how-to/settings.md).",
    ]
    for place, model in models(Settings):
        about = inspect.getdoc(model) or ""
        text, _, fields = about.partition("\n\nAttributes:\n")
        described = {n: " ".join(a.split()) for n, a in _FIELD.findall(fields)}
        rows = [
            (key, kind, default, own or described.get(key.strip("`").rsplit(".", 1)[-1], ""))
            for key, kind, default, own in _rows(model, place)
        ]
        parts += [f"## [{place}]" if place else "## Top level", text]
        if rows:
            parts.append(table(("key", "value", "default", ""), rows))
    return "\n\n".join(parts) + "\n"


# --- events -----------------------------------------------------------------------------------


def events_page() -> str:
    """Return the page of the event log: each kind with its fields, their objects, the status."""
    title, _, rest = (inspect.getdoc(events) or "").partition("\n\n")
    objects: dict[str, dict[str, Any]] = {}
    title, _, about = title.partition(": ")
    parts = [f"# {title}", f"{about[:1].upper()}{about[1:].rstrip('.')}.", rest]
    for kind in (*get_args(Known), Interrupted):
        schema = TypeAdapter(kind).json_schema()
        objects |= schema.get("$defs", {})
        name = schema["properties"]["event"]["const"]
        parts += [f"## {name}", *_fields(kind, schema)]
    parts += ["## Objects", "What fields of events hold."]
    for name, schema in sorted(objects.items()):
        parts += [f"### {name}", *_fields(getattr(events, name), schema)]
    parts += [
        "## status.json",
        "What matters only while it is new: `v`, and the newest event of each of these kinds under "
        "its name. The file is replaced as a whole, at most twice a second.",
        "\n".join(f"- [{name}](#{name.replace('_', '-')})" for name in status_kinds()),
    ]
    return "\n\n".join(parts) + "\n"


def status_kinds() -> list[str]:
    """Return the kinds of events that `status.json` holds."""
    kept = get_args(get_type_hints(StatusWriter.update)["event"])
    return [kind.event for kind in get_args(Known) if issubclass(kind, kept)]


def _fields(kind: type[Any], schema: dict[str, Any]) -> list[str]:
    """Return what a class says, and a table of its fields."""
    text, _, fields = (inspect.getdoc(kind) or "").partition("\n\nAttributes:\n")
    about = dict(_FIELD.findall(fields))
    rows = [
        (f"`{name}`", _type(one), about.get(name, ""))
        for name, one in schema["properties"].items()
        if name not in _OF_EVERY_EVENT
    ]
    return [text, *([table(("field", "type", ""), rows)] if rows else [])]


def _type(schema: dict[str, Any]) -> str:
    """Name a type in JSON."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type(part) for part in schema["anyOf"])
    if schema.get("type") == "array" and "items" in schema:
        return f"list of {_type(schema['items'])}"
    return str(schema.get("type", "object"))

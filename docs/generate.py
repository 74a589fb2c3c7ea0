"""Write the pages that follow from the code: commands, spec, presets, events, settings, keys.

`docs/conf.py` calls `write_pages` before each build; the pages are not committed.
"""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import click
from pydantic import BaseModel, TypeAdapter
from textual.binding import Binding

from workbench import ui
from workbench.cli import workbench
from workbench.content.concepts import CONCEPTS
from workbench.experiment.spec import ExperimentSpec
from workbench.runs import events
from workbench.runs.events import Event, Known
from workbench.settings import Settings
from workbench.ui.app import WorkbenchApp
from workbench.ui.routes import ROUTES

_FIELD = re.compile(r"^    (\w+): (.+?)(?=^    \w+: |\Z)", re.MULTILINE | re.DOTALL)


def write_pages(folder: Path) -> None:
    """Write every generated page below the folder of the documentation."""
    pages = {f"reference/{name}.md": page() for name, page in REFERENCE.items()}
    groups: dict[str, list[str]] = {}
    for name, concept in CONCEPTS.items():
        groups.setdefault(concept.group, []).append(name)
        pages[f"explanation/concepts/{name}.md"] = concept_page(name)
    pages["explanation/concepts/index.md"] = concepts_index(groups)
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text("utf-8") != text:  # else Sphinx reads it again
            path.write_text(text, encoding="utf-8")


def table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a table in Markdown."""
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


# --- commands ---------------------------------------------------------------------------------


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command with its whole name."""
    yield "workbench", workbench
    yield from _below("workbench", workbench)


def _below(name: str, group: click.Group) -> Iterator[tuple[str, click.Command]]:
    for command in group.commands.values():
        whole = f"{name} {command.name}"
        yield whole, command
        if isinstance(command, click.Group):
            yield from _below(whole, command)


def commands_page() -> str:
    """Return the page of all commands: usage, what each does, options, examples."""
    parts = [
        "# Commands",
        "What `workbench COMMAND --help` prints. Every command ends with one of the "
        "[exit codes](exit-codes.md).",
    ]
    parts += [_command(name, command) for name, command in commands()]
    return "\n\n".join(parts) + "\n"


def _command(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    about = inspect.cleandoc(command.help or "").replace("\b\n", "")
    rows = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record:
            rows.append((f"`{record[0]}`", record[1].replace("<", "&lt;").replace("*", "\\*")))
    parts = [f"## {name}", f"```text\n{usage}\n```", about.replace("<", "&lt;")]
    if rows:
        parts.append(table(("option", ""), rows))
    if command.epilog:
        text = inspect.cleandoc(command.epilog.replace("\b", "")).strip("\n")
        parts.append(f"```text\n{text}\n```")
    return "\n\n".join(parts)


# --- spec and settings ------------------------------------------------------------------------


def models(model: type[BaseModel], place: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield a model and the models below it with their dotted names."""
    yield place, model
    for name, field in model.model_fields.items():
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from models(kind, f"{place}.{name}".lstrip("."))


def spec_keys(model: type[BaseModel] = ExperimentSpec) -> list[str]:
    """Return every key of a spec: "training.epochs"."""
    return [
        f"{place}.{name}".lstrip(".")
        for place, one in models(model)
        for name, field in one.model_fields.items()
        if not _is_model(field.annotation)
    ]


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
        default = "required" if field.is_required() else f"`{_toml(field.get_default())}`"
        if field.default_factory is not None:
            default = ""
        key = f"{place}.{name}".lstrip(".")
        schema = properties.get(name, {})
        rows.append((f"`{key}`", _values(schema, definitions), default, field.description or ""))
    return rows


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    return str(list(value) if isinstance(value, tuple) else value)


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
        return f"list of {_values(inner, definitions)}"
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
    """Return the page of the event log: what all events have, then each kind with its fields."""
    title, _, rest = (inspect.getdoc(events) or "").partition("\n\n")
    parts = [f"# {title.rstrip('.')}", rest, *map(_event, get_args(Known))]
    return "\n\n".join(parts) + "\n"


def _event(kind: type[Event]) -> str:
    """Return what a kind of event says, and a table of its fields."""
    text, _, fields = (inspect.getdoc(kind) or "").partition("\n\nAttributes:\n")
    properties = TypeAdapter(kind).json_schema()["properties"]
    rows = [(f"`{name}`", _type(properties[name]), about) for name, about in _FIELD.findall(fields)]
    return f"## {properties['event']['const']}\n\n{text}\n\n" + table(("field", "type", ""), rows)


def _type(schema: dict[str, Any]) -> str:
    """Name a type in JSON."""
    if "anyOf" in schema:
        return " or ".join(_type(part) for part in schema["anyOf"])
    if schema.get("type") == "array" and "items" in schema:
        return f"list of {_type(schema['items'])}"
    return str(schema.get("type", "object"))


# --- keys -------------------------------------------------------------------------------------


def screens() -> dict[str, list[Binding]]:
    """Return the bindings of the app and of every screen that has a name."""
    for module in pkgutil.walk_packages(ui.__path__, f"{ui.__name__}."):
        importlib.import_module(module.name)
    found = {"everywhere": _bindings(WorkbenchApp)}
    for route, path in sorted(ROUTES.items()):
        by_key: dict[str, Binding] = {}
        for owner in _own(pkgutil.resolve_name(path)):
            for one in _bindings(owner):
                by_key.setdefault(one.key, one)  # a screen's own takes the place of an inherited
        found[route] = list(by_key.values())
    return found


def _own(screen: type[Any]) -> list[type[Any]]:
    return [one for one in screen.__mro__ if one.__module__.startswith(f"{ui.__name__}.")]


def _bindings(owner: type[Any]) -> list[Binding]:
    listed = owner.__dict__.get("BINDINGS", ())
    return [one if isinstance(one, Binding) else Binding(*one) for one in listed]


def keys_page() -> str:
    """Return the page of keys, screen by screen."""
    parts = [
        "# Keys",
        "One key has one meaning in the whole app. The line at the bottom of a screen shows those "
        "that do something now; `ctrl+p` finds every action by its name. How to change a key: "
        "[](../how-to/keys.md).",
    ]
    for name, bindings in screens().items():
        rows = []
        for one in bindings:
            about = one.description or one.tooltip or one.action
            keys = ", ".join(f"`{one.key_display or key}`" for key in one.key.split(","))
            tooltip = one.tooltip if one.description else ""
            rows.append((keys, about, tooltip or "", f"`{one.id}`" if one.id else ""))
        if rows:
            parts += [f"## {name}", table(("key", "", "", "id"), rows)]
    return "\n\n".join(parts) + "\n"


# --- concepts ---------------------------------------------------------------------------------


def concept_page(name: str) -> str:
    """Return a concept as `?` shows it, with links to its neighbours."""
    concept = CONCEPTS[name]
    related = ", ".join(f"[{CONCEPTS[one].title}]({one}.md)" for one in concept.related)
    return (
        f"# {concept.title}\n\n{concept.text}\n\n```text\n{concept.picture}\n```\n\n"
        f"See also: {related}\n"
    )


def concepts_index(groups: dict[str, list[str]]) -> str:
    """Return the list of all concepts."""
    parts = ["# Concepts", "What `?` explains on each screen of the app."]
    for group, names in groups.items():
        listed = "\n".join(names)
        parts.append(f"## {group.capitalize()}\n\n```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```")
    return "\n\n".join(parts) + "\n"


REFERENCE = {
    "commands": commands_page,
    "spec": spec_page,
    "events": events_page,
    "settings": settings_page,
    "keys": keys_page,
}

"""Specs from and to TOML; errors name the file, the key, the value received and what is allowed."""

import copy
import difflib
import os
import re
import stat
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from workbench.errors import UserError
from workbench.experiment.linear_probe import LAYERS, STEPS_ONLY, STREAMED
from workbench.experiment.optimizers import OPTIMIZERS, OPTION_KEYS
from workbench.experiment.sections import FINE_TUNING_KEYS
from workbench.experiment.spec import ExperimentSpec
from workbench.files import decode_toml, nonblocking_opener
from workbench.messages import tr
from workbench.text import format_choices, safe_text
from workbench.words import reason_of

Tree = dict[str, Any]

# A spec with every value visible has 3 kB; a chain of dotted keys costs its length squared.
MAX_BYTES = 32 * 1024
MAX_LEVELS = 16  # of nested tables and lists; a spec needs four
MAX_ERRORS = 20  # listed one by one
_TOO_DEEP = tr("its tables or lists are nested more than {max_levels} deep", max_levels=MAX_LEVELS)
_LONG_NUMBER = tr("a number of thousands of digits")


def read_spec(path: Path) -> ExperimentSpec:
    """Read the spec in a file.

    Raises:
        UserError: no such file, not TOML, or a key that is unknown or out of range.
    """
    return parse_spec(read_tree(path), str(path))


def read_tree(path: Path) -> Tree:
    """Read the tables of a TOML file without validation.

    Raises:
        UserError: the file is missing, not a regular file, far too large, or not TOML.
    """
    try:
        tree = tomllib.loads(decode_toml(_content(path), path))
    except OSError as error:
        reason = reason_of(error)
        raise UserError(
            tr("Cannot read the spec {path}: {reason}.", path=safe_text(path), reason=reason)
        ) from None
    except UnicodeDecodeError:
        raise UserError(
            tr("{path} is not TOML: it is not UTF-8 text.", path=safe_text(path))
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(
            tr("{path} is not TOML: {error}.", path=safe_text(path), error=safe_text(error))
        ) from None
    except RecursionError:
        raise UserError(
            tr("{path} is not a spec: {too_deep}.", path=safe_text(path), too_deep=_TOO_DEEP)
        ) from None
    except ValueError:  # beyond Python's limit of digits
        raise UserError(
            tr(
                "{path} is not a spec: it holds {long_number}.",
                path=safe_text(path),
                long_number=_LONG_NUMBER,
            )
        ) from None
    _refuse_depth(tree, str(path))
    return tree


def _content(path: Path) -> bytes:
    """Return the content of a small regular file; reading a pipe or a device could block."""
    with open(path, "rb", opener=nonblocking_opener) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise UserError(
                tr("{path} is not a spec: it is not a regular file.", path=safe_text(path))
            )
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        size = f"{MAX_BYTES // 1024} KiB"
        raise UserError(
            tr("{path} is not a spec: it is larger than {size}.", path=safe_text(path), size=size)
        )
    return content


def parse_spec(tree: Tree, where: str) -> ExperimentSpec:
    """Validate tables as a spec.

    Args:
        tree: the tables.
        where: name of their source, for the message.

    Raises:
        UserError: one line for each key that is unknown, of the wrong type or out of range.
    """
    _refuse_depth(tree, where)
    try:
        return ExperimentSpec.model_validate(_lists_to_tuples(tree))
    except ValidationError as error:
        details = error.errors()
        lines = list(dict.fromkeys(_describe_error(detail) for detail in details[:MAX_ERRORS]))
        if len(details) > MAX_ERRORS:
            lines.append(
                tr("and {details_count:,} more errors.", details_count=len(details) - MAX_ERRORS)
            )
        raise UserError("\n".join(f"{safe_text(where)}: {line}" for line in lines)) from None


def dump_spec(spec: ExperimentSpec) -> str:
    """Return the spec as TOML: every value that has an effect, defaults included."""
    return _short_lists_on_one_line(tomli_w.dumps(spec_tree(spec)))


def spec_tree(spec: ExperimentSpec) -> Tree:
    """Return the spec as plain tables: every value that has an effect, defaults included."""
    tree = spec.model_dump(mode="json", exclude_none=True)
    if spec.model.strategy != "convnet":
        for key in ("filters", "kernel_size", "padding", "stride", "pooling"):
            del tree["model"][key]
    if not spec.model.pretrained:
        del tree["model"]["head"]
    for key in _idle_training(spec):
        del tree["training"][key]
    if spec.base and spec.model.strategy != "fine-tuning":
        for key in ("trainable", "batch_norm"):
            del tree["base"][key]
    if spec.model.strategy != "linear-probe":
        del tree["probe"]
    else:
        del tree["augmentation"]
        for table, names in (("model", LAYERS), ("base", STREAMED), ("training", STEPS_ONLY)):
            for key in names:
                tree[table].pop(key, None)
    return tree


def _idle_training(spec: ExperimentSpec) -> set[str]:
    """Return the keys of `training` that have no effect in a spec."""
    training = spec.training
    idle = set(OPTION_KEYS) - set(OPTIMIZERS[training.optimizer].options)
    if spec.model.strategy != "fine-tuning":
        idle |= set(FINE_TUNING_KEYS)
    if training.unfreeze == "at once":
        idle.add("unfreeze_epochs")
    if training.head_start == "solved":
        idle |= {"head_epochs", "head_learning_rate"}
    if spec.model.strategy not in ("feature-extraction", "fine-tuning"):
        idle.add("head_start")
    return idle


def flat(tree: Tree, above: str = "") -> Tree:
    """Return the values of tables by dotted key: "training.epochs"."""
    found: Tree = {}
    for key, value in tree.items():
        name = f"{above}{key}"
        found |= flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return found


def apply_settings(tree: Tree, settings: tuple[str, ...]) -> Tree:
    """Return the tables with each `key.path=value` of the command line applied.

    A value is read as TOML (`32`, `0.5`, `true`, `[32, 64]`), or as plain text if it is not TOML.

    Raises:
        UserError: a setting without `=`, or a path through a value that is not a table.
    """
    changed = copy.deepcopy(tree)
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key.strip():
            raise UserError(
                tr(
                    '--set {setting}: expected KEY=VALUE, such as "training.batch_size=32".',
                    setting=safe_text(setting),
                )
            )
        *tables, last = key.strip().split(".")
        target = changed
        for table in tables:
            target = target.setdefault(table, {})
            if not isinstance(target, dict):
                raise UserError(
                    tr(
                        "--set {setting}: {table} is not a table.",
                        setting=safe_text(setting),
                        table=safe_text(table),
                    )
                )
        target[last] = _toml_value(text.strip())
    return changed


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


def _describe_error(detail: ErrorDetails) -> str:
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
        return _LONG_NUMBER


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
    """Return keys of this name in the tables of the spec: "training.epochs" for "epochs"."""
    tables = (field_at(()) or {}).get("properties", {})
    return [f"{table}.{name}" for table in tables if field_at((table, name)) is not None]


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


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text


def _short_lists_on_one_line(text: str) -> str:
    def joined(match: re.Match[str]) -> str:
        entries = [line.strip() for line in match[1].splitlines()]
        return f"[{' '.join(entries).rstrip(',')}]"

    return re.sub(r"(?m)(?<= = )\[\n((?:    [^\n]*,\n)+)\]$", joined, text)


def _refuse_depth(value: Any, where: str, levels: int = MAX_LEVELS) -> None:
    if isinstance(value, dict | list):
        if not levels:
            raise UserError(
                tr("{where} is not a spec: {too_deep}.", where=safe_text(where), too_deep=_TOO_DEEP)
            )
        for inner in value.values() if isinstance(value, dict) else value:
            _refuse_depth(inner, where, levels - 1)


def _lists_to_tuples(value: Any) -> Any:
    """Convert TOML's lists to the tuples of the strict spec."""
    if isinstance(value, dict):
        return {key: _lists_to_tuples(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return tuple(_lists_to_tuples(inner) for inner in value)
    return value

"""Specs from and to TOML; errors name the file, the key, the value received and what is allowed."""

import copy
import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import ValidationError

from workbench.errors import UserError
from workbench.experiment.linear_probe import LAYERS, STEPS_ONLY, STREAMED
from workbench.experiment.optimizers import OPTIMIZERS, OPTION_KEYS
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.spec_keys import LONG_NUMBER, Tree, describe_error
from workbench.experiment.training_section import FINE_TUNING_KEYS
from workbench.files import decode_toml, nonblocking_opener
from workbench.messages import tr
from workbench.text import safe_text
from workbench.words import reason_of

# A spec with every value visible has 3 kB; a chain of dotted keys costs its length squared.
MAX_BYTES = 32 * 1024
MAX_LEVELS = 16  # of nested tables and lists; a spec needs four
MAX_ERRORS = 20  # listed one by one
_TOO_DEEP = tr("its tables or lists are nested more than {max_levels} deep", max_levels=MAX_LEVELS)


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
                long_number=LONG_NUMBER,
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
        lines = list(dict.fromkeys(describe_error(detail) for detail in details[:MAX_ERRORS]))
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

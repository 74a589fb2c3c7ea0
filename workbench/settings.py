"""A person's own settings, in ~/.config/workbench/settings.toml; XDG_CONFIG_HOME moves the folder.

They belong to a person and a machine, as an experiment's spec does not: hosts, profiles of a
scheduler. What is not valid is named and ignored, so that a typing error never keeps a command
from working.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from workbench.errors import UserError
from workbench.files import decode_text, write_atomic
from workbench.messages import tr
from workbench.paths import config_folder
from workbench.text import safe_text

_MAX_BYTES = 1 << 16
_ONE_LINE = r"^[^\x00-\x1f\x7f]*$"
# A host as ssh takes it; never an option ("-o..."), never anything that a shell would read.
HOST_PATTERN = r"^([A-Za-z0-9._][A-Za-z0-9._-]*@)?[A-Za-z0-9][A-Za-z0-9._-]*$"
# What each value may be, for messages.
_ALLOWED = {
    "address": "HOST or USER@HOST, as ssh takes it",
    "workspace": "a folder",
    "partition": "names of partitions, such as gpu",
    "gres": "as sbatch takes it, such as gpu:1",
    "time": "as sbatch takes it, such as 02:00:00",
    "command": "one line of text",
    "at_once": "a whole number from 0 to 100,000",
    "lines": "a list of up to 50 single lines",
    "[key]": "up to 64 letters, digits, dots, dashes and underscores",
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


HostName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class HostSettings(_Strict):
    """A machine whose runs are listed beside those of this one.

    Attributes:
        address: host as ssh takes it: a name of ~/.ssh/config, or user@host.
        workspace: folder of the workspace there, absolute or from the home folder.
    """

    address: str = Field(pattern=HOST_PATTERN, max_length=255)
    workspace: str = Field(default=".", min_length=1, max_length=4096)


class SlurmProfile(_Strict):
    """What jobs ask SLURM for; "" leaves it to the cluster.

    Attributes:
        partition: as `sbatch --partition`.
        gres: as `sbatch --gres`, such as "gpu:1".
        time: limit as `sbatch --time`, such as "02:00:00".
        at_once: how many tasks of an array may run at the same time; 0 for any number.
        command: how nodes call workbench, such as "/shared/venv/bin/workbench"; "" is this
            installation.
        lines: further #SBATCH lines without that word, such as "--account=vision"; a line without
            dashes is a line of the script, before the worker, such as "module load cuda".
    """

    partition: str = Field(default="", pattern=r"^[\w.,-]*$", max_length=200)
    gres: str = Field(default="", pattern=r"^[\w:.,()-]*$", max_length=200)
    time: str = Field(default="", pattern=r"^[0-9:-]*$", max_length=40)
    at_once: int = Field(default=0, ge=0, le=100_000)
    command: str = Field(default="", pattern=_ONE_LINE, max_length=4096)
    lines: tuple[Annotated[str, Field(pattern=_ONE_LINE)], ...] = Field(default=(), max_length=50)


class Settings(_Strict):
    """All settings.

    Attributes:
        hosts: other machines by the names they are shown under.
        slurm: named profiles for --slurm; the one named "default" is used where none is named.
    """

    hosts: dict[HostName, HostSettings] = Field(default_factory=dict)
    slurm: dict[str, SlurmProfile] = Field(default_factory=dict)


def settings_path() -> Path:
    """Return the file that holds the settings; it need not exist."""
    return config_folder() / "settings.toml"


def read_settings() -> tuple[Settings, tuple[str, ...]]:
    """Return the settings, and a sentence on each that is not valid and therefore ignored."""
    path = settings_path()
    try:
        with path.open("rb") as file:
            tree = tomllib.loads(decode_text(file.read(_MAX_BYTES), path, "TOML"))
    except FileNotFoundError:
        return Settings(), ()
    except (OSError, ValueError, RecursionError, UserError) as error:
        reason = getattr(error, "strerror", None) or error
        return Settings(), (_ignored(path, safe_text(reason)),)
    notes: list[str] = []
    while True:
        try:
            return Settings.model_validate(tree), tuple(notes)
        except ValidationError as error:
            first = error.errors()[0]
            notes.append(_ignored(path, describe_invalid(first)))
            _drop_entry(tree, *first["loc"])


def describe_invalid(detail: ErrorDetails) -> str:
    """Return which value is not valid and what is allowed, safe to print."""
    place = [str(part) for part in detail["loc"]]
    key = safe_text(".".join(place), 120)
    if detail["type"] == "missing":
        return tr("{key}: missing", key=key)
    if detail["type"] == "extra_forbidden":
        return tr("{key}: unknown key", key=key)
    names = [part for part in place if not part.isdecimal()]
    return tr(
        "{key}: received {value}; allowed: {allowed}",
        key=key,
        value=safe_text(repr(detail["input"]), 80),
        allowed=_ALLOWED.get(names[-1], tr("a table of keys")),
    )


def write_settings(settings: Settings) -> None:
    """Write the settings; comments that a person wrote into the file are lost.

    Raises:
        OSError: The file cannot be written; the old one is kept.
    """
    path = settings_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, tomli_w.dumps(settings.model_dump(exclude_defaults=True)))


def _drop_entry(tree: dict[str, Any], table: int | str, *place: int | str) -> None:
    """Remove a whole entry of a table: half a profile or host could mean something else."""
    entries = tree[str(table)]
    if place and isinstance(entries, dict):
        del entries[str(place[0])]
    else:
        del tree[str(table)]


def _ignored(path: Path, what: str) -> str:
    return tr("Ignored in {path}: {what}.", path=safe_text(path), what=what.rstrip("."))

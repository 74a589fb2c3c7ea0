"""A person's own settings, in ~/.config/workbench/settings.toml; XDG_CONFIG_HOME moves the folder.

They belong to a person and a machine, as an experiment's spec does not: language, looks, keys,
hosts, profiles of a scheduler. What is not valid is named and ignored, so that a typing error never
keeps a command from working. A change touches its own keys only: comments, and what another version
knows, stay.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from workbench.errors import UserError
from workbench.files import decode_toml, write_atomic
from workbench.messages import tr
from workbench.paths import config_folder
from workbench.text import safe_text
from workbench.words import reason_of

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

_MAX_BYTES = 1 << 16
_ONE_LINE = r"^[^\x00-\x1f\x7f]*$"
# A host as ssh takes it; never an option ("-o..."), never anything that a shell would read.
HOST_PATTERN = r"^([A-Za-z0-9._][A-Za-z0-9._-]*@)?[A-Za-z0-9][A-Za-z0-9._-]*$"
# What each value may be, for messages; those that are one of a few are listed instead.
ALLOWED = {
    "address": tr("HOST or USER@HOST, as ssh takes it"),
    "workspace": tr("a folder"),
    "partition": tr("names of partitions, such as gpu"),
    "gres": tr("as sbatch takes it, such as gpu:1"),
    "time": tr("as sbatch takes it, such as 02:00:00"),
    "command": tr("one line of text"),
    "at_once": tr("a whole number from 0 to 100,000"),
    "lines": tr("a list of up to 50 single lines"),
    "[key]": tr("up to 64 letters, digits, dots, dashes and underscores"),
    "base": tr("a name that `workbench bases` lists"),
    "after": tr("a whole number of seconds from 0 to 1,000,000"),
    "keys": tr('one key or more, such as "ctrl+r" or "f5,R"'),
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


HostName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
BindingId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
KeyNames = Annotated[str, StringConstraints(pattern=r"^[^\s\x00-\x1f\x7f]+$", max_length=100)]


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


class NotificationSettings(_Strict):
    """What happens when a run ends that is watched in the app, or by train, resume or attach."""

    bell: StrictBool = Field(
        default=True, description=tr("ring the terminal's bell when a run ends")
    )
    osc: StrictBool = Field(
        default=True,
        description=tr("ask the terminal for a desktop notification (OSC 9 or 777) at a run's end"),
    )
    command: str = Field(
        default="",
        pattern=_ONE_LINE,
        max_length=4096,
        description=tr("a shell command at a run's end; $WORKBENCH_RUN, $WORKBENCH_STATE"),
    )
    after: int = Field(
        default=0,
        strict=True,
        ge=0,
        le=1_000_000,
        description=tr("only for runs that took at least so many seconds"),
    )


class Settings(_Strict):
    """All settings; the description of each is what its screen, command and page show.

    Attributes:
        keys: keys by the id of their binding.
        hosts: other machines by the names they are shown under.
        slurm: named profiles for --slurm; the one named "default" is used where none is named.
    """

    language: Literal["", "en", "ko"] = Field(
        default="", description=tr("language of the app and the commands; by default the system's")
    )
    theme: Literal["dark", "light"] = Field(default="dark", description=tr("colours of the app"))
    graphics: Literal["auto", "kitty", "sixel", "iterm2", "blocks"] = Field(
        default="auto", description=tr("how the app draws images; auto asks the terminal")
    )
    low_bandwidth: StrictBool = Field(
        default=False, description=tr("the app redraws less often, for a slow connection")
    )
    title: StrictBool = Field(
        default=True, description=tr("show a run's state and progress in the terminal's title")
    )
    base: str = Field(
        default="",
        pattern=r"^[\w.-]*$",
        max_length=64,
        description=tr('pretrained network where none is named; "" is the preset\'s own'),
    )
    notifications: NotificationSettings = Field(default_factory=NotificationSettings)
    keys: dict[BindingId, KeyNames] = Field(default_factory=dict)
    hosts: dict[HostName, HostSettings] = Field(default_factory=dict)
    slurm: dict[str, SlurmProfile] = Field(default_factory=dict)


Place = tuple[str, ...]  # of a value in the file: its tables and its key


def settings_path() -> Path:
    """Return the file that holds the settings; it need not exist."""
    return config_folder() / "settings.toml"


def read_settings() -> tuple[Settings, tuple[str, ...]]:
    """Return the settings, and a sentence on each that is not valid and therefore ignored."""
    path = settings_path()
    try:
        tree = tomllib.loads(_read_text(path))
    except FileNotFoundError:
        return Settings(), ()
    except (OSError, ValueError, RecursionError, UserError) as error:
        reason = reason_of(error)
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
    kind = detail["type"]
    if kind == "literal_error":
        *first, last = detail["ctx"]["expected"].split(" or ")
        allowed = tr("{first} or {last}", first=", ".join(first), last=last) if first else last
    elif kind.startswith("bool"):
        allowed = tr("true or false")
    elif place[0] == "keys" and names[-1] != "[key]":
        allowed = ALLOWED["keys"]
    else:
        allowed = ALLOWED.get(names[-1], tr("a table of keys"))
    return tr(
        "{key}: received {value}; allowed: {allowed}",
        key=key,
        value=safe_text(repr(detail["input"]), 80),
        allowed=allowed,
    )


def change_settings(changes: Mapping[Place, object]) -> Settings:
    """Write changes into the file; all else in it stays, comments too.

    Args:
        changes: by place; None removes a value, or a whole entry of a table.

    Returns:
        The settings from now on.

    Raises:
        UserError: A value is not allowed, the file is not TOML, or it cannot be written; it is
            left as it was.
    """
    path = settings_path()
    document = _read_document(path)
    for place, value in changes.items():
        if value is not None:
            check_value(place, value)
        _set(document, place, value)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, document.as_string())
    except OSError as error:
        raise UserError(
            tr(
                "{path} cannot be written: {reason}.",
                path=safe_text(path),
                reason=safe_text(reason_of(error)),
            ),
            tr("Make room or fix the permissions, or name another folder: XDG_CONFIG_HOME=DIR"),
        ) from None
    return read_settings()[0]


def write_settings(settings: Settings) -> None:
    """Write all settings; those with their defaults are removed from the file.

    Raises:
        UserError: as `change_settings`.
    """
    wanted = settings.model_dump(exclude_defaults=True)
    change_settings({(name,): wanted.get(name) for name in Settings.model_fields})


def check_value(place: Place, value: object) -> None:
    """Check whether a value is allowed at a place.

    Raises:
        UserError: it is not.
    """
    tree: Any = value
    for name in reversed(place):
        tree = {name: tree}
    try:
        Settings.model_validate(tree)
    except ValidationError as error:
        for detail in error.errors():
            # A key alone may leave its entry incomplete, as while a host is typed in.
            if detail["type"] != "missing":
                raise UserError(f"{describe_invalid(detail)}.") from None


def _set(document: Any, place: Place, value: object) -> None:
    *tables, key = place
    found = document
    for name in tables:
        if not isinstance(found.get(name), dict):
            if value is None:
                return
            found[name] = {}
        found = found[name]
    if value is None:
        found.pop(key, None)
    else:
        found[key] = value


def _read_document(path: Path) -> "TOMLDocument":
    import tomlkit  # for writing alone
    from tomlkit.exceptions import TOMLKitError

    try:
        return tomlkit.parse(_read_text(path))
    except FileNotFoundError:
        return tomlkit.document()
    except (OSError, ValueError, RecursionError, UserError, TOMLKitError) as error:
        reason = safe_text(reason_of(error))
        raise UserError(
            tr("{path} cannot be read: {reason}.", path=safe_text(path), reason=reason.rstrip(".")),
            tr("Correct the file, or move it away: all settings then have their defaults."),
        ) from None


def _read_text(path: Path) -> str:
    with path.open("rb") as file:
        return decode_toml(file.read(_MAX_BYTES), path)


def _drop_entry(tree: dict[str, Any], table: int | str, *place: int | str) -> None:
    """Remove a whole entry of a table: half a profile or host could mean something else."""
    entries = tree[str(table)]
    if place and isinstance(entries, dict):
        del entries[str(place[0])]
    else:
        del tree[str(table)]


def _ignored(path: Path, what: str) -> str:
    return tr("Ignored in {path}: {what}.", path=safe_text(path), what=what.rstrip("."))

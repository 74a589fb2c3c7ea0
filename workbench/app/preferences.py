"""Settings of one value each: all of them, what they may be, and how a person changes one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel

from workbench.bases.architectures import BASES
from workbench.errors import UserError
from workbench.messages import tr
from workbench.runs.folder import suggest_names
from workbench.settings import (
    ALLOWED,
    NotificationSettings,
    Place,
    Settings,
    change_settings,
)
from workbench.text import safe_text

_WORDS = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}
KEYS = "keys"


@dataclass(frozen=True)
class Setting:
    """A setting that has one value.

    Attributes:
        place: in the file.
        default: what it is without a file.
        choices: all values that are allowed, () where a person types one.
        allowed: the same in words.
        about: what it does.
    """

    place: Place
    default: str | bool | int
    choices: tuple[str | bool, ...]
    allowed: str
    about: str

    @property
    def key(self) -> str:
        """As it is typed: "notifications.bell"."""
        return ".".join(self.place)

    def value_in(self, settings: Settings) -> str | bool | int:
        """Return its value."""
        found: Any = settings
        for name in self.place:
            found = getattr(found, name)
        assert isinstance(found, (str, bool, int))
        return found


def list_settings() -> tuple[Setting, ...]:
    """Return the settings that have one value each, in the order in which they are shown."""
    return tuple(_walk(Settings, ()))


def _walk(model: type[BaseModel], place: Place) -> Iterator[Setting]:
    for name, field in model.model_fields.items():
        if field.annotation is NotificationSettings:
            yield from _walk(NotificationSettings, (name,))
        elif field.description:
            flag = field.annotation is bool
            choices = (True, False) if flag else get_args(field.annotation)
            allowed = ", ".join(format_value(one) for one in choices) or ALLOWED[name]
            yield Setting((*place, name), field.default, choices, allowed, field.description)


def format_value(value: object) -> str:
    """Return a value as TOML and the command write it: true, 3, "" where it is empty."""
    if isinstance(value, bool):
        return str(value).lower()
    return safe_text(value, 200) or '""'


def find_place(key: str) -> Place:
    """Return the place of a setting that a person named: "theme", "keys.stop", "slurm.big.time".

    Raises:
        UserError: there is no such setting.
    """
    table, _, rest = key.partition(".")
    if table == KEYS and rest:
        return table, rest
    name, point, last = rest.rpartition(".")
    if table in ("hosts", "slurm") and point:
        return table, name, last
    if table in ("hosts", "slurm") and rest:
        return table, rest
    known = {one.key: one.place for one in list_settings()}
    if key in known:
        return known[key]
    raise UserError(
        tr("There is no setting {key}.", key=safe_text(repr(key), 80)),
        suggest_names(key, known) or tr("`workbench settings` lists them."),
    )


def parse_value(place: Place, text: str) -> object:
    """Return a typed value as the file has it; what is not allowed is refused when it is written.

    Raises:
        UserError: a base is not known.
    """
    known = next((one for one in list_settings() if one.place == place), None)
    text = text.strip()
    default = known.default if known else ""
    if isinstance(default, bool):
        return _WORDS.get(text.lower(), text)
    if (isinstance(default, int) or place[-1] == "at_once") and text.isdecimal():
        return int(text)
    if place == ("base",) and text and text not in BASES:
        raise UserError(
            tr("There is no base {name}.", name=safe_text(repr(text), 80)),
            suggest_names(text, BASES) or tr("`workbench bases` lists them."),
        )
    return text


def save_setting(place: Place, text: str | None) -> Settings:
    """Write a setting as a person typed it; None removes it, so that it has its default.

    Returns:
        All settings from now on.

    Raises:
        UserError: the value is not allowed, or the file cannot be changed.
    """
    return change_settings({place: None if text is None else parse_value(place, text)})

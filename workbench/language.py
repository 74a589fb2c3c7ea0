"""The language of a process: chosen once, before anything that is translated is imported.

The first of these that names one: `--lang`, `WORKBENCH_LANG`, the settings, the locale. The choice
is handed on to child processes as `WORKBENCH_LANG`.
"""

import os
import re
import sys
import tomllib
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path

from workbench.errors import UserError
from workbench.messages import LANGUAGE_VARIABLE, LANGUAGES, tr
from workbench.paths import config_folder
from workbench.streams import supports_unicode, supports_utf8
from workbench.text import safe_text

OPTION = "--lang"
_MAX_BYTES = 1 << 16  # of the settings, as they are read elsewhere
_LOCALE = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")  # the first that is set counts
_notes: list[str] = []


def take_notes() -> list[str]:
    """Return what a person should know of the choice, once."""
    taken, _notes[:] = list(_notes), []
    return taken


def choose_language(
    arguments: list[str],
    environment: MutableMapping[str, str] = os.environ,
    stream: object = None,
) -> str:
    """Choose the language of this process and its children; return it.

    Output as JSON is for programs and the same in any language, so it is English.

    Args:
        arguments: of the command line; `--lang` is taken out of them, wherever it stands.
        environment: its LANGUAGE_VARIABLE is set.
        stream: that the command writes to; stdout by default.

    Raises:
        UserError: `--lang` names no known language.
    """
    given = _take_words(arguments)
    asked = _known(given or "")
    language = asked or _of_variable(environment) or _of_settings(environment)
    language = language or _of_locale(environment)
    if "--json" in arguments:
        language = "en"
        _notes.clear()
    if language != "en" and (reason := _not_utf8(environment, stream or sys.stdout)):
        _notes.append(
            f"Shown in English instead of {language}, because {reason}. "
            "For other languages: export LC_ALL=C.UTF-8"
        )
        language = "en"
    environment[LANGUAGE_VARIABLE] = language
    if given is not None and not asked:
        raise _unknown(given)
    return language


def take_option(arguments: list[str]) -> str:
    """Remove each `--lang` before a `--`; return the language of the last one, "" for none.

    Raises:
        UserError: It is no known language.
    """
    given = _take_words(arguments)
    if given is None:
        return ""
    if known := _known(given):
        return known
    raise _unknown(given)


def _take_words(arguments: list[str]) -> str | None:
    """Remove each `--lang` before a `--`; return what the last one names, None without one."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    kept: list[str] = []
    given: str | None = None
    words = iter(arguments[:end])
    for word in words:
        if word == OPTION:
            given = next(words, "")
        elif word.startswith(f"{OPTION}="):
            given = word.partition("=")[2]
        else:
            kept.append(word)
    arguments[:end] = kept
    return given


def _unknown(given: str) -> UserError:
    return UserError(
        tr(
            "{option}: received {given}; allowed: {allowed}",
            option=OPTION,
            given=safe_text(given, 40) or tr("nothing"),
            allowed=", ".join(LANGUAGES),
        )
    )


def _of_variable(environment: Mapping[str, str]) -> str:
    return _named(environment.get(LANGUAGE_VARIABLE, ""), LANGUAGE_VARIABLE)


def _of_settings(environment: Mapping[str, str]) -> str:
    """Return the language of the settings, "" where they have none or cannot be read."""
    path = config_folder(environment) / "settings.toml"
    try:
        with path.open("rb") as file:
            settings = tomllib.loads(file.read(_MAX_BYTES).decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError):  # reported where all settings are read
        return ""
    return _named(str(settings.get("language", "")), f"language in {safe_text(Path(path))}")


def _named(value: str, source: str) -> str:
    """Return a language by its name, English for an unknown one, with a note; "" for none."""
    if not value:
        return ""
    if known := _known(value):
        return known
    _notes.append(
        f"{source}: {safe_text(value, 40)} is not a known language, so English is shown; "
        f"allowed: {', '.join(LANGUAGES)}"
    )
    return "en"


def _of_locale(environment: Mapping[str, str]) -> str:
    """Return the first known language of the locale; English for any other."""
    chosen = next(filter(None, map(environment.get, _LOCALE)), "")
    return next(filter(None, map(_known, chosen.split(":"))), "en")


def _known(name: str) -> str:
    """Return the language of a name such as ko, KO, ko-KR or ko_KR.UTF-8; "" if unknown."""
    language = re.split(r"[-_.@]", name.strip().lower())[0]
    return language if language in LANGUAGES else ""


def _not_utf8(environment: Mapping[str, str], stream: object) -> str:
    """Return why the letters of all languages cannot be written; "" if they can."""
    if not supports_utf8(environment):
        names: Sequence[str] = ("LC_ALL", "LC_CTYPE", "LANG")
        named = next((f"{name}={environment[name]}" for name in names if environment.get(name)), "")
        return f"the locale of this terminal is not UTF-8 ({safe_text(named or 'none is set', 60)})"
    if not supports_unicode(stream):
        return f"the encoding of the output is {getattr(stream, 'encoding', '')}, not UTF-8"
    return ""

"""Translation: the English sentence is the key; what has no translation stays English.

A sentence is written as `tr("{run} has no model yet.", run=name)`: its values are named, so that a
translation may order them as its grammar needs. Counted things go through `text.plural`.
"""

import gettext
import os
from functools import cache
from pathlib import Path

from workbench.particles import fit_particles

LANGUAGE_VARIABLE = "WORKBENCH_LANG"
LANGUAGES = {"en": "English", "ko": "한국어"}
DOMAIN = "workbench"
FOLDER = Path(__file__).parent / "content" / "locale"  # LANGUAGE/LC_MESSAGES/workbench.mo


def current_language() -> str:
    """Return the language of this process, "en" where none or an unknown one was chosen.

    `workbench.language` chooses it before anything is translated; child processes inherit it.
    """
    language = os.environ.get(LANGUAGE_VARIABLE, "")
    return language if language in LANGUAGES else "en"


@cache
def catalogue() -> gettext.NullTranslations:
    """Return the translations of this process; without any, or if damaged, all stays English."""
    try:
        return gettext.translation(DOMAIN, FOLDER, [current_language()], fallback=True)
    except (OSError, ValueError):
        return gettext.NullTranslations()


def tr(sentence: str, /, **values: object) -> str:
    """Return a sentence in the language of the reader, with its values.

    Args:
        sentence: English, with its values as {name} or {name:format}; without values, braces are
            printed as they are.
        **values: by the names in the sentence.
    """
    found = catalogue().gettext(sentence)
    if not values:
        return found
    try:
        shown = found.format(**values)
    except (LookupError, ValueError):  # a translation with other names
        return sentence.format(**values)
    return fit_particles(shown) if current_language() == "ko" else shown


def tr_kept(text: str) -> str:
    """Return a text that a file keeps, such as a preset's title or the description of a key.

    `tools/messages.py` knows these files; a sentence of the code goes through `tr`.
    """
    return catalogue().gettext(text) if text else ""


@cache
def _originals() -> dict[str, str]:
    pairs = getattr(catalogue(), "_catalog", {}).items()
    return {text: english for english, text in pairs if isinstance(english, str)}


def in_english(text: str) -> str:
    """Return the English of a translated text without values, the text itself for any other."""
    return _originals().get(text, text)


def tr_plural(one: str, many: str, count: int) -> str:
    """Return a counted thing in the form that its number takes in the language of the reader.

    Args:
        one: English for one, with the number as {count}.
        many: English for all other numbers.
        count: the number.
    """
    try:
        return catalogue().ngettext(one, many, count).format(count=count)
    except (LookupError, ValueError):  # a translation with other names
        return (one if count == 1 else many).format(count=count)

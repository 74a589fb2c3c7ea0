"""Translation: the English sentence is the key; what has no translation stays English.

A sentence is written as `tr("{run} has no model yet.", run=name)`: its values are named, so that a
translation may order them as its grammar needs.
"""

import gettext
import os
from functools import cache
from pathlib import Path

LANGUAGE_VARIABLE = "WORKBENCH_LANG"
DOMAIN = "workbench"
FOLDER = Path(__file__).parent / "content" / "locale"  # LANGUAGE/LC_MESSAGES/workbench.mo


@cache
def catalogue() -> gettext.NullTranslations:
    """Return the translations of the language that the environment asks for.

    Without any, or if their file is damaged, all stays English.
    """
    language = os.environ.get(LANGUAGE_VARIABLE)
    languages = [language] if language else None  # LANGUAGE, LC_ALL, LC_MESSAGES, LANG
    try:
        return gettext.translation(DOMAIN, FOLDER, languages, fallback=True)
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
        return found.format(**values)
    except (LookupError, ValueError):  # a translation with other names
        return sentence.format(**values)

"""The catalogue of sentences: the English text is the key; what has no translation stays English.

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
    """Return the catalogue of the language that the environment asks for, else the English one."""
    language = os.environ.get(LANGUAGE_VARIABLE)
    languages = [language] if language else None  # gettext's own variables otherwise
    return gettext.translation(DOMAIN, FOLDER, languages, fallback=True)


def tr(sentence: str, /, **values: object) -> str:
    """Return a sentence in the language of the reader, with its values.

    Args:
        sentence: English, with its values as {name} or {name:format}; braces of a sentence
            without values stand for themselves.
        **values: by the names in the sentence.
    """
    found = catalogue().gettext(sentence)
    return found.format(**values) if values else found

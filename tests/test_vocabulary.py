"""One language: words that the code base has given up stay out of the product."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

import workbench

ROOT = Path(workbench.__file__).parent
FILES = sorted(path for ending in ("py", "md", "toml", "j2") for path in ROOT.rglob(f"*.{ending}"))
# Given up for the word behind it. Only words that mean nothing else anywhere in the product; keys
# of files on disk, in quotes, stay as they are.
GIVEN_UP = {
    "anew": "again, restart",
    "at work": "running",
    "examination": "the same test images",
    "find-rate": "lr-find",
    "go on": "continue, resume",
    "gone on with": "resumed",
    "hand_on": "restore_best",
    "heed": "use",
    "in_words": "format_, describe_",
    "mend": "fix",
    "needless": "unnecessary",
    "passed over": "skipped",
    "rung": "strategy",
    "share_out": "allocate",
    "take home": "export",
    "the house": "the code base",
    "told": "printed, shown, reported",
    "typed_ahead": "key_buffer",
}


@pytest.mark.parametrize("word", GIVEN_UP)
def test_a_word_that_was_given_up_is_nowhere(word: str) -> None:
    pattern = re.compile(rf'(?<!")\b{word}s?\b', re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in FILES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == [], f"use {GIVEN_UP[word]!r}"


def test_no_two_classes_share_a_name() -> None:
    places = defaultdict(list)
    for path in ROOT.rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path.relative_to(ROOT)))
    assert {name: where for name, where in places.items() if len(where) > 1} == {}

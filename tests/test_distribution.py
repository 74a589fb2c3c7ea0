"""The name of the distribution, and the extras in install instructions."""

import re
import tomllib
from pathlib import Path

import pytest

from workbench import DISTRIBUTION, pip_install

REPOSITORY = Path(__file__).parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
EXTRAS = set(PROJECT["optional-dependencies"])

# What people read, and what makes it: each file of ours, without the tests.
READ = [
    path
    for pattern in (
        "*.md",
        "*.toml",
        "Makefile",
        ".ci/*",
        "*/**/*.py",
        "docs/**/*.md",
        "docs/**/*.svg",
    )
    for path in sorted(REPOSITORY.glob(pattern))
    if not {"tests", "data", "saved_models", "build", ".venv"}
    & set(path.relative_to(REPOSITORY).parts[:-1])
]

# `name[extras]` where pip is to install it: the name (or the folder), and the extras.
WITH_EXTRAS = re.compile(r"(?<![\w.-])([\w.-]*workbench|\.)\[([\w, {}()'\"-]+)\]", re.IGNORECASE)
# An install of `workbench`, with or without extras: the rest of a line after `pip install`.
INSTALLED = re.compile(r"pip3? install ([^`;|)\n]*)")


def requested(text: str) -> list[tuple[str, str]]:
    """Return each name with its extras, as a text asks pip for them."""
    found = WITH_EXTRAS.findall(text) + re.findall(r"(pip_install)\(['\"]([\w-]+)['\"]\)", text)
    return [(name, extra.strip()) for name, extras in found for extra in extras.split(",")]


def test_the_distribution_has_one_name() -> None:
    assert PROJECT["name"] == DISTRIBUTION == "convnet-workbench"
    assert PROJECT["scripts"] == {"workbench": "workbench.__main__:main"}
    assert pip_install("cpu") == "pip install 'convnet-workbench[cpu]'"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("pip install 'workbench[cpu]'", [("workbench", "cpu")]),
        (
            '"convnet-workbench[cpu,export]"',
            [("convnet-workbench", "cpu"), ("convnet-workbench", "export")],
        ),
        ("pip install -e '.[gpu, dev]'", [(".", "gpu"), (".", "dev")]),
        ("pip_install('heif')", [("pip_install", "heif")]),
        ("tensorflow[and-cuda], words[0]", []),
    ],
)
def test_what_a_text_asks_for_is_found(text: str, found: list[tuple[str, str]]) -> None:
    assert requested(text) == found


def test_texts_name_only_this_project_and_its_extras() -> None:
    wrong = []
    for path in READ:
        text = path.read_text(encoding="utf-8")
        wrong += [
            (path, name, extra)
            for name, extra in requested(text)
            if "{" not in extra  # the one place that fills it in is tried above
            and (name not in (DISTRIBUTION, ".", "pip_install") or extra not in EXTRAS)
        ]
        wrong += [
            (path, line)
            for line in INSTALLED.findall(text)
            if re.search(r"(?<![\w./-])workbench(?![\w-])", line)
        ]
    assert wrong == []


def test_the_search_finds_the_known_mentions() -> None:
    """The search above finds what is there: an empty one would pass for ever."""
    found = {
        (path.relative_to(REPOSITORY).parts[0], extra)
        for path in READ
        for _, extra in requested(path.read_text(encoding="utf-8"))
    }
    assert {
        ("docs", "cpu"),
        ("docs", "export"),
        ("README.md", "gpu"),
        ("README.md", "dev"),
        ("Makefile", "dev"),
        ("pyproject.toml", "cpu"),
        ("workbench", "cpu"),
    } <= found

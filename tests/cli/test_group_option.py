"""--group: shown by a scan and a plan, part of a run's spec, refused before anything starts."""

import json
from pathlib import Path

import pytest
from typist import Type

from workbench.cli.options import shortcuts
from workbench.experiment.toml import apply_settings
from workbench.paths import Workspace
from workbench.runs.folder import list_runs

PATTERN = r"(?P<group>/[0-4])\.png"  # the same five numbers in both classes
GIVEN = ("--preset", "convnet", "--data", "photos", "--gpu", "none")
PREVIEW = [
    "5 groups of 2 images, each kept on one side of a split",
    "  /0, 2 images: a/0.png, b/0.png",
    "  /1, 2 images: a/1.png, b/1.png",
    "  /2, 2 images: a/2.png, b/2.png",
    "  10 images in none: each is a group of its own",
]


@pytest.fixture(autouse=True)
def _photos(photos: Path) -> None:
    """photos/a and photos/b with ten images each."""


@pytest.mark.parametrize("words", [("data", "scan", "photos"), ("plan", *GIVEN)])
def test_the_groups_of_a_pattern_are_listed(types: Type, words: tuple[str, ...]) -> None:
    result = types(*words, "--group", PATTERN)
    assert result.exit_code == 0, result.output
    assert "\n".join(PREVIEW) in result.output
    assert "groups of" not in types(*words).output


def test_a_scan_gives_groups_to_scripts(types: Type) -> None:
    found = json.loads(types("data", "scan", "photos", "--json", "--group", PATTERN).stdout)
    assert found["groups"]["groups"] == 5
    assert found["groups"]["alone"] == 10
    assert json.loads(types("data", "scan", "photos", "--json").stdout)["groups"] is None


@pytest.mark.parametrize(
    "words", [("data", "scan", "photos"), ("plan", *GIVEN), ("train", *GIVEN, "--detach")]
)
@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", "is no regular expression"),
        ("[0-9]+", "has no part (?P<group>...)"),
        ("(?P<group>(a+)+)", "repeats what varies itself"),
        ("(?P<group>zzz)", "matches none of 20 images"),
        ("(?P<group>png)", "puts all 20 images into one group, png"),
    ],
)
def test_what_groups_nothing_is_refused_before_anything_starts(
    types: Type, tmp_path: Path, words: tuple[str, ...], pattern: str, message: str
) -> None:
    result = types(*words, "--group", pattern)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert list_runs(Workspace(tmp_path)) == []


@pytest.mark.parametrize(
    "pattern", ["1", "true", "[1, 2]", "\u00e9\U0001f600", "'a'", "a=b", '"\\d', PATTERN]
)
def test_a_pattern_is_text_whatever_toml_takes_it_for(pattern: str) -> None:
    tree = apply_settings({}, shortcuts(None, None, pattern))
    assert tree == {"data": {"group": pattern}}


def test_a_run_without_the_option_has_no_setting() -> None:
    assert shortcuts(None, None) == ()

"""A pattern for groups names a part, and the ways to match it are bounded by its form."""

import pytest

from workbench.errors import UserError
from workbench.experiment.group_pattern import (
    EXAMPLE,
    MAX_PATH,
    MAX_PATTERN,
    compile_group_pattern,
    find_group,
)
from workbench.experiment.toml import parse_spec

SPEC = {"model": {"strategy": "dense"}, "data": {"source": "photos"}}


@pytest.mark.parametrize(
    ("pattern", "path", "group"),
    [
        (EXAMPLE, "a/patient_012_3.png", "patient_012"),
        (EXAMPLE, "a/other.png", ""),
        (r"(?P<group>p\d+)(?:_crop\d+)?\.", "a/p7_crop12.jpg", "p7"),
        (r"^[^/]+/(?P<group>[^/_]+)_\d+\.\w+$", "cats/tom_3.jpg", "tom"),
        (r"x(?P<group>y)?", "x.jpg", ""),  # the part matched nothing
        (r"(?P<group>z*)", "x.jpg", ""),
    ],
)
def test_the_named_part_is_the_group(pattern: str, path: str, group: str) -> None:
    assert find_group(compile_group_pattern(pattern), path) == group


def test_of_long_paths_the_end_is_read() -> None:
    pattern = compile_group_pattern(r"^(?P<group>.)")
    assert find_group(pattern, "ab" + "x" * (MAX_PATH - 1)) == "b"


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(", "it is no regular expression: missing )"),
        ("(?P<group>a", "it is no regular expression"),
        (r"patient_\d+", "it has no part (?P<group>...)"),
        ("(?P<patient>a)", "it has no part (?P<group>...)"),
        ("(?P<group>a{99999999999})", "it is no regular expression"),
    ],
)
def test_what_is_no_pattern_for_groups_is_refused(pattern: str, why: str) -> None:
    with pytest.raises(ValueError, match="received") as refused:
        compile_group_pattern(pattern)
    assert why in str(refused.value)
    assert EXAMPLE in str(refused.value)


def test_the_length_is_bounded() -> None:
    just = "(?P<group>" + "a" * (MAX_PATTERN - len("(?P<group>)")) + ")"
    assert compile_group_pattern(just)
    with pytest.raises(ValueError, match="received 201 characters; allowed: 200"):
        compile_group_pattern("a" + just)


@pytest.mark.parametrize(
    "pattern",
    [
        "(?P<group>(a+)+)$",
        "(?P<group>(a*)*)b",
        "(?P<group>(a|a)*)b",
        "(?P<group>(a|ab){2})c",
        "(?P<group>(?:a?b?){9})c",
        "(?P<group>x)(?(1)a|b)",
        "(?P<group>.*).*.*x",
        "(?P<group>a)" + "a?" * 60 + "b",
        "(?P<group>" + "(a|ab)" * 30 + ")c",
        r"(?P<group>\w+)\w+\w+\w+-",
        r"(?i)(?P<group>a+)A+a+A+b",
        r"(?P<group>[^/]+)(?:/|x)[^/]+[^/]+[^/]+;",
    ],
)
def test_patterns_that_may_take_very_long_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"very long|never end|depends on"):
        compile_group_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "(?P<group>.*)_.*x",  # two that overlap
        r"(?P<group>(?:[a-z]+_)+)\d+",  # each name ends with what it excludes
        r"(?P<group>[a-z]+[0-9]+[a-z]+[0-9]+[a-z]+[0-9]+)",
        r"(?P<group>[^/]+)/[^/]+/[^/]+/[^/]+$",
        r"(?P<group>a)(?P=group)(?=b)",
        r"(?i)(?P<group>left|right|front)",
    ],
)
def test_patterns_in_use_are_accepted(pattern: str) -> None:
    assert compile_group_pattern(pattern)


def test_the_spec_checks_its_pattern() -> None:
    tree = {**SPEC, "data": {"source": "photos", "group": EXAMPLE}}
    assert parse_spec(tree, "test").data.group == EXAMPLE
    assert parse_spec(SPEC, "test").data.group == ""
    tree = {**SPEC, "data": {"source": "photos", "group": "("}}
    with pytest.raises(UserError, match=r"data\.group: .*no regular expression"):
        parse_spec(tree, "test")

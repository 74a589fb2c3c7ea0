"""Concepts in columns: whole or not at all, and no wider than their room."""

import pytest

from workbench.content.concepts import CONCEPTS
from workbench.render.concepts import ConceptColors, explain_concepts

COLORS = ConceptColors("#ffffff", "#ffffff")
NAMES = ("stride", "max-pooling", "flatten", "dropout")


def shown(width: int, height: int, utf8: bool = True) -> list[str]:
    return explain_concepts(NAMES, width, height, utf8, COLORS).plain.splitlines()


@pytest.mark.parametrize(("width", "columns"), [(56, 1), (115, 1), (116, 2), (198, 3), (236, 4)])
def test_as_many_columns_as_have_room(width: int, columns: int) -> None:
    first = shown(width, 20)[0]
    titles = [CONCEPTS[name].title for name in NAMES[:columns]]
    assert first.split("    ")[0] == titles[0]
    assert all(title in first for title in titles)
    assert all(len(line.rstrip()) <= width for line in shown(width, 20))


def test_a_concept_is_whole_or_left_out() -> None:
    assert shown(55, 40) == []
    assert shown(60, 10) == []
    text = "\n".join(shown(78, 40))
    drawn = [name for name in NAMES if CONCEPTS[name].title in text]
    assert drawn
    assert drawn != [*NAMES]
    assert all(CONCEPTS[name].picture.splitlines()[-1].rstrip() in text for name in drawn)
    assert len(shown(78, 40)) <= 40


def test_drawings_are_ascii_where_the_terminal_has_no_more() -> None:
    assert "".join(shown(198, 40, utf8=False)).isascii()

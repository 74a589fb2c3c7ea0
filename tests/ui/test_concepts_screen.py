from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList
from ui_pilot import driven, text_of, until

from workbench.content.concepts import CONCEPTS, Windows
from workbench.render.concepts import MIN_COLUMN
from workbench.ui.concepts import BROAD_COLUMNS, ConceptsScreen
from workbench.ui.widgets.concept_notes import ConceptNotes

Scene = Callable[[ConceptsScreen, Pilot[Any]], Awaitable[None]]


@asynccontextmanager
async def show(
    folder: Path, concepts: tuple[str, ...], utf8: bool = True, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[ConceptsScreen, Pilot[Any]]]:
    """The screen over home."""
    async with driven(folder, size) as (app, pilot):
        app.utf8 = utf8
        screen = ConceptsScreen(concepts)
        await app.push_screen(screen)
        await until(pilot, lambda: text_of(screen, "#title"), "a concept")
        yield screen, pilot


async def explains(screen: ConceptsScreen, pilot: Pilot[Any], name: str) -> None:
    await until(pilot, lambda: text_of(screen, "#title") == CONCEPTS[name].title, name)


async def test_concepts_of_the_screen_come_first_and_all_others_after(tmp_path: Path) -> None:
    async with show(tmp_path, ("stride", "dropout", "no such concept", "stride")) as (
        screen,
        _pilot,
    ):
        options = screen.query_one(OptionList).options
        names = [option.id for option in options if not option.disabled]
        assert names[:2] == ["stride", "dropout"]
        assert sorted(filter(None, names)) == sorted(CONCEPTS)
        assert text_of(screen, "#title") == CONCEPTS["stride"].title


async def test_arrow_keys_choose(tmp_path: Path) -> None:
    async with show(tmp_path, ("stride", "dropout")) as (screen, pilot):
        await explains(screen, pilot, "stride")
        await pilot.press("right")
        await explains(screen, pilot, "dropout")
        await pilot.press("left")
        await explains(screen, pilot, "stride")
        await pilot.press("down")
        await explains(screen, pilot, "dropout")
        await pilot.press("up")
        await explains(screen, pilot, "stride")


async def test_every_concept_is_reached_and_drawn(tmp_path: Path) -> None:
    async with show(tmp_path, ()) as (screen, pilot):
        names = screen.query_one(OptionList)
        for name, concept in CONCEPTS.items():
            names.highlighted = names.get_option_index(name)
            await explains(screen, pilot, name)
            assert text_of(screen, "#text") == concept.text
            assert text_of(screen, "#picture") == concept.picture


async def test_without_utf8_pictures_are_ascii(tmp_path: Path) -> None:
    async with show(tmp_path, ("flatten",), utf8=False) as (screen, _pilot):
        assert text_of(screen, "#picture") == CONCEPTS["flatten"].drawing(utf8=False)
        assert text_of(screen, "#picture").isascii()


@pytest.mark.parametrize("key", ["escape", "question_mark"])
async def test_a_key_goes_back(tmp_path: Path, key: str) -> None:
    async with show(tmp_path, ("flatten",)) as (screen, pilot):
        await pilot.press(key)
        await until(pilot, lambda: pilot.app.screen is not screen, "the screen before")


async def test_only_the_border_effect_has_fields(tmp_path: Path) -> None:
    async with show(tmp_path, ("border-effect", "flatten")) as (screen, pilot):
        fields = screen.query_one("WindowFields")
        assert fields.display
        await pilot.press("right")
        await explains(screen, pilot, "flatten")
        assert not fields.display
        await pilot.press("enter")  # leads nowhere now
        assert not isinstance(screen.focused, Input)


async def test_windows_are_drawn_as_they_are_typed(tmp_path: Path) -> None:
    async with show(tmp_path, ("border-effect",)) as (screen, pilot):
        await pilot.press("enter", "end", "backspace", "2", "8", "down", "end", "backspace", "5")
        await pilot.press("down", "end", "backspace", "2", "down", "end")
        await pilot.press(*["backspace"] * 5, *"same")
        expected = "\n".join(Windows(28, 5, "same", 2).lines())
        await until(pilot, lambda: text_of(screen, "#picture") == expected, expected)


@pytest.mark.parametrize(
    ("field", "typed", "takes"),
    [
        ("size", "0", "1 to 1,024"),
        ("size", "1025", "1 to 1,024"),
        ("size", "", "1 to 1,024"),
        ("kernel", "-3", "1 to 11"),
        ("kernel", "3.5", "1 to 11"),
        ("stride", "[/x]", "1 to 8"),
        ("stride", "²", "1 to 8"),
        ("padding", "full", "valid or same"),
        ("padding", "", "valid or same"),
    ],
)
async def test_invalid_input_is_reported_beside_its_field(
    tmp_path: Path, field: str, typed: str, takes: str
) -> None:
    async with show(tmp_path, ("border-effect",)) as (screen, pilot):
        drawn = text_of(screen, "#picture")
        entry = screen.query_one(f"#try-{field}", Input)
        before, entry.value = entry.value, typed
        await until(pilot, lambda: text_of(screen, "#picture").startswith("Nothing"), "no picture")
        assert text_of(screen, f"#range-{field}").startswith("! only")
        assert takes in text_of(screen, f"#range-{field}")
        others = {"size", "kernel", "stride", "padding"} - {field}
        assert not any(text_of(screen, f"#range-{other}").startswith("!") for other in others)
        entry.value = before
        await until(pilot, lambda: text_of(screen, "#picture") == drawn, "the picture again")
        assert not text_of(screen, f"#range-{field}").startswith("!")


async def test_a_window_that_does_not_fit_is_no_error(tmp_path: Path) -> None:
    async with show(tmp_path, ("border-effect",)) as (screen, pilot):
        screen.query_one("#try-size", Input).value = "2"
        await until(pilot, lambda: "does not fit" in text_of(screen, "#picture"), "words for it")


async def test_keys_typed_into_a_field_stay_there(tmp_path: Path) -> None:
    async with show(tmp_path, ("border-effect",)) as (screen, pilot):
        await pilot.press("enter", "end", "left", "question_mark", "space", "right")
        await until(
            pilot, lambda: screen.query_one("#try-size", Input).value == "? 5", "what was typed"
        )
        assert pilot.app.screen is screen
        assert text_of(screen, "#title") == CONCEPTS["border-effect"].title


async def test_related_concepts_stand_beside_the_explanation_of_a_broad_terminal(
    tmp_path: Path,
) -> None:
    async with show(tmp_path, ("border-effect", "dropout"), size=(200, 50)) as (screen, pilot):
        related = screen.query_one(ConceptNotes)
        await until(pilot, lambda: "How far the window steps" in related.render(), "the first")
        lines = related.render().plain.splitlines()
        assert lines[0] == "related"
        assert not related.render().style  # that of the heading alone is dim
        assert CONCEPTS["border-effect"].related[:2] == ("stride", "max-pooling")
        assert "Max pooling keeps the strongest value" in lines
        assert related.region.x >= screen.query_one("#explanation").region.right
        await pilot.press("down")  # the text under the cursor at once
        first = CONCEPTS[CONCEPTS["dropout"].related[0]].title
        await until(pilot, lambda: related.render().plain.splitlines()[2] == first, "another one")
        await pilot.resize_terminal(BROAD_COLUMNS, 50)  # the narrowest that has room for them
        beside = screen.query_one("#explanation").region
        await until(pilot, lambda: related.size.width == MIN_COLUMN, "a narrow column")
        assert related.region.x >= beside.right
        assert related.render().plain.splitlines()[2] == first
        await pilot.resize_terminal(BROAD_COLUMNS - 1, 50)
        await until(pilot, lambda: related.region.y > 15, "below the explanation")
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: not related.display, "the explanation only")

"""Augmentation settings, and their effect on a real image."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from image_files import write_photo
from screen_text import lines
from textual.pilot import Pilot
from textual.widgets import Input, OptionList
from ui_pilot import driven, text_of, until

from workbench.app.draft import Draft, newest_draft
from workbench.app.scan_job import ScanJob
from workbench.datasets.augment import augment, draw
from workbench.datasets.decoding import load_array
from workbench.datasets.inspect_job import Inspection
from workbench.experiment.augmentation import AugmentationSpec
from workbench.experiment.facts import DataFacts
from workbench.experiment.presets import BOOK_AUGMENTATION
from workbench.paths import Workspace
from workbench.render.half_blocks import fit_half_blocks
from workbench.ui.augmentation.preview import KEYS, VIEWS_SHOWN, load_sample, step_value
from workbench.ui.augmentation.screen import AugmentationScreen
from workbench.ui.data.found import DataFound
from workbench.ui.data.screen import DataScreen
from workbench.ui.option import OptionScreen
from workbench.ui.widgets.picture import Picture

picture = partial(write_photo, width=72, height=66)


def scanned(tmp_path: Path, samples: dict[str, tuple[Path, ...]], preset: str) -> Draft:
    """A draft whose images were scanned."""
    workspace, source = Workspace(tmp_path / "ws"), tmp_path / "pets"
    source.mkdir(exist_ok=True)
    facts = DataFacts((66, 72), True, 3, 2, 600, 300, False)
    draft = Draft(workspace, preset=preset)
    draft.set_source(source, facts)
    job = ScanJob(workspace, source)
    job.folder.mkdir(parents=True)
    event = {"event": "result", **Inspection(source, "folders", facts, samples).to_event()}
    job.events.write_text(json.dumps(event) + "\n", encoding="ascii")
    return draft


def pets(tmp_path: Path, preset: str = "convnet") -> Draft:
    """Two images of cats, one of a dog."""
    samples = {
        "cats": tuple(picture(tmp_path / "pets" / "cats" / f"{n}.png", n) for n in range(2)),
        "dogs": (picture(tmp_path / "pets" / "dogs" / "7.png", 7),),
    }
    return scanned(tmp_path, samples, preset)


@asynccontextmanager
async def on_screen(
    draft: Draft, size: tuple[int, int] = (80, 24), utf8: bool = True
) -> AsyncIterator[tuple[Pilot[Any], AugmentationScreen]]:
    """A screen that shows its first image."""
    async with driven(draft.workspace.root, size) as (app, pilot):
        app.utf8 = utf8
        await pilot.pause()
        screen = AugmentationScreen(draft)
        await app.push_screen(screen)
        await until(pilot, lambda: views(screen)[0], "the first picture")
        yield pilot, screen


def views(screen: AugmentationScreen) -> list[object]:
    """The contents of the eight boxes, an image as text."""
    boxes = [screen.query_one(f"#variant-{n}", Picture) for n in range(1, VIEWS_SHOWN + 1)]
    return [
        fit_half_blocks(box.picture, *box.size, screen.workbench.utf8)
        if isinstance(box.picture, np.ndarray)
        else box.picture
        for box in boxes
    ]


async def changed(pilot: Pilot[Any], screen: AugmentationScreen, *keys: str) -> list[object]:
    """Presses keys and waits for other pictures."""
    before = views(screen)
    await pilot.press(*keys)
    await until(pilot, lambda: views(screen) != before, f"other pictures after {keys}")
    return views(screen)


async def go_to(pilot: Pilot[Any], screen: AugmentationScreen, key: str) -> None:
    screen.query_one(OptionList).highlighted = KEYS.index(key)
    await pilot.pause()


async def test_without_changes_all_eight_are_the_image_itself(tmp_path):
    async with on_screen(pets(tmp_path)) as (_pilot, screen):
        assert views(screen) == [views(screen)[0]] * VIEWS_SHOWN
        assert "All off" in text_of(screen, "#note")
        assert "0.png  cats 1 of 2   66x72x3   views 1 to 8" in text_of(screen, "#image")


async def test_a_step_changes_the_views_and_off_makes_them_equal_again(tmp_path):
    async with on_screen(pets(tmp_path)) as (pilot, screen):
        plain = views(screen)
        turned = await changed(pilot, screen, "right")
        assert screen.settings.spec.augmentation.rotation == 5
        assert len({str(one.spans) for one in turned}) > 1
        assert "convnet has no augmentation of its own" in text_of(screen, "#note")
        await changed(pilot, screen, "plus")
        assert screen.settings.spec.augmentation.rotation == 10
        await pilot.press("left", "minus", "minus")  # not below 0
        assert screen.settings.spec.augmentation.rotation == 0
        await go_to(pilot, screen, "fill")
        await pilot.press("right")
        assert screen.settings.spec.augmentation.fill == "black"
        await go_to(pilot, screen, "vertical_flip")
        await changed(pilot, screen, "right")
        assert screen.settings.spec.augmentation.vertical_flip
        await pilot.press("0")
        await until(pilot, lambda: views(screen) == plain, "eight equal images")
        assert screen.settings.spec.augmentation == AugmentationSpec(fill="black")


async def test_the_views_are_those_that_training_draws(tmp_path):
    async with on_screen(pets(tmp_path)) as (pilot, screen):
        await changed(pilot, screen, "b")
        opened = load_sample(tmp_path / "pets" / "cats" / "0.png", screen.settings.spec.data)
        spec, box = screen.settings.spec.augmentation, screen.query_one("#variant-1").size
        wanted = [
            fit_half_blocks(augment(opened.array, spec, draw(spec, 1, 0, n, opened.content)), *box)
            for n in range(1, VIEWS_SHOWN + 1)
        ]
        await until(pilot, lambda: views(screen) == wanted, "the draws of training")


async def test_another_eight_another_image_another_class(tmp_path):
    async with on_screen(pets(tmp_path)) as (pilot, screen):
        await changed(pilot, screen, "b")
        await changed(pilot, screen, "r")
        assert "views 9 to 16" in text_of(screen, "#image")
        await changed(pilot, screen, "i")
        assert "1.png  cats 2 of 2" in text_of(screen, "#image")
        await changed(pilot, screen, "L")
        assert "7.png  dogs 1 of 1" in text_of(screen, "#image")
        await changed(pilot, screen, "L")
        assert "0.png  cats 1 of 2" in text_of(screen, "#image")


@pytest.mark.parametrize("way", ["escape", "done"])
async def test_the_draft_keeps_the_books_values(tmp_path, way):
    async with on_screen(pets(tmp_path)) as (pilot, screen):
        await changed(pilot, screen, "b")
        assert pilot.app.screen is screen
        if way == "done":
            screen.query_one(OptionList).highlighted = len(KEYS)
            await pilot.press("enter")
        else:
            await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is not screen, "the screen before")
    draft = screen.draft
    assert draft.settings == {f"augmentation.{k}": v for k, v in BOOK_AUGMENTATION.items()}
    assert newest_draft(draft.workspace) == draft
    assert draft.spec().augmentation == AugmentationSpec(**BOOK_AUGMENTATION)


async def test_the_draft_keeps_them_where_the_app_ends_in_the_middle(tmp_path):
    async with on_screen(pets(tmp_path)) as (pilot, screen):
        await changed(pilot, screen, "right")
    assert screen.draft.settings == {"augmentation.rotation": 5}


async def test_the_choice_of_the_recommended_strategy_keeps_them(tmp_path):
    draft = pets(tmp_path, "feature-extraction")
    preset = draft.chosen_preset

    async with on_screen(draft) as (pilot, screen):
        await changed(pilot, screen, "right")
    draft.set_preset(preset)
    assert draft.settings == {"augmentation.rotation": 5}


async def test_unchanged_settings_leave_the_draft_as_it_was(tmp_path):
    draft = pets(tmp_path, "convnet-augmented")
    draft.complete_step("strategy")

    async with on_screen(draft) as (pilot, screen):
        assert "convnet-augmented augments" in text_of(screen, "#note")
        await pilot.press("right", "left", "escape")
        await until(pilot, lambda: pilot.app.screen is not screen, "the screen before")
    assert draft.settings == {}
    assert draft.completed == {"strategy"}


async def test_cached_views_go_with_the_augmentation(tmp_path):
    draft = pets(tmp_path, "feature-extraction-augmented")
    views = draft.spec().base.views

    async with on_screen(draft) as (pilot, screen):
        await changed(pilot, screen, "0")
    assert draft.spec().base.views == 0
    assert not draft.spec().augmentation.active
    async with on_screen(draft) as (pilot, screen):
        await changed(pilot, screen, "right")
    assert draft.spec().base.views == views


async def test_a_base_that_runs_in_every_epoch_is_mentioned(tmp_path):
    async with on_screen(pets(tmp_path, "feature-extraction")) as (pilot, screen):
        await changed(pilot, screen, "right")
        assert "its base runs again in every epoch" in text_of(screen, "#note")


async def test_a_value_is_typed_and_a_wrong_one_is_refused(tmp_path):
    async with on_screen(pets(tmp_path)) as (pilot, screen):
        await go_to(pilot, screen, "zoom")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, OptionScreen), "the question")
        dialog = pilot.app.screen
        for typed, message in (("7", "received 7; allowed: a number from 0 to 0.9"), ("x", "'x'")):
            dialog.query_one(Input).value = typed
            await pilot.press("enter")
            await until(pilot, lambda w=message: w in text_of(dialog, "#error"), message)
        assert pilot.app.screen is dialog
        dialog.query_one(Input).value = "0.33"
        await changed(pilot, screen, "enter")
        assert screen.settings.spec.augmentation.zoom == 0.33
        await go_to(pilot, screen, "horizontal_flip")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, OptionScreen), "the choice")
        await pilot.press("up", "enter")
        assert screen.settings.spec.augmentation.horizontal_flip
    draft = screen.draft
    assert draft.settings == {"augmentation.zoom": 0.33, "augmentation.horizontal_flip": True}


async def test_hostile_names_do_no_harm(tmp_path):
    folder = tmp_path / "pets" / "[red]cats[bold"
    names = ("\x1b[31m[x]\n.png", os.fsdecode(b"\xff[bold]\x07.png"))
    samples = {"[red]\x1b]0;x\x07": tuple(picture(folder / name, 3) for name in names)}

    async with on_screen(scanned(tmp_path, samples, "convnet")) as (pilot, screen):
        for shown in ("\\e[31m[x]\\n.png", "\\xff[bold]\\u0007.png"):
            await until(pilot, lambda s=shown: s in text_of(screen, "#image"), shown)
            drawn = "\n".join(lines(screen))
            assert "[red]" in drawn
            assert not any(ord(c) < 32 and c != "\n" for c in drawn)
            await pilot.press("i")


@pytest.mark.parametrize("fault", ["gone", "no scan"])
async def test_a_missing_image_is_reported(tmp_path, fault):
    draft = pets(tmp_path)
    message = "there is no such file"
    if fault == "gone":
        (tmp_path / "pets" / "cats" / "0.png").unlink()
    else:
        ScanJob(draft.workspace, draft.source).clear()
        message = "the scan of the data is gone"

    async with on_screen(draft) as (pilot, screen):
        await until(pilot, lambda: message in str(views(screen)[0]), message)
        await pilot.press("b", "r", "i", "L")
        assert screen.settings.spec.augmentation.rotation == 40


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_everything_has_room_in_plain_characters(tmp_path, size):
    async with on_screen(pets(tmp_path), size, utf8=False) as (pilot, screen):
        await changed(pilot, screen, "b")
        box = screen.query_one("#variant-8", Picture)
        assert box.size.width >= 14
        assert box.size.height >= 7
        assert box.region.right <= size[0]
        assert all(one.plain.isascii() for one in views(screen))
        shown = "\n".join(lines(screen))
        assert shown.isascii()
        assert "horizontal flip On" in shown
        assert "done" in shown
        assert "b Book" in shown


async def test_larger_terminals_show_larger_views(tmp_path):
    async with on_screen(pets(tmp_path)) as (pilot, screen):
        small = len(str(views(screen)[0]))
        await pilot.resize_terminal(120, 40)
        await until(pilot, lambda: len(str(views(screen)[0])) > 2 * small, "larger pictures")


async def test_the_data_screen_opens_it_once_the_data_is_found(tmp_path):
    draft = pets(tmp_path)
    source = tmp_path / "pets"
    for number in range(10, 16):
        picture(source / "cats" / f"{number}.png", number)
        picture(source / "dogs" / f"{number}.png", 100 + number)
    ScanJob(draft.workspace, source).clear()

    async with driven(draft.workspace.root) as (app, pilot):
        await pilot.pause()
        screen = DataScreen(draft)
        await app.push_screen(screen)
        await pilot.press("s")
        assert app.screen is screen
        await until(pilot, lambda: screen.phase == "found", "the scan's end")
        assert screen.query_one(DataFound).display
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, AugmentationScreen), "the screen")
        augmentation = app.screen
        await until(pilot, lambda: views(augmentation)[0], "the first picture")
        await changed(pilot, augmentation, "b")
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen, "the screen before")
    assert draft.settings["augmentation.rotation"] == 40


def test_steps_move_on_a_grid_within_the_bounds():
    assert step_value("shear", 11.46, 1) == 15
    assert step_value("shear", 11.46, -1) == 10
    assert step_value("zoom", 0.15, 1) == 0.2
    assert step_value("zoom", 0.15, -1) == 0.1
    assert step_value("zoom", 0.9, 1) == 0.9
    assert step_value("rotation", 0, -1) == 0
    assert step_value("fill", "nearest", 1) == "black"
    assert step_value("fill", "black", 1) == "nearest"
    assert step_value("horizontal_flip", False, -1) is True
    for key in KEYS:
        value = getattr(AugmentationSpec(), key)
        for _ in range(50):
            value = step_value(key, value, 1)
            AugmentationSpec(**{key: value})


def test_an_image_is_read_as_training_reads_it(tmp_path):
    data = pets(tmp_path).spec().data
    path = tmp_path / "pets" / "dogs" / "7.png"
    opened = load_sample(path, data)
    assert (opened.array == load_array(path, data)).all()
    assert 0 <= opened.content < 2**64

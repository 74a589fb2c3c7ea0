"""The bench: settings of the augmentation, and what they do to a real image."""

import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static
from ui_pilot import drive, until

from workbench.app.draft import Draft, newest_draft
from workbench.app.scan_job import ScanJob
from workbench.datasets.augment import augment, draw
from workbench.datasets.images import load_array
from workbench.datasets.inspect_job import Inspection
from workbench.experiment.facts import DataFacts
from workbench.experiment.presets import BOOK_AUGMENTATION
from workbench.experiment.sections import AugmentationSpec
from workbench.paths import Workspace
from workbench.render.half_blocks import fitted
from workbench.ui.app import WorkbenchApp
from workbench.ui.augmentation.pictures import open_sample
from workbench.ui.augmentation.screen import BenchScreen
from workbench.ui.augmentation.settings import KEYS, stepped
from workbench.ui.augmentation.variants import VARIANTS
from workbench.ui.data.found import DataFound
from workbench.ui.data.screen import DataScreen
from workbench.ui.option import OptionScreen

Steps = Callable[[Pilot[Any], BenchScreen], Awaitable[None]]


def picture(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rough = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    Image.fromarray(rough).resize((72, 66), Image.Resampling.BICUBIC).save(path, "PNG")
    return path


def scanned(tmp_path: Path, samples: dict[str, tuple[Path, ...]], preset: str) -> Draft:
    """A draft whose images were scanned."""
    workspace, source = Workspace(tmp_path / "ws"), tmp_path / "pets"
    source.mkdir(exist_ok=True)
    facts = DataFacts((66, 72), True, 3, 2, 600, 300, False)
    draft = Draft(workspace, preset=preset)
    draft.take_source(source, facts)
    job = ScanJob(workspace, source)
    job.folder.mkdir(parents=True)
    told = {"event": "result", **Inspection(source, "folders", facts, samples).to_event()}
    job.events.write_text(json.dumps(told) + "\n", encoding="ascii")
    return draft


def pets(tmp_path: Path, preset: str = "convnet") -> Draft:
    """Two images of cats, one of a dog."""
    samples = {
        "cats": tuple(picture(tmp_path / "pets" / "cats" / f"{n}.png", n) for n in range(2)),
        "dogs": (picture(tmp_path / "pets" / "dogs" / "7.png", 7),),
    }
    return scanned(tmp_path, samples, preset)


def on_bench(
    draft: Draft, steps: Steps, size: tuple[int, int] = (80, 24), utf8: bool = True
) -> Draft:
    """Runs `steps` on a bench that shows its first image."""

    async def play(app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        app.utf8 = utf8
        await pilot.pause()
        bench = BenchScreen(draft)
        await app.push_screen(bench)
        await until(pilot, lambda: variants(bench)[0], "the first picture")
        await steps(pilot, bench)

    drive(draft.workspace.root, play, size)
    return draft


def variants(bench: BenchScreen) -> list[object]:
    """What stands in the eight boxes."""
    boxes = [bench.query_one(f"#variant-{n}", Static) for n in range(1, VARIANTS + 1)]
    return [box.content for box in boxes]


def text_of(bench: BenchScreen, selector: str) -> str:
    return str(bench.query_one(selector, Static).content)


def all_shown(screen: Any) -> str:
    strips = screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


async def changed(pilot: Pilot[Any], bench: BenchScreen, *keys: str) -> list[object]:
    """Presses keys and waits for other pictures."""
    before = variants(bench)
    await pilot.press(*keys)
    await until(pilot, lambda: variants(bench) != before, f"other pictures after {keys}")
    return variants(bench)


async def go_to(pilot: Pilot[Any], bench: BenchScreen, key: str) -> None:
    bench.query_one(OptionList).highlighted = KEYS.index(key)
    await pilot.pause()


def test_without_changes_all_eight_are_the_image_itself(tmp_path):
    async def steps(pilot, bench):
        assert variants(bench) == [variants(bench)[0]] * VARIANTS
        assert "All off" in text_of(bench, "#note")
        assert "0.png  cats 1 of 2   66x72x3   views 1 to 8" in text_of(bench, "#image")

    on_bench(pets(tmp_path), steps)


def test_a_step_alters_the_variants_and_off_makes_them_equal_again(tmp_path):
    async def steps(pilot, bench):
        plain = variants(bench)
        turned = await changed(pilot, bench, "right")
        assert bench.settings.whole.augmentation.rotation == 5
        assert len({str(one.spans) for one in turned}) > 1
        assert "convnet has no augmentation of its own" in text_of(bench, "#note")
        await changed(pilot, bench, "plus")
        assert bench.settings.whole.augmentation.rotation == 10
        await pilot.press("left", "minus", "minus")  # not below 0
        assert bench.settings.whole.augmentation.rotation == 0
        await go_to(pilot, bench, "fill")
        await pilot.press("right")
        assert bench.settings.whole.augmentation.fill == "black"
        await go_to(pilot, bench, "vertical_flip")
        await changed(pilot, bench, "right")
        assert bench.settings.whole.augmentation.vertical_flip
        await pilot.press("0")
        await until(pilot, lambda: variants(bench) == plain, "eight equal images")
        assert bench.settings.whole.augmentation == AugmentationSpec(fill="black")

    on_bench(pets(tmp_path), steps)


def test_the_variants_are_those_that_training_draws(tmp_path):
    async def steps(pilot, bench):
        await changed(pilot, bench, "b")
        opened = open_sample(tmp_path / "pets" / "cats" / "0.png", bench.settings.whole.data)
        spec, box = bench.settings.whole.augmentation, bench.query_one("#variant-1").size
        wanted = [
            fitted(augment(opened.pixels, spec, draw(spec, 1, 0, n, opened.content)), *box)
            for n in range(1, VARIANTS + 1)
        ]
        await until(pilot, lambda: variants(bench) == wanted, "the draws of training")

    on_bench(pets(tmp_path), steps)


def test_another_eight_another_image_another_class(tmp_path):
    async def steps(pilot, bench):
        await changed(pilot, bench, "b")
        await changed(pilot, bench, "space")
        assert "views 9 to 16" in text_of(bench, "#image")
        await changed(pilot, bench, "n")
        assert "1.png  cats 2 of 2" in text_of(bench, "#image")
        await changed(pilot, bench, "c")
        assert "7.png  dogs 1 of 1" in text_of(bench, "#image")
        await changed(pilot, bench, "c")
        assert "0.png  cats 1 of 2" in text_of(bench, "#image")

    on_bench(pets(tmp_path), steps)


@pytest.mark.parametrize("way", ["escape", "done"])
def test_the_draft_keeps_the_books_values(tmp_path, way):
    async def steps(pilot, bench):
        await changed(pilot, bench, "b")
        assert pilot.app.screen is bench
        if way == "done":
            bench.query_one(OptionList).highlighted = len(KEYS)
            await pilot.press("enter")
        else:
            await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is not bench, "the screen before")

    draft = on_bench(pets(tmp_path), steps)
    assert draft.settings == {f"augmentation.{k}": v for k, v in BOOK_AUGMENTATION.items()}
    assert newest_draft(draft.workspace) == draft
    assert draft.spec().augmentation == AugmentationSpec(**BOOK_AUGMENTATION)


def test_the_draft_keeps_them_where_the_app_ends_in_the_middle(tmp_path):
    async def steps(pilot, bench):
        await changed(pilot, bench, "right")

    assert on_bench(pets(tmp_path), steps).settings == {"augmentation.rotation": 5}


def test_the_choice_of_the_recommended_rung_keeps_them(tmp_path):
    draft = pets(tmp_path, "")
    rung = draft.chosen_preset

    async def steps(pilot, bench):
        await changed(pilot, bench, "right")

    on_bench(draft, steps)
    draft.take_preset(rung)
    assert draft.settings == {"augmentation.rotation": 5}


def test_a_look_alone_leaves_the_draft_as_it_was(tmp_path):
    draft = pets(tmp_path, "convnet-augmented")
    draft.settle("strategy")

    async def steps(pilot, bench):
        assert "convnet-augmented augments" in text_of(bench, "#note")
        await pilot.press("right", "left", "escape")
        await until(pilot, lambda: pilot.app.screen is not bench, "the screen before")

    on_bench(draft, steps)
    assert draft.settings == {}
    assert draft.settled == {"strategy"}


def test_cached_views_go_with_the_augmentation(tmp_path):
    draft = pets(tmp_path, "feature-extraction-augmented")
    views = draft.spec().base.views

    async def off(pilot, bench):
        await changed(pilot, bench, "0")

    async def on(pilot, bench):
        await changed(pilot, bench, "right")

    assert on_bench(draft, off).spec().base.views == 0
    assert not draft.spec().augmentation.active
    assert on_bench(draft, on).spec().base.views == views


def test_a_base_that_runs_in_every_epoch_is_told_of(tmp_path):
    async def steps(pilot, bench):
        await changed(pilot, bench, "right")
        assert "its base runs anew in every epoch" in text_of(bench, "#note")

    on_bench(pets(tmp_path, "feature-extraction"), steps)


def test_a_value_is_typed_and_a_wrong_one_refused_in_words(tmp_path):
    async def steps(pilot, bench):
        await go_to(pilot, bench, "zoom")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, OptionScreen), "the question")
        asked = pilot.app.screen
        for typed, words in (("7", "received 7; allowed: a number from 0 to 0.9"), ("x", "'x'")):
            asked.query_one(Input).value = typed
            await pilot.press("enter")
            await until(pilot, lambda w=words: w in text_of(asked, "#error"), words)
        assert pilot.app.screen is asked
        asked.query_one(Input).value = "0.33"
        await changed(pilot, bench, "enter")
        assert bench.settings.whole.augmentation.zoom == 0.33
        await go_to(pilot, bench, "horizontal_flip")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, OptionScreen), "the choice")
        await pilot.press("up", "enter")
        assert bench.settings.whole.augmentation.horizontal_flip

    draft = on_bench(pets(tmp_path), steps)
    assert draft.settings == {"augmentation.zoom": 0.33, "augmentation.horizontal_flip": True}


def test_hostile_names_do_no_harm(tmp_path):
    folder = tmp_path / "pets" / "[red]cats[bold"
    names = ("\x1b[31m[x]\n.png", os.fsdecode(b"\xff[bold]\x07.png"))
    samples = {"[red]\x1b]0;x\x07": tuple(picture(folder / name, 3) for name in names)}

    async def steps(pilot, bench):
        for shown in ("\\e[31m[x]\\n.png", "\\xff[bold]\\u0007.png"):
            await until(pilot, lambda s=shown: s in text_of(bench, "#image"), shown)
            drawn = all_shown(bench)
            assert "[red]" in drawn
            assert not any(ord(c) < 32 and c != "\n" for c in drawn)
            await pilot.press("n")

    on_bench(scanned(tmp_path, samples, "convnet"), steps)


@pytest.mark.parametrize("fault", ["gone", "no scan"])
def test_what_cannot_be_shown_is_told(tmp_path, fault):
    draft = pets(tmp_path)
    words = "there is no such file"
    if fault == "gone":
        (tmp_path / "pets" / "cats" / "0.png").unlink()
    else:
        ScanJob(draft.workspace, draft.source).forget()
        words = "scanned"

    async def steps(pilot, bench):
        await until(pilot, lambda: words in text_of(bench, "#variant-1"), words)
        await pilot.press("b", "space", "n", "c")
        assert bench.settings.whole.augmentation.rotation == 40

    on_bench(draft, steps)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_everything_has_room_in_plain_characters(tmp_path, size):
    async def steps(pilot, bench):
        await changed(pilot, bench, "b")
        box = bench.query_one("#variant-8", Static)
        assert box.size.width >= 14
        assert box.size.height >= 7
        assert box.region.right <= size[0]
        assert all(one.plain.isascii() for one in variants(bench))
        shown = all_shown(bench)
        assert shown.isascii()
        assert "horizontal flip on" in shown
        assert "done" in shown
        assert "Book's" in shown

    on_bench(pets(tmp_path), steps, size, utf8=False)


def test_larger_terminals_show_larger_variants(tmp_path):
    async def steps(pilot, bench):
        small = len(str(variants(bench)[0]))
        await pilot.resize_terminal(120, 40)
        await until(pilot, lambda: len(str(variants(bench)[0])) > 2 * small, "larger pictures")

    on_bench(pets(tmp_path), steps)


def test_the_data_screen_opens_it_once_the_data_is_found(tmp_path):
    draft = pets(tmp_path)
    source = tmp_path / "pets"
    for number in range(10, 16):
        picture(source / "cats" / f"{number}.png", number)
        picture(source / "dogs" / f"{number}.png", 100 + number)
    ScanJob(draft.workspace, source).forget()

    async def play(app, pilot):
        await pilot.pause()
        screen = DataScreen(draft)
        await app.push_screen(screen)
        await pilot.press("a")
        assert app.screen is screen
        await until(pilot, lambda: screen.phase == "found", "the scan's end")
        assert screen.query_one(DataFound).display
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, BenchScreen), "the bench")
        bench = app.screen
        await until(pilot, lambda: variants(bench)[0], "the first picture")
        await changed(pilot, bench, "b")
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen, "the way back")

    drive(draft.workspace.root, play)
    assert draft.settings["augmentation.rotation"] == 40


def test_steps_move_on_a_grid_within_the_bounds():
    assert stepped("shear", 11.46, 1) == 15
    assert stepped("shear", 11.46, -1) == 10
    assert stepped("zoom", 0.15, 1) == 0.2
    assert stepped("zoom", 0.15, -1) == 0.1
    assert stepped("zoom", 0.9, 1) == 0.9
    assert stepped("rotation", 0, -1) == 0
    assert stepped("fill", "nearest", 1) == "black"
    assert stepped("fill", "black", 1) == "nearest"
    assert stepped("horizontal_flip", False, -1) is True
    for key in KEYS:
        value = getattr(AugmentationSpec(), key)
        for _ in range(50):
            value = stepped(key, value, 1)
            AugmentationSpec(**{key: value})


def test_an_image_is_read_as_training_reads_it(tmp_path):
    data = pets(tmp_path).spec().data
    path = tmp_path / "pets" / "dogs" / "7.png"
    opened = open_sample(path, data)
    assert (opened.pixels == load_array(path, data)).all()
    assert 0 <= opened.content < 2**64

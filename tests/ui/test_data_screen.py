"""The data screen: choosing, scanning, the result, the split."""

import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from image_files import write_photo
from screen_text import lines
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, OptionList, Static
from ui_pilot import driven, messages, text_of, until
from waiting import GUARD

from workbench.app.draft import Draft, newest_draft
from workbench.app.scan_job import ScanJob
from workbench.datasets.audit import Audit
from workbench.datasets.findings import AuditFinding
from workbench.datasets.sources.catalogue import CATALOGUE
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.render.image_steps import ImageStep, image_steps
from workbench.runs.folder import create_run
from workbench.text import cut_cells
from workbench.ui.data import screen as data_screen
from workbench.ui.data.found import class_columns, class_rows
from workbench.ui.data.panes import FilesScreen, FindingList, FindingTable
from workbench.ui.data.screen import DataScreen
from workbench.ui.dialogs import Confirm, ErrorDialog
from workbench.ui.widgets import path_field
from workbench.ui.widgets.data_choice import DataChoice, FolderTree
from workbench.ui.widgets.path_field import PathField, completions
from workbench.ui.widgets.picture import Picture

picture = partial(write_photo, width=72, height=66)


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "ws").mkdir()
    return Workspace(tmp_path / "ws")


@pytest.fixture
def pets(tmp_path):
    root = tmp_path / "pets"
    for number in range(10):
        picture(root / "cats" / f"{number}.png", number)
        picture(root / "dogs" / f"{number}.png", 100 + number)
    return root


@asynccontextmanager
async def on_screen(
    workspace: Workspace, draft: Draft | None = None, size: tuple[int, int] = (80, 24), **more: str
) -> AsyncIterator[tuple[Pilot[Any], DataScreen]]:
    """A data screen over home."""
    async with driven(workspace.root, size) as (app, pilot):
        app.utf8 = True
        await pilot.pause()
        screen = DataScreen(draft or Draft(workspace), **more)
        await app.push_screen(screen)
        yield pilot, screen


def found(screen: DataScreen) -> Callable[[], bool]:
    return lambda: screen.phase == "found"


def question(app: App[Any]) -> str:
    return str(app.screen.query(Static).first().content)


async def choose(pilot: Pilot, screen: DataScreen, path: Path) -> None:
    screen.query_one(PathField).value = str(path)
    await pilot.press("enter")


async def test_a_typed_folder_is_scanned_and_shown(workspace, pets):
    async with on_screen(workspace) as (pilot, screen):
        await choose(pilot, screen, pets)
        await until(pilot, found(screen))
        assert "20 images in 2 classes" in text_of(screen, "#summary")
        assert screen.query_one("#classes", DataTable).row_count == 2
        await until(pilot, lambda: "rescale" in text_of(screen, "#steps"))
        shown = text_of(screen, "#steps")
        assert "66x72x3 uint8" in shown
        assert shown.endswith("rescale  as the base was trained")
        book = image_steps(pets / "cats/0.png", screen.draft.spec().data).steps[-1]
        assert book == ImageStep("rescale", "all x 1/255", "0.000 to 1.000")
        assert "train 14   validation 4   test 2" in text_of(screen, "#split-result")
    draft = screen.draft
    assert draft.facts.images == 20
    assert newest_draft(workspace) == draft


@pytest.mark.parametrize(
    ("size", "rows"),
    [((80, 24), [2]), ((80, 60), [2, 2]), ((120, 40), [4, 4]), ((200, 50), [4, 4])],
)
async def test_a_second_row_of_images_is_shown_where_it_has_room(workspace, pets, size, rows):
    async with on_screen(workspace, size=size) as (pilot, screen):
        await choose(pilot, screen, pets)

        def drawn() -> list[int]:
            shown = [row for row in screen.query("#thumbs Horizontal") if row.display]
            return [sum(one.picture is not None for one in row.query(Picture)) for row in shown]

        await until(pilot, lambda: found(screen)() and drawn() == rows, str(rows))
        pictures = [one for one in screen.query(Picture) if one.picture is not None]
        await until(pilot, lambda: all(one.size for one in pictures))
        bottom = max(one.region.bottom for one in pictures)
        assert bottom <= screen.query_one(FindingList).region.y


async def test_findings_are_cut_where_the_terminal_ends(workspace, pets):
    message = " ".join(f"word{number}" for number in range(40))
    finding = AuditFinding("blurred", "warning", message)
    async with on_screen(workspace) as (pilot, screen):
        await choose(pilot, screen, pets)
        await until(pilot, found(screen))
        screen.query_one(FindingList).show([finding, finding])
        screen.query_one(FindingTable).move_cursor(row=1)
        for width in (80, 160, 100, 80):
            await pilot.resize_terminal(width, 24)
            expected = cut_cells(message, width - 16)

            def drawn(expected: str = expected) -> bool:
                shown = [line for line in lines(screen) if "word0" in line]
                return [line.partition("warning")[2].strip() for line in shown] == [expected] * 2

            await until(pilot, drawn, expected)
            assert screen.query_one(FindingTable).cursor_row == 1


@pytest.mark.parametrize("pasted", ["'{}'", "file://{}", " {} "])
async def test_a_pasted_folder_is_scanned(workspace, pets, pasted):
    async with on_screen(workspace) as (pilot, screen):
        await choose(pilot, screen, pasted.format(pets))
        await until(pilot, found(screen))
    assert screen.draft.source == pets


async def test_tab_completes_folders_and_leaves_what_is_complete(workspace, pets):
    async with on_screen(workspace) as (pilot, screen):
        field = screen.query_one(PathField)
        field.value = f"{pets}/ca"
        field.cursor_position = len(field.value)
        await until(pilot, lambda: bool(field._suggestion))
        await pilot.press("tab")
        assert field.value == f"{pets}/cats/"
        (pets.parent / "pets-1").mkdir()
        for typed in (f"{pets}/zebras", f"{pets}/cats", str(pets), f"{pets}/"):
            field.value = typed
            await until(pilot, lambda: not field._suggestion)
            await pilot.press("tab")
            assert (field.value, field.has_focus) == (typed, True)
        await pilot.press("down")
        assert screen.query_one("#known").has_focus


async def test_tab_before_the_folder_was_read_completes_once_it_was(workspace, pets, monkeypatch):
    read = threading.Event()

    def slow(value, **options):
        assert read.wait(GUARD)
        return completions(value, **options)

    monkeypatch.setattr(path_field, "completions", slow)
    async with on_screen(workspace) as (pilot, screen):
        field = screen.query_one(PathField)
        field.value = f"{pets}/ca"
        field.cursor_position = len(field.value)
        await pilot.press("tab")
        assert field.value == f"{pets}/ca"
        read.set()
        await until(pilot, lambda: field.value == f"{pets}/cats/", "the whole name")


def test_folders_of_images_are_offered_before_our_own(tmp_path):
    for name, inside in (("a-keras", "preprocessing.json"), ("a-run", "events.jsonl")):
        (tmp_path / name).mkdir()
        (tmp_path / name / inside).touch()
    for name in ("a-zoo", "a"):
        (tmp_path / name).mkdir()
    found = [path.rsplit("/", 2)[-2] for path in completions(f"{tmp_path}/a")]
    assert found == ["a", "a-zoo", "a-keras", "a-run"]


def test_completions_leave_out_deceptive_names(tmp_path):
    for name in (b"plain", b"pl\x1b[31m", b"pl\xff", b"pl\n", b".plhidden"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).mkdir()
    (tmp_path / "pl.csv").write_text("")
    (tmp_path / "pl.txt").write_text("")
    found = completions(f"{tmp_path}/pl")
    assert found == [f"{tmp_path}/pl.csv", f"{tmp_path}/plain/"]
    assert completions(f"{tmp_path}/nowhere/x") == []
    assert completions("~nobody-of-this-name/") == []


@pytest.mark.parametrize("fault", ["empty", "no images", "gone"])
async def test_an_unusable_folder_is_reported_over_the_field(workspace, tmp_path, fault):
    folder = tmp_path / "[/oops]"
    if fault != "gone":
        folder.mkdir(parents=True)
    if fault == "no images":
        (folder / "a.txt").write_text("a")

    async with on_screen(workspace) as (pilot, screen):
        await choose(pilot, screen, folder)
        await until(pilot, lambda: screen.phase == "choose" and screen.query_one("#fault").display)
        messages = {"empty": "is empty", "no images": "no images", "gone": "There is no file"}
        assert messages[fault] in text_of(screen, "#fault")
        await until(pilot, lambda: screen.query_one(PathField).has_focus)


async def test_escape_leads_from_images_chosen_here_back_to_their_choice(workspace, pets):
    async with on_screen(workspace) as (pilot, screen):
        await choose(pilot, screen, pets)
        await until(pilot, found(screen))
        await pilot.press("escape")
        assert screen.phase == "choose"
        assert screen.query_one(PathField).value == str(pets)
        await pilot.press("escape")
        assert screen not in pilot.app.screen_stack

    async with on_screen(workspace, newest_draft(workspace)) as (pilot, screen):
        await until(pilot, found(screen))
        await pilot.press("escape")
        assert screen not in pilot.app.screen_stack


async def test_leaving_during_a_scan_and_coming_back(workspace, pets, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))

    async with on_screen(workspace, scan_module="ui_slow_scan") as (pilot, screen):
        await choose(pilot, screen, pets)
        await until(pilot, lambda: "3 of 10" in text_of(screen, "#work-line"))
        await pilot.press("escape")
        assert screen not in pilot.app.screen_stack
    again = newest_draft(workspace)
    assert again.source == pets
    assert again.facts is None
    assert ScanJob(workspace, pets).poll().state == "running"

    async with on_screen(workspace, again, scan_module="ui_slow_scan") as (pilot, screen):
        await until(pilot, lambda: "3 of 10" in text_of(screen, "#work-line"))
        (workspace.root / "go").touch()
        await until(pilot, found(screen))
    assert again.facts.images == 20


async def test_a_scan_can_be_cancelled(workspace, pets, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))

    async with on_screen(workspace, scan_module="ui_slow_scan") as (pilot, screen):
        await choose(pilot, screen, pets)
        await until(pilot, lambda: "3 of 10" in text_of(screen, "#work-line"))
        await pilot.press("x")
        assert screen.phase == "choose"
        job = ScanJob(workspace, pets)
        await until(pilot, lambda: job.poll().state == "none")


async def test_a_scan_that_ends_without_a_result_is_reported(workspace, pets):
    async with on_screen(workspace, scan_module="workbench_no_such_module") as (pilot, screen):
        await choose(pilot, screen, pets)
        await until(pilot, lambda: screen.phase == "choose" and screen.query_one("#fault").display)
        assert "No module named" in text_of(screen, "#fault")


async def test_hostile_names_are_shown_harmless(workspace, tmp_path):
    root = tmp_path / "[/oops]"
    for number in range(4):
        picture(root / "[red]cats[bold" / f"\x1b[31m{number}\n.png", number)
        picture(root / "dogs\x1b]0;x\x07" / f"{number}.png", 50 + number)
    picture(root / "[red]cats[bold" / "twin.png", 0)
    picture(root / os.fsdecode(b"\xffbad") / "1.png", 99)

    async with on_screen(workspace) as (pilot, screen):
        await choose(pilot, screen, root)
        await until(pilot, found(screen))
        await until(pilot, lambda: "rescale" in text_of(screen, "#steps"))
        shown = "\n".join(lines(screen))
        assert "[red]cats[bold" in shown
        assert "\\xffbad" in shown
        assert not any(ord(c) < 32 and c != "\n" for c in shown)
        assert text_of(screen, "#findings-title").endswith("; tab, then enter: the files")
        await pilot.press("tab", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, FilesScreen))
        await pilot.pause()
        assert not any(ord(c) < 32 and c != "\n" for c in "\n".join(lines(pilot.app.screen)))


async def test_a_path_that_is_not_utf8_is_refused(workspace, tmp_path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    folder.mkdir()

    async with on_screen(workspace) as (pilot, screen):
        screen.query_one(DataChoice).post_message(DataChoice.Chosen(folder))
        await until(pilot, lambda: "UTF-8" in text_of(screen, "#fault"))


async def test_the_split_is_checked_as_it_is_typed(workspace, pets):
    async with on_screen(workspace) as (pilot, screen):
        await choose(pilot, screen, pets)
        await until(pilot, found(screen))
        field = screen.query_one("#split", Input)
        for typed, shown in (
            ("0.5 0.3 0.2", "train 10   validation 6   test 4"),
            ("1 0 0", "train 20   validation 0   test 0   no image is left to test on"),
            ("6 2 2", "train 12   validation 4   test 4"),
            ("0.9 0.9 0.9", "! fractions add up to at most 1"),
            (
                "600 2 2",
                "! 604 a class requested, the smallest has 10 files",
            ),
            ("0.5 0.5", "! train, validation and test: three shares such as 0.7 0.15 0.15"),
            ("0.5 0.3 banana", "! banana is no number: train, validation and test: three shares"),
        ):
            field.value = typed
            await until(pilot, lambda shown=shown: shown in text_of(screen, "#split-result"))
        field.focus()
        await pilot.press("enter")
        await pilot.pause()
        assert pilot.app.screen is screen  # not with an invalid split
    draft = screen.draft
    assert draft.settings["data.split.train"] == 6


async def test_a_split_of_ones_own_is_kept(workspace, tmp_path):
    for part in ("train", "validation", "test"):
        for label in ("a", "b"):
            for number in range(3):
                name = f"{number}.png"
                picture(tmp_path / "s" / part / label / name, hash((part, label, number)) % 9999)

    async with on_screen(workspace) as (pilot, screen):
        await choose(pilot, screen, tmp_path / "s")
        await until(pilot, found(screen))
        assert "train 6   validation 6   test 6" in text_of(screen, "#split-result")
        assert not screen.query_one("#split").display


async def test_the_demo_digits_are_fetched_and_scanned(workspace):
    async with on_screen(workspace) as (pilot, screen):
        screen.query_one(OptionList).focus()
        await pilot.press("enter")
        await until(pilot, found(screen))
        assert "1,797 images in 10 classes" in text_of(screen, "#summary")
    draft = screen.draft
    assert draft.stem == "digits"
    assert draft.chosen_preset == "convnet"


@pytest.mark.parametrize("typed", [True, False], ids=["typed", "chosen"])
async def test_a_download_asks_first_unless_it_is_here(workspace, monkeypatch, typed):
    fetched: list[str] = []

    def refuse(name, *given):
        fetched.append(name)
        raise UserError("no network")

    monkeypatch.setattr(data_screen, "fetch", refuse)

    async with on_screen(workspace) as (pilot, screen):
        known = screen.query_one("#known", OptionList)
        for answer in ("enter", "escape", "y"):
            assert not fetched
            if typed:
                await choose(pilot, screen, Path("flowers"))
            else:
                known.focus()
                known.highlighted = known.get_option_index("flowers")
                await pilot.press("enter")
            await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
            assert question(pilot.app) == ("Flowers is not on this machine yet. Download 229 MB?")
            await pilot.press(answer)
            await until(pilot, lambda: pilot.app.screen is screen)
        await until(pilot, lambda: text_of(screen, "#fault") == "no network")
        assert fetched == ["flowers"]
        (workspace.data / "flowers" / "source").mkdir(parents=True)
        known.focus()
        await pilot.press("enter")
        await until(pilot, lambda: len(fetched) == 2)


async def test_an_error_goes_as_soon_as_the_text_changes(workspace):
    async with on_screen(workspace) as (pilot, screen):
        await choose(pilot, screen, Path("/nowhere/x"))
        fault = screen.query_one("#fault")
        await until(pilot, lambda: fault.display)
        assert messages(pilot.app) == []  # said once, over the field
        await pilot.press("backspace")
        await until(pilot, lambda: not fault.display)


async def test_the_tree_chooses_a_folder(workspace, pets):
    async with on_screen(workspace) as (pilot, screen):
        screen.query_one(PathField).value = str(pets.parent)
        await pilot.press("ctrl+t")
        choice = screen.query_one(DataChoice)
        tree = choice.query_one("FolderTree")
        await until(pilot, lambda: len(tree.root.children) == 2)
        await pilot.press("escape")
        assert not choice.tree_shown
        await pilot.press("ctrl+t")
        tree = choice.query_one("FolderTree")
        await until(pilot, lambda: len(tree.root.children) == 2)
        await pilot.press("down", "enter")  # pets, before ws
        await until(pilot, found(screen))


async def test_the_field_keeps_what_was_typed_and_the_catalogue_stays_in_view(
    workspace, pets, monkeypatch
):
    fault = "\n".join(["It could not be downloaded.", *(f"step {n}" for n in range(20))])

    def refuse(*given):
        raise UserError(fault)

    monkeypatch.setattr(data_screen, "fetch", refuse)

    async with on_screen(workspace) as (pilot, screen):
        await choose(pilot, screen, Path("/nowhere/x"))
        await until(pilot, lambda: text_of(screen, "#fault"))
        assert text_of(screen, "#fault") == "There is no file or folder /nowhere/x."
        assert "new experiment" in str(screen.heading())
        await choose(pilot, screen, pets.with_name("petz"))
        meant = f"There is no file or folder {pets.with_name('petz')}. Did you mean {pets}?"
        await until(pilot, lambda: text_of(screen, "#fault") == meant)
        screen.query_one(PathField).value = "/typed/next"
        screen.query_one("#known", OptionList).focus()
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ErrorDialog))
        assert "step 19" in str(pilot.app.screen.query_one("#words", Static).content)
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen)
        assert text_of(screen, "#fault") == "It could not be downloaded."
        assert screen.query_one(PathField).value == "/typed/next"
        assert "digits" in "\n".join(lines(screen))
    assert screen.draft.source is None


async def test_images_that_cannot_be_used_are_no_images_of_the_draft(workspace, tmp_path):
    (tmp_path / "empty").mkdir()

    async with on_screen(workspace) as (pilot, screen):
        await choose(pilot, screen, tmp_path / "empty")
        await until(pilot, lambda: text_of(screen, "#fault"))
        assert screen.query_one(PathField).value == f"{tmp_path}/empty"
        assert "empty" not in str(screen.heading())
    assert screen.draft.source is None


async def test_the_tree_leads_up_and_its_hints_go_with_it(workspace, pets):
    async with on_screen(workspace) as (pilot, screen):
        screen.query_one(PathField).value = f"{pets}/cats"
        await pilot.press("ctrl+t")
        await until(pilot, lambda: screen.query(FolderTree))
        tree = screen.query_one(FolderTree)
        assert "backspace" in text_of(screen, "#completions")
        await pilot.press("backspace")
        await until(pilot, lambda: Path(tree.path) == pets)
        await until(pilot, lambda: len(tree.root.children) == 2)
        await pilot.press("ctrl+t")
        await until(pilot, lambda: "space opens" not in text_of(screen, "#completions"))


async def test_a_wrong_split_is_reported_whole(workspace, pets):
    async with on_screen(workspace) as (pilot, screen):
        await choose(pilot, screen, pets)
        await until(pilot, found(screen))
        assert "two tabs lead to it, then type" in text_of(screen, "#split-title")
        await pilot.press("tab", "tab")
        assert screen.query_one("#split").has_focus
        screen.query_one("#split", Input).value = "0.9 0.3 0.1"
        result = screen.query_one("#split-result", Static)
        await until(pilot, lambda: str(result.content).startswith("!"))
        await until(pilot, lambda: result.region.height > 1)
        assert result.region.bottom < 24
        assert str(result.content).split()[-1] in "\n".join(lines(screen))


@pytest.mark.parametrize(
    ("preset", "size", "network"),
    [
        ("convnet", "66x72x3", "dense and convnet"),
        ("feature-extraction", "160x160x3", "a pretrained base"),
    ],
)
async def test_the_steps_name_the_network(workspace, pets, preset, size, network):
    async with on_screen(workspace, Draft(workspace, preset=preset)) as (pilot, screen):
        await choose(pilot, screen, pets)
        await until(pilot, lambda: f"for {network}" in text_of(screen, "#steps"))
        assert size in text_of(screen, "#steps")


def audit_of(counts: dict[str, dict[str, int]]) -> Audit:
    images = sum(sum(by_split.values()) for by_split in counts.values())
    return Audit("class folders", images, images, counts, None, {}, ())


def plain_rows(audit: Audit, most: int) -> list[list[str]]:
    return [[cell.plain for cell in row] for row in class_rows(audit, most, 8, 4, utf8=False)]


def test_a_row_has_the_name_the_images_and_a_bar_of_the_share_of_the_largest() -> None:
    audit = audit_of({"cats": {"all": 2000}, "dogs": {"all": 1000}, "none": {}})
    assert class_columns(audit) == ("class", "images", "")
    assert plain_rows(audit, 9) == [
        ["cats", "2,000", "####"],
        ["dogs", "1,000", "##.."],
        ["none", "0", "...."],
    ]


def test_a_split_has_a_column_for_each_part_with_images() -> None:
    audit = audit_of({"cats": {"train": 6, "test": 2}, "dogs": {"train": 4}})
    assert class_columns(audit) == ("class", "train", "test", "")
    assert plain_rows(audit, 9) == [["cats", "6", "2", "####"], ["dogs", "4", "0", "##.."]]


@pytest.mark.parametrize(("most", "shown"), [(2, 2), (3, 3), (4, 3)])
def test_the_first_classes_are_shown_and_measured_by_the_largest_of_all(
    most: int, shown: int
) -> None:
    audit = audit_of({"a": {"all": 1}, "b": {"all": 2}, "c": {"all": 4}})
    rows = plain_rows(audit, most)
    assert [row[0] for row in rows] == ["a", "b", "c"][:shown]
    assert rows[0][2] == "#..."


def test_no_usable_image_gives_empty_bars() -> None:
    assert plain_rows(audit_of({"a": {}, "b": {}}), 9) == [["a", "0", "...."], ["b", "0", "...."]]


async def test_escape_leaves_the_field_of_the_split_not_the_images(workspace, pets):
    async with on_screen(workspace) as (pilot, screen):
        await choose(pilot, screen, pets)
        await until(pilot, found(screen))
        screen.query_one("#split", Input).focus()
        await pilot.press("escape")
        await until(pilot, lambda: screen.query_one("#classes").has_focus)
        assert screen.phase == "found"
        await pilot.press("escape")
        await until(pilot, lambda: screen.phase == "choose")


async def test_the_images_of_the_newest_runs_are_offered_first(workspace, pets):
    for number, source in enumerate([pets.parent / "old", pets, pets, workspace.data / "digits"]):
        create_run(workspace, RUN.format(source=source), f"run-{number}", "")
    async with on_screen(workspace) as (pilot, screen):
        known = screen.query_one("#known", OptionList)
        await until(pilot, lambda: pilot.app.runs)
        screen.query_one(DataChoice).start()
        ids = [option.id for option in known.options]
        assert ids[:2] == [str(pets), str(pets.parent / "old")]
        assert ids[2:] == [*CATALOGUE]
        assert "as in run-2" in str(known.options[0].prompt)
        known.focus()
        await pilot.press("home", "enter")
        await until(pilot, found(screen))
        assert screen.draft.source == pets


RUN = '[data]\nsource = "{source}"\n[model]\nstrategy = "convnet"\n'

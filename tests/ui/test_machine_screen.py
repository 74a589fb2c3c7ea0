import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from machine_facts import (
    GIB,
    NO_DLOPEN,
    cpu_only_host,
    framework,
    gpu,
    healthy,
    outcomes,
    printed,
    process,
)
from machine_facts import libraries as cuda_libraries
from rich.console import Console
from screen_text import lines
from textual.pilot import Pilot
from textual.widgets import OptionList, Static
from ui_pilot import driven, messages, until
from waiting import GUARD

from workbench.app.draft import Draft
from workbench.errors import UserError
from workbench.machine import check as machine_check
from workbench.machine import live
from workbench.machine.check import MachineReport
from workbench.machine.diagnosis import diagnose
from workbench.machine.facts import Facts, Nvml
from workbench.paths import Workspace
from workbench.ui.data.screen import DataScreen
from workbench.ui.dialogs import Confirm
from workbench.ui.machine.screen import DetailsScreen, MachineScreen, MachineStep
from workbench.ui.machine.usage import usage
from workbench.ui.machine.views import TextStyle, format_details, format_gauges

Scene = Callable[[MachineScreen, Pilot[Any]], Awaitable[None]]
PEN = TextStyle(True, lambda name: "")
BOX = {"cpu": 37.0, "memory_used": 56 * GIB, "memory_total": 256 * GIB}


def report(facts: Facts) -> MachineReport:
    return MachineReport(facts, diagnose(facts), {}, 3.2)


def without_cudnn() -> Facts:
    """Two GPUs that TensorFlow does not see: a finding with a consequence."""
    return healthy(
        nvml=Nvml(driver="570.133.20", cuda=(12, 8), gpus=(gpu(0), gpu(1))),
        libraries=cuda_libraries(("nvidia-cudnn-cu12",)),
        framework=framework(),
        outcomes=outcomes(framework=printed(NO_DLOPEN)),
    )


class FakeCheck:
    """Answers with a report, raises, or waits to be released."""

    def __init__(self, answer: Facts | Exception) -> None:
        self.answer = answer
        self.calls: list[bool] = []  # whether each was to measure
        self.ended = False
        self.released = threading.Event()
        self.released.set()

    def __call__(self, workspace: Any, *, measure: bool, progress: Any) -> MachineReport:
        self.calls.append(measure)
        progress("read images", 1, 3)
        assert self.released.wait(GUARD)
        self.ended = True
        if isinstance(self.answer, Exception):
            raise self.answer
        return report(self.answer)


class FakeGauges:
    """A look again and again; counts those that are open."""

    def __init__(self) -> None:
        self.open = 0
        self.look = live.Gauges(BOX, Nvml(gpus=(gpu(0, utilization=97, temperature=71),)))

    def __call__(self, *, patience: float) -> Iterator[live.Gauges]:
        self.open += 1
        try:
            while True:
                yield self.look
                time.sleep(0.2)
        finally:
            self.open -= 1


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> FakeCheck:
    """The check of a healthy box, until a test says otherwise."""
    fake = FakeCheck(healthy())
    monkeypatch.setattr(machine_check, "check", fake)
    return fake


@pytest.fixture(autouse=True)
def gauges(monkeypatch: pytest.MonkeyPatch) -> FakeGauges:
    fake = FakeGauges()
    monkeypatch.setattr(live, "gauges", fake)
    return fake


@asynccontextmanager
async def show(
    folder: Path, size: tuple[int, int] = (80, 24), **options: Any
) -> AsyncIterator[tuple[MachineScreen, Pilot[Any]]]:
    """The screen over home."""
    async with driven(folder, size, **options) as (app, pilot):
        app.utf8 = True
        screen = MachineScreen()
        await app.push_screen(screen)
        yield screen, pilot


def shown(screen: MachineScreen, widget: str = "verdict") -> str:
    return str(screen.query_one(f"#{widget}", Static).content)


def heading(screen: MachineScreen) -> str:
    return screen.heading().plain


def drawn(renderable: Any) -> str:
    """A renderable of Rich as plain text."""
    console = Console(width=78, color_system=None)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def findings(screen: MachineScreen) -> str:
    options = screen.query_one(OptionList).options
    return "".join(drawn(option.prompt) for option in options)


async def answered(screen: MachineScreen, pilot: Pilot[Any]) -> None:
    await until(pilot, lambda: "checked just now" in heading(screen), "a report")


async def test_the_verdict_is_a_word_a_sign_and_what_it_means(
    tmp_path: Path, check: FakeCheck
) -> None:
    async with show(tmp_path) as (screen, pilot):
        await answered(screen, pilot)
        assert shown(screen) == "usable ✓  GPU ready: NVIDIA H200"
        assert not screen.query_one(OptionList).display
        assert "48 cores" in drawn(screen.query_one("#rows", Static).content)


async def test_without_utf8_the_sign_is_ascii(tmp_path: Path, check: FakeCheck) -> None:
    async with driven(tmp_path) as (app, pilot):
        app.utf8 = False
        screen = MachineScreen()
        await app.push_screen(screen)
        await answered(screen, pilot)
        assert shown(screen) == "usable +  GPU ready: NVIDIA H200"


async def test_findings_show_what_why_and_the_remedy(tmp_path: Path, check: FakeCheck) -> None:
    check.answer = cpu_only_host()

    async with show(tmp_path) as (screen, pilot):
        await answered(screen, pilot)
        (finding,) = report(cpu_only_host()).diagnosis.findings
        assert shown(screen).startswith("usable ·  CPU only")
        listed = " ".join(findings(screen).split())
        assert all(words in listed for words in (finding.what, finding.why, f"> {finding.remedy}"))


async def test_progress_is_shown_and_keys_work_during_a_check(
    tmp_path: Path, check: FakeCheck
) -> None:
    check.released.clear()

    async with show(tmp_path) as (screen, pilot):
        await until(pilot, lambda: "read images (2 of 3)" in heading(screen), "the phase")
        assert shown(screen).startswith("checking ...")
        await pilot.press("question_mark")
        await until(pilot, lambda: pilot.app.screen is not screen, "another screen meanwhile")
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen, "the way back")
        await pilot.press("r")  # one is at work already
        check.released.set()
        await answered(screen, pilot)
        assert check.calls == [False]


@pytest.mark.parametrize(
    "error",
    [UserError("No room in the cache."), OSError(28, "No space"), ValueError("[/oops]\x1b[2J")],
)
async def test_a_check_that_fails_is_reported_and_can_be_repeated(
    tmp_path: Path, check: FakeCheck, error: Exception
) -> None:
    check.answer = error

    async with show(tmp_path) as (screen, pilot):
        await until(pilot, lambda: shown(screen).startswith("failed ✗"), "that it failed")
        assert type(error).__name__ in shown(screen)
        assert "\x1b" not in shown(screen)
        assert pilot.app.machine_check.state.report is None
        check.answer = healthy()
        await pilot.press("r")
        await answered(screen, pilot)
        assert shown(screen).startswith("usable ✓")


async def test_a_later_failure_leaves_the_report(tmp_path: Path, check: FakeCheck) -> None:
    async with show(tmp_path) as (screen, pilot):
        await answered(screen, pilot)
        before = pilot.app.machine_check.state.report
        check.answer = OSError("gone")
        await pilot.press("r")
        await until(pilot, lambda: "gone" in shown(screen), "the failure")
        assert "usable ✓" in shown(screen)
        assert pilot.app.machine_check.state.report is before


async def test_leaving_during_a_check_loses_nothing(tmp_path: Path, check: FakeCheck) -> None:
    check.released.clear()

    async with show(tmp_path) as (screen, pilot):
        await until(pilot, lambda: check.calls, "a check")
        await pilot.press("escape")
        await until(pilot, lambda: not screen.is_attached, "home")
        again = MachineScreen()
        await pilot.app.push_screen(again)
        await until(pilot, lambda: "checking:" in heading(again), "the check still at work")
        await pilot.press("escape")
        await until(pilot, lambda: not again.is_attached, "home")
        check.released.set()
        await until(pilot, lambda: pilot.app.machine_check.state.report, "the report")
        assert check.calls == [False]


def test_quitting_waits_for_no_check(tmp_path: Path, check: FakeCheck) -> None:
    check.released.clear()

    async def scene() -> None:
        async with show(tmp_path) as (_, pilot):
            await until(pilot, lambda: check.calls, "a check")

    try:
        asyncio.run(scene())
        assert not check.ended
    finally:
        check.released.set()


async def test_the_last_report_is_shown_with_its_age_without_a_check(
    tmp_path: Path, check: FakeCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with show(tmp_path) as (screen, pilot):
        await answered(screen, pilot)
        await pilot.press("escape")
        await until(pilot, lambda: not screen.is_attached, "home")
        now = pilot.app.machine_check.state.when
        monkeypatch.setattr("workbench.ui.machine.screen.time.time", lambda: now + 185)
        again = MachineScreen()
        await pilot.app.push_screen(again)
        await until(pilot, lambda: "checked 3 min 05 s ago" in heading(again), "its age")
        assert shown(again) == "usable ✓  GPU ready: NVIDIA H200"
        assert check.calls == [False]


async def test_keys_check_again_and_measure(tmp_path: Path, check: FakeCheck) -> None:
    async with show(tmp_path) as (screen, pilot):
        for key, calls in (("", [False]), ("r", [False, False]), ("w", [False, False, True])):
            await pilot.press(*filter(None, [key]))
            await until(pilot, lambda wanted=calls: check.calls == wanted, "the check")
            await answered(screen, pilot)


async def test_a_remedy_is_copied_and_shown_as_it_is(tmp_path: Path, check: FakeCheck) -> None:
    check.answer = without_cudnn()

    async with show(tmp_path) as (screen, pilot):
        await answered(screen, pilot)
        await pilot.press("y")
        remedy = "pip install 'tensorflow[and-cuda]==2.21.0'"  # no markup, though it looks like it
        await until(pilot, lambda: pilot.app.clipboard == remedy, "the clipboard")
        await until(pilot, lambda: list(pilot.app._notifications), "what was copied")
        assert messages(pilot.app)[0].splitlines()[0] == remedy
        assert not any(note.markup for note in pilot.app._notifications)


async def test_arrow_keys_choose_whose_remedy_is_copied(tmp_path: Path, check: FakeCheck) -> None:
    crowded = gpu(0, memory_used=130 * GIB, processes=(process(),))
    check.answer = without_cudnn().model_copy(update={"nvml": Nvml(gpus=(crowded, gpu(1)))})
    first, second = report(check.answer).diagnosis.findings

    async with show(tmp_path) as (screen, pilot):
        await answered(screen, pilot)
        for key, finding in (("down", second), ("up", first)):
            await pilot.press(key, "y")
            await until(pilot, lambda wanted=finding: pilot.app.clipboard == wanted.remedy, key)


async def test_another_theme_has_its_own_colours_at_once(tmp_path: Path, check: FakeCheck) -> None:
    check.answer = without_cudnn()

    async with show(tmp_path) as (screen, pilot):

        def colored() -> bool:
            warning = screen.app.theme_variables["warning"]
            verdict = screen.query_one("#verdict", Static).content
            return warning in str(getattr(verdict, "spans", ""))

        await answered(screen, pilot)
        before = screen.app.theme_variables["warning"]
        assert colored()
        await screen.run_action("app.theme")
        await until(pilot, lambda: screen.app.theme_variables["warning"] != before, "the theme")
        await until(pilot, colored, "its colour")


async def test_without_a_finding_there_is_nothing_to_copy(tmp_path: Path, check: FakeCheck) -> None:
    async with show(tmp_path) as (screen, pilot):
        await answered(screen, pilot)
        await pilot.press("y", "enter")
        assert screen.check_action("copy", ()) is None
        assert not pilot.app._notifications


async def test_consequences_open_and_close(tmp_path: Path, check: FakeCheck) -> None:
    check.answer = without_cudnn()
    what = report(without_cudnn()).diagnosis.findings[0].consequences[0].what

    async with show(tmp_path) as (screen, pilot):

        def opened() -> bool:
            return what in " ".join(findings(screen).split())

        await answered(screen, pilot)
        assert not opened()
        await pilot.press("enter")
        await until(pilot, opened, "the consequence")
        await pilot.press("enter")
        await until(pilot, lambda: not opened(), "it gone")


async def test_details_list_each_probe_and_its_output(tmp_path: Path, check: FakeCheck) -> None:
    check.answer = without_cudnn()

    async with show(tmp_path) as (screen, pilot):
        await answered(screen, pilot)
        await pilot.press("v")
        await until(pilot, lambda: isinstance(pilot.app.screen, DetailsScreen), "details")
        text = str(pilot.app.screen.query_one("#details Static", Static).content)
        assert "follows from: TensorFlow lacks GPU libraries" in text
        assert "framework printed\nW0000" in text
        assert all(probe in text for probe in without_cudnn().outcomes)
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen, "the way back")
        probes = screen.query_one("#probes", Static)
        assert not probes.display
        await pilot.resize_terminal(120, 40)
        await until(pilot, lambda: probes.display, "them below the facts too")
        assert "framework printed\nW0000" in str(probes.content)


def test_output_of_probes_is_made_safe() -> None:
    facts = healthy(outcomes=outcomes(framework=printed("\x1b[2J[red]\nsecond line")))
    text = format_details(report(facts)).plain
    assert "\\e[2J[red]\nsecond line" in text


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_gauges_are_live_while_the_screen_is_seen(
    tmp_path: Path, check: FakeCheck, gauges: FakeGauges, size: tuple[int, int]
) -> None:
    async with show(tmp_path, size) as (screen, pilot):
        await answered(screen, pilot)
        await until(pilot, lambda: "97 %, 71 °C" in shown(screen, "sample"), "a look")
        assert gauges.open == 1
        await pilot.press("v")
        await until(pilot, lambda: gauges.open == 0, "closed behind the details")
        await pilot.press("escape")
        await until(pilot, lambda: gauges.open == 1, "open again")
        await pilot.press("escape")
        await until(pilot, lambda: gauges.open == 0, "closed at the end")


async def test_gauges_that_cannot_start_are_reported(
    tmp_path: Path, check: FakeCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: Any) -> Iterator[live.Gauges]:
        raise OSError("too many processes")

    monkeypatch.setattr(live, "gauges", fail)

    async with show(tmp_path) as (screen, pilot):
        await until(pilot, lambda: "too many processes" in shown(screen, "sample"), "why")
        await answered(screen, pilot)


@pytest.mark.parametrize(("column", "width"), [(True, 44), (False, 78)])
def test_gauges_fit_their_column(column: bool, width: int) -> None:
    holders = tuple(process(pid, user="somebody-else") for pid in range(4_000_001, 4_000_006))
    cards = (
        gpu(0, utilization=100, temperature=100, memory_used=139 * GIB, processes=holders),
        gpu(1, error="GPU is lost"),
        gpu(2),
    )
    look = live.Gauges(BOX, Nvml(gpus=cards), silent=12.0)
    text = format_gauges(look, column, PEN).plain.split("\n")
    assert max(map(len, text)) <= width
    assert any("100 %, 100 °C" in line for line in text)
    assert "  and 2 other programs" in text
    assert any("GPU is lost" in line for line in text)
    assert text[-1] == "! no new values for 12 s"


def test_the_reason_is_shown_without_a_gpu() -> None:
    look = live.Gauges(BOX, Nvml(error="Driver Not Loaded", error_code=9))
    assert "none: Driver Not Loaded" in format_gauges(look, False, PEN).plain


async def test_enter_goes_on_from_the_step_and_measuring_asks(
    tmp_path: Path, check: FakeCheck
) -> None:
    check.answer = without_cudnn()
    async with driven(tmp_path) as (app, pilot):
        app.open("machine-step", Draft(Workspace(tmp_path)))
        await until(pilot, lambda: "space" in app.screen.active_bindings, "the step")
        screen = app.screen
        assert isinstance(screen, MachineStep)
        await until(pilot, lambda: bool(findings(screen)), "a report")
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, Confirm), "the question")
        await pilot.press("n", "space")
        what = report(without_cudnn()).diagnosis.findings[0].consequences[0].what
        await until(pilot, lambda: what in " ".join(findings(screen).split()), "consequences")
        await pilot.press("6")
        await until(pilot, lambda: messages(app) == ["Data comes first: enter."], "the key")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, DataScreen), "the next step")


async def test_end_shows_the_last_line(tmp_path: Path, check: FakeCheck) -> None:
    check.answer = without_cudnn()

    async with show(tmp_path) as (screen, pilot):
        await answered(screen, pilot)
        report = screen.query_one("#report")
        screen.query_one("#rows", Static).update("line\n" * 40)
        await until(pilot, lambda: report.max_scroll_y > 0, "more below")
        await pilot.press("end")
        await until(pilot, lambda: report.scroll_offset.y == report.max_scroll_y, "the end")


def test_what_is_in_use_is_named_in_percent() -> None:
    gpus = (gpu(0, utilization=97), gpu(1, utilization=None))
    sample = live.Gauges({"cpu": 37.0, "memory_used": 1, "memory_total": 4}, Nvml(gpus=gpus))
    assert usage(sample) == {"cpu": 37.0, "memory": 25.0, "gpu 0": 97}
    assert usage(live.Gauges()) == {}


@pytest.mark.parametrize(
    ("size", "drawn"), [((80, 24), False), ((109, 40), False), ((110, 24), True), ((200, 50), True)]
)
async def test_what_was_in_use_is_drawn_below_the_gauges_of_a_wide_terminal(
    tmp_path: Path, check: FakeCheck, size: tuple[int, int], drawn: bool
) -> None:
    async with driven(tmp_path, size) as (app, pilot):
        screen = MachineScreen()
        await app.push_screen(screen)
        await until(pilot, lambda: "97 %" in "".join(lines(screen)), "the gauges")
        words = ("in use, in percent", "cpu 37", "memory 22", "gpu 0 97", " ago ")

        def there() -> set[bool]:
            shown = "".join(lines(screen))
            return {word in shown for word in words}

        await until(pilot, lambda: there() == {drawn}, "the curves")

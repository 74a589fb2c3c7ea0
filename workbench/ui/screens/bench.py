"""The bench: one image of the data as training would see it, while its changes are set."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option
from textual.worker import get_current_worker

from workbench.datasets.augment import augment, draw
from workbench.datasets.images import ImageError, decode, load_array
from workbench.datasets.scan import pixel_hash
from workbench.errors import UserError
from workbench.experiment.presets import BOOK_AUGMENTATION
from workbench.experiment.sections import AugmentationSpec, DataSpec
from workbench.experiment.spec import ExperimentSpec
from workbench.text import human_size, safe_text
from workbench.ui.draft import Draft, plain_message
from workbench.ui.halfblocks import fitted, no_picture
from workbench.ui.scan_job import ScanJob
from workbench.ui.screens.base import WorkbenchScreen
from workbench.ui.screens.option import OptionScreen
from workbench.ui.strategy_text import choices_of, described, schema_of, value_in_words

TABLE = "augmentation."
KEYS = tuple(AugmentationSpec.model_fields)
STEPS = {
    "rotation": 5.0,
    "width_shift": 0.05,
    "height_shift": 0.05,
    "shear": 5.0,
    "zoom": 0.05,
    "brightness": 0.05,
    "contrast": 0.05,
}
DONE = "done"
ACROSS, DOWN = 4, 2
VARIANTS = ACROSS * DOWN
FIRST_STAGE = 0
LIST_WIDTH = 18  # cells, which leave room for 14 a variant in a terminal of 80
NO_SCAN = "no image: the data is not scanned any more; go back, it is scanned anew there"


@dataclass(frozen=True, eq=False)
class Opened:
    """An image of the data, read.

    Attributes:
        pixels: uint8 (h, w, c), of the size that the spec asks for; None where it cannot be read.
        content: what identifies the image for `draw`, 0 to 2**64 - 1.
        reason: why it cannot be read.
    """

    path: Path
    pixels: np.ndarray | None
    content: int = 0
    reason: str = ""


def open_sample(path: Path, data: DataSpec) -> Opened:
    """Reads an image as training would, and what identifies it there."""
    try:
        content = int(pixel_hash(decode(path))[:16], 16)
        return Opened(path, load_array(path, data), content)
    except ImageError as error:
        return Opened(path, None, reason=error.reason)


def stepped(key: str, value: Any, way: int) -> Any:
    """The next value of a key: a step up (way 1) or down (-1), or the other choice.

    Numbers move on a grid of whole steps and stay within the bounds of the field.
    """
    choices = choices_of(TABLE + key)
    if choices:
        return choices[(choices.index(value) + way) % len(choices)]
    step, schema = STEPS[key], schema_of(TABLE + key)
    places = round(value / step, 6)  # 0.15 / 0.05 is a little less than 3
    place = math.floor(places) + 1 if way > 0 else math.ceil(places) - 1
    return min(max(round(place * step, 6), schema["minimum"]), schema["maximum"])


def is_active(values: Mapping[str, Any]) -> bool:
    """True where at least one change is switched on."""
    return any(value for key, value in values.items() if key != "fill")


class ChangeList(OptionList):
    """Says in the footer what enter does."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select", "Type")]


class BenchScreen(WorkbenchScreen):
    """Eight variants of one image, drawn anew at every change of the settings.

    They are the ones that training will draw of this image: same seed, same content, its first
    stage. What is set is kept in the draft when the screen is left.

    Args:
        draft: with images that were scanned.

    Attributes:
        whole: the experiment as it is with these settings; None where the draft does not fit.
    """

    CONCEPTS = ("augmentation", "overfitting", "batches")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("plus,right,equals_sign", "step(1)", "Value", key_display="+/-", id="bench.more"),
        Binding("minus,left", "step(-1)", show=False, id="bench.less"),
        Binding("space", "again", "Again", id="bench.again"),
        Binding("n", "image", "Image", id="bench.image"),
        Binding("c", "label", "Class", id="bench.class"),
        Binding("0", "off", "Off", id="bench.off"),
        Binding("b", "book", "The book's", id="bench.book"),
    ]
    CSS = f"""
    BenchScreen #image {{ height: 1; margin-bottom: 1; }}
    BenchScreen #bench {{ height: 1fr; }}
    BenchScreen ChangeList {{ width: {LIST_WIDTH}; height: 1fr; padding: 0; border: none;
                             margin-right: 1; background: $background;
                             background-tint: $background 0%; }}
    BenchScreen ChangeList > .option-list--option-highlighted {{ color: $foreground;
                             background: $primary 30%; text-style: none; }}
    BenchScreen #variants {{ width: 1fr; height: 1fr; }}
    BenchScreen #variants Horizontal {{ height: 1fr; margin-bottom: 1; }}
    BenchScreen #variants Static {{ width: 1fr; height: 1fr; margin-right: 1; }}
    BenchScreen #variants Static:last-child {{ margin-right: 0; }}
    BenchScreen #meaning {{ height: 1; color: $secondary; }}
    BenchScreen #note {{ height: 2; }}
    """

    class Found(Message):
        """The sample images of each class."""

        def __init__(self, samples: dict[str, tuple[Path, ...]]) -> None:
            super().__init__()
            self.samples = samples

    class Read(Message):
        """An image was read, or why not."""

        def __init__(self, opened: Opened) -> None:
            super().__init__()
            self.opened = opened

    class Drawn(Message):
        """The variants, in cells."""

        def __init__(self, pictures: list[Text]) -> None:
            super().__init__()
            self.pictures = pictures

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self.draft = draft
        self.whole: ExperimentSpec | None = None
        self._began: ExperimentSpec | None = None
        self._defaults: dict[str, Any] = {}
        self._samples: dict[str, tuple[Path, ...]] = {}
        self._label, self._number = 0, 0
        self._opened: Opened | None = None
        self._first = 1  # the view that the first variant shows

    def compose_body(self) -> ComposeResult:
        """The image's name; settings beside variants; what they mean and what follows."""
        yield Static(id="image")
        with Horizontal(id="bench"):
            yield ChangeList(*(Option("", id=key) for key in KEYS), Option("done", id=DONE))
            with Vertical(id="variants"):
                for row in range(DOWN):
                    with Horizontal():
                        for column in range(ACROSS):
                            yield Static(id=f"variant-{row * ACROSS + column + 1}")
        yield Static(id="meaning")
        yield Static(id="note")

    def heading(self) -> Text:
        """What is looked at here."""
        return Text.assemble((self.draft.name, "bold"), "  augmentation, on a real image")

    def on_mount(self) -> None:
        """Shows the settings; the image comes when it is found."""
        super().on_mount()
        self.query_one(ChangeList).focus()
        try:
            self.whole = self._began = self.draft.spec()
        except UserError as error:
            self._show_trouble(Text(f"! {safe_text(plain_message(error), 300)}"))
            return
        self._defaults = self.draft.defaults()
        self._show_settings()
        self._find()

    def on_resize(self) -> None:
        """More room, larger variants."""
        super().on_resize()
        self.call_after_refresh(self._redraw)

    # The image

    @work(thread=True, exclusive=True, group="find", exit_on_error=False)
    def _find(self) -> None:
        samples = {}
        if self.draft.source:
            found = ScanJob(self.draft.workspace, self.draft.source).look().inspection
            samples = {k: v for k, v in found.samples.items() if v} if found else {}
        self.post_message(self.Found(samples))

    @on(Found)
    def _found(self, event: Found) -> None:
        self._samples = event.samples
        if self._samples:
            self._read()
        else:
            self._show_trouble(Text(NO_SCAN))

    def _place(self) -> tuple[str, tuple[Path, ...]]:
        """The class that is shown, and its images."""
        label = list(self._samples)[self._label]
        return label, self._samples[label]

    def _read(self) -> None:
        if self.whole:
            self._read_in_thread(self._place()[1][self._number], self.whole.data)

    @work(thread=True, exclusive=True, group="read", exit_on_error=False)
    def _read_in_thread(self, path: Path, data: DataSpec) -> None:
        worker = get_current_worker()
        opened = open_sample(path, data)
        if not worker.is_cancelled:
            self.post_message(self.Read(opened))

    @on(Read)
    def _was_read(self, event: Read) -> None:
        self._opened = event.opened
        self._redraw()

    def action_image(self) -> None:
        """Takes another image of the class."""
        if self._samples:
            self._number = (self._number + 1) % len(self._place()[1])
            self._read()

    def action_label(self) -> None:
        """Takes an image of another class."""
        if self._samples:
            self._label, self._number = (self._label + 1) % len(self._samples), 0
            self._read()

    # The variants

    def _redraw(self) -> None:
        if self._opened is None or self.whole is None:
            return
        self._show_image_line()
        if self._opened.pixels is None:
            self.workers.cancel_group(self, "draw")
            self._show_trouble(no_picture(self._opened.reason))
            return
        box = self.query_one("#variant-1").size
        if box.width and box.height:
            self._draw(self._opened, self.whole, self._first, box.width, box.height)

    @work(thread=True, exclusive=True, group="draw", exit_on_error=False)
    def _draw(
        self, opened: Opened, whole: ExperimentSpec, first: int, width: int, height: int
    ) -> None:
        """Draws variants of a box of `width` x `height` cells each."""
        worker = get_current_worker()
        spec, seed = whole.augmentation, whole.training.seed
        pictures: list[Text] = []
        assert opened.pixels is not None
        for view in range(first, first + VARIANTS):
            if worker.is_cancelled:
                return
            changes = draw(spec, seed, FIRST_STAGE, view, opened.content)
            pixels = augment(opened.pixels, spec, changes)
            pictures.append(fitted(pixels, width, height, self.workbench.utf8))
        if not worker.is_cancelled:
            self.post_message(self.Drawn(pictures))

    @on(Drawn)
    def _was_drawn(self, event: Drawn) -> None:
        for number, picture in enumerate(event.pictures, 1):
            self.query_one(f"#variant-{number}", Static).update(picture, layout=False)

    def _show_trouble(self, words: Text) -> None:
        """In the place of the pictures."""
        for number in range(1, VARIANTS + 1):
            shown = words if number == 1 else Text()
            self.query_one(f"#variant-{number}", Static).update(shown, layout=False)

    def action_again(self) -> None:
        """Draws another eight."""
        self._first += VARIANTS
        self._redraw()

    # The settings

    def action_step(self, way: int) -> None:
        """A step up or down of the key under the cursor."""
        key = self._key
        if self.whole and key != DONE:
            value = getattr(self.whole.augmentation, key)
            self._take({key: stepped(key, value, way)})

    def action_off(self) -> None:
        """Switches every change off; what fills the edges stays."""
        self._take({key: type(AugmentationSpec.model_fields[key].default)() for key in KEYS[:-1]})

    def action_book(self) -> None:
        """Takes the values of the book."""
        self._take({**AugmentationSpec().model_dump(), **BOOK_AUGMENTATION})

    @property
    def _key(self) -> str:
        """The key under the cursor."""
        option = self.query_one(ChangeList).highlighted_option
        return str(option.id) if option else DONE

    def _take(self, changes: Mapping[str, Any]) -> None:
        """Sets keys and shows what comes of it; says so where they do not fit."""
        if self.whole is None:
            return
        try:
            self.whole = self._with(changes)
        except UserError as error:
            self.notify(safe_text(plain_message(error), 300), severity="error", markup=False)
            return
        self._show_settings()
        self._redraw()

    def _with(self, changes: Mapping[str, Any]) -> ExperimentSpec:
        """The experiment with some keys of the augmentation changed.

        Raises:
            UserError: a value does not fit, in words.
        """
        return self.draft.with_settings({**self.draft.settings, **self._settings(changes)})

    def _settings(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """What the draft keeps: the whole augmentation, and the cached views that go with it."""
        assert self.whole is not None
        assert self._began is not None
        values = {**self.whole.augmentation.model_dump(), **changes}
        settings = {TABLE + key: value for key, value in values.items()}
        if "base.views" in self._defaults:
            if not is_active(values):
                settings["base.views"] = 0  # all views would be the same
            elif not self._began.augmentation.active:
                settings["base.views"] = self._defaults["base.views"]
        return settings

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        self._show_meaning()

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if event.option_id == DONE:
            self.action_back()
        elif self.whole:
            self._ask(str(event.option_id))

    def _ask(self, key: str) -> None:
        """Has a value typed, or chosen where there are few."""

        def check(value: Any) -> str:
            try:
                self._with({key: value})
            except UserError as error:
                return plain_message(error)
            return ""

        def answered(answer: tuple[Any] | None) -> None:
            if answer is not None:
                self._take({key: answer[0]})

        assert self.whole
        value, default = getattr(self.whole.augmentation, key), self._defaults.get(TABLE + key)
        self.app.push_screen(OptionScreen(TABLE + key, value, default, check), answered)

    # Words

    def _show_settings(self) -> None:
        assert self.whole
        changes, table = self.query_one(ChangeList), self.whole.augmentation
        accent = self.app.theme_variables.get("accent", "")
        for number, key in enumerate(KEYS):
            value = getattr(table, key)
            label = key.replace("_", " ")
            shown = "on" if value is True else value_in_words(value or "-")
            text = Text(f"{label}{shown:>{LIST_WIDTH - len(label)}}", no_wrap=True)
            if value and key != "fill":
                text.stylize(f"bold {accent}", len(label))
            changes.replace_option_prompt_at_index(number, text)
        self._show_meaning()
        self.query_one("#note", Static).update(Text(self._note()))

    def _show_image_line(self) -> None:
        assert self._opened is not None
        assert self.whole is not None
        label, paths = self._place()
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(safe_text(self._opened.path.name, 24), style="bold")
        text.append(f"  {safe_text(label, 14)} {self._number + 1} of {len(paths)}")
        text.append(f"   {human_size(self.whole.data.input_shape)}", style="dim")
        last = self._first + VARIANTS - 1
        text.append(f"   views {self._first} to {last}, as training draws them", style="dim")
        self.query_one("#image", Static).update(text)

    def _show_meaning(self) -> None:
        key = self._key
        if key == DONE:
            words = "enter keeps the settings in the experiment and goes back; so does escape"
        else:
            words = described(TABLE + key)
            schema = schema_of(TABLE + key)
            if "maximum" in schema:
                words = f"{words}; {schema['minimum']:g} to {schema['maximum']:g}"
        self.query_one("#meaning", Static).update(Text(words, no_wrap=True, overflow="ellipsis"))

    def _note(self) -> str:
        """What the settings mean for the rung that is chosen."""
        assert self.whole
        rung = self.draft.chosen_preset
        own = {key: self._defaults.get(TABLE + key) for key in KEYS}
        if not self.whole.augmentation.active:
            return f"All off: {rung} trains on every image as it is."
        if is_active(own):
            return f"{rung} augments; these settings are kept for it. Other rungs have their own."
        words = f"{rung} has no augmentation of its own: kept for it, these settings "
        base = self.whole.base
        if base and not base.views:
            return f"{words}augment its images, and its base runs anew in every epoch."
        return f"{words}make its training images augmented."

    # The way back

    def action_back(self) -> None:
        """Keeps the settings and goes back."""
        try:
            self._keep()
        except UserError as error:
            self.notify(safe_text(str(error), 400), severity="error", markup=False)
        self.dismiss(None)

    def on_unmount(self) -> None:
        """Keeps the settings where the app ends, or the connection breaks, in the middle."""
        try:
            self._keep()
        except UserError:
            return

    def _keep(self) -> None:
        """Puts the settings into the draft where they were changed.

        Raises:
            UserError: the disk cannot be written.
        """
        if self.whole and self._began and self.whole.augmentation != self._began.augmentation:
            settings = self._settings({})
            self._began = self.whole
            # The settings are this rung's: to choose a rung that was only recommended drops them.
            self.draft.preset = self.draft.chosen_preset
            self.draft.take(settings)

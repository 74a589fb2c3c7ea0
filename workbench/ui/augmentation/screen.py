"""The bench: one image of the data as training would see it, while its changes are set."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option
from textual.worker import get_current_worker

from workbench.app.draft import Draft, plain_message
from workbench.app.scan_job import ScanJob
from workbench.errors import UserError
from workbench.experiment.presets import BOOK_AUGMENTATION
from workbench.experiment.sections import AugmentationSpec, DataSpec
from workbench.render.strategy import value_in_words
from workbench.text import human_size, safe_text
from workbench.ui.augmentation.pictures import Opened, open_sample
from workbench.ui.augmentation.settings import KEYS, TABLE, BenchSettings, meaning, stepped
from workbench.ui.augmentation.variants import VARIANTS, Variants
from workbench.ui.option import OptionScreen
from workbench.ui.screen import WorkbenchScreen

DONE = "done"
LIST_WIDTH = 18  # cells, which leave room for 14 a variant in a terminal of 80
NO_SCAN = "no image: the data is not scanned any more; go back, it is scanned anew there"
KEEPS = "enter keeps the settings in the experiment and goes back; so does escape"


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
        settings: what is set; None where the draft does not fit.
    """

    CONCEPTS = ("augmentation", "overfitting", "batches")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("plus,right,equals_sign", "step(1)", "Value", key_display="+/-", id="bench.more"),
        Binding("minus,left", "step(-1)", show=False, id="bench.less"),
        Binding("b", "book", "Book's", id="bench.book"),
        Binding("space", "again", "Again", id="bench.again"),
        Binding("n", "image", "Image", id="bench.image"),
        Binding("c", "label", "Class", id="bench.class"),
        Binding("0", "off", "Off", id="bench.off"),
    ]
    CSS = f"""
    BenchScreen #image {{ height: 1; margin-bottom: 1; }}
    BenchScreen #bench {{ height: 1fr; }}
    BenchScreen ChangeList {{ width: {LIST_WIDTH}; height: 1fr; padding: 0; border: none;
                             margin-right: 1; background: $background;
                             background-tint: $background 0%; }}
    BenchScreen ChangeList > .option-list--option-highlighted {{ color: $foreground;
                             background: $block-cursor-background; text-style: none; }}
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

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self.draft = draft
        self.settings: BenchSettings | None = None
        self._samples: dict[str, tuple[Path, ...]] = {}
        self._label, self._number = 0, 0
        self._opened: Opened | None = None
        self._first = 1  # the view that the first variant shows

    def compose_body(self) -> ComposeResult:
        """The image's name; settings beside variants; what they mean and what follows."""
        yield Static(id="image")
        with Horizontal(id="bench"):
            yield ChangeList(*(Option("", id=key) for key in KEYS), Option("done", id=DONE))
            yield Variants(self.workbench.utf8)
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
            self.settings = BenchSettings(self.draft)
        except UserError as error:
            trouble = Text(f"! {safe_text(plain_message(error), 300)}")
            self.query_one(Variants).tell(trouble)
            return
        self._show_settings(self.settings)
        self._find()

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
            self.query_one(Variants).tell(Text(NO_SCAN))

    def _place(self) -> tuple[str, tuple[Path, ...]]:
        """The class that is shown, and its images."""
        label = list(self._samples)[self._label]
        return label, self._samples[label]

    def _read(self) -> None:
        if self.settings:
            self._read_in_thread(self._place()[1][self._number], self.settings.whole.data)

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

    def action_again(self) -> None:
        """Draws another eight."""
        self._first += VARIANTS
        self._redraw()

    def _redraw(self) -> None:
        if self._opened and self.settings:
            whole = self.settings.whole
            self.query_one("#image", Static).update(
                self._image_line(self._opened, human_size(whole.data.input_shape))
            )
            self.query_one(Variants).show(self._opened, whole, self._first)

    def _image_line(self, opened: Opened, size: str) -> Text:
        label, paths = self._place()
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(safe_text(opened.path.name, 24), style="bold")
        text.append(f"  {safe_text(label, 14)} {self._number + 1} of {len(paths)}")
        text.append(f"   {size}", style="dim")
        last = self._first + VARIANTS - 1
        return text.append(f"   views {self._first} to {last}, as training draws them", "dim")

    # The settings

    def action_step(self, way: int) -> None:
        """A step up or down of the key under the cursor."""
        key = self._key
        if self.settings and key != DONE:
            self._take({key: stepped(key, self.settings.value(key), way)})

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
        if self.settings is None:
            return
        try:
            self.settings.whole = self.settings.changed(changes)
        except UserError as error:
            self.notify(safe_text(plain_message(error), 300), severity="error", markup=False)
            return
        self._show_settings(self.settings)
        self._redraw()

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if event.option_id == DONE:
            self.action_back()
        elif self.settings:
            self._ask(str(event.option_id), self.settings)

    def _ask(self, key: str, settings: BenchSettings) -> None:
        """Has a value typed, or chosen where there are few."""

        def check(value: Any) -> str:
            try:
                settings.changed({key: value})
            except UserError as error:
                return plain_message(error)
            return ""

        def answered(answer: tuple[Any] | None) -> None:
            if answer is not None:
                self._take({key: answer[0]})

        asked = OptionScreen(TABLE + key, settings.value(key), settings.default(key), check)
        self.app.push_screen(asked, answered)

    # Words

    def _show_settings(self, settings: BenchSettings) -> None:
        changes = self.query_one(ChangeList)
        accent = self.app.theme_variables.get("accent", "")
        for number, key in enumerate(KEYS):
            value = settings.value(key)
            label = key.replace("_", " ")
            shown = "on" if value is True else value_in_words(value or "-")
            text = Text(f"{label}{shown:>{LIST_WIDTH - len(label)}}", no_wrap=True)
            if value and key != "fill":
                text.stylize(f"bold {accent}", len(label))
            changes.replace_option_prompt_at_index(number, text)
        self.query_one("#note", Static).update(Text(settings.note()))

    @on(OptionList.OptionHighlighted)
    def _show_meaning(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        words = KEEPS if self._key == DONE else meaning(self._key)
        self.query_one("#meaning", Static).update(Text(words, no_wrap=True, overflow="ellipsis"))

    # The way back

    def action_back(self) -> None:
        """Keeps the settings and goes back."""
        self._keep()
        self.dismiss(None)

    def on_unmount(self) -> None:
        """Keeps the settings where the app ends, or the connection breaks, in the middle."""
        self._keep()

    def _keep(self) -> None:
        if self.settings:
            self.settings.keep()

"""Augmentation: one image of the data as training sees it, while the settings change."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from workbench.app.draft import Draft, plain_message
from workbench.app.scan_job import ScanJob
from workbench.errors import UserError
from workbench.experiment.augmentation import AugmentationSpec
from workbench.experiment.presets import BOOK_AUGMENTATION
from workbench.messages import tr
from workbench.render.strategy import format_key_value
from workbench.text import cell_width, format_shape, pad_cells, safe_text
from workbench.ui.augmentation.preview import (
    KEYS,
    TABLE,
    VIEWS_SHOWN,
    AugmentationPreview,
    AugmentationSettings,
    SampleImage,
    describe_setting,
    load_sample,
    step_value,
)
from workbench.ui.base import WorkbenchScreen, in_background
from workbench.ui.option import OptionScreen
from workbench.words import shown

DONE = "done"
LIST_WIDTH = 18  # cells, which leaves 14 for each view in a terminal of 80
NO_SCAN = tr("no image: the scan of the data is gone; go back, it is repeated there")
DONE_HINT = tr("enter keeps the settings in the experiment and goes back; so does escape")


class SettingList(OptionList):
    """A list that names its enter key in the footer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", tr("Type"), id="augmentation.type")
    ]


class AugmentationScreen(WorkbenchScreen):
    """Show eight views of one image, redrawn at every change of the settings.

    The views are the ones that training will draw of this image: same seed, same content, its
    first stage. The draft gets the settings when the screen is left.

    Args:
        draft: with images that were scanned.

    Attributes:
        settings: the current settings; None if the draft is invalid.
    """

    CONCEPTS = ("augmentation", "mixing", "overfitting", "batches")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "plus,right,equals_sign",
            "step(1)",
            tr("Value"),
            key_display="+/-",
            id="augmentation.more",
        ),
        Binding("minus,left", "step(-1)", show=False, id="augmentation.less"),
        Binding(
            "b", "book", tr("Book"), id="augmentation.book", tooltip=tr("the book's own values")
        ),
        Binding("r", "redraw", tr("Draw again"), id="augmentation.redraw"),
        Binding(
            "i", "image", tr("Image"), id="augmentation.image", tooltip=tr("another of the class")
        ),
        Binding("L", "label", tr("Label"), key_display="L", id="augmentation.label"),
        Binding("0", "off", tr("Off"), id="augmentation.off"),
    ]
    CSS = f"""
    AugmentationScreen #image {{ height: 1; margin-bottom: 1; }}
    AugmentationScreen #bench {{ height: 1fr; }}
    AugmentationScreen SettingList {{ width: {LIST_WIDTH}; height: 1fr; padding: 0; border: none;
                             margin-right: 1; background: $background;
                             background-tint: $background 0%; }}
    AugmentationScreen SettingList > .option-list--option-highlighted {{ color: $foreground;
                             background: $block-cursor-background; text-style: none; }}
    AugmentationScreen #meaning {{ height: 1; color: $secondary; }}
    AugmentationScreen #note {{ height: 2; }}
    """

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self.draft = draft
        self.settings: AugmentationSettings | None = None
        self._samples: dict[str, tuple[Path, ...]] = {}
        self._label, self._number = 0, 0
        self._sample: SampleImage | None = None
        self._first = 1  # number of the first view that is shown

    def compose_body(self) -> ComposeResult:
        """Yield the image's name, settings beside views, and their descriptions."""
        yield Static(id="image")
        with Horizontal(id="bench"):
            yield SettingList(*(Option("", id=key) for key in KEYS), Option(tr("done"), id=DONE))
            yield AugmentationPreview()
        yield Static(id="meaning")
        yield Static(id="note")

    def heading(self) -> Text:
        """Return the name of the draft."""
        return Text.assemble((self.draft.name, "bold"), tr("  augmentation, on a real image"))

    def on_mount(self) -> None:
        """Show the settings; the image follows once it is found."""
        self.query_one(SettingList).focus()
        try:
            self.settings = AugmentationSettings(self.draft)
        except UserError as error:
            message = Text(f"! {safe_text(plain_message(error), 300)}")
            self.query_one(AugmentationPreview).show_message(message)
            return
        self._show_settings(self.settings)
        in_background(self, lambda: find_samples(self.draft), self._set_samples)

    # The image

    def _set_samples(self, samples: dict[str, tuple[Path, ...]]) -> None:
        self._samples = samples
        if self._samples:
            self._load()
        else:
            self.query_one(AugmentationPreview).show_message(Text(NO_SCAN))

    @property
    def _class(self) -> tuple[str, tuple[Path, ...]]:
        """The class that is shown, and its images."""
        label = list(self._samples)[self._label]
        return label, self._samples[label]

    @property
    def _path(self) -> Path:
        return self._class[1][self._number]

    def _load(self) -> None:
        if self.settings:
            load = partial(load_sample, self._path, self.settings.spec.data)
            in_background(self, load, self._set_sample)

    def _set_sample(self, sample: SampleImage) -> None:
        if sample.path == self._path:  # not another one meanwhile
            self._sample = sample
            self._redraw()

    def action_image(self) -> None:
        """Show another image of the class."""
        if self._samples:
            self._number = (self._number + 1) % len(self._class[1])
            self._load()

    def action_label(self) -> None:
        """Show an image of the next class."""
        if self._samples:
            self._label, self._number = (self._label + 1) % len(self._samples), 0
            self._load()

    # The views

    def action_redraw(self) -> None:
        """Draw the next eight views."""
        self._first += VIEWS_SHOWN
        self._redraw()

    def _redraw(self) -> None:
        if self._sample and self.settings:
            spec = self.settings.spec
            line = self._image_line(self._sample, format_shape(spec.data.input_shape))
            self.query_one("#image", Static).update(line)
            self.query_one(AugmentationPreview).show(self._sample, spec, self._first)

    def _image_line(self, sample: SampleImage, size: str) -> Text:
        label, paths = self._class
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(safe_text(sample.path.name, 24), style="bold")
        text.append(
            "  "
            + tr(
                "{label} {number} of {paths}",
                label=safe_text(label, 14),
                number=self._number + 1,
                paths=len(paths),
            )
        )
        text.append(f"   {size}", style="dim")
        last = self._first + VIEWS_SHOWN - 1
        return text.append(
            tr("   views {first} to {last}, as training draws them", first=self._first, last=last),
            "dim",
        )

    # The settings

    def action_step(self, direction: int) -> None:
        """Step the selected setting up or down."""
        key = self._key
        if self.settings and key != DONE:
            self._change({key: step_value(key, self.settings.value(key), direction)})

    def action_off(self) -> None:
        """Switch every change off; the fill of edges stays."""
        self._change({key: type(AugmentationSpec.model_fields[key].default)() for key in KEYS[:-1]})

    def action_book(self) -> None:
        """Use the values of the book."""
        self._change({**AugmentationSpec().model_dump(), **BOOK_AUGMENTATION})

    @property
    def _key(self) -> str:
        """The selected key."""
        option = self.query_one(SettingList).highlighted_option
        return str(option.id) if option else DONE

    def _change(self, changes: Mapping[str, Any]) -> None:
        """Set keys and redraw; notify if they are invalid."""
        if self.settings is None:
            return
        try:
            self.settings.spec = self.settings.changed(changes)
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

    def _ask(self, key: str, settings: AugmentationSettings) -> None:
        """Ask for a value, typed or chosen."""

        def check(value: Any) -> str:
            try:
                settings.changed({key: value})
            except UserError as error:
                return plain_message(error)
            return ""

        def answered(answer: tuple[Any] | None) -> None:
            if answer is not None:
                self._change({key: answer[0]})

        dialog = OptionScreen(TABLE + key, settings.value(key), settings.default(key), check)
        self.app.push_screen(dialog, answered)

    def _show_settings(self, settings: AugmentationSettings) -> None:
        options = self.query_one(SettingList)
        accent = self.color("accent")
        for number, key in enumerate(KEYS):
            value = settings.value(key)
            name = shown(key)
            setting = tr("On") if value is True else format_key_value(value or "-")
            text = Text(name + pad_cells(setting, LIST_WIDTH - cell_width(name), "r"), no_wrap=True)
            if value and key != "fill":
                text.stylize(f"bold {accent}", len(name))
            options.replace_option_prompt_at_index(number, text)
        self.query_one("#note", Static).update(Text(settings.describe()))

    @on(OptionList.OptionHighlighted)
    def _show_description(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        text = DONE_HINT if self._key == DONE else describe_setting(self._key)
        self.query_one("#meaning", Static).update(Text(text, no_wrap=True, overflow="ellipsis"))

    # Leaving

    def action_back(self) -> None:
        """Save the settings and go back."""
        self._save()
        self.dismiss(None)

    def on_unmount(self) -> None:
        """Save the settings, also when the app ends or the connection breaks."""
        self._save()

    def _save(self) -> None:
        if self.settings:
            self.settings.save()


def find_samples(draft: Draft) -> dict[str, tuple[Path, ...]]:
    """Return the sample images of each class, {} if the scan is gone; call it in a thread."""
    if not draft.source:
        return {}
    found = ScanJob(draft.workspace, draft.source).poll().inspection
    return {label: paths for label, paths in found.samples.items() if paths} if found else {}

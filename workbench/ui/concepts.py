"""The concepts behind a screen, as text and small drawings; one of them is interactive."""

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from workbench.content.concepts import CONCEPTS, Windows
from workbench.messages import tr
from workbench.render.concepts import MIN_COLUMN
from workbench.text import plural
from workbench.ui.base import WorkbenchScreen
from workbench.ui.widgets.concept_notes import ConceptNotes

PLAYGROUND = "border-effect"
# Initial value and maximum of each field.
NUMBERS = {"size": (5, 1024), "kernel": (3, 11), "stride": (1, 8)}
PADDINGS = ("valid", "same")
# Of a terminal with room for a third column: margins, list, text, and the narrowest concept.
BROAD_COLUMNS = 2 + 21 + 82 + 2 + MIN_COLUMN


class WindowFields(Vertical):
    """Fields for a sliding window, each with its range or error beside it."""

    DEFAULT_CSS = """
    WindowFields { height: auto; margin-top: 1; }
    WindowFields Horizontal { height: 1; }
    WindowFields .name { width: 11; color: $secondary; }
    WindowFields Input { width: 10; background: $panel; }
    WindowFields Input:focus { background: $block-cursor-background; }
    WindowFields .range { width: 1fr; padding-left: 2; color: $secondary; }
    WindowFields .range.-error { color: $error; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "field(-1)", id="concepts.up", show=False),
        Binding("down", "field(1)", id="concepts.down", show=False),
    ]

    class Changed(Message):
        """The values of the fields; None if one of them is invalid."""

        def __init__(self, windows: Windows | None) -> None:
            super().__init__()
            self.windows = windows

    def compose(self) -> ComposeResult:
        """Yield a line for each field."""
        values = {name: str(value) for name, (value, _) in NUMBERS.items()}
        for name, value in {**values, "padding": PADDINGS[0]}.items():
            with Horizontal():
                yield Static(Text(name), classes="name")
                yield Input(value, id=f"try-{name}", compact=True, max_length=6)
                yield Static(id=f"range-{name}", classes="range")

    def on_mount(self) -> None:
        """Show the ranges."""
        self.read_fields()

    @on(Input.Changed)
    def read_fields(self) -> None:
        """Check the fields and post their values."""
        numbers = {name: self._number(name, largest) for name, (_, largest) in NUMBERS.items()}
        padding = self._padding()
        size, kernel, stride = (numbers[name] for name in NUMBERS)
        if size and kernel and stride and padding:
            self.post_message(self.Changed(Windows(size, kernel, padding, stride)))
        else:
            self.post_message(self.Changed(None))

    def action_field(self, step: int) -> None:
        """Focus the field above or below."""
        if step > 0:
            self.screen.focus_next("WindowFields Input")
        else:
            self.screen.focus_previous("WindowFields Input")

    def _number(self, name: str, largest: int) -> int | None:
        typed = self._typed(name)
        # int() would also accept "1_0", signs, and digits of other scripts.
        value = int(typed) if typed.isascii() and typed.isdigit() else 0
        valid = 1 <= value <= largest
        self._show_range(name, tr("pixels, 1 to {largest:,}", largest=largest), valid)
        return value if valid else None

    def _padding(self) -> str | None:
        typed = self._typed("padding").lower()
        value = next((word for word in PADDINGS if typed and word.startswith(typed)), None)
        self._show_range("padding", tr("valid or same"), value is not None)
        return value

    def _typed(self, name: str) -> str:
        return self.query_one(f"#try-{name}", Input).value.strip()

    def _show_range(self, name: str, text: str, valid: bool) -> None:
        line = self.query_one(f"#range-{name}", Static)
        line.update(Text(text if valid else tr("! only {text}", text=text)))
        line.set_class(not valid, "-error")


class ConceptsScreen(WorkbenchScreen):
    """A list of concepts, with the explanation of the selected one beside it.

    Args:
        concepts: names of those that belong to the screen before; they come first.
    """

    PAGED = "#explanation"
    DEFAULT_CSS = """
    ConceptsScreen #concepts {
        width: 21; height: 1fr; padding: 0; border: none; background: $background;
        background-tint: $background 0%; scrollbar-size-vertical: 1;
    }
    ConceptsScreen #concepts, ConceptsScreen #explanation {
        scrollbar-background: $background; scrollbar-background-hover: $background;
        scrollbar-color: $panel;
    }
    ConceptsScreen #concepts > .option-list--option-disabled { color: $secondary; }
    ConceptsScreen #concepts > .option-list--option-highlighted {
        background: $block-cursor-background; color: $foreground; text-style: none;
    }
    ConceptsScreen #explanation {
        width: 1fr; height: 1fr; padding-left: 2; scrollbar-size-vertical: 1;
    }
    ConceptsScreen #title { text-style: bold; color: $primary; margin-bottom: 1; }
    ConceptsScreen #text { max-width: 78; }
    ConceptsScreen #picture { margin-top: 1; color: $accent; }
    ConceptsScreen.-wide #explanation { height: auto; max-height: 100%; }
    ConceptsScreen #related { padding: 2 0 0 2; }
    ConceptsScreen.-broad #beside { layout: horizontal; }
    ConceptsScreen.-broad #explanation { width: 82; height: 1fr; }
    ConceptsScreen.-broad #related { padding: 0 0 0 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        # Before the list, which would scroll itself.
        Binding(
            "left", "choose(-1)", tr("Before"), id="concepts.before", key_display="←", priority=True
        ),
        Binding(
            "right", "choose(1)", tr("Next"), id="concepts.next", key_display="→", priority=True
        ),
        Binding("enter", "try", tr("Try it"), id="try", priority=True),
        Binding(
            "pagedown", "page(1)", tr("Scroll"), id="scroll.down", key_display="PgDn", priority=True
        ),
        Binding("pageup", "page(-1)", id="scroll.up", show=False, priority=True),
        Binding("question_mark", "back", id="concepts.close", show=False),
    ]

    def __init__(self, concepts: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._first = [name for name in dict.fromkeys(concepts) if name in CONCEPTS]
        self._rest = [name for name in CONCEPTS if name not in self._first]
        self._shown = ""

    def compose_body(self) -> ComposeResult:
        """Yield the list, the explanation beside it, and related concepts where there is room."""
        with Horizontal():
            yield OptionList(*self._options(), id="concepts")
            with Vertical(id="beside"):
                with VerticalScroll(id="explanation", can_focus=False):
                    yield Static(id="title")
                    yield Static(id="text")
                    yield Static(id="picture")
                yield ConceptNotes(heading=tr("related"), id="related")

    def heading(self) -> Text:
        """Return the shown concept and its number."""
        text = Text(tr("concepts"), style="bold")
        if self._shown:
            text.append(f"  {_title(self._shown)}", style="not bold")
            text.append(f"   {self._place()}", "dim")
        return text

    def _place(self) -> str:
        """Return the number of the shown concept: among this screen's, else among all."""
        names = [*self._first, *self._rest]
        index, all_concepts = names.index(self._shown) + 1, plural(len(names), "concept")
        if index > len(self._first):
            return tr("{index} of {concepts}", index=index, concepts=all_concepts)
        return tr(
            "{index} of {count} for this screen; {concepts} in all",
            index=index,
            count=len(self._first),
            concepts=all_concepts,
        )

    def on_mount(self) -> None:
        """Show the first concept of the screen before."""
        names = self.query_one(OptionList)
        names.highlighted = names.get_option_index((self._first or self._rest)[0])
        names.focus()

    def on_resize(self) -> None:
        """Show the related concepts beside the explanation, or below it."""
        self.set_class(self.app.size.width >= BROAD_COLUMNS, "-broad")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer the keys that do something now; a field keeps those that it uses."""
        if action in ("choose", "page", "try") and isinstance(self.focused, Input):
            return False
        if action == "try":
            return self._shown == PLAYGROUND
        return action != "show_concepts" and super().check_action(action, parameters)

    def action_choose(self, step: int) -> None:
        """Select the concept before or after."""
        names = self.query_one(OptionList)
        if step > 0:
            names.action_cursor_down()
        else:
            names.action_cursor_up()

    def action_try(self) -> None:
        """Focus the fields of the interactive concept."""
        self.query_one("WindowFields Input").focus()

    @on(OptionList.OptionHighlighted, "#concepts")
    def _chosen(self, event: OptionList.OptionHighlighted) -> None:
        """Explain the concept under the cursor."""
        if event.option.id is None or event.option.id == self._shown:
            return
        self._shown = event.option.id
        concept = CONCEPTS[self._shown]
        self.query_one("#title", Static).update(Text(concept.title))
        self.query_one("#text", Static).update(Text(concept.text))
        self._draw(concept.drawing(self.workbench.utf8))
        self.query_one("#related", ConceptNotes).show(concept.related)
        self._show_fields()
        self.query_one("#explanation").scroll_home(animate=False)
        self.refresh_heading()
        self.refresh_bindings()

    def _show_fields(self) -> None:
        """Show the fields for the concept that has them; create them the first time."""
        playing = self._shown == PLAYGROUND
        fields = self.query(WindowFields).set(display=playing)
        if playing and not fields:
            self.query_one("#explanation").mount(WindowFields(), before="#picture")
        elif playing and fields.first().is_mounted:  # else they are read on mount
            fields.first().read_fields()

    @on(WindowFields.Changed)
    def _windows_changed(self, event: WindowFields.Changed) -> None:
        """Draw the windows again, unless another concept is shown."""
        if self._shown != PLAYGROUND:
            return
        if event.windows is None:
            self._draw(tr("Nothing to draw: see the field marked with !"))
        else:
            self._draw("\n".join(event.windows.lines(self.workbench.utf8)))

    def _draw(self, picture: str) -> None:
        self.query_one("#picture", Static).update(Text(picture, no_wrap=True))

    def _options(self) -> list[Option]:
        """Return the names, under two headings if the screen before has concepts of its own."""
        first = [Option(Text(f" {_title(name)}"), id=name) for name in self._first]
        rest = [Option(Text(f" {_title(name)}"), id=name) for name in self._rest]
        if not first:
            return rest
        return [_heading(tr("this screen")), *first, _heading(tr("everything else")), *rest]


def _heading(text: str) -> Option:
    return Option(Text(text), disabled=True)


def _title(name: str) -> str:
    return CONCEPTS[name].label

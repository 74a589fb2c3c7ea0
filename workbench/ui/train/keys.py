"""The keys of the Train screen."""

from textual.binding import Binding, BindingType

from workbench.messages import tr

TRAIN_KEYS: list[BindingType] = [
    Binding(
        "x", "stop", tr("Stop"), id="stop", tooltip=tr("save a checkpoint and end the training")
    ),
    Binding("r", "resume", tr("Resume"), id="resume"),
    Binding("enter", "results", tr("Results"), id="results"),
    Binding("q", "detach", tr("Detach"), id="detach", tooltip=tr("the run keeps running")),
    Binding("q", "back", tr("Back"), id="train.back"),
    Binding("escape", "end_reading", tr("End the reading"), show=False, id="train.unread"),
    Binding("escape", "detach", tr("Detach"), show=False, id="train.escape"),
    Binding("escape", "back", tr("Back"), show=False, id="train.close"),
    Binding("l", "layers", tr("Layers"), id="layers"),
    Binding("e", "export", tr("Export"), show=False, id="export"),
    Binding("R", "review", tr("Review"), key_display="R", show=False, id="review"),
    Binding("a", "analyze", tr("Analyze"), show=False, id="analyze"),
    Binding("h", "explain", tr("Grad-CAM"), show=False, id="explain"),
    Binding("c", "overlay", tr("Overlay"), id="overlay", tooltip=tr("another run's curves behind")),
    Binding("s", "settings", tr("Style"), id="settings", tooltip=tr("smoothing, log scale")),
    Binding(
        "v",
        "next_view",
        tr("View"),
        id="train.view",
        tooltip=tr("curves, loss with the spread of its steps, classes over the epochs"),
    ),
    Binding(
        "z",
        "style('zoom')",
        tr("Zoom"),
        show=False,
        id="zoom",
        tooltip=tr("loss or accuracy only"),
    ),
    Binding(
        "left",
        "cursor(-1)",
        tr("Read epoch"),
        key_display="←→1-9",
        id="train.before",
        priority=True,  # before the text that would scroll itself
        tooltip=tr(
            "values off the curves: → from the first epoch, ← from the last, or type the epoch's "
            "number; esc ends it"
        ),
    ),
    Binding("right", "cursor(1)", show=False, id="train.after", priority=True),
    Binding("home", "read_at(1)", show=False, id="train.first", priority=True),
    Binding("end", "read_at(-1)", show=False, id="train.last", priority=True),
    Binding(
        "plus,equals_sign",
        "window(1)",
        tr("Fewer epochs"),
        show=False,
        id="train.fewer",
        tooltip=tr("half as many, around the one that is read"),
    ),
    Binding("minus", "window(-1)", tr("More epochs"), show=False, id="train.more"),
    Binding("0", "window(0)", tr("All epochs"), show=False, id="train.all"),
    Binding("N", "note", tr("Note"), key_display="N", id="note", tooltip=tr("kept with the run")),
]

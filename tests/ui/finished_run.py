"""A finished run, its results on the screen, and all text that is visible."""

import json
from pathlib import Path
from typing import Any

from event_lines import LogWriter
from PIL import Image
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import DataTable, Static
from ui_pilot import until

from workbench.paths import Workspace
from workbench.runs.folder import RunFolder, create_run
from workbench.ui.app import WorkbenchApp
from workbench.ui.results.screen import ResultsScreen
from workbench.ui.widgets.picture import Picture


def results_json(**changes: Any) -> dict[str, Any]:
    """The content of results.json."""
    content = {
        "format": 1, "split": "test", "images": 100, "loss": 0.3, "accuracy": 0.9,
        "interval": [0.83, 0.94], "labels": ["cat", "dog"], "confusion": [[45, 5], [5, 45]],
        "classes": [
            {"label": "cat", "images": 50, "precision": 0.9, "recall": 0.9},
            {"label": "dog", "images": 50, "precision": None, "recall": 0.9},
        ],
        "worst": [{"path": "cat.7.png", "label": "cat", "predicted": "dog", "probability": 0.987,
                   "loss": 4.3}],
    }  # fmt: skip
    return {**content, **changes}


def make_run(folder: Path, content: Any = None, preset: str = "feature-extraction") -> RunFolder:
    """A finished run whose images lie in `folder`/photos."""
    photos = folder / "photos"
    photos.mkdir()
    Image.new("RGB", (64, 64), "orange").save(photos / "cat.7.png")
    text = (
        f'preset = "{preset}"\n[data]\nsource = "{photos}"\n[model]\nstrategy = "{preset}"\n'
        '[base]\nname = "vgg16"\n'
    )
    run = create_run(Workspace(folder), text, "birds", "")
    writer = LogWriter(run.events_path)
    writer.write("epoch_finished", stage=0, epoch=3, accuracy=0.99, val_accuracy=0.93, best=True)
    writer.write("finished", seconds=3)
    if content is not None:
        run.results_path.write_text(content if isinstance(content, str) else json.dumps(content))
    return run


def is_shown(widget: Widget) -> bool:
    return all(node.display for node in widget.ancestors_with_self)


def shown(app: WorkbenchApp) -> str:
    """All visible text, with single spaces."""
    parts = [str(one.render()) for one in app.screen.query(Static) if is_shown(one)]
    for picture in app.screen.query(Picture):
        parts += [picture.render_line(y).text for y in range(picture.size.height)]
    for table in app.screen.query(DataTable):
        if is_shown(table):
            parts += [str(column.label) for column in table.columns.values()]
            parts += [cell.plain for key in table.rows for cell in table.get_row(key)]
    return " ".join(" ".join(parts).split())


async def open_results(app: WorkbenchApp, pilot: Pilot[Any], text: str) -> None:
    await until(pilot, lambda: app.find_run("birds"), "the run is seen")
    await app.push_screen(ResultsScreen("birds"))
    await until(pilot, lambda: text in shown(app), text)

"""What can be exported, and what a person needs to know to use it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from workbench.experiment.facts import count_images
from workbench.experiment.spec import ExperimentSpec
from workbench.export.formats import ExportFormat
from workbench.export.model_card import CARD, LABELS, PREPROCESSING
from workbench.messages import tr
from workbench.render.layers import describe_network, labelled_line
from workbench.runs.results import Results
from workbench.text import (
    format_accuracy,
    format_bytes,
    format_interval,
    format_shape,
    pad_cells,
    safe_text,
)

FILE = 20  # cells of the name of a file
MAX_LABELS = 300  # characters


@dataclass(frozen=True)
class ExportFacts:
    """What is known of the run.

    Attributes:
        spec: None if this version rejects it.
        results: of the final evaluation; None without.
        labels: in the order of the outputs.
        model_bytes: size of the model as it was saved; 0 if it is gone.
    """

    spec: ExperimentSpec | None = None
    results: Results | None = None
    labels: Sequence[str] = ()
    model_bytes: int = 0


def export_details(chosen: ExportFormat | None, facts: ExportFacts) -> list[Text]:
    """Return a model's readers, files, input and output, accuracy, and the code that loads it.

    Args:
        chosen: its format; None for what is exported of a run beside models.
        facts: of the run.
    """
    if chosen is None:
        return _network(facts)
    return [
        labelled_line(tr("read by"), chosen.reader), Text(),
        *_files(chosen, facts.model_bytes), Text(),
        *_network(facts), Text(),
        *_block(tr("load it"), chosen.loading),
    ]  # fmt: skip


def _files(chosen: ExportFormat, size: int) -> list[Text]:
    model = tr("the model")
    if size:
        model = tr("the model; this run's own has {size}", size=format_bytes(size))
    files = {
        chosen.file: model,
        CARD: tr("the card: how to load it, results, data, training, limits"),
        LABELS: tr("a label a line, in the order of the outputs"),
        PREPROCESSING: tr("size, colours and scaling, for other programs"),
    }
    return _block(tr("files"), [f"{pad_cells(name, FILE)} {text}" for name, text in files.items()])


def _network(facts: ExportFacts) -> list[Text]:
    lines, spec, labels = [], facts.spec, facts.labels
    if spec:
        lines.append(
            labelled_line(tr("network"), f"{describe_network(spec)}, {spec.model.strategy}")
        )
        shape = format_shape(spec.data.input_shape)
        text = tr("images of {shape}, float32 from 0 to 255: it scales them itself", shape=shape)
        lines.append(labelled_line(tr("input"), text))
    if len(labels) == 2:
        first, second = (safe_text(label, 40) for label in labels)
        text = tr("the probability of {second}; that of {first} is the rest", first=first,
                  second=second)  # fmt: skip
        lines.append(labelled_line(tr("output"), text))
    elif labels:
        text = tr("{count:,} probabilities: {labels}", count=len(labels),
                  labels=safe_text(", ".join(labels), MAX_LABELS))  # fmt: skip
        lines.append(labelled_line(tr("output"), text))
    if results := facts.results:
        text = tr("{accuracy} on {images}, 95 % interval {interval}",
                  accuracy=format_accuracy(results.accuracy),
                  images=count_images(results.images, results.split),
                  interval=format_interval(results.interval))  # fmt: skip
        lines.append(labelled_line(tr("accuracy"), text))
    return lines


def _block(label: str, lines: Sequence[str]) -> list[Text]:
    """Return lines below one another behind a label."""
    return [labelled_line("" if at else label, line) for at, line in enumerate(lines)]

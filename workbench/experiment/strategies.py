"""The strategies from a dense network to fine-tuning, and their accuracy in the book."""

from dataclasses import dataclass

from workbench.experiment.presets import PRESETS

# What the command `ladder` trains, one after the other: the recommended presets.
LADDER = tuple(name for name in PRESETS if not name.startswith("book-"))


@dataclass(frozen=True)
class ReferenceAccuracy:
    """Accuracies to compare one's own with; None where there is none.

    Attributes:
        book: the book's: stored outputs of notebooks 5.1 to 5.3 (validation accuracy of the last
            epoch on 2,000 training images of cats and dogs; MNIST's test images for `book-mnist`),
            chapter 2 for `book-dense`.
        readers: what readers of the book measured in the same place, where it differs
            (issues 21 and 75 of deep-learning-with-python-notebooks).
    """

    book: float | None = None
    readers: float | None = None


REFERENCE_ACCURACY = {
    name: ReferenceAccuracy(preset.book, preset.readers)
    for name, preset in PRESETS.items()
    if preset.book is not None
}

ABOUT_BOOK = (
    "book: the book's validation accuracy on cats and dogs after the last epoch; on other images "
    "only the order of the strategies can be compared."
)
ABOUT_READERS = (
    "readers: what readers of the book measured since. The base's own preprocessing lifts cached "
    "features from about 0.90 to over 0.97; with augmentation and a base that really is frozen "
    "they get about 0.90 with 1/255, where the book's text says 0.96."
)

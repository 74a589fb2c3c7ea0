"""The book's rungs: what each step from a dense network to fine-tuning was said to bring."""

from dataclasses import dataclass

LADDER = (
    "dense",
    "convnet",
    "convnet-augmented",
    "feature-extraction",
    "feature-extraction-augmented",
    "fine-tuning",
)


@dataclass(frozen=True)
class Figures:
    """Accuracies to hold one's own beside; None where there is no figure.

    Attributes:
        book: of the book: stored outputs of notebooks 5.1 to 5.3 (validation accuracy of the last
            epoch on 2,000 training images of cats and dogs; MNIST's test images for `book-mnist`),
            chapter 2 for `book-dense`.
        readers: what readers of the book measured in the same place, where it was another figure
            (issues 21 and 75 of deep-learning-with-python-notebooks).
    """

    book: float | None = None
    readers: float | None = None


FIGURES = {
    "convnet": Figures(0.724),
    "convnet-augmented": Figures(0.844),
    "feature-extraction": Figures(0.903, 0.97),
    "feature-extraction-augmented": Figures(0.951, 0.90),
    "fine-tuning": Figures(0.975),
    "book-dense": Figures(0.98),
    "book-mnist": Figures(0.9913),
    "book-convnet": Figures(0.724),
    "book-convnet-augmented": Figures(0.844),
    "book-feature-extraction": Figures(0.903),
    "book-feature-extraction-augmented": Figures(0.951, 0.90),
    "book-fine-tuning": Figures(0.975),
}

ABOUT_BOOK = (
    "book: the book's own figures, validation accuracy on cats and dogs after the last epoch; on "
    "other images only the order of the rungs can be compared."
)
ABOUT_READERS = (
    "readers: what readers of the book found since. The base's own preprocessing lifts cached "
    "features from about 0.90 to over 0.97; with augmentation and a base that really is frozen "
    "they get about 0.90 with 1/255, where the book's text says 0.96."
)

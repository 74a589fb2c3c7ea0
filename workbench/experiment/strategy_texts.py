"""What each rung does and when to choose it, in plain words; and which one to begin with."""

from dataclasses import dataclass

from workbench.experiment.facts import DataFacts
from workbench.text import plural

SMALL_PICTURES = 64  # pixels of the longer side up to which pictures are drawings, not photographs
FEW_A_CLASS = 1000  # images of the rarest class below which photographs are few
MANY_A_CLASS = 5000  # from which a network can learn its own eyes


@dataclass(frozen=True)
class RungText:
    """A preset for people.

    Attributes:
        does: what happens, in a sentence or two.
        choose: when it is the right one.
    """

    does: str
    choose: str


@dataclass(frozen=True)
class Recommendation:
    """The rung to begin with, and why."""

    preset: str
    why: str


RUNG_TEXTS = {
    "dense": RungText(
        "Every pixel meets every unit; the network knows nothing of neighbours or shapes.",
        "As the baseline that anything better has to beat; trains in moments.",
    ),
    "convnet": RungText(
        "Small windows slide over the image and learn patterns, which count wherever they lie.",
        "For small pictures such as digits, or thousands of images of each class.",
    ),
    "convnet-augmented": RungText(
        "The same, but each image is turned, shifted, zoomed or mirrored anew in every epoch.",
        "When the plain convnet overfits and no pretrained network fits the images.",
    ),
    "feature-extraction": RungText(
        "A network that saw a million photographs describes each image once; a small head learns.",
        "First, for photographs: few images are enough, and epochs take moments.",
    ),
    "feature-extraction-augmented": RungText(
        "The same on ten changed views of every image, each described once and used in turn.",
        "When feature extraction overfits; the base runs ten times over the images, not once.",
    ),
    "fine-tuning": RungText(
        "The head learns alone; then the base's upper blocks follow it in very small steps.",
        "For the last few percent, or images unlike everyday photographs; best with a GPU.",
    ),
    "book-dense": RungText(
        "Chapter 2: 512 units on 28x28 grey, five epochs.",
        "To follow the book on MNIST.",
    ),
    "book-mnist": RungText(
        "Section 5.1: the first convnet, three convolutions on 28x28 grey, five epochs.",
        "To follow the book on MNIST.",
    ),
    "book-convnet": RungText(
        "Section 5.2: four blocks at 150x150, from nothing, 30 epochs. It overfits soon.",
        "To see overfitting as the book shows it, on cats and dogs.",
    ),
    "book-convnet-augmented": RungText(
        "Section 5.2: the same with augmented images and dropout, 100 epochs.",
        "To see what augmentation alone brings: overfitting comes later.",
    ),
    "book-feature-extraction": RungText(
        "Section 5.3: VGG16's outputs, computed once from pixels x 1/255; a head of 256 units.",
        "To follow the book; the base's own preprocessing does better.",
    ),
    "book-feature-extraction-augmented": RungText(
        "Section 5.3: the frozen VGG16 runs in every epoch on augmented images.",
        "To check a figure that a base really frozen does not reach; slow without a GPU.",
    ),
    "book-fine-tuning": RungText(
        "Section 5.3: the head first, then VGG16's block5 with it, 100 epochs at 1e-5.",
        "To follow the book to its best figure; slow without a GPU.",
    ),
}


def recommend(facts: DataFacts) -> Recommendation:
    """The rung to begin with, from what a quick look at the images told."""
    rarest = plural(facts.smallest_class, "image")
    height, width = facts.image_size
    if max(height, width) <= SMALL_PICTURES:
        return Recommendation(
            "convnet",
            f"Images of {height}x{width} are unlike the photographs that pretrained networks "
            "know, and a convnet of your own learns them fast.",
        )
    if facts.smallest_class >= MANY_A_CLASS:
        return Recommendation(
            "fine-tuning",
            f"Every class has {rarest} or more: enough to adapt a pretrained network to them.",
        )
    much = "few" if facts.smallest_class < FEW_A_CLASS else "not many"
    return Recommendation(
        "feature-extraction",
        f"The rarest class has {rarest}: {much} for a network that learns from nothing, plenty "
        "for a pretrained one.",
    )

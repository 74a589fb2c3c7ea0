"""Presets: named experiments, one TOML file each in this folder; the file's name is the preset's.

A `book-` preset has the values of chapter 5 of "Deep Learning with Python" (first edition, stored
outputs of notebooks 5.1 to 5.3) and keeps the last epoch's weights, as the book does. The other
presets are recommended: fitted to the data, stopped early, keeping the best epoch.

A file holds `order` (its place in lists), `title`, `does` and `choose` (for the strategy screen),
`expect`, `book` and `readers` (reference accuracy), and the tables of a spec as `[spec.data]` and
so on. Values in it that depend on the data:

- "fitted" for `image_size`, `channels`, `filters` and `pooling`: chosen for the images;
- `split = "book"`: the book's counts, or its proportions where there are fewer images;
- `trainable = "top"`: the upper blocks of the base;
- `base.name` and, with it, `image_size`: of the base that is chosen, see `base_choice`.

`[grey.augmentation]` and the like replace values where the images are grey.
"""

import copy
import difflib
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.bases.architectures import BASES
from workbench.errors import UserError
from workbench.experiment.base_choice import default_base
from workbench.experiment.facts import DataFacts
from workbench.messages import tr
from workbench.text import format_choices, plural, safe_text

Tree = dict[str, Any]

FOLDER = Path(__file__).parent
FITTED, BOOK, TOP = "fitted", "book", "top"

BOOK_SPLIT: Tree = {"train": 1000, "validation": 500, "test": 500}
BOOK_PROPORTIONS: Tree = {"train": 0.5, "validation": 0.25, "test": 0.25}
# Pixels; images of one size between these keep it, larger or mixed ones get the book's 150 x 150.
MIN_OWN_SIZE, MAX_OWN_SIZE = 16, 160

SMALL_PICTURES = 64  # pixels of the longer side up to which pictures are drawings, not photographs
FEW_A_CLASS = 1000  # images of the rarest class below which photographs are few
MANY_A_CLASS = 5000  # from which a network can learn its own features

# The public cats and dogs: what presets are fitted to where there is no data yet.
BOOK_FACTS = DataFacts(
    image_size=(374, 499),
    uniform=False,
    channels=3,
    classes=2,
    images=25_000,
    smallest_class=12_500,
    user_split=False,
)


@dataclass(frozen=True)
class Preset:
    """A named experiment.

    Attributes:
        title: what it is, in one line.
        does: what happens, in a sentence or two.
        choose: when to choose it.
        expect: the accuracy to expect and the source of that number.
        spec: the tables of a spec, without `data.source`.
        order: place in lists.
        grey: tables whose values replace those of `spec` where images are grey.
        book: accuracy in the book, None without: stored outputs of notebooks 5.1 to 5.3
            (validation accuracy of the last epoch on 2,000 training images of cats and dogs;
            MNIST's test images for `book-mnist`), chapter 2 for `book-dense`.
        readers: accuracy that readers of the book measured in the same place, where it differs
            (issues 21 and 75 of deep-learning-with-python-notebooks).
    """

    title: str
    does: str
    choose: str
    expect: str
    spec: Tree
    order: int
    grey: Tree = field(default_factory=dict)
    book: float | None = None
    readers: float | None = None

    def build(self, facts: DataFacts) -> Tree:
        """Return the tables of a spec, fitted to the data."""
        tree = copy.deepcopy(self.spec)
        if facts.channels == 1:
            for table, values in copy.deepcopy(self.grey).items():
                tree[table] |= values
        data, model = tree["data"], tree["model"]
        if data["image_size"] == FITTED:
            data["image_size"] = _own_size(facts)
        if data["channels"] == FITTED:
            data["channels"] = facts.channels
        if data.get("split") == BOOK:
            enough = facts.smallest_class >= sum(BOOK_SPLIT.values()) and not facts.user_split
            data["split"] = dict(BOOK_SPLIT if enough else BOOK_PROPORTIONS)
        if model.get("filters") == FITTED:
            model["filters"] = filters_for(min(data["image_size"]))
            model["pooling"] = pooling_for(model["filters"])
        return tree


def preset_tree(
    name: str, source: str, facts: DataFacts, base: str | None = None, weights: str | None = None
) -> Tree:
    """Return the tables of a preset's spec, fitted to the data.

    Args:
        name: of the preset.
        source: of the data.
        facts: of the data.
        base: the pretrained network to use; None for `default_base`. Images get the size that
            it is best at, except in the chapter's presets. Ignored by presets without a base.
        weights: "imagenet", "random" or a file; ignored likewise.

    Raises:
        UserError: there is no such preset.
    """
    if name not in PRESETS:
        close = difflib.get_close_matches(name, PRESETS, n=1)
        raise UserError(
            tr(
                "There is no preset {name}; allowed: {choices}.",
                name=safe_text(repr(name)),
                choices=format_choices(list(PRESETS)),
            ),
            tr("Did you mean {close}?", close=close[0]) if close else "",
        )
    tree = PRESETS[name].build(facts)
    tree["data"] = {"source": source, **tree["data"]}
    if "base" in tree:
        chosen = {"name": base or default_base(name, weights), "weights": weights}
        tree["base"] |= {key: value for key, value in chosen.items() if value is not None}
        info = BASES.get(tree["base"]["name"])
        if tree["base"].get("trainable") == TOP:
            tree["base"]["trainable"] = list(info.top) if info else []
        if info and not name.startswith("book-"):
            tree["data"]["image_size"] = list(info.recommended_size)
    return {"preset": name, **tree}


def filters_for(side: int) -> list[int]:
    """Return the book's four blocks if they leave a map of 4 pixels or more, else fewer.

    Args:
        side: the shorter side of the images.
    """
    if side >= 94:
        return [32, 64, 128, 128]
    return [32, 64, 64] if side >= 28 else [32, 64]


def pooling_for(filters: list[int]) -> bool | list[bool]:
    """Return whether blocks pool: as in the book's MNIST network, a third of three does not."""
    return [True, True, False] if len(filters) == 3 else True


def _own_size(facts: DataFacts) -> list[int]:
    size = facts.image_size
    if max(size) < MIN_OWN_SIZE:
        return [32, 32]
    if not facts.uniform or max(size) > MAX_OWN_SIZE or min(size) < MIN_OWN_SIZE:
        return [150, 150]
    return list(size)


def _read_presets() -> dict[str, Preset]:
    files = {path.stem: tomllib.loads(path.read_text("utf-8")) for path in FOLDER.glob("*.toml")}
    presets = {name: Preset(**tables) for name, tables in files.items()}
    return dict(sorted(presets.items(), key=lambda item: item[1].order))


PRESETS: dict[str, Preset] = _read_presets()
BOOK_AUGMENTATION: Tree = PRESETS["book-convnet-augmented"].spec["augmentation"]
# What the command `ladder` trains, one after the other: the recommended presets.
LADDER = tuple(name for name in PRESETS if not name.startswith("book-"))
# Presets whose accuracy the book has: what one's own can be compared with.
REFERENCE_ACCURACY = {name: one for name, one in PRESETS.items() if one.book is not None}

ABOUT_BOOK = tr(
    "book: the book's validation accuracy on cats and dogs after the "
    "last epoch; on other images only the order of the strategies can "
    "be compared."
)
ABOUT_READERS = tr(
    "readers: what readers of the book measured since. The base's own "
    "preprocessing lifts cached features from about 0.90 to over 0.97; "
    "with augmentation and a base that really is frozen they get about "
    "0.90 with 1/255, where the book's text says 0.96."
)


@dataclass(frozen=True)
class Recommendation:
    """The preset to begin with, and why."""

    preset: str
    why: str


def recommend(facts: DataFacts) -> Recommendation:
    """Return the strategy to begin with."""
    rarest = plural(facts.smallest_class, "image")
    height, width = facts.image_size
    if max(height, width) <= SMALL_PICTURES:
        return Recommendation(
            "convnet",
            tr(
                "Images of {height}x{width} are unlike the photographs that "
                "pretrained networks know, and a convnet of your own learns them "
                "fast.",
                height=height,
                width=width,
            ),
        )
    if facts.smallest_class >= MANY_A_CLASS:
        return Recommendation(
            "fine-tuning",
            tr(
                "Every class has {rarest} or more: enough to adapt a pretrained network to them.",
                rarest=rarest,
            ),
        )
    much = tr("few") if facts.smallest_class < FEW_A_CLASS else tr("not many")
    return Recommendation(
        "linear-probe",
        tr(
            "The rarest class has {rarest}: {much} for a network trained from "
            "scratch; a pretrained one needs fewer.",
            rarest=rarest,
            much=much,
        ),
    )

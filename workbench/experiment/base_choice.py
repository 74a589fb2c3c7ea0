"""Which pretrained network a preset takes where none is named, and why."""

from workbench.bases import weights as base_weights
from workbench.bases.architectures import BASES
from workbench.bases.published import file_bytes
from workbench.bases.weights import IMAGENET
from workbench.messages import tr
from workbench.settings import read_settings
from workbench.text import format_bytes, percent, safe_text

BOOK_BASE = "vgg16"  # of the chapter, and where no weights are installed
INSTALLED_BASE = "efficientnet-lite0"
LARGER_BASE = "convnext-tiny"  # recommended on a machine with a GPU


def default_base(preset: str, weights: str | None = None) -> str:
    """Return the base that a preset takes where none is named; the settings come first.

    Args:
        preset: its name; the chapter's own keep VGG16.
        weights: "imagenet", "random" or a file; None for the preset's.
    """
    if preset.startswith("book-") or weights not in (None, IMAGENET):
        return BOOK_BASE
    if (own := read_settings()[0].base) in BASES:
        return own
    return INSTALLED_BASE if base_weights.installed_file(INSTALLED_BASE) else BOOK_BASE


def base_on_disk() -> str | None:
    """Return a base whose weights need no download, the default before others; None for none."""
    return next(
        (
            name
            for name in (INSTALLED_BASE, *BASES)
            if base_weights.present_weights(name, BASES[name].recommended_size)
        ),
        None,
    )


def explain_base(base: str, given: bool) -> str:
    """Return why a preset takes a base, in a sentence; "" where a person chose it.

    Args:
        base: a key of `BASES`.
        given: whether a person named it.
    """
    if given:
        return ""
    wanted = read_settings()[0].base
    if wanted and wanted == base:
        return tr("The base is {title}, as your settings say.", title=BASES[base].title)
    if wanted and wanted not in BASES:
        return tr(
            "Ignored in your settings: base: {name}; `workbench bases` lists those that there are.",
            name=safe_text(wanted, 64),
        )
    if base != INSTALLED_BASE:
        return ""
    own, book = BASES[base], BASES[BOOK_BASE]
    return tr(
        "The base is {title} because its weights are installed: {top1:.0f} % right on ImageNet, "
        "where {book} has {book_top1:.0f} %, for {share} of its operations.",
        title=own.title,
        top1=own.top1,
        book=book.title,
        book_top1=book.top1,
        share=percent(own.table.multiply_adds / book.table.multiply_adds),
    )


def suggest_larger_base(base: str, device_kind: str) -> str:
    """Return a larger base worth its cost on this device, in a sentence; "" for none.

    Args:
        base: a key of `BASES`.
        device_kind: "gpu" or "cpu".
    """
    own, larger = BASES[base], BASES[LARGER_BASE]
    if device_kind != "gpu" or own.top1 >= larger.top1:
        return ""
    return tr(
        "On this GPU base.name = {name} is worth a try: {top1:.0f} % on ImageNet instead of "
        "{own_top1:.0f} %, for {times:.0f} times the operations and a download of {size}.",
        name=larger.name,
        top1=larger.top1,
        own_top1=own.top1,
        times=larger.table.multiply_adds / own.table.multiply_adds,
        size=format_bytes(file_bytes(LARGER_BASE)),
    )

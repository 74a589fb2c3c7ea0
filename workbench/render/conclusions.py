"""What can be concluded from the accuracies of runs, and what cannot, in words."""

from workbench.analysis.compare import Comparison, RunResult
from workbench.analysis.significance import PairedTest
from workbench.messages import tr
from workbench.text import plural, safe_text

VALUE_WIDTH = 30  # characters; longer values are cut in the middle


def describe_comparison(comparison: Comparison) -> list[str]:
    """Return what can be concluded from the accuracies, and what cannot."""
    lines = []
    measured = [r for r in comparison.results if r.measured]
    unmeasured = [r.run for r in comparison.results if not r.measured]
    if comparison.same_test_images:
        images = plural(comparison.shared_test_images or 0, "test image")
        who = _listed([r.run for r in measured]) if unmeasured else tr("All")
        lines.append(tr("{who} were measured on the same {images}.", who=who, images=images))
        if not comparison.pairs and all(r.interval for r in measured):
            lines.append(_ahead(measured))
    elif comparison.same_test_images is False:
        line = tr(
            "Their test images differ (in common to all: {count:,}), so the accuracies cannot be "
            "compared with each other.",
            count=comparison.shared_test_images,
        )
        if comparison.pairs:
            line += " " + tr(
                "Instead, two runs at a time are compared on the test images that both have."
            )
        lines.append(line)
    elif len(measured) > 1:
        lines.append(tr("Whether their test images are the same is unknown."))
    lines += map(describe_paired_test, comparison.pairs)
    if unmeasured:
        listed = _listed(unmeasured)
        lines.append(
            tr("{listed} was not measured.", listed=listed)
            if len(unmeasured) == 1
            else tr("{listed} were not measured.", listed=listed)
        )
    if any(r.split == "validation" for r in measured):
        lines.append(
            tr("Validation images chose the best epoch: such an accuracy is a little high.")
        )
    return lines


def describe_paired_test(pair: PairedTest) -> str:
    """Return whether the better of two runs is better beyond chance, and why."""
    first, second = safe_text(pair.first, VALUE_WIDTH), safe_text(pair.second, VALUE_WIDTH)
    if not pair.only_first and not pair.only_second:
        images = plural(pair.images, "image")
        return tr(
            "{first} and {second} are right and wrong about the same images, of {images} that "
            "both answered.",
            first=first,
            second=second,
            images=images,
        )
    images, p_value = plural(pair.images, "image"), _p_value(pair.p_value)
    only_first, only_second = _count(pair.only_first), _count(pair.only_second)
    if pair.differ:
        return tr(
            "{first} is better than {second}, beyond chance. Of {images} that both answered, "
            "{first} alone has {only_first} right and {second} alone {only_second} (McNemar's "
            "exact test, p {p_value}).",
            images=images,
            first=first,
            only_first=only_first,
            second=second,
            only_second=only_second,
            p_value=p_value,
        )
    return tr(
        "Too close to call: of {images} that both answered, {first} alone has {only_first} right "
        "and {second} alone {only_second} (McNemar's exact test, p {p_value}).",
        images=images,
        first=first,
        only_first=only_first,
        second=second,
        only_second=only_second,
        p_value=p_value,
    )


def _count(images: int) -> str:
    return f"{images:,}" if images else tr("none")


def _p_value(value: float) -> str:
    return f"= {value:.2g}" if value >= 0.0001 else "< 0.0001"


def _listed(names: list[str]) -> str:
    """Return names as in a sentence: a, b and c."""
    *first, last = (safe_text(name, VALUE_WIDTH) for name in names)
    return tr("{first} and {last}", first=", ".join(first), last=last) if first else last


def _ahead(measured: list[RunResult]) -> str:
    best, *others = sorted(measured, key=lambda r: r.accuracy or 0, reverse=True)
    assert best.interval
    close = [r.run for r in others if r.interval and r.interval[1] >= best.interval[0]]
    if close:
        return tr(
            "{run} and {close}: too close to call, their intervals overlap.",
            run=best.run,
            close=", ".join(close),
        )
    return tr("{run} is better, beyond chance: its interval overlaps with no other.", run=best.run)

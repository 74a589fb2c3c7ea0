"""Groups: images that have to stay on one side of a split, such as those of one patient.

They are declared by a column of a CSV file, or by a pattern over the paths. An image without one
is a group of its own.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median_low

from workbench.datasets.names import format_examples, natural_sorted
from workbench.datasets.sources.source import Source
from workbench.errors import UserError
from workbench.experiment.group_pattern import compile_group_pattern, find_group
from workbench.messages import tr
from workbench.text import plural, safe_text

NO_EFFECT = tr("Every group has one image, so the groups change nothing.")
_EXAMPLES = 3  # groups that a summary names, and images of each


@dataclass(frozen=True)
class GroupSummary:
    """The groups of the images.

    Attributes:
        groups: That have a name.
        smallest: Images of the smallest of them.
        median: Likewise.
        largest: Likewise.
        alone: Images without one.
        examples: The first ones: name, number of images, some of their paths.
    """

    groups: int
    smallest: int
    median: int
    largest: int
    alone: int
    examples: tuple[tuple[str, int, tuple[str, ...]], ...] = ()

    def lines(self) -> list[str]:
        """Return the summary as text, safe for a terminal."""
        sizes = tr(
            "{smallest:,} to {largest:,} images (median {median:,})",
            smallest=self.smallest,
            largest=self.largest,
            median=self.median,
        )
        if self.smallest == self.largest:
            sizes = plural(self.largest, "image")
        lines = [
            tr(
                "{groups} of {sizes}, each kept on one side of a split",
                groups=plural(self.groups, "group"),
                sizes=sizes,
            )
        ]
        lines += [
            f"  {safe_text(name, 40)}, {plural(size, 'image')}: {format_examples(paths)}"
            for name, size, paths in self.examples
        ]
        if self.alone:
            each = tr("it is") if self.alone == 1 else tr("each is")
            images = plural(self.alone, "image")
            lines.append(
                tr("  {images} in none: {each} a group of its own", images=images, each=each)
            )
        return lines

    def warnings(self) -> list[str]:
        """Return what is doubtful about the groups."""
        return [NO_EFFECT] if self.largest == 1 else []


def summarize_groups(images: Iterable[tuple[str, str]]) -> GroupSummary | None:
    """Return a summary of images, each with its path and group; None where none has a group."""
    by_name: dict[str, list[str]] = defaultdict(list)
    for path, group in images:
        by_name[group].append(path)
    alone = len(by_name.pop("", ()))
    if not by_name:
        return None
    sizes = sorted(map(len, by_name.values()))
    # Those of several images say more about a pattern.
    named = sorted(natural_sorted(by_name), key=lambda name: len(by_name[name]) == 1)
    examples = tuple(
        (name, len(by_name[name]), tuple(natural_sorted(by_name[name])[:_EXAMPLES]))
        for name in named[:_EXAMPLES]
    )
    return GroupSummary(len(sizes), sizes[0], median_low(sizes), sizes[-1], alone, examples)


def match_groups(paths: Sequence[str], pattern: str) -> list[str]:
    """Return the group of each path by a pattern; "" where it matches nothing.

    Raises:
        UserError: The pattern cannot be used, matches no path, or gives all the same group.
    """
    try:
        compiled = compile_group_pattern(pattern)
    except ValueError as error:
        raise UserError(tr("The group pattern: {error}.", error=safe_text(error, 600))) from None
    groups = [find_group(compiled, path) for path in paths]
    found = set(groups)
    shown = safe_text(pattern, 200)
    hint = tr(
        "It is searched in the path of each image, from the folder of the data on: {examples}",
        examples=format_examples(list(paths)),
    )
    if found == {""}:
        raise UserError(
            tr(
                "The group pattern {shown} matches none of {images}.",
                shown=shown,
                images=plural(len(paths), "image"),
            ),
            hint,
        )
    if len(found) == 1 and len(paths) > 1:
        raise UserError(
            tr(
                "The group pattern {shown} puts all {images:,} images into one group, {name}, "
                "which no split can divide.",
                shown=shown,
                images=len(paths),
                name=safe_text(groups[0], 60),
            ),
            hint,
        )
    return groups


def with_groups(source: Source, pattern: str) -> Source:
    """Return a source with the groups of a pattern, which replace those of the data.

    Args:
        source: To be scanned; its data folder keeps what the data itself declares.
        pattern: "" for none.

    Raises:
        UserError: As `match_groups`.
    """
    if not pattern:
        return source
    groups = match_groups([item.path for item in source.items], pattern)
    items = zip(source.items, groups, strict=True)
    return replace(source, items=tuple(replace(item, group=group) for item, group in items))


def source_groups(source: Source) -> GroupSummary | None:
    """Return a summary of the groups of a source; None where it has none."""
    return summarize_groups((item.path, item.group) for item in source.items)


def preview_groups(source: Source, pattern: str) -> list[str]:
    """Return what a pattern would find, in lines safe for a terminal: groups, or what is wrong."""
    try:
        summary = source_groups(with_groups(source, pattern))
    except UserError as error:
        return str(error).splitlines()
    return [] if summary is None else [*summary.lines(), *summary.warnings()]

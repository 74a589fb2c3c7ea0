"""How often a planted shortcut is named, and how often one is named where there is none.

    python benchmarks/shortcuts.py --data DIR [DIR ...] [--seeds 3] [--subsets 20]

Of each folder of images, four fifths of each class are drawn for each seed; the files of one class
are then changed, in a temporary copy: saved as PNG, with a camera in their EXIF, or made 10 %
brighter, by Pillow or NumPy, and saved in three ways. "All alike" means that the other classes are
saved in the same way, so that brightness is all that differs. Without a shortcut, halves are drawn
of each class, from the files as they are.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance
from side_by_side import markdown

from workbench.datasets.manifest import ScanRecord
from workbench.datasets.scan import scan
from workbench.datasets.shortcuts import Shortcut, find_shortcuts
from workbench.datasets.sources.opening import open_source
from workbench.datasets.sources.source import Item, Source

FACTOR = 1.1
SAVED = {
    "JPEG 75": ("jpg", {"quality": 75}),
    "JPEG 95": ("jpg", {"quality": 95}),
    "PNG": ("png", {}),
}
Change = Callable[[Image.Image], Image.Image]


def by_pillow(image: Image.Image) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(FACTOR)


def by_numpy(image: Image.Image) -> Image.Image:
    scaled = np.asarray(image, np.float64) * FACTOR
    return Image.fromarray(np.rint(scaled).clip(0, 255).astype(np.uint8))


def drawn(items: Sequence[Item], share: float, seed: int) -> list[Item]:
    """Return a random share of the images of each class."""
    rng = np.random.default_rng(seed)
    chosen = []
    for label in sorted({item.label for item in items}):
        some = [item for item in items if item.label == label]
        chosen += [some[n] for n in rng.permutation(len(some))[: round(share * len(some))]]
    return chosen


def scanned(
    source: Source,
    items: Sequence[Item],
    label: str,
    write: Callable[[Image.Image, Path], Path],
    write_others: Callable[[Image.Image, Path], Path] | None,
) -> list[ScanRecord]:
    """Scan a copy in which the files of a class are written anew, and perhaps the others."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for number, item in enumerate(items):
            target = folder / "images" / item.label / f"{number}{Path(item.path).suffix}"
            target.parent.mkdir(parents=True, exist_ok=True)
            how = write if item.label == label else write_others
            if how is None:
                target.symlink_to(source.root / item.path)
            else:
                with Image.open(source.root / item.path) as image:
                    how(image.convert("RGB"), target)
        return scan(open_source(folder / "images"), folder)


def saver(saved: str, change: Change | None = None) -> Callable[[Image.Image, Path], Path]:
    ending, options = SAVED[saved]

    def write(image: Image.Image, target: Path) -> Path:
        path = target.with_suffix(f".{ending}")
        (change(image) if change else image).save(path, **options)
        return path

    return write


def with_camera(image: Image.Image, target: Path) -> Path:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Canon", "EOS 5D"
    image.save(target, quality=95, exif=exif)
    return target


def without_camera(image: Image.Image, target: Path) -> Path:
    image.save(target, quality=95)
    return target


def plants() -> dict[str, tuple[str, Callable[..., Path], Callable[..., Path] | None]]:
    """Return the property to name, how the class is written, and how the others, by title."""
    found: dict[str, tuple[str, Callable[..., Path], Callable[..., Path] | None]] = {
        "saved as PNG": ("file format", saver("PNG"), None),
        "by one camera": ("camera", with_camera, without_camera),
        "saved again, JPEG 75": ("JPEG compression", saver("JPEG 75"), None),
    }
    for name, change in (("Pillow", by_pillow), ("NumPy", by_numpy)):
        for saved in SAVED:
            brighter = saver(saved, change)
            found[f"10 % brighter ({name}), {saved}"] = ("brightness", brighter, None)
            found[f"10 % brighter ({name}), all alike {saved}"] = (
                "brightness",
                brighter,
                saver(saved),
            )
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--data", type=Path, nargs="+", required=True)
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--subsets", type=int, default=20)
    options.add_argument("--only", default="", help="part of the title of what is planted")
    given = options.parse_args()
    rows = []
    for path in given.data:
        source = open_source(path)
        for title, (name, write, others) in plants().items():
            if given.only not in title:
                continue
            hits: list[Shortcut] = []
            wrong: list[str] = []
            also: set[str] = set()
            for seed in range(given.seeds):
                items = drawn(source.items, 0.8, seed)
                label = source.labels[seed % len(source.labels)]
                found = find_shortcuts(scanned(source, items, label, write, others))
                named = [one for one in found if one.name == name]
                either = len(source.labels) == 2 and name != "brightness"
                hits += [one for one in named if either or one.label == label]
                wrong += [one.label for one in named if not either and one.label != label]
                also |= {one.name for one in found} - {name}
            accuracy = f"{np.mean([one.accuracy for one in hits]):.0%}" if hits else "-"
            factors = ", ".join(sorted({f"{one.factor:.2f}" for one in hits if one.factor}))
            rows.append(
                (
                    path.name,
                    title,
                    f"{len(hits)} of {given.seeds}",
                    accuracy,
                    factors,
                    ", ".join(sorted(also)) + (f"; wrong class {wrong}" if wrong else ""),
                )
            )
            print(*rows[-1], sep="  ", flush=True)
    print(markdown(("images", "planted", "named", "accuracy", "factor", "also named"), rows))
    for path in given.data:
        source = open_source(path)
        with tempfile.TemporaryDirectory() as scratch:
            records = {r.path: r for r in scan(source, Path(scratch))}
        alarms = []
        for seed in range(given.subsets):
            chosen = [records[item.path] for item in drawn(source.items, 0.5, seed)]
            alarms += [(seed, one.name, one.label) for one in find_shortcuts(chosen)]
        print(f"{path.name}: {len(alarms)} false alarms over {given.subsets} halves", *alarms)


if __name__ == "__main__":
    main()

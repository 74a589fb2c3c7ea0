"""Find images that are dark, overexposed, nearly empty, blurred or of an odd shape.

The definitions and most limits are those of cleanvision (cleanlab, https://cleanvision.readthedocs.io
and the scores of its image properties), applied to the measures of the scan: green stands for
brightness, and no mean of a colour may contradict it, as that of a red picture would.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from workbench.datasets.manifest import ScanRecord
from workbench.datasets.measures import entropy, percentile, shares

DARK = 82  # of 255: 99 % of the values are below it (cleanvision: 0.32)
OVEREXPOSED = 242  # 95 % of the values exceed it (cleanvision: 0.95)
EMPTY = 3.0  # bits of entropy (cleanvision: 0.3, of ten)
BLURRED = 34.0  # grey levels of sharpness (cleanvision: 0.29, which is 1 - exp(-34 / 100))
# Sharpness depends on what is shown and how it was scaled: a picture is blurred among others.
BLURRED_SHARE = 0.4  # of the median of all images
ODD_SHAPE = 0.35  # shorter side over longer side (cleanvision)
MOST = 0.5  # of the images; what holds for more is how these pictures are: X-rays are dark
_UNEVEN = 2.5  # standard deviations of a class's number above its share
_FEW = 5  # images of which no distribution is reported


def find_odd_images(records: Sequence[ScanRecord]) -> dict[str, list[ScanRecord]]:
    """Return the images that are odd, by code: dark, overexposed, nearly-empty, blurred, odd-shape.

    An image that is nearly empty is not also called dark, overexposed or blurred.

    Args:
        records: Usable ones; those too small to be measured have no oddity but their shape.
    """
    measured = [record for record in records if record.histogram]
    found: dict[str, list[ScanRecord]] = {}
    if measured:
        values = shares([record.histogram for record in measured])
        sharpness = np.array([record.sharpness for record in measured], np.float64)
        colours = np.array([record.colour for record in measured])
        empty = entropy(values) < EMPTY
        limit = min(BLURRED, BLURRED_SHARE * float(np.median(sharpness)))
        flags = {
            "nearly-empty": empty,
            "dark": ~empty & (percentile(values, 99) < DARK) & (colours.max(axis=1) < DARK),
            "overexposed": ~empty
            & (percentile(values, 5) > OVEREXPOSED)
            & (colours.min(axis=1) > OVEREXPOSED),
            "blurred": ~empty & (sharpness < limit),
        }
        for code, flag in flags.items():
            found[code] = [measured[place] for place in np.flatnonzero(flag).tolist()]
    found["odd-shape"] = [
        r for r in records if min(r.width, r.height) < ODD_SHAPE * max(r.width, r.height)
    ]
    return {code: some for code, some in found.items() if 0 < len(some) <= MOST * len(records)}


def uneven_class(some: Sequence[ScanRecord], records: Sequence[ScanRecord]) -> tuple[str, int]:
    """Return the class to which most of some images belong, and how many; "" where it is chance.

    Args:
        some: Of the records.
        records: All of them.
    """
    label, count = Counter(record.label for record in some).most_common(1)[0]
    share = sum(record.label == label for record in records) / len(records)
    expected = len(some) * share
    uneven = count - expected >= _UNEVEN * (expected * (1 - share)) ** 0.5
    return (label, count) if uneven and len(some) >= _FEW and share < 1 else ("", 0)

"""Allocation of the images of a class to parts by fractions."""

import math
from collections.abc import Sequence


def allocate(images: int, parts: Sequence[float]) -> list[int]:
    """Return the number of images of each part, by largest remainders; ties go to the first part.

    Each part with a fraction above 0 gets at least one image as long as there are enough; the
    first part comes before the others.

    Args:
        images: number of images to allocate.
        parts: fractions that add up to at most 1, at least one of them above 0.
    """
    used = min(images, round(images * math.fsum(parts) + 1e-9))
    used = max(used, min(images, sum(part > 0 for part in parts)))
    total = math.fsum(parts)
    ideal = [used * part / total for part in parts]
    quotas = [math.floor(value) for value in ideal]
    by_remainder = sorted(range(len(parts)), key=lambda i: (quotas[i] - ideal[i], i))
    for i in by_remainder[: used - sum(quotas)]:
        quotas[i] += 1
    for i, part in enumerate(parts):
        largest = max(range(len(parts)), key=lambda i: quotas[i])
        if part > 0 and quotas[i] == 0 and quotas[largest] > 1:
            quotas[largest] -= 1
            quotas[i] = 1
    if quotas[0] == 0 and used:
        quotas[max(range(len(parts)), key=lambda i: quotas[i])] -= 1
        quotas[0] = 1
    return quotas

"""Shares the images of a class out by fractions."""

import math
from collections.abc import Sequence


def share_out(images: int, parts: Sequence[float]) -> list[int]:
    """How many of the images each part gets: largest remainders, the first part first of equals.

    Each part that is wanted gets one, as far as images go; where they do not go far enough, the
    first part comes before the others.

    Args:
        parts: fractions that add up to at most 1, of which at least one is above 0.
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

"""Random numbers as a function of a seed and a position, not of a sequence.

A resumed run draws the same numbers, because there is no state.
"""

import numpy as np


def fold_seed(*parts: int) -> int:
    """Mix whole numbers, each from 0 to 2**64 - 1, into one of 64 bits.

    Other parts, another order or another count give another number.

    Raises:
        OverflowError: a part is negative or has more than 64 bits.
    """
    return int(_mix(parts).generate_state(1, np.uint64)[0])


def uniforms(count: int, *parts: int) -> np.ndarray:
    """Return float64 (count,), uniform in [0, 1), a function of the parts (see `fold_seed`).

    The first numbers stay the same when `count` grows.
    """
    bits = _mix(parts).generate_state(count, np.uint64)
    return (bits >> np.uint64(11)) * 2.0**-53  # as many bits as a float64 holds


def _mix(parts: tuple[int, ...]) -> np.random.SeedSequence:
    # Each part in 64 bits, after their count: SeedSequence itself treats [1] like [1, 0], and
    # [2**32, 1] like [0, 1, 1].
    words = b"".join(int(part).to_bytes(8, "little") for part in (len(parts), *parts))
    return np.random.SeedSequence(np.frombuffer(words, "<u4"))

"""Work on many images at once, with progress."""

import os
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from workbench.progress import Progress

Work = TypeVar("Work")
Result = TypeVar("Result")

_PROGRESS_STEPS = 1000
_AHEAD = 4  # results a thread that may wait to be taken: bounds memory, and the end of a Ctrl-C


def map_in_threads(
    function: Callable[[Work], Result], work: Iterable[Work]
) -> Generator[Result, None, None]:
    """Yield `map(function, work)`, with one thread for each core that this process may use.

    It pays where Pillow decodes, which releases the interpreter lock. Results come in the order
    of the work. Exceptions of `function` are raised here; work that has not started is then
    dropped, as it is when the caller takes no more results.
    """
    threads = len(os.sched_getaffinity(0))
    waiting: deque[Future[Result]] = deque()
    # Pillow warns of odd metadata on stderr, over any progress bar; what matters is in the audit.
    with warnings.catch_warnings(), ThreadPoolExecutor(threads) as pool:
        warnings.filterwarnings("ignore", module=r"PIL\.")
        try:
            for one in work:
                waiting.append(pool.submit(function, one))
                if len(waiting) >= threads * _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def with_progress(
    results: Iterable[Result], phase: str, total: int, progress: Progress
) -> Iterator[Result]:
    """Yield the results and report them to `progress`, a thousand times at most."""
    step = max(1, total // _PROGRESS_STEPS)
    for done, result in enumerate(results, start=1):
        yield result
        if done % step == 0 or done == total:
            progress(phase, done, total)

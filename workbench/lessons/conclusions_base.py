"""What the experiments on a pretrained base say; the rules are those of `conclusions`."""

from statistics import fmean, median

from workbench.lessons.noise import ratio
from workbench.lessons.results import Results
from workbench.lessons.sentences import Lines, between, held_against, percent, points, verdict
from workbench.text import human_seconds

HEAD = "head"  # the block of the head's own layers


def two_ways(results: Results) -> Lines:
    """Held against each other: accuracy in every epoch, and seconds.

    Seen: the same accuracy (equal, or no difference beyond the noise), and cached outputs take
    fewer seconds in all, beyond the noise (at least LEAST_RATIO times; see `noise`).
    """
    cached, streamed = results.runs["cached"], results.runs["streamed"]
    same = all(a["epochs"] == b["epochs"] for a, b in zip(cached, streamed, strict=True))
    found = between(results, "cached", "streamed")
    if same:
        lines = ["Both ways give the same accuracy in every epoch, to the last digit."]
    else:
        lines = [f"Accuracy: {verdict(found, 'cached', 'streamed')}."]
    whole = [results.mean(way, "seconds") for way in ("cached", "streamed")]
    times = ratio(results.each("cached", "seconds"), results.each("streamed", "seconds"))
    epoch = [median(s for run in runs for s in run["epoch_seconds"]) for runs in (cached, streamed)]
    once = whole[0] - fmean(sum(run["epoch_seconds"]) for run in cached)
    lines.append(
        f"Cached: {human_seconds(once)} once, then {_short(epoch[0])} an epoch. Computed in every "
        f"epoch: {_short(epoch[1])} an epoch."
    )
    epochs = len(cached[0]["epochs"])
    told = f"{human_seconds(whole[0])} against {human_seconds(whole[1])} for {epochs} epochs"
    if times.more:
        lines.append(f"In all, {told}: caching was {times.mean:.1f} times as fast.")
    elif times.less:
        lines.append(f"In all, {told}: caching did not pay in so few epochs.")
    else:
        lines.append(f"In all, {told}: no difference seen.")
    lines.append("What caching cannot do: show each image changed anew in every epoch.")
    return (same or not found.seen) and times.more, lines


def _short(seconds: float) -> str:
    return f"{seconds:.2f} s"


def preprocessing(results: Results) -> Lines:
    """Held against each other: accuracy. Seen: the base's own is better, beyond the noise."""
    found = between(results, "own", "1/255")
    lines = [held_against(results, "own", "1/255")]
    if found.less:
        lines.append("Weights expect the numbers that they were trained on.")
    elif found.more:
        lines.append(
            "The reverse of what was expected: these images may be unlike those that the weights "
            "were trained on."
        )
    else:
        lines.append(
            "On these images the base copes with either. MobileNetV2's own is -1 to 1, not far "
            "from 0 to 1; VGG16's, which swaps the colours and subtracts means, is further off."
        )
    return found.less, lines


def head_first(results: Results) -> Lines:
    """Held against each other: how far the base's blocks moved in the second stage, and accuracy.

    Seen: at once they moved further, beyond the noise (at least LEAST_RATIO times; see `noise`).
    """
    first, at_once = (
        [_base_moved(run["moved"]) for run in results.runs[name]]
        for name in ("head first", "at once")
    )
    further = ratio(first, at_once)
    told = (
        f"In the epochs in which they train, the upper blocks move by {_size(first)} of their size "
        f"after a trained head, and by {_size(at_once)} under an untrained one"
    )
    if further.more:
        lines = [
            f"{told}: {further}. A head that knows nothing yet drags along what the base has "
            "learned."
        ]
    elif further.less:
        lines = [f"{told}: less far ({further}), the reverse of what was expected."]
    else:
        lines = [f"{told}: no difference seen ({further})."]
    lines.append(held_against(results, "head first", "at once"))
    lines.append("At once, the head has had these epochs alone to learn in, at a low rate.")
    return further.more, lines


def _base_moved(moved: dict[str, float]) -> float:
    return fmean(share for block, share in moved.items() if block != HEAD)


def _size(shares: list[float]) -> str:
    return f"{100 * fmean(shares):.2f} %"


def depth(results: Results) -> Lines:
    """Held against the head alone: accuracy where upper, lower or all blocks train along.

    Seen: one of them is better or worse than the head alone, beyond the noise.
    """
    alone, *deeper = results.variants
    lines = [f"{alone}: accuracy {percent(results.mean(alone, 'accuracy'))}."]
    seen = False
    for name in deeper:
        found = between(results, alone, name)
        seen |= found.seen
        word = "better" if found.more else "worse" if found.less else "no difference seen"
        epoch = median(results.runs[name][0]["epoch_seconds"][-2:])
        lines.append(
            f"{name}: accuracy {percent(results.mean(name, 'accuracy'))}, {word} ({found}); "
            f"{_short(epoch)} an epoch."
        )
    upper = between(results, "lower blocks", "upper blocks")
    lines.append(f"Upper against lower blocks: {verdict(upper, 'lower blocks', 'upper blocks')}.")
    if not seen:
        lines.append(
            f"With {points(upper.noise)} of noise, these images do not tell which part to train."
        )
    return seen, lines

"""Find properties of files that give the label away: shortcuts that a network learns.

If all pictures of one class come from one camera, or were saved as PNG, a network tells the class
by that and fails on other pictures; see Geirhos et al., "Shortcut learning in deep neural networks"
(2020), arXiv 2004.07780. Each property by itself classifies images that it was not fitted on:
its values are sorted into bins, the leaves of a small decision tree, and in each bin the class is
the one more frequent there than elsewhere. The accuracy is balanced, of one class against the rest:
the mean of the shares of both that are recognized, 0.5 for guessing however many there are.

What says how a picture was made (format, camera, size, compression, date) is a shortcut wherever it
is clearly better than guessing. Brightness, colour or sharpness may be what a class is about:
daisies are white. They count only where one of them is nearly enough by itself.

Scaled brightness is found by its traces, since a tenth more is little beside the differences
between pictures: values from 0 to 255 times 1.1 leave every eleventh unused. In the histogram that
is a wave of fixed length and phase, which survives JPEG compression weakly, but is the same in all
images of the class; that of others has random phases. Compare Stamm and Liu, "Forensic detection of
image manipulation using statistical intrinsic fingerprints", IEEE TIFS 5(3), 2010.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from workbench.datasets.manifest import ScanRecord
from workbench.datasets.measures import entropy, roots, shares

FOLDS = 5
MIN_IMAGES = 20  # of a class; fewer prove nothing
MIN_ACCURACY = 0.75  # of a property of files
MIN_CONTENT_ACCURACY = 0.95  # of a property that the class may be about
_ERRORS = 4.5  # standard errors above guessing, one in 300,000 by chance
_BINS = 16
_MIN_BIN = 5  # images of one value that make a bin of their own
_BATCH = 4096  # histograms transformed at a time

BRIGHTNESS = "brightness"
# Waves of 3 to 23 values: brightness times 0.75 to 1.5. Longer ones are shapes of the histogram.
_WAVES = slice(11, 100)
_SMOOTHING = np.hanning(19)[1:-1] / np.hanning(19).sum()
_EDGE = 12  # values at both ends that are left out: clipping
_CHANCE = 1e-3  # of one data set without scaled brightness, that one is found
_MIN_CONTRAST = 0.5  # between the waves of class and rest, of the larger one


@dataclass(frozen=True)
class Shortcut:
    """A property that tells a class.

    Attributes:
        name: Of the property: file format, camera, ...
        label: The class.
        accuracy: Cross-validated and balanced, of this class against the rest; 0.5 is guessing.
        value: That is typical of the class, as text: "PNG", "above 12.5"; "" where there is none.
        share: Of the images with this value, those of the class.
        found: Of the images of the class, those with this value.
        factor: By which brightness was scaled, for BRIGHTNESS.
    """

    name: str
    label: str
    accuracy: float
    value: str = ""
    share: float = 0.0
    found: float = 0.0
    factor: float = 0.0


def find_shortcuts(records: Sequence[ScanRecord]) -> list[Shortcut]:
    """Return properties that tell a class, the best first, each with the class it tells best.

    Images with the same pixels count once, so that no copy of an image tests what it fitted.

    Args:
        records: Usable ones.
    """
    chosen = list({r.pixel_hash: r for r in sorted(records, key=lambda r: r.path)}.values())
    labels = sorted({record.label for record in chosen})
    number = {label: n for n, label in enumerate(labels)}
    classes = np.array([number[record.label] for record in chosen], np.int64)
    counts = np.bincount(classes, minlength=len(labels))
    if len(labels) < 2 or counts.max() < MIN_IMAGES:
        return []
    folds = _folds(classes, chosen)
    found = []
    for name, least, values in _properties(chosen):
        bins = _bins(values)
        accuracy = _accuracies(bins, classes, folds, counts)
        clear = accuracy - 0.5 >= _ERRORS * _error(counts)
        accuracy = np.where(clear & (counts >= MIN_IMAGES), accuracy, 0.0)
        best = int(accuracy.argmax())
        if accuracy[best] >= least:
            typical = _typical(values, classes == best)
            found.append(Shortcut(name, labels[best], float(accuracy[best]), *typical))
    found += _scaled_brightness(chosen, classes, labels, folds)
    return sorted(found, key=lambda one: -one.accuracy)


def _folds(classes: np.ndarray, records: Sequence[ScanRecord]) -> np.ndarray:
    """Return the fold of each image: of each class equally many, by chance but always the same."""
    order = np.random.default_rng(0).permutation(len(records))
    order = order[np.argsort(classes[order], kind="stable")]
    folds = np.empty(len(records), np.int64)
    folds[order] = np.arange(len(records)) % FOLDS
    return folds


def _properties(
    records: Sequence[ScanRecord],
) -> Iterator[tuple[str, float, np.ndarray]]:
    """Yield names, the accuracy to reach, and values: texts, or numbers that may be NaN."""
    texts: dict[str, Callable[[ScanRecord], str]] = {
        "file format": lambda r: r.format,
        "camera": lambda r: r.camera,
        "colour mode": lambda r: r.mode,
    }
    numbers: dict[str, Callable[[ScanRecord], float]] = {
        "JPEG compression": lambda r: r.compression,
        "width": lambda r: r.width,
        "height": lambda r: r.height,
        "aspect ratio": lambda r: r.width / max(r.height, 1),
        "date": lambda r: _days(r.taken),
    }
    for name, text in texts.items():
        yield name, MIN_ACCURACY, np.array([text(record) for record in records])
    for name, number in numbers.items():
        yield name, MIN_ACCURACY, np.array([number(record) for record in records], np.float64)
    for name, values in _content(records).items():
        yield name, MIN_CONTENT_ACCURACY, values


def _content(records: Sequence[ScanRecord]) -> dict[str, np.ndarray]:
    """Return measures of the pixels; bytes are one, since detail needs them."""
    nan = (np.nan,) * 3
    colours = np.array([record.colour or nan for record in records], np.float64)
    sharpness = [np.nan if r.sharpness is None else r.sharpness for r in records]
    measured = np.array([bool(record.histogram) for record in records])
    entropies = np.full(len(records), np.nan)
    entropies[measured] = entropy(shares([r.histogram for r in records if r.histogram]))
    size = np.array([record.bytes for record in records], np.float64)
    pixels = np.array([record.width * record.height for record in records], np.float64)
    return {
        "file size": size,
        "bytes per pixel": size / pixels,
        "mean brightness": colours @ (0.299, 0.587, 0.114),
        "mean red": colours[:, 0],
        "mean green": colours[:, 1],
        "mean blue": colours[:, 2],
        "colourfulness": colours.max(axis=1) - colours.min(axis=1),
        "sharpness": np.array(sharpness, np.float64),
        "entropy": entropies,
    }


def _days(taken: str) -> float:
    try:
        return datetime.fromisoformat(taken).timestamp() // 86400
    except (ValueError, OverflowError, OSError):
        return np.nan


def _bins(values: np.ndarray) -> np.ndarray:
    """Return the bin of each value: 0, 1, ...

    Frequent values have a bin of their own, other numbers are divided at quantiles.
    """
    if values.dtype.kind == "U":
        return np.unique(values, return_inverse=True)[1]
    known = values[~np.isnan(values)]
    if not len(known):
        return np.zeros(len(values), np.int64)
    edges = np.unique(np.quantile(known, np.arange(1, _BINS) / _BINS, method="nearest"))
    left, right = np.searchsorted(edges, values), np.searchsorted(edges, values, side="right")
    bins = left + right  # odd for the edges themselves
    rare = np.bincount(bins, minlength=2 * len(edges) + 1) < _MIN_BIN
    bins = bins - (bins % 2 & rare[bins])
    return np.where(np.isnan(values), 2 * len(edges) + 1, bins)


def _accuracies(
    bins: np.ndarray, classes: np.ndarray, folds: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """Return the balanced accuracy for each class against the rest, over all folds."""
    shape = (FOLDS, int(bins.max()) + 1, len(counts))
    flat = (folds * shape[1] + bins) * shape[2] + classes
    table = np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape)
    hits, alarms = np.zeros(len(counts)), np.zeros(len(counts))
    for tested in table:
        fitted = table.sum(axis=0) - tested
        total = fitted.sum(axis=0)
        rest = fitted.sum(axis=1, keepdims=True) - fitted
        typical = fitted / np.maximum(total, 1) > rest / np.maximum(total.sum() - total, 1)
        hits += (tested * typical).sum(axis=0)
        alarms += ((tested.sum(axis=1, keepdims=True) - tested) * typical).sum(axis=0)
    return (hits / counts + 1 - alarms / np.maximum(counts.sum() - counts, 1)) / 2


def _error(counts: np.ndarray) -> np.ndarray:
    """Return the standard error of each class's balanced accuracy, if it only guesses."""
    return np.sqrt(1 / counts + 1 / np.maximum(counts.sum() - counts, 1)) / 4


def _typical(values: np.ndarray, of_class: np.ndarray) -> tuple[str, float, float]:
    """Return the value, or the side of a limit, that divides a class best from the rest.

    Returns:
        The value as text, the share of the class among images with it, and the share of them in
        the class.
    """
    weight = np.where(of_class, 1 / of_class.sum(), -1 / (~of_class).sum())
    if values.dtype.kind == "U" or np.isnan(values).any():
        if values.dtype.kind != "U":
            values = np.where(np.isnan(values), "", "known")
        names, places = np.unique(values, return_inverse=True)
        best = int(np.bincount(places, weight).argmax())
        value, chosen = str(names[best]) or "none", places == best
    else:
        order = np.argsort(values, kind="stable")
        ordered = values[order]
        gain = np.cumsum(weight[order])[:-1]
        gain[ordered[:-1] == ordered[1:]] = 0  # no limit between equal ones
        place = int(np.abs(gain).argmax())
        limit = (ordered[place] + ordered[place + 1]) / 2
        below = gain[place] > 0
        value, chosen = f"{'below' if below else 'above'} {limit:,.4g}", (values < limit) == below
    both = (chosen & of_class).sum()
    return value, float(both / max(1, chosen.sum())), float(both / of_class.sum())


def _scaled_brightness(
    records: Sequence[ScanRecord], classes: np.ndarray, labels: Sequence[str], folds: np.ndarray
) -> list[Shortcut]:
    """Return the classes whose histograms share a wave that the rest do not have."""
    measured = np.array([bool(record.histogram) for record in records])
    if not measured.any():
        return []
    classes, folds = classes[measured], folds[measured]
    waves = _spectra([record.histogram for record in records if record.histogram])
    found = []
    while clearest := _clearest_wave(waves, classes, len(labels)):
        label, wave = clearest
        accuracy = _wave_accuracy(waves[:, wave], classes == label, folds)
        found.append(Shortcut(BRIGHTNESS, labels[label], accuracy, factor=_factor(wave)))
        others = classes != label  # which are then compared without it
        waves, classes, folds = waves[others], classes[others], folds[others]
    return found


def _clearest_wave(waves: np.ndarray, classes: np.ndarray, labels: int) -> tuple[int, int] | None:
    """Return the class that differs most from the rest by a wave of its own, and the wave."""
    counts = np.bincount(classes, minlength=labels)[:, None]
    rest = len(classes) - counts
    enough = (counts >= MIN_IMAGES) & (rest >= MIN_IMAGES)
    if not enough.any():
        return None
    sums, powers = (_sums(values, classes, labels) for values in (waves, np.abs(waves) ** 2))
    some, others = np.maximum(counts, 1), np.maximum(rest, 1)
    mean, other = sums / some, (sums.sum(axis=0) - sums) / others
    variance = (powers / some - np.abs(mean) ** 2) / some
    variance += ((powers.sum(axis=0) - powers) / others - np.abs(other) ** 2) / others
    difference = np.abs(mean - other)
    # Where all images have the wave, it differs with the content of a class, but not by much.
    own = difference >= _MIN_CONTRAST * np.maximum(np.abs(mean), np.abs(other))
    own &= enough & (np.abs(mean) > np.abs(other))
    power = np.where(own, difference**2 / np.maximum(variance, 1e-12), 0)
    # Of chance, the power has an F distribution of 2 and 2 (images - 1) degrees of freedom.
    freedom = np.maximum(np.minimum(counts, rest) - 1, 1)
    clear = freedom * np.log1p(power / freedom) >= np.log(power.size / _CHANCE)
    if not clear.any():
        return None
    label = int(np.where(clear, power, 0).max(axis=1).argmax())
    return label, _fundamental(np.where(clear[label], difference[label], 0))


def _fundamental(strength: np.ndarray) -> int:
    """Return the longest of the strong waves; gaps have shorter ones of the same strength too."""
    first = int((strength >= 0.5 * strength.max()).argmax())
    return first + int(strength[first : first + 3].argmax())


def _spectra(histograms: Sequence[bytes]) -> np.ndarray:
    """Return complex64, (images, waves): the fine structure of histograms, scaled to length 1."""
    found = []
    for start in range(0, len(histograms), _BATCH):
        some = roots(histograms[start : start + _BATCH]).astype(np.float32)
        width = len(_SMOOTHING)
        padded = np.pad(some, ((0, 0), (width // 2, width // 2)), mode="edge")
        smooth = sum(
            weight * padded[:, n : n + 256]
            for n, weight in enumerate(_SMOOTHING.astype(np.float32))
        )
        fine = (some - smooth)[:, _EDGE:-_EDGE]
        length = np.sqrt((fine**2).sum(axis=1, keepdims=True))
        full = np.zeros_like(some)
        full[:, _EDGE:-_EDGE] = fine / np.maximum(length, 1e-6)
        found.append(np.fft.rfft(full, axis=1)[:, _WAVES].astype(np.complex64))
    return np.concatenate(found)


def _sums(values: np.ndarray, classes: np.ndarray, count: int) -> np.ndarray:
    found = np.zeros((count, values.shape[1]), np.result_type(values.dtype, np.float64))
    np.add.at(found, classes, values)
    return found


def _wave_accuracy(wave: np.ndarray, of_class: np.ndarray, folds: np.ndarray) -> float:
    """Return how well a wave tells a class: fitted are its phase and the limit between both."""
    recognized = np.zeros(len(wave), bool)
    for fold in range(FOLDS):
        fitted, tested = folds != fold, folds == fold
        mean = wave[fitted & of_class].mean()
        other = wave[fitted & ~of_class].mean()
        towards = np.conj(mean - other)
        recognized[tested] = ((wave[tested] - (mean + other) / 2) * towards).real > 0
    return float((recognized[of_class].mean() + 1 - recognized[~of_class].mean()) / 2)


def _factor(wave: int) -> float:
    """Return the scaling above 1 that leaves gaps at this distance: 1.1 for one in eleven."""
    return 1 / (1 - (wave + (_WAVES.start or 0)) / 256)

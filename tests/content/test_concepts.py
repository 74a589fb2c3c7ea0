"""The concepts: form, size on the smallest terminal, and every number against its source."""

import ast
import inspect
import math
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

import workbench.ui
from workbench.analysis.errors import PredictionTable
from workbench.analysis.scores import measure_score, measure_scores
from workbench.analysis.significance import BEYOND_CHANCE, accuracy_interval
from workbench.analysis.thresholds import ranking, threshold_metrics
from workbench.bases.architectures import base_table
from workbench.content.concepts import (
    CONCEPTS,
    FOLDER,
    PICTURE_COLUMNS,
    PICTURE_ROWS,
    Windows,
    read_concepts,
)
from workbench.experiment.facts import DataFacts
from workbench.experiment.plan import plan_stages, rate_factors
from workbench.experiment.presets import BOOK_FACTS, preset_tree
from workbench.experiment.receptive_field import receptive_fields
from workbench.experiment.stack import (
    Convolutions,
    convolution_stack,
    head_stack,
    network_stack,
    window_output,
)
from workbench.experiment.toml import parse_spec
from workbench.text import cell_width
from workbench.training.step_losses import StepLosses

LIST_COLUMNS = 19  # of a name in the list of concepts
SMALL_PANE = 54  # columns for the explanation on a terminal of 80
SMALL_ROWS = 21  # rows of the body on a terminal of 24

CASES = [
    (size, kernel, padding, stride)
    for size in (1, 2, 5, 7, 8, 28, 150, 1024)
    for kernel in (1, 2, 3, 5, 11)
    for padding in ("valid", "same")
    for stride in (1, 2, 3, 8)
]


def test_concepts_come_in_the_order_of_their_headers() -> None:
    names, groups = list(CONCEPTS), [concept.group for concept in CONCEPTS.values()]
    assert (names[0], names[-1]) == ("workbench", "grad-cam")
    assert groups == sorted(groups, key=groups.index)  # each group in one piece


@pytest.mark.parametrize("name", CONCEPTS)
def test_a_concept_has_a_title_a_few_sentences_and_relations(name: str) -> None:
    concept = CONCEPTS[name]
    sentences = re.findall(r"[^ ][.?](?= [A-Z]|$)", concept.text)
    assert concept.title
    assert len(concept.title) <= PICTURE_COLUMNS
    assert 4 <= len(sentences) <= 9
    assert (concept.title + concept.text).isascii()
    assert set(concept.related) <= set(CONCEPTS) - {name}


@pytest.mark.parametrize("name", CONCEPTS)
def test_a_concept_fits_the_smallest_terminal_with_and_without_utf8(name: str) -> None:
    concept = CONCEPTS[name]
    rich, plain = concept.drawing().split("\n"), concept.drawing(utf8=False)
    assert 3 <= len(rich) <= PICTURE_ROWS
    assert max(map(len, rich)) <= PICTURE_COLUMNS <= 60
    assert plain.isascii()
    assert [len(line) for line in plain.split("\n")] == [len(line) for line in rich]
    fields = 5 if name == "border-effect" else 0
    text = textwrap.wrap(concept.text, SMALL_PANE)
    assert 2 + len(text) + fields + 1 + len(rich) <= SMALL_ROWS


def _concepts_of_screens() -> Iterator[str]:
    """The names in every `CONCEPTS = (...)` of the app, read without importing it."""
    for path in Path(inspect.getfile(workbench.ui)).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):
                targets = [t.id for t in node.targets if isinstance(t, ast.Name)]
                if targets == ["CONCEPTS"]:
                    yield from ast.literal_eval(node.value)


def test_screens_list_known_concepts() -> None:
    assert set(_concepts_of_screens()) <= set(CONCEPTS)


def test_numbers_of_vgg16_are_those_of_its_table() -> None:
    vgg = base_table("vgg16", (150, 150))
    blocks = {b: sum(layer.parameters for layer in vgg.block_layers(b)) for b in vgg.blocks}
    head = sum(row.parameters for row in head_stack(vgg.output_shape, "flatten", (256,), 0.5, 2))
    assert vgg.output_shape == (4, 4, 512)
    assert f"{vgg.parameters:,}" == "14,714,688"
    for name in ("transfer", "freezing", "dense-top"):
        assert f"{vgg.parameters:,}" in CONCEPTS[name].picture
    assert (
        f"{138_357_544 - vgg.parameters:,}" in CONCEPTS["dense-top"].picture
    )  # whole, as published
    for block, parameters in blocks.items():
        assert re.search(rf"{block} +{parameters:,} ", CONCEPTS["upper-layers"].picture)
    assert f"{head:,}" in CONCEPTS["upper-layers"].picture
    assert f"{head + blocks['block5']:,}" in CONCEPTS["upper-layers"].text
    assert f"{head + vgg.parameters:,}" in CONCEPTS["freezing"].picture
    assert f"{vgg.multiply_adds / 1e9:.1f} billion" in CONCEPTS["machine"].text


def test_numbers_of_unequal_classes_are_those_of_the_scores() -> None:
    """95 dogs and 5 cats: no cat found, or four of them and six dogs called cat."""
    labels = np.repeat([0, 1], [95, 5])
    lines = CONCEPTS["macro-f1"].picture.split("\n")
    for line, calls in ((lines[1], []), (lines[3], [*range(6), 95, 96, 97, 98])):
        predicted = np.zeros(100, int)
        predicted[calls] = 1
        scores = measure_scores(labels, np.eye(2)[predicted])
        expected = (
            (predicted == labels).mean(),
            *(scores[name].value for name in ("balanced_accuracy", "macro_f1")),
        )
        assert line.split()[-3:] == [f"{value:.3f}" for value in expected]
    cats = np.array([0.9, 0.4, 0.1, 0.3, 0.6])
    ranked = measure_score("auc", np.array([1, 1, 0, 0, 0]), np.stack([1 - cats, cats], axis=1))
    assert f"AUC 5 of 6, {ranked:.2f}" in CONCEPTS["auc"].picture


def test_sizes_of_vgg16_are_those_of_its_table() -> None:
    vgg = base_table("vgg16", (150, 150))
    for block in ("block1", "block2", "block4", "block5"):
        height, width, channels = vgg.block_layers(block)[-1].output_shape
        assert f"{height}x{width}x{channels}" in CONCEPTS["spatial-hierarchy"].picture


def test_numbers_of_the_books_convnet_are_those_of_its_layers() -> None:
    blocks = Convolutions((32, 64, 128, 128), 3, "valid", 1, (True,) * 4)
    rows = network_stack((150, 150, 3), blocks, (512,), 0.0, 2)
    concept = CONCEPTS["parameters"]
    for row in rows:
        if row.parameters:
            assert re.search(rf"{row.name} +{row.parameters:,}( |\n|$)", concept.picture)
    assert f"{sum(row.parameters for row in rows):,}" in concept.text
    assert f"3x3x3x32 + 32 = {rows[0].parameters}" in concept.text


def test_numbers_without_pooling_are_those_of_the_layers() -> None:
    blocks = Convolutions((32, 64, 64), 3, "valid", 1, (False,) * 3)
    below = convolution_stack((28, 28, 1), blocks)[-1].output_shape
    flat, dense, _ = head_stack(below, "flatten", (512,), 0.0, 10)
    text = CONCEPTS["max-pooling"].text
    assert f"22x22x64 = {flat.output_shape[0]:,} values" in text
    assert f"{dense.parameters:,} parameters" in text


def test_numbers_of_both_heads_are_those_of_the_layers() -> None:
    for how in ("flatten", "average"):
        below, dense, _ = head_stack((4, 4, 512), how, (256,), 0.0, 2)
        line = next(line for line in CONCEPTS["flatten"].picture.split("\n") if how in line)
        assert f"{below.output_shape[0]:,}" in line
        assert line.endswith(f"{dense.parameters:,}")


def test_learning_rates_are_those_of_the_presets() -> None:
    def rates(preset: str, facts: DataFacts = BOOK_FACTS) -> dict[str, float]:
        training = preset_tree(preset, "photos", facts)["training"]
        return {key: value for key, value in training.items() if key.endswith("rate")}

    picture = CONCEPTS["learning-rate"].picture
    rates_shown = {line.split(" = ")[0].split()[-1] for line in picture.split("\n")}
    assert {float(rate) for rate in rates_shown} == {
        rates("book-convnet")["learning_rate"],
        rates("book-feature-extraction")["learning_rate"],
        rates("book-fine-tuning")["learning_rate"],
    }
    assert rates("book-fine-tuning")["head_learning_rate"] == 2e-5
    assert "2e-5" in CONCEPTS["head-first"].picture


def test_receptive_fields_are_those_of_vgg16() -> None:
    tree = {
        "data": {"source": "x", "image_size": [224, 224]},
        "model": {"strategy": "feature-extraction"},
        "base": {"name": "vgg16"},
    }
    fields = {layer.row.name: layer for layer in receptive_fields(parse_spec(tree, "test"), 2)}
    concept = CONCEPTS["receptive-field"]
    shown = re.findall(r"(block\w+) +(\d+) +(\d+)", concept.picture)
    assert len(shown) == 6
    for name, size, jump in shown:
        field = fields[name].field
        assert field is not None
        assert (field.size, field.jump) == (int(size), int(jump))
    assert "212x212 pixels, and its neighbour those 32 further on" in concept.text
    assert fields["block5_conv3"].row.output_shape[:2] == (14, 14)
    assert "14x14 for VGG16" in CONCEPTS["grad-cam"].text


@pytest.mark.parametrize(("right", "images"), [(933, 1000), (93, 100)])
def test_intervals_are_those_that_are_measured(right: int, images: int) -> None:
    low, high = accuracy_interval(right / images, images)
    assert f"{low:.3f} to {high:.3f}" in CONCEPTS["interval"].picture


def test_the_confusion_matrix_agrees_with_itself() -> None:
    lines = CONCEPTS["confusion-matrix"].picture.split("\n")
    (cats, missed, recall_cat) = (float(word) for word in lines[1].split()[2:])
    (called, dogs, recall_dog) = (float(word) for word in lines[2].split()[2:])
    precision_cat, precision_dog = (float(word) for word in lines[3].split()[1:])
    assert round(cats / (cats + missed), 3) == recall_cat
    assert round(dogs / (called + dogs), 3) == recall_dog
    assert round(cats / (cats + called), 3) == precision_cat
    assert round(dogs / (dogs + missed), 3) == precision_dog


def numbers(line: str) -> list[float]:
    """The numbers of a line, without commas and words."""
    return [float(word) for word in re.findall(r"\d+(?:\.\d+)?", line)]


def test_the_paired_test_is_mcnemars() -> None:
    lines = CONCEPTS["paired-test"].picture.split("\n")
    (both, only_a, a), (only_b, neither, b) = map(numbers, lines[1:3])
    assert [both + only_a + only_b + neither] == numbers(lines[0])
    assert round((both + only_a) / 360, 3) == a
    assert round((both + only_b) / 360, 3) == b
    assert lines[4].startswith(f"{only_a:.0f} against {only_b:.0f} ")
    for line in lines[4:]:
        first, second, shown = numbers(line)
        p_value = binomtest(int(first), int(first + second)).pvalue
        assert float(f"{p_value:.2g}") == shown
        assert ("beyond chance" in line) == (p_value < BEYOND_CHANCE)


def test_the_calibration_error_is_the_mean_gap() -> None:
    *rows, _, error = CONCEPTS["calibration"].picture.split("\n")[1:]
    gaps = images = 0.0
    for row in rows:
        _, _, count, right, mean, accuracy = numbers(row)
        assert round(right / count, 2) == accuracy
        assert ("✓" in row) == (mean == accuracy)
        gaps, images = gaps + count * abs(accuracy - mean), images + count
    assert [round(gaps / images, 3)] == numbers(error)


def test_thresholds_give_the_numbers_shown() -> None:
    first, second, *rows, area = CONCEPTS["threshold"].picture.split("\n")
    dogs = [int(word == "dog") for word in second.split()[1:]]
    probabilities = np.array(numbers(first))
    answers = PredictionTable(
        ("cat", "dog"), [""] * 6, np.array(dogs), (probabilities >= 0.5).astype(int),
        np.stack([1 - probabilities, probabilities], axis=1),
    )  # fmt: skip
    for row in rows:
        threshold, *shown = numbers(row)
        at = threshold_metrics(answers, threshold)
        assert at.precision is not None
        assert shown == [round(at.precision, 2), round(at.recall, 2), at.false_alarms]
    assert numbers(area)[-1] == round(ranking(answers).area, 2) == round(8 / 9, 2)


def test_losses_are_those_of_the_label() -> None:
    for line in CONCEPTS["label-noise"].picture.split("\n")[1:]:
        label, predicted, _, _ = line.split()[:4]
        probability, loss = numbers(line)
        assert round(-math.log(probability if predicted == label else 1 - probability), 2) == loss


def test_smoothed_values_are_eight_tenths_of_the_point_before() -> None:
    measured, smooth = (
        [float(word) for word in line.split()[1:]]
        for line in CONCEPTS["smoothing"].picture.split("\n")[:2]
    )
    point = measured[0]
    for value, shown in zip(measured, smooth, strict=True):
        point = 0.8 * point + 0.2 * value
        assert round(point, 2) == shown


def test_the_spread_of_steps_is_that_of_its_percentiles() -> None:
    lines = CONCEPTS["step-noise"].picture.split("\n")
    losses = numbers(lines[1])
    spread = StepLosses(losses, steps=len(losses)).spread()
    assert spread is not None
    assert numbers(lines[-2]) == [spread.low, spread.high, spread.median]
    mean, error = np.mean(losses), np.std(losses)
    shown = [mean, error, mean - error, mean + error]
    assert numbers(lines[-1]) == [round(float(value), 2) for value in shown]


def test_averaged_weights_are_nine_tenths_of_the_average_before() -> None:
    lines = CONCEPTS["averaged-weights"].picture.split("\n")[1:]
    weights, averages = ([float(word) for word in line.split()[1:7]] for line in lines)
    average = weights[0]
    for weight, shown in zip(weights, averages, strict=True):
        average = 0.9 * average + 0.1 * weight
        assert round(average, 2) == shown


def test_a_step_of_adamw_is_the_rate_and_the_decay() -> None:
    lines = CONCEPTS["optimizer"].picture.split("\n")
    _, rate, decay = numbers(lines[0])
    shrunk = 1 - rate * decay
    assert [numbers(line)[1] for line in lines[1:]] == pytest.approx(
        [shrunk, shrunk - rate, shrunk - rate]
    )


def test_a_smoothed_label_spreads_its_share() -> None:
    smoothed = numbers(CONCEPTS["label-smoothing"].picture.split("\n")[-1])[1:]
    assert smoothed == [round(0.9 + 0.1 / 3, 3), round(0.1 / 3, 3), round(0.1 / 3, 3)]


def test_rates_of_layers_are_those_of_the_plan() -> None:
    tree = {
        "data": {"source": "x", "image_size": [64, 64]},
        "base": {"name": "vgg16", "trainable": ["block3", "block4", "block5"]},
        "model": {"strategy": "fine-tuning"},
        "training": {"learning_rate": 1e-4, "layer_decay": 0.5, "unfreeze": "gradual"},
    }
    spec = parse_spec(tree, "test")
    factors, stages = rate_factors(spec), plan_stages(spec)
    for line in CONCEPTS["layer-rates"].picture.split("\n")[2:]:
        layer = f"{line.split()[0]}_conv1"
        assert float(line.split()[1]) == pytest.approx(1e-4 * factors[layer])
        shown = [line.split()[2].replace("frozen", "·").replace("trains", "✓"), *line.split()[3:]]
        assert shown[1:] == ["✓" if stage.trains(layer) else "·" for stage in stages[1:]]


@pytest.mark.parametrize(("size", "kernel", "padding", "stride"), CASES)
def test_windows_lie_where_keras_puts_them(
    size: int, kernel: int, padding: str, stride: int
) -> None:
    windows = Windows(size, kernel, padding, stride)
    before, after = windows.zeros
    assert windows.output == max(window_output(size, kernel, stride, padding), 0)
    assert len(windows.starts) == windows.output
    assert all(b - a == stride for a, b in zip(windows.starts, windows.starts[1:], strict=False))
    assert all(-before <= start <= size + after - kernel for start in windows.starts)
    assert 0 <= after - before <= 1
    if padding == "valid" and windows.output:
        assert size - (windows.starts[-1] + kernel) < stride, "no place for another window"


@pytest.mark.parametrize(("size", "kernel", "padding", "stride"), CASES)
def test_drawings_of_windows_fit_and_show_the_output(
    size: int, kernel: int, padding: str, stride: int
) -> None:
    windows = Windows(size, kernel, padding, stride)
    lines = windows.lines()
    assert len(lines) <= 7
    assert max(map(len, lines)) <= PICTURE_COLUMNS
    assert "\n".join(windows.lines(utf8=False)).isascii()
    if not windows.output:
        assert "does not fit" in lines[0]
        return
    assert lines[0].endswith(f"= {windows.output}")
    assert f"{size}x{size} → {windows.output}x{windows.output}, " in lines[-1]
    assert f"place {windows.output} " in lines[-2]


def test_windows_are_drawn_at_their_places() -> None:
    assert Windows(5, 3, "valid", 1).lines() == [
        "output     5 - 3 + 1 = 3",
        "pixels     · · · · ·",
        "place 1    ■ ■ ■",
        "place 2      ■ ■ ■",
        "place 3        ■ ■ ■",
        "map        5x5 → 3x3, 9 values",
    ]
    assert Windows(5, 3, "same", 2).lines(utf8=False) == [
        "output     5 / 2, rounded up = 3",
        "pixels     0 . . . . . 0",
        "place 1    # # #",
        "place 2        # # #",
        "place 3            # # #",
        "map        5x5 > 3x3, 9 values",
    ]


def test_pixels_that_no_window_covers_are_counted() -> None:
    assert Windows(8, 3, "valid", 2).unseen == 1
    assert Windows(7, 1, "valid", 3).unseen == 4
    assert Windows(8, 3, "same", 2).unseen == 0
    assert Windows(8, 3, "valid", 2).lines()[-1].endswith(", 1 pixel unseen")


TRANSLATED = [path for path in FOLDER.glob("*/*.md") if path.parent.name != "en"]
# Concepts without a text in a language. This number only ever goes down.
MISSING_CONCEPTS = {"ko": 0}


@pytest.mark.parametrize("language", MISSING_CONCEPTS)
def test_concepts_without_a_translation_become_fewer(language: str) -> None:
    translated = {path.stem for path in TRANSLATED if path.parent.name == language}
    assert translated <= set(CONCEPTS)
    assert len(CONCEPTS) - len(translated) <= MISSING_CONCEPTS[language]


@pytest.mark.parametrize("path", TRANSLATED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_translated_concept_has_its_place_and_fits_the_smallest_terminal(path: Path) -> None:
    concept, english = read_concepts(path.parent.name)[path.stem], CONCEPTS[path.stem]
    assert (concept.group, concept.related) == (english.group, english.related)
    assert english.title in concept.english
    assert cell_width(concept.title) <= PICTURE_COLUMNS
    assert cell_width(concept.label) <= LIST_COLUMNS
    rows = concept.drawing().split("\n")
    assert len(rows) <= PICTURE_ROWS
    assert max(map(cell_width, rows)) <= PICTURE_COLUMNS


def test_a_concept_that_a_language_lacks_is_in_english() -> None:
    assert read_concepts("xx") == CONCEPTS

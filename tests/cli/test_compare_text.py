"""A comparison as text, from plain values."""

from collections.abc import Sequence
from dataclasses import replace

from workbench.analysis.compare import Comparison, DifferenceRow, RunResult, StageMetrics
from workbench.analysis.significance import PairedTest
from workbench.render.compare import comparison_grid, format_comparison
from workbench.render.conclusions import describe_comparison
from workbench.runs.score import Score

A = RunResult("a", "finished", "test", 0.9, (0.85, 0.94), 100, 1_000, 61.0, 3, False)
B = RunResult("b", "finished", "test", 0.8, (0.75, 0.849), 100, 2_000, 5.0, None, True)


def comparison(
    *results: RunResult, shared: int | None = 100, pairs: Sequence[PairedTest] = ()
) -> Comparison:
    counts, runs = tuple(r.images for r in results), tuple(r.run for r in results)
    return Comparison(runs, [], [], [], list(results), counts, shared, list(pairs))


def test_results_in_a_table() -> None:
    lines = format_comparison(comparison(A, B)).splitlines()
    assert lines[0] == "results"
    assert lines[2].split() == ["a", "0.9000", "0.850", "to", "0.940", "1,000", "1", "min", "01",
                                "s", "3"]  # fmt: skip
    assert lines[3].split()[:4] == ["b", "(random", "weights)", "0.8000"]
    assert lines[3].endswith("-")
    assert "The settings are the same." in lines


def test_what_not_every_run_has_is_left_out_and_the_conclusion_is_last() -> None:
    rows = [DifferenceRow("base.name", ("vgg16", None)), DifferenceRow("model.dropout", (None, 0))]
    found = replace(comparison(A, B), spec=rows)
    lines = format_comparison(found, show_all=False).splitlines()
    assert "and 1 setting that not every run has: --all" in lines
    assert any(line.startswith("base.name") for line in lines)
    assert not any(line.startswith("model.dropout") for line in lines)
    assert lines[-1] == "a is better, beyond chance: its interval overlaps with no other."
    assert "model.dropout" in format_comparison(found)
    grid = comparison_grid(found, 77, more="y copies the command").plain
    assert "model.dropout" not in grid
    assert "\nand 1 setting that not every run has: y copies the command\n" in f"{grid}\n"


def test_intervals_apart_count_only_on_the_same_images() -> None:
    same = "All were measured on the same 100 test images."
    better = "a is better, beyond chance: its interval overlaps with no other."
    close = "a and b: too close to call, their intervals overlap."
    assert describe_comparison(comparison(A, B)) == [same, better]
    assert describe_comparison(comparison(B, replace(A, interval=(0.849, 0.94)))) == [same, close]
    differ = (
        "Their test images differ (in common to all: 40), so the accuracies cannot be compared "
        "with each other."
    )
    assert describe_comparison(comparison(A, B, shared=40)) == [differ]
    pair = PairedTest("a", "b", 40, 0, 0, 1.0)
    instead = " Instead, two runs at a time are compared on the test images that both have."
    assert describe_comparison(comparison(A, B, shared=40, pairs=[pair]))[0] == differ + instead
    assert describe_comparison(comparison(A, B, shared=None)) == [
        "Whether their test images are the same is unknown."
    ]


def test_only_measured_runs_are_compared() -> None:
    c, d = (replace(B, run=name, accuracy=None, interval=None, state="stopped") for name in "cd")
    both = "a and b were measured on the same 100 test images."
    better = "a is better, beyond chance: its interval overlaps with no other."
    assert describe_comparison(comparison(A, c, B)) == [both, better, "c was not measured."]
    assert describe_comparison(comparison(A, B, c, d)) == [
        both,
        better,
        "c and d were not measured.",
    ]
    assert describe_comparison(comparison(A, c, shared=None)) == ["c was not measured."]
    assert describe_comparison(comparison(c, d, shared=None)) == ["c and d were not measured."]


def test_a_paired_test_replaces_intervals() -> None:
    same = "All were measured on the same 100 test images."
    counted = (
        "f 100 images that both answered, a alone has 12 right and b alone 2 (McNemar's exact "
        "test, p = 0.013)."
    )
    pair = PairedTest("a", "b", 100, 12, 2, 0.0129)
    better = f"a is better than b, beyond chance. O{counted}"
    assert describe_comparison(comparison(A, B, pairs=[pair])) == [same, better]
    close = describe_comparison(comparison(A, B, pairs=[replace(pair, p_value=0.05)]))
    assert close[1] == f"Too close to call: o{counted.replace('0.013', '0.05')}"
    (_, sure) = describe_comparison(
        comparison(A, B, pairs=[replace(pair, only_second=0, p_value=2e-9)])
    )
    assert "a alone has 12 right and b alone none (McNemar's exact test, p < 0.0001)" in sure


def test_runs_with_the_same_errors_are_shown_so() -> None:
    output = describe_comparison(comparison(A, B, pairs=[PairedTest("a", "b", 100, 0, 0, 1.0)]))
    assert output[1] == (
        "a and b are right and wrong about the same images, of 100 images that both answered."
    )


def test_without_an_interval_no_run_is_ahead() -> None:
    same = "All were measured on the same 100 test images."
    assert describe_comparison(comparison(A, replace(B, interval=None))) == [same]


def test_validation_images_are_named() -> None:
    text = format_comparison(comparison(A, replace(B, split="validation"), shared=None))
    assert "0.8000 (validation)" in text
    assert "Validation images chose the best epoch" in text
    assert "training" in format_comparison(
        comparison(A, replace(B, state="training", accuracy=None))
    )


def test_differences_are_columns_a_run() -> None:
    output = replace(
        comparison(A, B),
        spec=[
            DifferenceRow("model.filters", ([32, 64], None)),
            DifferenceRow("data.source", ("/a\x1b[31m" + "x" * 60, "/b")),
        ],
        layers=[
            DifferenceRow("block4", ("frozen", "trains")),
            DifferenceRow("block5_conv1", ("trains", "frozen")),
            DifferenceRow("block5_conv2", ("trains", "frozen")),
        ],
        stages=[
            StageMetrics("a", 0, "head", "adam", 0.001, 7, 3, 4, 2, 0.75),
            StageMetrics("b", 0, "all", "", None, None, 0, 4, None, None),
        ],
    )
    text = format_comparison(output)
    assert "\x1b" not in text
    rows = [line.split() for line in text.splitlines()]
    assert ["key", "a", "b"] in rows
    assert ["model.filters", "[32,", "64]", "-"] in rows
    assert ["block4", "frozen", "trains"] in rows
    assert ["block5_conv1", "to", "block5_conv2", "(2)", "trains", "frozen"] in rows
    assert ["1", "a", "3/4", "2", "0.7500", "7", "adam", "0.001", "head"] in rows
    assert ["1", "b", "0/4", "-", "-", "-", "-", "all"] in rows


def test_other_metrics_are_below_the_results_where_a_run_has_them() -> None:
    assert "other metrics" not in format_comparison(comparison(A, B))
    scored = replace(A, scores={"macro_f1": Score(value=0.75, interval=(0.7, 0.8))})
    lines = format_comparison(comparison(scored, B)).splitlines()
    at = lines.index("other metrics")
    assert [line.split() for line in lines[at + 1 : at + 3]] == [
        ["a", "b"], ["macro", "F1", "0.7500", "(0.700", "to", "0.800)", "-"],
    ]  # fmt: skip
    grid = comparison_grid(comparison(scored, B), 100).plain.splitlines()
    names = [line.split("  ")[0] for line in grid]
    assert names[names.index("macro F1") - 1] == "95 % interval"

"""A comparison in words, from plain figures."""

from collections.abc import Sequence
from dataclasses import replace

from workbench.analysis.compare import Comparison, Difference, Result, StageFigures
from workbench.analysis.paired import Paired
from workbench.render.compare import comparison_text, verdicts

A = Result("a", "finished", "test", 0.9, (0.85, 0.94), 100, 1_000, 61.0, 3, False)
B = Result("b", "finished", "test", 0.8, (0.75, 0.849), 100, 2_000, 5.0, None, True)


def comparison(
    *results: Result, shared: int | None = 100, pairs: Sequence[Paired] = ()
) -> Comparison:
    counts, runs = tuple(r.images for r in results), tuple(r.run for r in results)
    return Comparison(runs, [], [], [], list(results), counts, shared, list(pairs))


def test_results_in_a_table() -> None:
    lines = comparison_text(comparison(A, B)).splitlines()
    assert lines[0] == "results"
    assert lines[2].split() == ["a", "0.9000", "0.850", "to", "0.940", "1,000", "1", "min", "01",
                                "s", "3"]  # fmt: skip
    assert lines[3].split()[:4] == ["b", "(random", "weights)", "0.8000"]
    assert lines[3].endswith("-")
    assert "The settings are the same." in lines


def test_intervals_apart_are_a_victory_on_the_same_images_only() -> None:
    same = "All were measured on the same 100 test images."
    better = "a is better, beyond chance: its interval overlaps with no other."
    close = "a and b: too close to call, their intervals overlap."
    assert verdicts(comparison(A, B)) == [same, better]
    assert verdicts(comparison(B, replace(A, interval=(0.849, 0.94)))) == [same, close]
    (told,) = verdicts(comparison(A, B, shared=40))
    assert told.startswith("Their test images differ (in common: 40), ")
    assert verdicts(comparison(A, B, shared=None)) == [
        "Whether their test images are the same cannot be told."
    ]


def test_only_those_that_were_measured_are_spoken_of() -> None:
    c, d = (replace(B, run=name, accuracy=None, interval=None, state="stopped") for name in "cd")
    both = "a and b were measured on the same 100 test images."
    better = "a is better, beyond chance: its interval overlaps with no other."
    assert verdicts(comparison(A, c, B)) == [both, better, "c was not measured."]
    assert verdicts(comparison(A, B, c, d)) == [both, better, "c and d were not measured."]
    assert verdicts(comparison(A, c, shared=None)) == ["c was not measured."]
    assert verdicts(comparison(c, d, shared=None)) == ["c and d were not measured."]


def test_the_images_that_both_have_answered_say_more_than_intervals() -> None:
    same = "All were measured on the same 100 test images."
    counted = (
        "f 100 images that both answered, a alone has 12 right and b alone 2 (McNemar's exact "
        "test, p = 0.013)."
    )
    pair = Paired("a", "b", 100, 12, 2, 0.0129)
    better = f"a is better than b, beyond chance. O{counted}"
    assert verdicts(comparison(A, B, pairs=[pair])) == [same, better]
    close = verdicts(comparison(A, B, pairs=[replace(pair, p_value=0.05)]))
    assert close[1] == f"Too close to call: o{counted.replace('0.013', '0.05')}"
    (_, sure) = verdicts(comparison(A, B, pairs=[replace(pair, only_second=0, p_value=2e-9)]))
    assert "a alone has 12 right and b alone none (McNemar's exact test, p < 0.0001)" in sure


def test_runs_with_the_same_errors_are_told_so() -> None:
    told = verdicts(comparison(A, B, pairs=[Paired("a", "b", 100, 0, 0, 1.0)]))
    assert told[1] == "a and b have the same of 100 images right that both answered."


def test_without_an_interval_nobody_is_ahead() -> None:
    same = "All were measured on the same 100 test images."
    assert verdicts(comparison(A, replace(B, interval=None))) == [same]


def test_validation_images_are_named() -> None:
    text = comparison_text(comparison(A, replace(B, split="validation"), shared=None))
    assert "0.8000 (validation)" in text
    assert "Validation images chose the best epoch" in text
    assert "training" in comparison_text(comparison(A, replace(B, state="training", accuracy=None)))


def test_differences_are_columns_a_run() -> None:
    told = replace(
        comparison(A, B),
        spec=[
            Difference("model.filters", ([32, 64], None)),
            Difference("data.source", ("/a\x1b[31m" + "x" * 60, "/b")),
        ],
        layers=[
            Difference("block4", ("frozen", "trains")),
            Difference("block5_conv1", ("trains", "frozen")),
            Difference("block5_conv2", ("trains", "frozen")),
        ],
        stages=[
            StageFigures("a", 0, "head", "adam", 0.001, 7, 3, 4, 2, 0.75),
            StageFigures("b", 0, "all", "", None, None, 0, 4, None, None),
        ],
    )
    text = comparison_text(told)
    assert "\x1b" not in text
    rows = [line.split() for line in text.splitlines()]
    assert ["key", "a", "b"] in rows
    assert ["model.filters", "[32,", "64]", "-"] in rows
    assert ["block4", "frozen", "trains"] in rows
    assert ["block5_conv1", "to", "block5_conv2", "(2)", "trains", "frozen"] in rows
    assert ["1", "a", "3/4", "2", "0.7500", "7", "adam", "0.001", "head"] in rows
    assert ["1", "b", "0/4", "-", "-", "-", "-", "all"] in rows

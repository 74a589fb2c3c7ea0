"""What a sweep varies: values, ranges, tables, and what is refused."""

import random
from pathlib import Path

import pytest

from workbench.errors import UserError
from workbench.experiment.variations import (
    MAX_TRIALS,
    Variation,
    draw_trials,
    grid,
    parse_variation,
    read_trials,
    tried_values,
)

RATE = "training.learning_rate"


def test_values_are_split_outside_of_brackets_and_quotes() -> None:
    assert parse_variation("model.filters=[32,64],[16]") == Variation(
        "model.filters", ("[32,64]", "[16]")
    )
    assert parse_variation(' a.b = 1e-4, "x,y" ,1e-4').values == ("1e-4", '"x,y"')


def test_a_grid_has_every_combination_the_last_key_fastest() -> None:
    varied = [parse_variation(f"{RATE}=1e-4,3e-4"), parse_variation("base.name=vgg16,resnet50")]
    assert grid(varied) == [
        (f"{RATE}=1e-4", "base.name=vgg16"), (f"{RATE}=1e-4", "base.name=resnet50"),
        (f"{RATE}=3e-4", "base.name=vgg16"), (f"{RATE}=3e-4", "base.name=resnet50"),
    ]  # fmt: skip
    assert tried_values(grid(varied)[2]) == {RATE: 3e-4, "base.name": "vgg16"}
    assert grid([]) == [()]  # the experiment as given


def test_draws_are_different_within_bounds_and_reproducible() -> None:
    varied = [parse_variation(f"{RATE}=1e-5..1e-2"), parse_variation("model.dropout=0,0.5")]
    drawn = draw_trials(varied, 30, [], seed=0)
    assert drawn == draw_trials(varied, 30, [], seed=0)
    assert len(set(drawn)) == 30
    rates = [float(str(tried_values(one)[RATE])) for one in drawn]
    assert all(1e-5 <= rate <= 1e-2 for rate in rates)
    # Log-uniform: about a third in each decade.
    assert all(4 <= sum(10**n <= r < 10 ** (n + 1) for r in rates) <= 16 for n in (-5, -4, -3))
    assert not set(draw_trials(varied, 30, drawn, seed=0)) & set(drawn)


def test_no_more_trials_are_drawn_than_there_are() -> None:
    varied = [parse_variation("model.dropout=0,0.2,0.5")]
    assert len(draw_trials(varied, 10, [], seed=1)) == 3
    assert draw_trials(varied, 10, [("model.dropout=0",), ("model.dropout=0.2",)], 1) == [
        ("model.dropout=0.5",)
    ]


def test_ranges_of_whole_numbers_and_from_0() -> None:
    drawn = random.Random(0)
    whole = parse_variation("training.batch_size=8..64")
    sizes = [whole.draw(drawn) for _ in range(200)]
    assert all(size.isdecimal() and 8 <= int(size) <= 64 for size in sizes)
    dropout = parse_variation("model.dropout=0..0.5")  # uniform: half are above the middle
    assert 70 <= sum(float(dropout.draw(drawn)) > 0.25 for _ in range(200)) <= 130


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("training.learning_rate", "expected KEY=VALUE,VALUE,... or KEY=LOW..HIGH"),
        ("=1", "expected KEY=VALUE"),
        ("a=1,,2", "expected KEY=VALUE"),
        ("a=", "expected KEY=VALUE"),
        ("a=1..1", "a range is LOW..HIGH"),
        ("a=-1..1", "a range is LOW..HIGH"),
        ("a=x..1", "a range is LOW..HIGH"),
        ("a=1..inf", "a range is LOW..HIGH"),
        ("training.seed=1,2", "it has an option: --seeds"),
        ("name=x,y", "it has an option: --name"),
    ],
)
def test_variations_that_are_none(text: str, words: str) -> None:
    with pytest.raises(UserError) as error:
        parse_variation(text)
    assert words in error.value.message


def test_combinations_that_are_none() -> None:
    twice = [parse_variation("a=1"), parse_variation("a=2")]
    for make in (grid, lambda varied: draw_trials(varied, 2, [], 0)):
        with pytest.raises(UserError, match="a is varied twice"):
            make(twice)
    with pytest.raises(UserError, match="has a range") as error:
        grid([parse_variation("a=1..2")])
    assert "--random 20" in error.value.hint
    with pytest.raises(UserError, match="--random draws from what --vary names"):
        draw_trials([], 2, [], 0)
    many = ",".join(map(str, range(MAX_TRIALS + 1)))
    with pytest.raises(UserError, match="1,001 trials; at most 1,000"):
        grid([parse_variation(f"a={many}")])
    assert len(grid([parse_variation(f"a={many.rpartition(',')[0]}")])) == MAX_TRIALS


def test_a_table_has_keys_as_columns_and_trials_as_rows(tmp_path: Path) -> None:
    table = tmp_path / "trials.csv"
    table.write_text(
        f'{RATE},model.filters\n1e-4,"[32, 64]"\n\n3e-4,\n3e-4,\n', encoding="utf-8-sig"
    )
    assert read_trials(table) == [(f"{RATE}=1e-4", "model.filters=[32, 64]"), (f"{RATE}=3e-4",)]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_table_as_spreadsheets_save_it(tmp_path: Path, separator: str) -> None:
    table = tmp_path / "trials.csv"
    rows = ("evaluation.mirror", RATE), ("TRUE", "1e-4"), ("FALSE", "1e-4")
    table.write_text("".join(separator.join(row) + "\r\n" for row in rows), encoding="utf-8")
    assert read_trials(table) == [
        ("evaluation.mirror=true", f"{RATE}=1e-4"), ("evaluation.mirror=false", f"{RATE}=1e-4"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "holds no trials"),
        (b"a\n", "holds no trials"),
        (b"a,\n1,2\n", "holds no trials"),
        (b"a,a\n1,2\n", "a is varied twice"),
        (b"a,b\n1\n", "line 2: 1 cell for 2 keys"),
        (b"training.seed\n1\n", "it has an option: --seeds"),
        (b"a\n" + b"1\n" * 1001, "1,001 trials"),
        (b'a\n"' + b"x" * 200_000 + b'"\n', "is not CSV: field larger than"),
        ("a\n1\n".encode("utf-16"), "UTF-16"),
    ],
)
def test_tables_that_are_none(tmp_path: Path, content: bytes, words: str) -> None:
    table = tmp_path / "trials\x1b.csv"
    table.write_bytes(content)
    with pytest.raises(UserError) as error:
        read_trials(table)
    assert words in error.value.message
    assert "\x1b" not in error.value.message
    with pytest.raises(UserError, match="cannot be read"):
        read_trials(tmp_path)

"""Every sentence shown to people goes through the catalogue."""

import ast
import gettext
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench import messages
from workbench.messages import tr
from workbench.text import plural

PRODUCT = Path(messages.__file__).parent
# Calls whose text a person reads.
SHOWN = {
    "UserError",
    "Finding",
    "CurveAdvice",
    "SpecAdvice",
    "NextStep",
    "notify",
    "echo",
    "Static",
}
SENTENCE = re.compile(r"[A-Z][a-z]+ .* [a-z]+.*\.$", re.DOTALL)


@pytest.fixture
def korean(monkeypatch: pytest.MonkeyPatch) -> None:
    class Catalogue(gettext.NullTranslations):
        def gettext(self, message: str) -> str:
            translated = {
                "{run} has {count:,} images.": "{count:,} - {run}",
                "{wrong} is it.": "{other}",
            }
            return translated.get(message, message)

        def ngettext(self, one: str, many: str, count: int) -> str:
            return {"{count:,} image": "이미지 {count:,}개", "{count:,} run": "{number}"}.get(
                one, many
            )

    monkeypatch.setattr(messages, "catalogue", Catalogue)


def test_sentence_without_a_translation_is_english() -> None:
    assert tr("It has {stopped}.") == "It has {stopped}."
    assert tr("{run} has {count:,} images.", run="birds-1", count=2000) == (
        "birds-1 has 2,000 images."
    )


@pytest.mark.usefixtures("korean")
def test_values_go_where_a_translation_has_them() -> None:
    assert tr("{run} has {count:,} images.", run="{x}", count=2000) == "2,000 - {x}"


@pytest.mark.usefixtures("korean")
def test_translation_with_other_names_is_not_used() -> None:
    assert tr("{wrong} is it.", wrong="This") == "This is it."


def test_counts_have_the_forms_of_english() -> None:
    assert plural(1, "image") == "1 image"
    assert plural(0, "image") == "0 images"
    assert plural(1000, "class", "classes") == "1,000 classes"


@pytest.mark.usefixtures("korean")
def test_counts_have_the_forms_of_the_language() -> None:
    assert plural(1, "image") == "이미지 1개"
    assert plural(2000, "image") == "이미지 2,000개"
    assert plural(1, "run") == "1 run", "a translation with other names is not used"


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Yield each call in the product, with its place."""
    for path in PRODUCT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield f"{path.relative_to(PRODUCT)}:{node.lineno}", node


def name_of(call: ast.Call) -> str:
    return getattr(call.func, "id", getattr(call.func, "attr", ""))


def text_of(node: ast.expr) -> str:
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    return "".join(
        str(part.value) if isinstance(part, ast.Constant) and isinstance(part.value, str) else "x"
        for part in parts
    )


def test_no_sentence_goes_past_the_catalogue() -> None:
    found = [
        f"{place}: {text_of(argument)}"
        for place, call in calls()
        if name_of(call) in SHOWN
        for argument in (*call.args, *(keyword.value for keyword in call.keywords))
        if isinstance(argument, ast.Constant | ast.JoinedStr) and SENTENCE.match(text_of(argument))
    ]
    assert found == []


def test_sentences_name_the_values_that_they_are_given() -> None:
    wrong = []
    for place, call in calls():
        if name_of(call) == "tr":
            sentence = ast.literal_eval(call.args[0])
            given = {keyword.arg for keyword in call.keywords}
            named = {field for _, field, _, _ in string.Formatter().parse(sentence) if field}
            if given != named and (given or not named):
                wrong.append(f"{place}: {sentence}")
    assert wrong == []

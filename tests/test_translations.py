"""The catalogue of translations has what the code says, and says it with the same values."""

import gettext
import io

import messages
import pytest

LANGUAGES = sorted(path.parts[-3] for path in messages.FOLDER.glob("*/LC_MESSAGES/workbench.po"))
# Sentences of the code without a translation. This number only ever goes down.
MISSING = {"ko": 0}


def test_every_text_is_a_literal_that_the_catalogue_can_have() -> None:
    assert messages.extract()[1] == []


def test_texts_of_code_are_found() -> None:
    code = """
class Screen:
    BINDINGS = [Binding("a", tr("{all} of"  " it"))]
    def say(self):
        count = text.plural(n, "class", "classes")
        return messages.tr("It is here.", now=plural(2, "image"), then=count)
"""
    assert messages.messages_of(code) == (
        [
            "{all} of it",
            ("{count:,} class", "{count:,} classes"),
            "It is here.",
            ("{count:,} image", "{count:,} images"),
        ],
        [],
    )


def test_texts_of_templates_are_found() -> None:
    template = """{{ tr("Data") }} {{ name }} {{ tr("Next: {step}", step=next)|upto(9) }}"""
    assert messages.template_texts(template) == ["Data", "Next: {step}"]


@pytest.mark.parametrize("call", ["tr(f'{name} is here')", "tr(title)", "plural(2, noun)"])
def test_texts_that_no_catalogue_can_have_are_named(call: str) -> None:
    assert messages.messages_of(f"\n{call}") == ([], [f"line 2: {call}"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_without_a_translation_become_fewer(language: str) -> None:
    missing = messages.missing(language)
    assert sum(map(len, missing.values())) <= MISSING[language], missing


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_have_the_values_and_lines_of_their_sentences(language: str) -> None:
    known = messages.translations(messages.read_catalogue(language))
    found = {english: messages.problem(english, text) for english, text in known.items()}
    assert {english: wrong for english, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_read_at_run_time_is_what_people_edit(language: str) -> None:
    compiled = io.BytesIO()
    messages.write_mo(compiled, messages.read_catalogue(language))
    compiled.seek(0)
    with messages.po_path(language).with_suffix(".mo").open("rb") as file:
        kept = gettext.GNUTranslations(file)._catalog
    edited = gettext.GNUTranslations(compiled)._catalog
    assert {**kept, "": ""} == {**edited, "": ""}, "make messages"


@pytest.mark.parametrize(
    ("english", "translation", "problem"),
    [
        ("{run} has {count:,}.", "{count:,}개: {run}", ""),
        ("{run} has {count:,}.", "{run}", "placeholders ['run'] instead of ['count', 'run']"),
        ("{run}", "{ran}", "placeholders ['ran'] instead of ['run']"),
        ("a {", "하나 {", ""),
        ("two\nlines", "두 줄", "another number of lines"),
        (" on {count}", "{count}", "blanks before the text"),
        ("at ", "에", "blanks after the text"),
    ],
)
def test_translations_that_cannot_be_used_are_named(
    english: str, translation: str, problem: str
) -> None:
    assert messages.problem(english, translation) == problem

"""The language of a process: each source, their order, and terminals that lack letters."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.errors import UserError
from workbench.language import choose_language, take_notes

UTF8 = {"LC_ALL": "C.UTF-8"}
KOREAN = {"LANG": "ko_KR.UTF-8"}
ONLY_ASCII = io.TextIOWrapper(io.BytesIO(), encoding="ascii")


@pytest.fixture(autouse=True)
def _no_notes_before() -> None:
    take_notes()


def chosen(
    *arguments: str, stream: object = None, settings: Path | None = None, **variables: str
) -> str:
    environment = {**variables}
    environment["XDG_CONFIG_HOME"] = str(settings or "/nowhere")
    words = ["workbench", *arguments]
    language = choose_language(words, environment, stream or io.StringIO())
    assert environment["WORKBENCH_LANG"] == language, "processes that it starts inherit it"
    return language


def settings_with(folder: Path, text: str) -> Path:
    path = folder / "workbench" / "settings.toml"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "arguments",
    [
        ("--lang", "ko", "runs"),
        ("runs", "--lang", "ko"),
        ("runs", "--lang=ko"),
        ("--lang=KO_kr.UTF-8", "runs"),
        ("--lang", "en", "runs", "--lang", "ko"),
    ],
)
def test_the_option_may_stand_anywhere(arguments: tuple[str, ...]) -> None:
    words = [*arguments]
    assert choose_language(words, {**UTF8}, io.StringIO()) == "ko"
    assert words == ["runs"]


def test_words_behind_two_dashes_are_no_options() -> None:
    words = ["note", "birds", "--", "--lang", "ko"]
    assert choose_language(words, {**UTF8, "XDG_CONFIG_HOME": "/nowhere"}) == "en"
    assert words == ["note", "birds", "--", "--lang", "ko"]


@pytest.mark.parametrize(("given", "shown"), [("fr", "fr"), ("", "nothing"), ("k\to", r"k\to")])
def test_an_option_with_an_unknown_language_is_refused(given: str, shown: str) -> None:
    with pytest.raises(UserError) as refused:
        chosen("--lang", given)
    assert refused.value.message == f"--lang: received {shown}; allowed: en, ko"


def test_the_nearest_choice_counts(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, 'language = "ko"\n')
    everywhere = {"WORKBENCH_LANG": "en", "LANG": "en_US.UTF-8"}
    assert chosen("--lang", "ko", **everywhere) == "ko"
    assert chosen(settings=settings, **everywhere) == "en"
    assert chosen(settings=settings, LANG="en_US.UTF-8") == "ko"
    assert chosen(**KOREAN) == "ko"
    assert chosen(**UTF8) == "en"
    assert take_notes() == []


@pytest.mark.parametrize(
    ("variables", "language"),
    [
        ({"LANGUAGE": "fr:ko:en", "LANG": "en_US.UTF-8"}, "ko"),
        ({"LC_ALL": "en_US.UTF-8", **KOREAN}, "en"),
        ({"LC_MESSAGES": "ko_KR.UTF-8", "LANG": "C.UTF-8"}, "ko"),
        ({"LC_ALL": "", **KOREAN}, "ko"),
        ({"LANG": "fr_FR.UTF-8"}, "en"),
        ({}, "en"),
    ],
)
def test_a_locale_names_a_language(variables: dict[str, str], language: str) -> None:
    assert chosen(**variables) == language
    assert take_notes() == []


@pytest.mark.parametrize("text", ["language = ", "language = 3\n", 'language = "fr"\n', ""])
def test_settings_that_name_no_language_do_not_keep_a_command_from_working(
    tmp_path: Path, text: str
) -> None:
    assert chosen(settings=settings_with(tmp_path, text), **UTF8) == "en"


def test_unknown_languages_are_named_once_and_english_is_shown(tmp_path: Path) -> None:
    assert chosen(WORKBENCH_LANG="fr", **UTF8) == "en"
    assert take_notes() == [
        "WORKBENCH_LANG: fr is not a known language, so English is shown; allowed: en, ko"
    ]
    assert take_notes() == []
    assert chosen(settings=settings_with(tmp_path, 'language = "x"'), **UTF8) == "en"
    assert take_notes() == [
        f"language in {tmp_path}/workbench/settings.toml: x is not a known language, "
        "so English is shown; allowed: en, ko"
    ]


@pytest.mark.parametrize(
    ("variables", "stream", "reason"),
    [
        ({"LC_ALL": "C"}, None, "the locale of this terminal is not UTF-8 (LC_ALL=C)"),
        ({}, None, "the locale of this terminal is not UTF-8 (none is set)"),
        (UTF8, ONLY_ASCII, "the encoding of the output is ascii, not UTF-8"),
    ],
)
def test_where_letters_are_lacking_english_is_shown_and_the_reason(
    variables: dict[str, str], stream: object, reason: str
) -> None:
    assert chosen("--lang", "ko", stream=stream, **variables) == "en"
    assert take_notes() == [
        f"Shown in English instead of ko, because {reason}. "
        "For other languages: export LC_ALL=C.UTF-8"
    ]
    assert chosen("--lang", "en", stream=stream, **variables) == "en"
    assert take_notes() == []


def test_output_for_programs_is_english_without_a_note() -> None:
    assert chosen("runs", "--json", "--lang", "ko", **UTF8) == "en"
    assert chosen("runs", "--json", WORKBENCH_LANG="fr", LC_ALL="C") == "en"
    assert take_notes() == []


def test_a_command_speaks_the_language_and_says_once_why_it_does_not(tmp_path: Path) -> None:
    def run(*arguments: str, **variables: str) -> tuple[int, str, str]:
        environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path), **variables}
        environment.pop("LC_CTYPE", None)
        command = [sys.executable, "-m", "workbench", *arguments]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    code, english, _ = run("runs", LC_ALL="C.UTF-8")
    assert (code, run("runs", "--lang", "ko", LC_ALL="C.UTF-8")[1] != english) == (0, True)
    code, printed, note = run("runs", "--lang", "ko", LC_ALL="C")
    assert (code, printed, note.count("Shown in English")) == (0, english, 1)
    code, printed, error = run("runs", "--lang", "fr")
    assert (code, printed, error) == (2, "", "error: --lang: received fr; allowed: en, ko\n")


def test_nothing_is_translated_before_the_language_is_chosen() -> None:
    code = (
        "import workbench.__main__, workbench.messages as m; print(m.catalogue.cache_info().misses)"
    )
    assert subprocess.check_output([sys.executable, "-c", code]).strip() == b"0"

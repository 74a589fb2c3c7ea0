"""`workbench settings` and `workbench logs`."""

import json
from pathlib import Path

import pytest
from typist import Type

from workbench.runs.folder import RunFolder
from workbench.settings import settings_path


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def test_a_setting_is_changed_and_listed_with_its_source(types: Type) -> None:
    assert types("settings", "theme").output == "dark\n"
    result = types("settings", "theme", "light")
    assert result.output == f"theme is saved in {settings_path()}.\n"
    assert types("settings", "theme").output == "light\n"
    rows = json.loads(types("settings", "--json").output)
    sources = {row["key"]: row["source"] for row in rows}
    assert (sources["theme"], sources["graphics"]) == ("file", "default")
    assert types("settings", "--unset", "theme").output == "theme has its default again.\n"
    assert types("settings", "theme").output == "dark\n"


def test_comments_and_what_is_not_known_stay(types: Type) -> None:
    settings_path().parent.mkdir(parents=True)
    settings_path().write_text("# mine\ntheme = 'light'  # at day\nfuture = 3\n")
    result = types("settings", "notifications.after", "60")
    assert result.exit_code == 0, result.output
    assert settings_path().read_text() == (
        "# mine\ntheme = 'light'  # at day\nfuture = 3\n\n[notifications]\nafter = 60\n"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("theme", "blue"), "theme: received 'blue'; allowed: 'dark' or 'light'."),
        (("notifications.after", "soon"), "a whole number of seconds from 0 to 1,000,000."),
        (("notifications.bell", "maybe"), "received 'maybe'; allowed: true or false."),
        (("thme", "dark"), "There is no setting 'thme'.\nDid you mean theme"),
        (("base", "vg16"), "There is no base 'vg16'."),
        (("keys.stop", "r"), "keys.stop: r is already the key of “Resume”"),
        (("keys.halt", "r"), "keys.halt: there is no such id."),
        (("--unset",), "--unset takes the key of a setting alone."),
    ],
)
def test_what_is_not_allowed_is_refused_and_nothing_written(
    types: Type, words: tuple[str, ...], message: str
) -> None:
    result = types("settings", *words)
    assert (result.exit_code, message in result.output) == (2, True), result.output
    assert not settings_path().exists()


def test_a_file_that_is_not_toml_is_not_overwritten(types: Type) -> None:
    settings_path().parent.mkdir(parents=True)
    settings_path().write_text("theme = ")
    result = types("settings", "theme", "light")
    assert (result.exit_code, "cannot be read" in result.output) == (2, True)
    assert settings_path().read_text() == "theme = "
    assert types("settings").exit_code == 0


def test_the_path_is_printed(types: Type) -> None:
    assert types("settings", "--path").output == f"{settings_path()}\n"


def test_logs_are_printed_line_by_line_and_safe(types: Type, run: RunFolder) -> None:
    run.log_path.write_bytes(b"one\n10 %\r20 %\n\x1b[31mred \xff\nlast")
    name = run.name
    assert types("logs", name).output == "one\n20 %\n\\e[31mred \ufffd\nlast\n"
    assert types("logs", name, "-n", "1").output == "last\n"
    assert types("logs", name, "-f", "-n", "0").output == ""  # it is not running


def test_logs_that_are_not_there_are_named(types: Type, run: RunFolder) -> None:
    result = types("logs", run.name)
    assert (result.exit_code, f"{run.name} has no log yet" in result.output) == (2, True)

"""The documentation has a place for everything, and its commands and links are right."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import generate
import pytest
from pydantic import BaseModel

from workbench.cli import workbench
from workbench.content.concepts import CONCEPTS
from workbench.experiment.spec import ExperimentSpec
from workbench.runs import events
from workbench.settings import Settings
from workbench.ui.routes import ROUTES

ROOT = Path(__file__).parents[2]
GENERATED = {f"{name}.md" for name in generate.REFERENCE}
WRITTEN = [*ROOT.glob("*.md"), *ROOT.glob("benchmarks/*.md"), *(ROOT / "docs").rglob("*.md")]
PAGES = sorted(
    page
    for page in WRITTEN
    if not (page.parent.name == "reference" and page.name in GENERATED)
    and page.parent.name != "concepts"
)
SHELL = re.compile(r"^```sh\n(.*?)^```|^```\{run\}\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!`)\[[^\]\n]*\]\(([^)#\s]+)[^)]*\)")


def key_places(model: type[BaseModel], place: str = "") -> Iterator[str]:
    """Yield the dotted keys of a model, as its JSON has them."""
    for name in model.model_fields:
        yield f"{place}{name}"


# --- everything has a place -------------------------------------------------------------------


def test_every_command_and_option_is_listed() -> None:
    page = generate.commands_page()

    def check(name: str, command: click.Command) -> None:
        assert f"\n## {name}\n" in page
        section = page.split(f"\n## {name}\n")[1].split("\n## ")[0]
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert parameter.opts[-1] in section, (name, parameter.opts)
        for other in command.commands.values() if isinstance(command, click.Group) else ():
            check(f"{name} {other.name}", other)

    check("workbench", workbench)


def test_every_key_of_the_spec_is_listed_with_its_default() -> None:
    page = generate.spec_page()
    for table, field in ExperimentSpec.model_fields.items():
        section = field.annotation
        if not (isinstance(section, type) and issubclass(section, BaseModel)):
            continue
        for key, one in section.model_fields.items():
            if isinstance(one.annotation, type) and issubclass(one.annotation, BaseModel):
                continue
            row = re.search(rf"^\| `{table}\.{key}` \| (.+?) \| (.*?) \| (.*?) \|$", page, re.M)
            assert row, f"{table}.{key}"
            assert row[3], f"{table}.{key} has no description"
    assert "| `training.batch_size` | integer 1 to " in page
    assert "| `data.source` | string | required |" in page


def test_every_event_and_field_is_listed() -> None:
    page = generate.events_page()
    for kind in events.Event.__subclasses__():
        named = kind.model_fields.get("event") if hasattr(kind, "model_fields") else None
        if named is not None:
            assert f"\n## {named.default}\n" in page


def test_every_setting_is_listed() -> None:
    page = generate.settings_page()
    for key in Settings.model_fields:
        assert f"`{key}`" in page or f"[{key}" in page, key


def test_every_key_binding_is_listed() -> None:
    page = generate.keys_page()
    found = generate.screens()
    assert set(found) == {"everywhere", *ROUTES}
    assert {"n", "c", "o"} <= {one.key for one in found["home"]}
    for name, bindings in found.items():
        section = page.split(f"\n## {name}\n")[1].split("\n## ")[0] if bindings else ""
        for one in bindings:
            assert (one.description or one.tooltip or one.action) in section.replace("\\|", "|")


def test_every_concept_has_a_page_and_a_place_in_the_list() -> None:
    groups = {concept.group: [] for concept in CONCEPTS.values()}
    for name, concept in CONCEPTS.items():
        groups[concept.group].append(name)
        page = generate.concept_page(name)
        assert page.startswith(f"# {concept.title}\n\n{concept.text}")
        assert concept.picture in page
    listed = generate.concepts_index(groups).split()
    assert set(CONCEPTS) <= set(listed)


# --- commands and links -----------------------------------------------------------------------


def command_lines(page: Path) -> list[str]:
    """Return the commands of workbench in a page's blocks of shell."""
    found = []
    for sh, run in SHELL.findall(page.read_text("utf-8")):
        text = re.sub(r"^:\w+:.*$", "", sh or run, flags=re.MULTILINE).replace("\\\n", " ")
        for line in text.splitlines():
            parts = re.split(r"\s+#\s|;|\|\s|&&|>\s", line.strip())
            found += [part.strip() for part in parts if part.strip().startswith("workbench ")]
    return found


WITH_COMMANDS = [page for page in PAGES if command_lines(page)]


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_a_page_is_one_that_can_be_typed(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name, options and values; files that it names are there."""
    monkeypatch.chdir(tmp_path)
    for line in command_lines(page):
        words = shlex.split(line, comments=True)[1:]
        for word in words:
            name = word.rpartition("=")[2] if word.startswith("--") else word
            if re.fullmatch(r"[\w./-]+\.(toml|csv|jpg|h5|keras)", name) and ".." not in name:
                path = tmp_path / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
        command: click.Command = workbench
        context = None
        try:
            while isinstance(command, click.Group):
                context = command.make_context(command.name, list(words), context)
                words = [*context._protected_args, *context.args]
                if not words:
                    break
                name, found, words = command.resolve_command(context, words)
                assert found is not None
                command = found
            if not isinstance(command, click.Group):
                command.make_context(command.name, list(words), context)
        except (click.exceptions.Exit, click.exceptions.NoArgsIsHelpError):
            pass  # such as --help
        except click.UsageError as error:
            pytest.fail(f"{line}\n{error.format_message()}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    generate.write_pages(ROOT / "docs")
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            assert re.fullmatch(r"https?://[\w.-]+\.[a-z]+(/\S*)?", target), target
        else:
            assert (page.parent / target).exists(), target

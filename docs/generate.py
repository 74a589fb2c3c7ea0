"""Write the pages that follow from the code: commands, keys, concepts, and those of `schemas`.

`docs/conf.py` calls `write_pages` before each build; the pages are not committed.
"""

import inspect
from collections.abc import Iterator
from pathlib import Path

import click
from schemas import events_page, presets_page, settings_page, spec_page, table
from textual.keys import key_to_character

from workbench.cli import workbench
from workbench.content.concepts import read_concepts
from workbench.ui.bindings import MEANINGS, list_actions

# Title and first sentence of the list of concepts, and what leads to the neighbours of one.
CONCEPTS_IN = {
    "en": ("Concepts", "What `?` explains on each screen of the app.", "See also"),
    "ko": ("개념", "앱의 각 화면에서 `?`가 설명하는 것입니다.", "함께 보기"),
}
GROUPS = {
    "ko": {
        "basics": "기초", "data": "데이터", "convolution": "합성곱", "training": "훈련",
        "pretrained": "사전 훈련된 기반 모델", "results": "결과", "explain": "안을 들여다보기",
    },
}  # fmt: skip
_PLACES = {"app": "everywhere", "base": "every screen", "feature_map": "map"}
_SIGNS = {"minus": "-", "plus": "+", "slash": "/", "comma": ",", "full_stop": "."}


def write_pages(folder: Path) -> None:
    """Write every generated page below the folder of the documentation."""
    pages = {f"reference/{name}.md": page() for name, page in REFERENCE.items()}
    for language in CONCEPTS_IN:
        place = concepts_place(language)
        concepts = read_concepts(language)
        pages |= {f"{place}/{name}.md": concept_page(name, language) for name in concepts}
        pages[f"{place}/index.md"] = concepts_index(language)
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text("utf-8") != text:  # else Sphinx reads it again
            path.write_text(text, encoding="utf-8")
    for place in map(concepts_place, CONCEPTS_IN):
        for path in (folder / place).iterdir():
            if f"{place}/{path.name}" not in pages:  # a concept that is gone
                path.unlink()


# --- commands ---------------------------------------------------------------------------------


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command with its whole name."""
    yield "workbench", workbench
    yield from _below("workbench", workbench)


def _below(name: str, group: click.Group) -> Iterator[tuple[str, click.Command]]:
    for command in group.commands.values():
        whole = f"{name} {command.name}"
        yield whole, command
        if isinstance(command, click.Group):
            yield from _below(whole, command)


def commands_page() -> str:
    """Return the page of all commands: usage, what each does, options, examples."""
    parts = [
        "# Commands",
        "What `workbench COMMAND --help` prints. Every command ends with one of the "
        "[exit codes](exit-codes.md).",
    ]
    parts += [_command(name, command) for name, command in commands()]
    return "\n\n".join(parts) + "\n"


def _command(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    about = inspect.cleandoc(command.help or "").replace("\b\n", "")
    rows = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record:
            rows.append((f"`{record[0]}`", record[1].replace("<", "&lt;").replace("*", "\\*")))
    parts = [f"## {name}", f"```text\n{usage}\n```", about.replace("<", "&lt;")]
    if rows:
        parts.append(table(("option", ""), rows))
    if command.epilog:
        text = inspect.cleandoc(command.epilog.replace("\b", "")).strip("\n")
        parts.append(f"```text\n{text}\n```")
    return "\n\n".join(parts)


# --- keys -------------------------------------------------------------------------------------


def key_name(key: str) -> str:
    """Return a key as a keyboard has it: "?" for "question_mark"."""
    character = key_to_character(key) or ""
    return (
        character if character.strip().isprintable() and character.strip() else _SIGNS.get(key, key)
    )


def keys_page() -> str:
    """Return the page of keys: what each means, and all actions, screen by screen."""
    meanings = [(f"`{key_name(key)}`", meaning) for key, (meaning, _) in MEANINGS.items()]
    parts = [
        "# Keys",
        "One key has one meaning in the whole app. The line at the bottom of a screen shows those "
        "that do something now; `ctrl+p` finds every action by its name. How to change a key, by "
        "the id of its action: [](../how-to/keys.md).",
        "## All keys",
        table(("key", "what it means"), meanings),
    ]
    for place in sorted({place for one in list_actions() for place in one.places}):
        rows = [
            (
                ", ".join(f"`{key_name(key)}`" for key in one.keys.split(",")),
                one.title,
                f"`{one.id}`",
            )
            for one in list_actions()
            if place in one.places
        ]
        title = _PLACES.get(place, place)
        parts += [f"## {title}", table(("key", "what it does", "id"), rows)]
    return "\n\n".join(parts) + "\n"


# --- concepts ---------------------------------------------------------------------------------


def concepts_place(language: str) -> str:
    """Return the folder of the pages of a language."""
    return "explanation/concepts" + ("" if language == "en" else f"-{language}")


def concept_page(name: str, language: str = "en") -> str:
    """Return a concept as `?` shows it, with links to its neighbours."""
    concepts = read_concepts(language)
    concept, more = concepts[name], CONCEPTS_IN[language][2]
    related = ", ".join(f"[{concepts[one].title}]({one}.md)" for one in concept.related)
    return (
        f"# {concept.title}\n\n{concept.text}\n\n```text\n{concept.picture}\n```\n\n"
        f"{more}: {related}\n"
    )


def concepts_index(language: str = "en") -> str:
    """Return the list of all concepts, by their groups."""
    groups: dict[str, list[str]] = {}
    for name, concept in read_concepts(language).items():
        groups.setdefault(concept.group, []).append(name)
    title, about, _ = CONCEPTS_IN[language]
    parts = [f"# {title}", about]
    for group, names in groups.items():
        listed = "\n".join(names)
        heading = GROUPS.get(language, {}).get(group, group.capitalize())
        parts.append(f"## {heading}\n\n```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```")
    return "\n\n".join(parts) + "\n"


REFERENCE = {
    "commands": commands_page,
    "spec": spec_page,
    "events": events_page,
    "presets": presets_page,
    "settings": settings_page,
    "keys": keys_page,
}

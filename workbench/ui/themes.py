"""Color themes: dark and light, and the same two for a terminal with 16 colors."""

from textual.theme import Theme


def _cursor(background: str, foreground: str) -> dict[str, str]:
    """Return the colors of the row under the cursor, in a list with or without the focus."""
    return {
        "block-cursor-background": background,
        "block-cursor-foreground": foreground,
        "block-cursor-blurred-background": background,
        "block-cursor-blurred-foreground": foreground,
    }


DARK = Theme(
    name="workbench-dark",
    primary="#5fafd7",
    secondary="#8787af",
    accent="#5fd7af",
    success="#87d787",
    warning="#d7af5f",
    error="#ff8787",
    foreground="#d0d0d0",
    background="#121212",
    surface="#1c1c1c",
    panel="#262626",
    dark=True,
    variables=_cursor("#5fafd7 30%", "#d0d0d0"),
)
LIGHT = Theme(
    name="workbench-light",
    primary="#005f87",
    secondary="#5f5f87",
    accent="#00785f",
    success="#186818",
    warning="#875f00",
    error="#af0000",
    foreground="#1c1c1c",
    background="#ffffff",
    surface="#f4f4f4",
    panel="#e4e4e4",
    dark=False,
    variables=_cursor("#005f87 30%", "#1c1c1c"),
)
# A terminal of 16 colors shows the nearest of them, and soft colors become the same grey. These
# themes use the 16 themselves. Dark backgrounds are among the first eight: the Linux console has
# no others behind a text.
DARK_16 = Theme(
    name="workbench-dark-16",
    primary="#55ffff",
    secondary="#aaaaaa",
    accent="#ff55ff",
    success="#55ff55",
    warning="#ffff55",
    error="#ff5555",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#0000aa",
    dark=True,
    variables=_cursor("#0000aa", "#ffffff") | {"text-disabled": "#aaaaaa"},
)
LIGHT_16 = Theme(
    name="workbench-light-16",
    primary="#0000aa",
    secondary="#000000",
    accent="#aa00aa",
    success="#00aa00",
    warning="#aa5500",
    error="#aa0000",
    foreground="#000000",
    background="#ffffff",
    surface="#ffffff",
    panel="#aaaaaa",
    dark=False,
    variables=_cursor("#55ffff", "#000000") | {"text-disabled": "#555555"},
)
THEMES = (DARK, LIGHT, DARK_16, LIGHT_16)


def themes_for(color_system: str | None) -> tuple[Theme, Theme]:
    """Return dark and light for a terminal's color system, as Rich calls it."""
    return (DARK_16, LIGHT_16) if color_system == "standard" else (DARK, LIGHT)

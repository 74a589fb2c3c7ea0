"""Reads a page as a browser would, and strictly: what is open has to be closed."""

from html.parser import HTMLParser

VOID = {"meta", "img", "br"}
DRAWN = {"path", "circle"}  # in a drawing, which may close a tag in itself


class Page(HTMLParser):
    """Elements with their attributes, and all text.

    Attributes:
        elements: (tag, attributes) in their order.
        text: of the page without scripts and styles.
        styles: content of style elements, and of style attributes.
    """

    def __init__(self, content: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.styles = ""
        self._open: list[str] = []
        self.feed(content)
        self.close()
        assert self._open == [], f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), (tag, names)
        given = {name: value or "" for name, value in attrs}
        self.elements.append((tag, given))
        self.styles += given.get("style", "")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in DRAWN, tag
        self.handle_starttag(tag, attrs)
        self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "style":
            self.styles += data
        else:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [given for name, given in self.elements if name == tag]

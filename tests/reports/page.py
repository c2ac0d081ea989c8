"""A page as a tree: strict enough that an element left open, or closed twice, fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "hr", "img", "input"}


@dataclass
class Node:
    """One element: its name, attributes, children and own text."""

    name: str
    attributes: dict[str, str]
    children: list[Node] = field(default_factory=list)
    own: list[str] = field(default_factory=list)

    def every(self, name: str, class_: str | None = None) -> Iterator[Node]:
        """Every element below with this name and class, in reading order."""
        for child in self.children:
            classes = child.attributes.get("class", "").split()
            if child.name == name and (class_ is None or class_ in classes):
                yield child
            yield from child.every(name, class_)

    def one(self, name: str, class_: str | None = None) -> Node:
        found = list(self.every(name, class_))
        assert len(found) == 1, f"{len(found)} of {name}.{class_}"
        return found[0]

    def nodes(self) -> Iterator[Node]:
        for child in self.children:
            yield child
            yield from child.nodes()

    @property
    def text(self) -> str:
        """All text below, spaces folded; children's text follows the own text."""
        whole = [*self.own, *(child.text for child in self.children)]
        return " ".join(" ".join(whole).split())

    def x(self, key: str) -> float:
        """A coordinate given in percent."""
        value = self.attributes[key]
        assert value.endswith("%"), value
        return float(value[:-1])


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Node("", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, {key: value or "" for key, value in attrs})
        assert len(node.attributes) == len(attrs), f"an attribute of <{tag}> stands twice"
        self.open[-1].children.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].name == tag, f"</{tag}> closes <{self.open[-1].name}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].own.append(data)


def parse(page: str) -> Node:
    """The tree of a page.  Fails where elements are not balanced."""
    builder = _Builder()
    builder.feed(page)
    builder.close()
    assert len(builder.open) == 1, f"<{builder.open[-1].name}> is never closed"
    return builder.root

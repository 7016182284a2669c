"""Draw the rooms of a package: which layers the import contract names, and what each room says of itself.

Rule: the order is that of pyproject.toml, the purpose that of the room's docstring; neither is written twice by hand.
"""

import ast
import tomllib
from pathlib import Path

PACKAGES = ("core", "reconcile", "cli")
_PRODUCT = Path("operator/phase_operator")


def layers(package: str, root: Path) -> list[list[str]]:
    """Return the rooms of a package by layers, the outermost first, as the import contract names them."""
    contracts = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [found] = [each["layers"] for each in contracts if each.get("containers") == [f"phase_operator.{package}"]]
    return [layer.split(" | ") for layer in found]


def rooms(package: str, root: Path) -> list[str]:
    """Return the packages and modules that there are, sorted."""
    folder = root / _PRODUCT / package
    modules = [each.stem for each in folder.glob("[!_]*.py")]
    return sorted([*modules, *(each.parent.name for each in folder.glob("*/__init__.py"))])


def purpose(package: str, room: str, root: Path) -> str:
    """Return the sentence with which a room or a module begins, without the full stop."""
    folder = root / _PRODUCT / package
    file = folder / room / "__init__.py" if (folder / room).is_dir() else folder / f"{room}.py"
    text = ast.get_docstring(ast.parse(file.read_text())) or ""
    return " ".join(text.split("\n\n")[0].split()).rstrip(".")


def rows(package: str, root: Path) -> list[str]:
    """Return a line of a table for each room, the outermost first."""
    every = [room for layer in layers(package, root) for room in layer]
    return [f"| {room} | {purpose(package, room, root)} |" for room in every]


def with_map(package: str, text: str, root: Path) -> str:
    """Return the text of a package's `__init__` with the table of its rooms as they are now."""
    head = "| room | purpose |\n|---|---|\n"
    before, _, rest = text.partition(head)
    after = rest.split("\n\n", 1)[1]
    return before + head + "\n".join(rows(package, root)) + "\n\n" + after


def page_part(package: str, root: Path) -> str:
    """Return the drawing and the table of a package's rooms for a page."""
    return "\n".join(["```text", drawing(layers(package, root)), "```", "", "| room | purpose |", "|---|---|"]) + (
        "\n" + "\n".join(rows(package, root))
    )


def drawing(every: list[list[str]]) -> str:
    """Draw layers as rows of boxes of one width; each row may use the rows below it."""
    width = max(sum(len(room) + 3 for room in layer) + 1 for layer in every)
    lines = []
    for layer in every:
        share, rest = divmod(width - 1 - 3 * len(layer) - sum(map(len, layer)), len(layer))
        sizes = [len(room) + 2 + share + (number < rest) for number, room in enumerate(layer)]
        lines.append("┌" + "┬".join("─" * size for size in sizes) + "┐")
        lines.append("│" + "│".join(room.center(size) for room, size in zip(layer, sizes, strict=True)) + "│")
        lines.append("└" + "┴".join("─" * size for size in sizes) + "┘")
    return "\n".join(lines)

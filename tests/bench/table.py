"""Tables: rows as they are measured, one table of several runs, and how far a long wait is."""

import re
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# Not the 99 of "p99", which is a word.
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?")
_EVERY = 10.0


@dataclass
class Table:
    """Rows of what was measured, the work first; by default with its limit and our figure."""

    heads: tuple[str, ...] = ("work", "limit", "ours")
    rows: list[tuple[str, ...]] = field(default_factory=list)

    def add(self, *cells: str) -> None:
        """Add a row and show it at once."""
        assert len(cells) == len(self.heads)
        self.rows.append(cells)
        between = f"  (limit: {cells[1]})" if len(cells) > 2 else ""
        print(f"{cells[0]}: {cells[-1]}{between}", flush=True)

    def text(self) -> str:
        """Return the table as Markdown."""
        lines = [self.heads, tuple("---" for _ in self.heads), *self.rows]
        return "\n".join(f"| {' | '.join(each)} |" for each in lines)


def together(tables: Sequence[Table]) -> Table:
    """Return one table of several runs: for each number that differs its median, and its range in brackets.

    Of two numbers in the middle the lower is taken: every number of the table was measured.
    """
    first = tables[0]
    names = [[row[:-1] for row in table.rows] for table in tables]
    assert all(each == names[0] for each in names), "runs of one benchmark have the same rows"
    cells = zip(*([row[-1] for row in table.rows] for table in tables), strict=True)
    return Table(first.heads, [(*name, _joined(texts)) for name, texts in zip(names[0], cells, strict=True)])


def _joined(texts: Sequence[str]) -> str:
    if len({_NUMBER.sub("", text) for text in texts}) > 1:
        return " / ".join(texts)
    columns = iter([_middle(column) for column in zip(*map(_NUMBER.findall, texts), strict=True)])
    return _NUMBER.sub(lambda _: next(columns), texts[0])


def _middle(column: Sequence[str]) -> str:
    ordered = sorted(column, key=float)
    if ordered[0] == ordered[-1]:
        return ordered[0]
    return f"{statistics.median_low(map(float, ordered)):.{_decimals(ordered)}f} [{ordered[0]} to {ordered[-1]}]"


def _decimals(column: Sequence[str]) -> int:
    return max(len(each.partition(".")[2]) for each in column)


def repeated(sizes: Sequence[int], times: int, output: Path, run: Callable[[int], Table]) -> None:
    """Run each size so many times; print a table for each, and write them to a file: after each run what there is."""
    parts: dict[int, str] = {}
    for size in sizes:
        tables: list[Table] = []
        for number in range(times):
            print(f"\n{size} resources, run {number + 1} of {times}", flush=True)
            tables.append(run(size))
            runs = f"The median of {len(tables)} runs, and their range.\n\n" if len(tables) > 1 else ""
            parts[size] = f"## {size:,} resources\n\n{runs}{together(tables).text()}\n"
            output.write_text("\n".join(parts.values()))
    print("\n" + "\n".join(parts.values()))


class Progress:
    """Says how far a long wait is, every ten seconds."""

    def __init__(self, what: str, of: int) -> None:
        """Begin now; `what` is what so many are to become."""
        self._what, self._of = what, of
        self._began = self._last = time.monotonic()

    def tell(self, count: float) -> None:
        """Say how many there are, if the last time was long ago."""
        now = time.monotonic()
        if now - self._last < _EVERY:
            return
        self._last = now
        print(f"  after {now - self._began:.0f} s {count:.0f} of {self._of} {self._what}", flush=True)

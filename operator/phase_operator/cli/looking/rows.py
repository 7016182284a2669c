"""What `get` shows of a resource: one line, made of its spec and of the status that the operator wrote.

Rule: both may hold anything, of any length. Each cell is one bounded line, so a resource spoils no row but its own.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

from phase_operator.api import names
from phase_operator.api.reasons import ConditionType, Reason
from phase_operator.cli.common.ages import age_since, age_text
from phase_operator.cli.common.standing import is_current, is_true, ready_of
from phase_operator.cli.common.terminal import Tone, cut, shown, toned
from phase_operator.core.json_access import at, mapping, mappings, text
from phase_operator.core.timestamps import moment_of

_COLUMNS = (
    *("NAMESPACE", "KIND", "NAME", "APP/ENV:PATH", "READY", "REASON", "TARGETS", "KEYS", "CHANGED", "CONFIRMED"),
    *("AGE", "MESSAGE"),
)
# Those between the first two and the last two.
_ALWAYS = (True,) * (len(_COLUMNS) - 4)
_LONGEST_SOURCE, _LONGEST_REASON = 60, 32
# As tabulate sets them.
_BESIDE = "  "
# The status is about an older spec, or there is none yet.
_NOT_LOOKED_AT = str(ConditionType.RECONCILING)
_READY = {"True": True, "False": False}


@dataclass(frozen=True, slots=True)
class Row:
    """A resource, as far as it is shown."""

    kind: str
    namespace: str
    name: str
    uid: str
    source: str
    # None: the operator has not judged this spec yet.
    ready: bool | None
    reason: str
    # The reasons of the resource and of its targets.
    reasons: frozenset[str]
    targets: str
    keys: str
    # In seconds since 1970.
    changed: float | None
    created: float | None
    message: str

    @property
    def is_ready(self) -> bool:
        """Whether it is in step, as far as the operator has said for this spec."""
        return self.ready is True

    @property
    def place(self) -> tuple[str, str, str]:
        """By which rows are sorted."""
        return (self.namespace, self.name, self.kind)


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns a table has."""

    namespaces: bool
    kinds: bool
    wide: bool

    def head(self) -> list[str]:
        """Return the names of the columns."""
        return list(compress(_COLUMNS, self._shown))

    def is_news(self, row: Row, before: Row | None) -> bool:
        """Return whether a row shows something else than it did before, apart from ages that grow."""
        if before is None or row.changed != before.changed:
            return True
        return self.cells(row, None, None) != self.cells(before, None, None)

    def cells(self, row: Row, now: float | None, confirmed: int | None) -> list[str]:
        """Return the cells of a row; `confirmed` is the age of the last confirmation."""
        every = (
            *(row.namespace, row.kind, row.name, row.source, _ready(row.ready), row.reason, row.targets, row.keys),
            *(age_since(row.changed, now), age_text(confirmed), age_since(row.created, now), row.message),
        )
        return list(compress(every, self._shown))

    @property
    def _shown(self) -> tuple[bool, ...]:
        """Which of all columns there are."""
        return (self.namespaces, self.kinds, *_ALWAYS, self.wide, self.wide)


def row_of(body: Mapping[str, Any]) -> Row:
    """Return the row of a resource, whatever it holds."""
    metadata, status = mapping(body.get("metadata")), mapping(body.get("status"))
    kind, ready = text(body.get("kind")), ready_of(body)
    is_now = is_current(body)
    targets = list(mappings(status.get("targets")))
    return Row(
        kind=shown(kind),
        namespace=shown(metadata.get("namespace")),
        name=shown(metadata.get("name")),
        uid=text(metadata.get("uid")),
        source=cut(_source(mapping(body.get("spec")), _read(body) if is_now else {}), _LONGEST_SOURCE),
        ready=_READY.get(text(ready.get("status"))) if is_now else None,
        reason=cut(shown(ready.get("reason")) if is_now and ready else _NOT_LOOKED_AT, _LONGEST_REASON),
        reasons=frozenset(text(each.get("reason")) for each in (ready, *targets)),
        targets=_share(sum(each.get("ready") is True for each in targets), len(targets)) if targets else "-",
        keys=_keys(kind, status),
        changed=moment_of(status.get("lastSyncedTime")),
        created=moment_of(metadata.get("creationTimestamp")),
        message=shown(ready.get("message")),
    )


def summary(rows: Iterable[Row]) -> str:
    """Return how many are ready, and how many are not."""
    judged = [row.is_ready for row in rows]
    return f"{sum(judged)} ready, {len(judged) - sum(judged)} not"


def padded(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Return the cells of a later line of a table whose columns have these widths."""
    return [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]


def widths_of(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[int]:
    """Return the widths of the columns of a table, which are a little wider than their heads."""
    cells = zip([each + _BESIDE for each in head], *rows, strict=True)
    return [max(map(len, column)) for column in cells]


def with_tones(cells: Sequence[str], head: Sequence[str], row: Row) -> list[str]:
    """Return cells of which READY is coloured, for people on a terminal."""
    tone = {True: Tone.GOOD, False: Tone.BAD, None: Tone.NOTE}[row.ready]
    return [toned(cell, tone) if name == "READY" else cell for name, cell in zip(head, cells, strict=True)]


def _ready(verdict: bool | None) -> str:
    return "Unknown" if verdict is None else str(verdict)


def _read(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the operator read last, if the spec asks for that: a run that failed leaves what was read before."""
    ready = ready_of(body)
    is_in_step = is_true(ready) and ready.get("reason") != Reason.SUSPENDED
    return at(body, ("status", "source")) if is_in_step else {}


def _source(spec: Mapping[str, Any], read: Mapping[str, Any]) -> str:
    app = spec.get("phaseApp") or spec.get("phaseAppId") or read.get("appId")
    environment = read.get("environment") or spec.get("phaseAppEnv") or "production"
    path = read.get("path") or spec.get("phaseAppEnvPath") or "/"
    return f"{shown(app)}/{shown(environment)}:{shown(path)}"


def _keys(kind: str, status: Mapping[str, Any]) -> str:
    if kind != names.KIND_PHASE_PUSH_SECRET:
        return shown(status.get("keys"))
    in_step, wanted = status.get("entriesInStep"), mapping(status.get("source")).get("entries")
    return shown(in_step) if wanted in (None, in_step) else _share(in_step, wanted)


def _share(part: object, whole: object) -> str:
    return f"{shown(part)}/{shown(whole)}"

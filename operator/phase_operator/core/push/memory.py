"""What this process wrote to Phase, so that a source that moves with the same values costs no call.

Rule: it holds keyed digests, with a key that no other process has, and is never stored. What it does not know is
written once more.
"""

from collections.abc import Iterable

from phase_operator.core.digests import framed, keyed
from phase_operator.core.push.desired import Desired, Wanted
from phase_operator.core.push.ledger import Ledger
from phase_operator.core.push.looks import Written
from phase_operator.core.push.places import EntryPlace
from phase_operator.core.values import SecretValue

_SIZE = 16


class WrittenValues:
    """The values of one resource's entries, as answers confirmed them: of each entry the version, and a digest."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._known: dict[EntryPlace, tuple[str, int, bytes]] = {}

    def remember(self, entries: Iterable[Wanted], written: Iterable[Written]) -> None:
        """Take what a call wrote and its answer confirmed; of an entry that kept its value nothing is taken."""
        values = {each.place: each.value for each in entries}
        for each in written:
            value = values.get(each.place)
            if value is None:
                self._known.pop(each.place, None)
            else:
                self._known[each.place] = (each.id, each.version, self._digest(each.place, value))

    def unchanged(self, desired: Desired, ledger: Ledger) -> frozenset[EntryPlace]:
        """Return the places whose wanted value is the one in the version that the ledger has; forget all others."""
        self._known = {place: known for place, known in self._known.items() if place in ledger.rows}
        return frozenset(each.place for each in desired.entries.values() if self._is_same(each, ledger))

    def _is_same(self, wanted: Wanted, ledger: Ledger) -> bool:
        known, row = self._known.get(wanted.place), ledger.rows.get(wanted.place)
        if known is None or row is None or wanted.value is None:
            return False
        return known == (row.id, row.version, self._digest(wanted.place, wanted.value))

    def _digest(self, place: EntryPlace, value: SecretValue) -> bytes:
        parts = (each.encode("utf-8", "surrogatepass") for each in (*place, value.reveal()))
        return keyed(self._key, b"phase-pushed", framed(parts), size=_SIZE)

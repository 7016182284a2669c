"""Prove that a ledger and a record are ours: whoever may write statuses or Secrets can write any text there.

Rule: a lease is looked for and given back only if a proof shows that this operator announced it for this very resource,
and that Phase named its id to this operator. A proof is made with the operator's digest key, which no tenant has.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from phase_operator.core.digests import framed, keyed, pack
from phase_operator.core.leases.facts import Record
from phase_operator.core.leases.ledger import Lease, Ledger
from phase_operator.core.timestamps import timestamp

_SIZE = 16


@dataclass(frozen=True, slots=True)
class Proofs:
    """Makes and checks the proofs of one resource."""

    key: bytes = field(repr=False)
    # The uid of the resource: what was copied from another one proves nothing.
    uid: str

    def read(self, status: Mapping[str, Any]) -> Ledger:
        """Return the ledger of a status; of each row it says whether it is proven to be ours."""
        ledger = Ledger.read(status)
        return replace(ledger, leases=tuple(replace(each, is_proven=self._proves(each)) for each in ledger.leases))

    def document(self, ledger: Ledger) -> dict[str, Any]:
        """Return a ledger as the status has it, with a proof in each row but those that are not proven to be ours."""
        rows = tuple(replace(each, proof=self._of(each)) if each.is_proven else each for each in ledger.leases)
        return replace(ledger, leases=rows).document()

    def proven(self, attempt: str, record: Record) -> Record:
        """Return a record with the proof that this operator was given its lease."""
        return replace(record, proof=self._of_record(attempt, record))

    def counts(self, lease: Lease, record: Record) -> bool:
        """Return whether a record is the one of a lease.

        Where the ledger has an id already, the record has to have the same: it can say nothing new then.
        """
        if lease.id:
            return record.id == lease.id
        return _is_same(record.proof, self._of_record(lease.attempt, record))

    def _proves(self, lease: Lease) -> bool:
        return _is_same(lease.proof, self._of(lease))

    def _of(self, lease: Lease) -> str:
        """Return the proof of a row: of all that a call about its lease is made from, and that never changes."""
        said = (lease.attempt, *lease.place, str(lease.ttl), timestamp(lease.asked_at), lease.after, lease.id)
        return self._made(b"phase-lease", said)

    def _of_record(self, attempt: str, record: Record) -> str:
        return self._made(b"phase-record", (attempt, record.id, timestamp(record.ends_at)))

    def _made(self, purpose: bytes, said: tuple[str, ...]) -> str:
        parts = (each.encode("utf-8", "surrogatepass") for each in (self.uid, *said))
        return pack(keyed(self.key, purpose, framed(parts), size=_SIZE))


def _is_same(said: str, proof: str) -> bool:
    return hmac.compare_digest(said.encode("utf-8", "surrogatepass"), proof.encode())

"""Phase's API for entries that are pushed, one method a call.

Rule: a call that writes is sent once, and its error says whether it may have had an effect (`had_no_effect`). The
server does the entries of a batch one after the other: what it refuses in the middle leaves those before.
"""

from collections.abc import Collection
from typing import TypeVar

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError
from phase_operator.core.push.ledger import PushPlace
from phase_operator.core.push.looks import Listed, Look, Written
from phase_operator.core.push.marks import Mark
from phase_operator.core.push.places import EntryPlace
from phase_operator.core.push.steps import Delete, Post, Put
from phase_operator.core.source.answer_memory import Reservation
from phase_operator.phase import push_wire, wire
from phase_operator.phase.client import without_frames
from phase_operator.phase.lists import Acknowledgement
from phase_operator.phase.rows import EntryArray, Limits
from phase_operator.phase.session import SECRETS, Session, host_of
from phase_operator.reconcile.ports import Credential

Answer = TypeVar("Answer")
# The server ends a call after two minutes; as long as it works, its answer is worth waiting for.
_PATIENCE = 125.0
# What the server says before it makes anything of a batch.
_DUPLICATE = "Duplicate secret found"


class PushClient:
    """The calls that list, make, change and delete entries. Each raises ExpectedError without causes."""

    def __init__(self, session: Session, limits: Limits | None = None) -> None:
        self._session = session
        self._limits = limits or Limits()

    @without_frames
    async def look(self, credential: Credential, at: PushPlace, now: float, memory: Reservation) -> Look:
        """Return what an environment has, without values; `now` is when it is asked for, in seconds since 1970."""
        host = host_of(at.host)
        # Keys of dynamic secrets are listed as well, since no entry can have them; without `lease`, none is leased.
        params = _context(at) | {"dynamic": "true"}
        reader = EntryArray(host, self._limits, memory, push_wire.PushedEntries(host))
        found = await self._session.ask(
            at.host, credential.header, SECRETS, params=params, reader=reader, namespace=memory.namespace
        )
        listed = [each for each in found if isinstance(each, Listed)]
        return Look.made(at, now, listed, [each for each in found if isinstance(each, EntryPlace)])

    @without_frames
    async def post(
        self, credential: Credential, step: Post, mark: Mark, memory: Reservation, *, sent_within: float
    ) -> list[Written]:
        """Make entries, each with the mark; nothing is sent later than `sent_within` seconds from now."""
        body = push_wire.posted(step.entries, mark)
        written = await self._write(credential, "POST", step.at, body, memory, sent_within, len(step.entries))
        self._check({each.place for each in written}, {each.place for each in step.entries}, step.at)
        return written

    @without_frames
    async def put(
        self, credential: Credential, step: Put, mark: Mark, memory: Reservation, *, sent_within: float
    ) -> list[Written]:
        """Change entries; nothing is sent later than `sent_within` seconds from now."""
        body = push_wire.put(step.changes, mark)
        written = await self._write(credential, "PUT", step.at, body, memory, sent_within, len(step.changes))
        self._check({each.id for each in written}, {each.entry.id for each in step.changes}, step.at)
        return written

    @without_frames
    async def delete(self, credential: Credential, step: Delete, memory: Reservation) -> None:
        """Delete entries, all or none."""
        await self._session.call(
            step.at.host,
            credential.header,
            "DELETE",
            SECRETS,
            params=_context(step.at),
            json={"secrets": sorted(step.ids)},
            reader=Acknowledgement(host_of(step.at.host), wire.MAX_LIST, memory),
            patience=_PATIENCE,
        )

    async def _write(
        self,
        credential: Credential,
        method: str,
        at: PushPlace,
        body: object,
        memory: Reservation,
        sent_within: float,
        number: int,
    ) -> list[Written]:
        host = host_of(at.host)
        try:
            return await self._session.call(
                at.host,
                credential.header,
                method,
                SECRETS,
                params=_context(at),
                json=body,
                reader=EntryArray(host, self._limits, memory, push_wire.WrittenEntries(host)),
                patience=_PATIENCE,
                sent_within=sent_within,
            )
        except ExpectedError as error:
            if number > 1 and _may_be_half_done(error, method):
                error.had_no_effect = False
            raise

    @staticmethod
    def _check(found: Collection[Answer], asked: Collection[Answer], at: PushPlace) -> None:
        if found != asked:
            # Something was written, and it is not what was asked for: a look will show it.
            raise wire.not_phase(host_of(at.host), "not the entries that were written")


def _may_be_half_done(error: ExpectedError, method: str) -> bool:
    """Return whether a refusal may have come in the middle of a batch; access and quota are judged before it."""
    is_of_entry = error.reason in (Reason.REQUEST_REFUSED, Reason.UNEXPECTED_ANSWER)
    return is_of_entry and not (method == "POST" and _DUPLICATE in error.message)


def _context(at: PushPlace) -> dict[str, str]:
    return {"app_id": at.app_id, "env": at.environment}

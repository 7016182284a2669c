"""Reads and writes of the records of leases on the API server.

Rule: a record is made once and never changed. It is read only with our label on it, for the resource that owns it.
"""

from collections.abc import Awaitable, Callable, Mapping

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Waiting
from phase_operator.core.leases.facts import Record
from phase_operator.core.leases.record import (
    Credentials,
    KnownRecord,
    credentials_of,
    manifest,
    owner_uid,
    record_ref,
)
from phase_operator.core.refs import Owner, TargetRef
from phase_operator.core.targets.removal import Delete
from phase_operator.kube.client import APPLY, METADATA, KubeClient, metadata_of
from phase_operator.kube.errors import changed_or_missing, missing, translated
from phase_operator.kube.paths import target_path
from phase_operator.kube.record_cache import RecordCache

# No object has it, so an apply under it can only create.
_NO_VERSION = "1"


class KubeRecords:
    """Makes, reads and deletes records."""

    def __init__(
        self, client: KubeClient, records: RecordCache, delete: Callable[[TargetRef, Delete], Awaitable[None]]
    ) -> None:
        self._client = client
        self._records = records
        # The one function that deletes objects.
        self._delete_object = delete

    def records(self, uid: str) -> Mapping[TargetRef, KnownRecord]:
        """Return the records of the resource with this uid, as the watch has shown them; makes no request."""
        return self._records.of(uid)

    async def make_record(self, owner: Owner, attempt: str, record: Record, credentials: Credentials) -> None:
        """Make a record, unless it is there from an earlier try; raise ExpectedError."""
        ref = record_ref(owner.key, attempt)
        body = manifest(owner, attempt, record, credentials)
        body["metadata"]["resourceVersion"] = _NO_VERSION
        query = [("fieldManager", names.FIELD_MANAGER), ("force", "true")]
        with translated(unless=lambda error: error.conflict):
            answer = await self._client.request(
                "PATCH", target_path(ref), query=query, body=body, content_type=APPLY, accept=METADATA
            )
            self._records.seen(ref, metadata_of(answer))
            return
        await self._find_record(owner, ref, record)

    async def _find_record(self, owner: Owner, ref: TargetRef, record: Record) -> None:
        """Take in the record that stands where one was to be made; raise Waiting if it is another one."""
        with translated(unless=missing):
            metadata = metadata_of(await self._client.request("GET", target_path(ref), accept=METADATA))
            self._records.seen(ref, metadata)
        found = self._records.of(owner.uid).get(ref)
        if found is None or (found.record.id, found.record.proof) != (record.id, record.proof):
            raise Waiting(Reason.TARGET_CONFLICT, f"{ref} exists and is not the record of this lease; delete it")

    async def read_record(self, owner: Owner, attempt: str) -> Credentials | None:
        """Return the credentials that a record keeps; None if there is no such record, or it is not ours."""
        with translated(unless=missing):
            found = await self._client.request("GET", target_path(record_ref(owner.key, attempt)))
            return credentials_of(found) if owner_uid(found) == owner.uid else None
        return None

    async def drop_record(self, ref: TargetRef, action: Delete) -> None:
        """Delete a record; it is no error if it is gone, or not the one that was judged."""
        with translated(unless=changed_or_missing):
            await self._delete_object(ref, action)
        # If another object stands there now, the watch shows it.
        self._records.drop(ref)

    def forget_record(self, ref: TargetRef) -> None:
        """Forget an object that is a record no more, until the watch shows it again."""
        self._records.drop(ref)

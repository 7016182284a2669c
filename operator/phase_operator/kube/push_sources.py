"""Reads of the Secrets and ConfigMaps that are pushed.

Rule: what is found is found by metadata. That has no type, so the API server is asked which Secrets are not of the
system's types; the values of those are never transferred.
"""

import asyncio
import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakValueDictionary

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient
from phase_operator.core.json_access import mapping, text, texts
from phase_operator.core.label_selector import Selector
from phase_operator.core.push.sources import SYSTEM_TYPES
from phase_operator.core.refs import Kind, TargetRef
from phase_operator.core.source.answer_memory import Reservation
from phase_operator.core.values import ObjectKey
from phase_operator.kube.client import METADATA_LIST, KubeClient
from phase_operator.kube.errors import missing, translated
from phase_operator.kube.listing import items
from phase_operator.kube.paths import CORE, object_path, target_path
from phase_operator.kube.targets import target_metadata
from phase_operator.reconcile.pushes.ports import SourceObject

_ORDINARY = ",".join(f"type!={each}" for each in sorted(SYSTEM_TYPES))


class KubePushSources:
    """Finds and reads sources."""

    def __init__(self, client: KubeClient, is_token: Callable[[ObjectKey], bool]) -> None:
        self._client = client
        # Whether a resource reads its token of Phase in a Secret.
        self._is_token = is_token
        # Of each namespace one list or object at a time: an object takes a megabyte, and ten times as much as it is
        # parsed. A namespace may have as many runs at once as half of the workers.
        self._reading: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def look(self, kind: Kind, key: ObjectKey, selectors: Sequence[Selector]) -> SourceObject | None:
        """Return an object by its metadata, or None if there is none; raise ExpectedError.

        Of its labels it has those that the selectors ask for.
        """
        metadata = await target_metadata(self._client, TargetRef(kind, key))
        if metadata is None:
            return None
        found = self._source(kind, key.namespace, metadata, _asked_for(selectors))
        if kind is Kind.CONFIG_MAP:
            return found
        named = f"metadata.name={key.name}"
        [judged] = await self._with_types(key.namespace, [found], [("fieldSelector", named)])
        return judged

    async def select(self, namespace: str, selectors: Sequence[Selector], most: int) -> Sequence[SourceObject]:
        """Return the Secrets that any of these matches, by their metadata: at most one more than `most`.

        Raises ExpectedError.
        """
        async with self._turn(namespace):
            return await self._select(namespace, selectors, most)

    async def _select(self, namespace: str, selectors: Sequence[Selector], most: int) -> Sequence[SourceObject]:
        found: dict[str, SourceObject] = {}
        asked_for = _asked_for(selectors)
        for selector in selectors:
            query, names_found = [("labelSelector", str(selector))], set(found)
            listed: list[SourceObject] = []
            async for each in items(self._client, _secrets(namespace), accept=METADATA_LIST, query=query):
                listed.append(self._source(Kind.SECRET, namespace, mapping(each.get("metadata")), asked_for))
                names_found.add(listed[-1].name)
                if len(names_found) > most:
                    # They are too many whatever they are.
                    return [*found.values(), *listed][: most + 1]
            found |= {each.name: each for each in await self._with_types(namespace, listed, query)}
        return list(found.values())[: most + 1]

    async def read(self, kind: Kind, key: ObjectKey, memory: Reservation) -> SourceObject | None:
        """Return an object with its values, or None if there is none; `memory` grows by what they take.

        Raises ExpectedError.
        """
        async with self._turn(key.namespace):
            return await self._read(kind, key, memory)

    def _turn(self, namespace: str) -> asyncio.Lock:
        """Return the lock of a namespace, which is forgotten with the last one who waits for it."""
        return self._reading.setdefault(namespace, asyncio.Lock())

    async def _read(self, kind: Kind, key: ObjectKey, memory: Reservation) -> SourceObject | None:
        body: Mapping[str, Any] | None = None
        with translated(unless=missing):
            body = await self._client.request("GET", target_path(TargetRef(kind, key)))
        if body is None:
            return None
        data = _data(kind, key, body)
        memory.resize(sum(len(name) + _taken(each) for name, each in data.items()))
        found = self._source(kind, key.namespace, mapping(body.get("metadata")), frozenset())
        return replace(found, type=text(body.get("type")), data=data)

    async def _with_types(
        self, namespace: str, found: list[SourceObject], query: list[tuple[str, str]]
    ) -> list[SourceObject]:
        """Return the Secrets of a query; those of a type of the system have it."""
        ordinary = await self._uids(namespace, _narrowed(query, _ORDINARY))
        if all(each.uid in ordinary for each in found):
            return found
        types: dict[str, str] = {}
        for kind in sorted(SYSTEM_TYPES):
            types |= dict.fromkeys(await self._uids(namespace, _narrowed(query, f"type={kind}")), kind)
        if any(each.uid not in ordinary and each.uid not in types for each in found):
            # Made or replaced between two answers: nothing is taken for ordinary that was not said to be.
            raise Transient(
                Reason.KUBERNETES_UNAVAILABLE, f"Secrets of namespace {namespace} change while they are read"
            )
        return [replace(each, type=types.get(each.uid, "")) for each in found]

    async def _uids(self, namespace: str, query: list[tuple[str, str]]) -> set[str]:
        listed = items(self._client, _secrets(namespace), accept=METADATA_LIST, query=query)
        return {text(mapping(each.get("metadata")).get("uid")) async for each in listed}

    def _source(
        self, kind: Kind, namespace: str, metadata: Mapping[str, Any], asked_for: frozenset[str]
    ) -> SourceObject:
        name, labels = text(metadata.get("name")), texts(metadata.get("labels"))
        is_secret = kind is Kind.SECRET
        is_token = is_secret and (name == names.DIGEST_KEY_SECRET or self._is_token(ObjectKey(namespace, name)))
        return SourceObject(
            kind,
            name,
            text(metadata.get("uid")),
            text(metadata.get("resourceVersion")),
            {name: each for name, each in labels.items() if name in asked_for},
            is_token=is_token,
            is_ours=names.LABEL_TARGET in labels or names.ANNOTATION_OWNER in texts(metadata.get("annotations")),
        )


def _narrowed(query: list[tuple[str, str]], types: str) -> list[tuple[str, str]]:
    """Return a query with one more condition on fields."""
    fields = [value for name, value in query if name == "fieldSelector"]
    return [*(each for each in query if each[0] != "fieldSelector"), ("fieldSelector", ",".join([*fields, types]))]


def _asked_for(selectors: Sequence[Selector]) -> frozenset[str]:
    """Return the labels that selectors look at: an object may have a megabyte of others, and there may be thousands."""
    return frozenset(each.key for selector in selectors for each in selector.requirements)


def _taken(value: bytes) -> int:
    """Return how many bytes a value takes with the text that is made of it: its letters, or base64.

    Each letter takes as many bytes as the widest one needs: at most four, for each byte of the value.
    """
    return len(value) * (3 if value.isascii() else 5)


def _secrets(namespace: str) -> str:
    return object_path(CORE, "secrets", namespace)


def _data(kind: Kind, key: ObjectKey, body: Mapping[str, Any]) -> dict[str, bytes]:
    plain = {name: each.encode() for name, each in texts(body.get("data")).items()} if kind is Kind.CONFIG_MAP else {}
    encoded = texts(body.get("binaryData" if kind is Kind.CONFIG_MAP else "data"))
    try:
        return plain | {name: base64.b64decode(each, validate=True) for name, each in encoded.items()}
    except binascii.Error:
        # Without its cause, which quotes the value.
        raise Transient(
            Reason.KUBERNETES_UNAVAILABLE, f"{kind} {key} was answered with data that is no base64"
        ) from None

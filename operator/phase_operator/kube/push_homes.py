"""The Secrets that keep generated values, on the API server.

Rule: a Secret is written only as it was read, by its uid and resourceVersion, so of two processes one makes a value. It
has no owner reference: values that are in use outlive the resource that asked for them.
"""

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Waiting
from phase_operator.core.json_access import mapping, text, texts
from phase_operator.core.push.homes import GENERATED, Home, manifest
from phase_operator.core.values import ObjectKey, SecretValue
from phase_operator.kube.client import MANAGER, MERGE, METADATA, KubeClient, metadata_of
from phase_operator.kube.errors import changed_or_missing, missing, translated
from phase_operator.kube.paths import CORE, object_path

# Is entered for a write of a home for a resource, and takes the metadata in the answer.
Writing = Callable[[ObjectKey, ObjectKey], AbstractContextManager[Callable[[Mapping[str, Any]], None]]]


@contextmanager
def _unwatched(_: ObjectKey, __: ObjectKey) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Let a write be nobody's concern: without a watch, no event follows it."""
    yield lambda _: None


class KubePushHomes:
    """Reads and writes homes."""

    def __init__(self, client: KubeClient, writing: Writing = _unwatched) -> None:
        self._client = client
        # Has a watch know our own writes.
        self._writing = writing

    async def home(self, key: ObjectKey) -> Home | None:
        """Return a Secret of this name, or None if there is none; of one that is not ours, no values.

        Raises ExpectedError.
        """
        # By its metadata first: values of somebody else's Secret are not transferred.
        metadata = await self._found(key, accept=METADATA)
        if metadata is None or not _is_ours(metadata):
            return None if metadata is None else _home(metadata, {})
        body = await self._found(key)
        return None if body is None else _home(body, _values(key, body) if _is_ours(body) else {})

    async def keep(
        self,
        key: ObjectKey,
        owner: ObjectKey,
        before: Home | None,
        values: Mapping[str, SecretValue],
        rotations: Mapping[str, str],
    ) -> bool:
        """Write values into a Secret beside those that it has, and return True once the API server has confirmed it.

        Returns False, and changes nothing, if the Secret is not as in `before` any more. Raises ExpectedError.
        """
        body = manifest(key, owner, before, values, rotations)
        verb, path, content_type = "POST", object_path(CORE, "secrets", key.namespace), "application/json"
        if before is not None:
            verb, path, content_type = "PATCH", _path(key), MERGE
        with self._writing(key, owner) as wrote, translated(unless=changed_or_missing):
            answer = await self._client.request(
                verb, path, query=[MANAGER], body=body, content_type=content_type, accept=METADATA
            )
            wrote(metadata_of(answer))
            return True
        return False

    async def _found(self, key: ObjectKey, **options: Any) -> Mapping[str, Any] | None:
        with translated(unless=missing):
            found: Mapping[str, Any] = await self._client.request("GET", _path(key), **options)
            return found
        return None


def _path(key: ObjectKey) -> str:
    return object_path(CORE, "secrets", key.namespace, key.name)


def _is_ours(body: Mapping[str, Any]) -> bool:
    return GENERATED.items() <= texts(mapping(body.get("metadata")).get("labels")).items()


def _home(body: Mapping[str, Any], values: Mapping[str, bytes]) -> Home:
    metadata = mapping(body.get("metadata"))
    annotations = texts(metadata.get("annotations"))
    owner = annotations.get(names.ANNOTATION_GENERATED_FOR, "") if _is_ours(body) else ""
    rotations = _rotations(annotations.get(names.ANNOTATION_ROTATIONS, ""))
    uid, version = text(metadata.get("uid")), text(metadata.get("resourceVersion"))
    return Home(owner, uid, version, values, rotations, is_immutable=body.get("immutable") is True)


def _rotations(said: str) -> dict[str, str]:
    """Return the words that are remembered; people may write the annotation, and what is not understood is no word."""
    try:
        return texts(json.loads(said))
    except (ValueError, RecursionError):
        return {}


def _values(key: ObjectKey, body: Mapping[str, Any]) -> dict[str, bytes]:
    try:
        data = texts(body.get("data"))
        return {name: base64.b64decode(each, validate=True) for name, each in data.items()}
    except binascii.Error:
        # Without its cause, which quotes the value.
        raise Waiting(Reason.KUBERNETES_UNAVAILABLE, f"Secret {key} was answered with data that is no base64") from None

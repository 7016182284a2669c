"""The Cluster port on the real API server: targets, resources, tokens, and names that pod templates mention."""

import asyncio
import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Waiting
from phase_operator.core.json_access import mapping
from phase_operator.core.refs import TargetRef
from phase_operator.core.rollout.pod_references import mentioned
from phase_operator.core.values import ObjectKey, SecretValue
from phase_operator.kube.client import KubeClient
from phase_operator.kube.errors import missing, translated
from phase_operator.kube.events import Recorder
from phase_operator.kube.listing import FEW, items
from phase_operator.kube.paths import CORE, object_path
from phase_operator.kube.phase_secrets import KubeResources
from phase_operator.kube.record_cache import RecordCache
from phase_operator.kube.records import KubeRecords
from phase_operator.kube.target_cache import TargetCache
from phase_operator.kube.targets import KubeTargets
from phase_operator.reconcile.background import BackgroundThread
from phase_operator.reconcile.ports import Token

# The longest token and the longest list of hosts, in characters; both are kept, and a Secret may hold a megabyte.
_LONGEST_TOKEN, _LONGEST_HOSTS = 4_096, 16_384
# The kinds with pod templates. A roll-back returns to a ReplicaSet; Argo Rollouts are read where that kind exists.
_POD_TEMPLATES = (
    *(("/apis/apps/v1", kind) for kind in ("deployments", "statefulsets", "daemonsets", "replicasets")),
    *(("/apis/batch/v1", kind) for kind in ("cronjobs", "jobs")),
    ("/apis/argoproj.io/v1alpha1", "rollouts"),
)


class KubeCluster(KubeTargets, KubeResources, KubeRecords):
    """All reads and writes of a run on the API server."""

    def __init__(
        self,
        client: KubeClient,
        known: TargetCache,
        recorder: Recorder,
        touched: Callable[[TargetRef], None],
        background: BackgroundThread | None = None,
        records: RecordCache | None = None,
    ) -> None:
        KubeTargets.__init__(self, client, known, touched, background)
        KubeResources.__init__(self, client, recorder)
        KubeRecords.__init__(self, client, records if records is not None else RecordCache(), self._delete)
        self._reading = asyncio.Lock()

    async def read_token(self, key: ObjectKey) -> Token:
        """Return the token of a Secret and the hosts that its annotation allows.

        Raise Waiting if the Secret or its key is missing, or the key holds no text; else ExpectedError if a read fails.
        """
        secret: dict[str, Any] | None = None
        with translated(unless=missing):
            secret = await self._client.request("GET", object_path(CORE, "secrets", key.namespace, key.name))
        if secret is None:
            message = f'Secret {key} does not exist; create it with the key "token"'
            raise Waiting(Reason.TOKEN_SECRET_NOT_FOUND, message)
        encoded = mapping(secret.get("data")).get(names.TOKEN_KEY)
        if encoded is None:
            raise Waiting(Reason.TOKEN_SECRET_NOT_FOUND, f'Secret {key} has no key "{names.TOKEN_KEY}"')
        hosts = mapping(secret["metadata"].get("annotations")).get(names.ANNOTATION_ALLOWED_HOSTS)
        if len(encoded) > _LONGEST_TOKEN or len(hosts or "") > _LONGEST_HOSTS:
            what = f'under "{names.TOKEN_KEY}"' if len(encoded) > _LONGEST_TOKEN else names.ANNOTATION_ALLOWED_HOSTS
            raise Waiting(Reason.TOKEN_INVALID, f"Secret {key} holds more than is read: {what}")
        try:
            text = SecretValue(base64.b64decode(encoded).decode())
        except (binascii.Error, UnicodeDecodeError):
            raise Waiting(Reason.TOKEN_INVALID, f'Secret {key} holds no text under "{names.TOKEN_KEY}"') from None
        return Token(text, hosts)

    async def mentioned(self, namespace: str, wanted: Sequence[str]) -> frozenset[str]:
        """Return which of these names a pod template of the namespace mentions."""
        found: frozenset[str] = frozenset()
        # One namespace at a time and a few objects in each answer: others decide how large their workloads are.
        async with self._reading:
            for prefix, collection in _POD_TEMPLATES:
                async for item in items(self._client, object_path(prefix, collection, namespace), chunk=FEW):
                    found |= mentioned(item, wanted)
        return found

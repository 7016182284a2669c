"""The watches of one replica, and the lists of PhaseSecrets that their watch is compared with."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import aiohttp

from phase_operator.api import names
from phase_operator.api.crd import DEFINITIONS, Definition
from phase_operator.core.errors import Waiting
from phase_operator.core.refs import Kind, TargetRef
from phase_operator.handlers.kind import Listing, ShownKind
from phase_operator.handlers.watcher import Watcher
from phase_operator.kube.cluster import KubeCluster
from phase_operator.kube.kopf_requests import Take
from phase_operator.kube.merged_watch import MergedWatch
from phase_operator.kube.paths import COLLECTIONS, CORE, OURS, object_path
from phase_operator.kube.push_watch import PushSink
from phase_operator.kube.record_cache import RecordSink
from phase_operator.kube.scopes import Scopes
from phase_operator.kube.target_cache import TargetSink
from phase_operator.kube.watch import WHOLE, BothSinks, Callbacks, Collection, CollectionWatch, Sink
from phase_operator.kube.watch_content import is_news
from phase_operator.wiring.loop import Loop, Startup, kind_in_keys
from phase_operator.wiring.shared import Edges

_VALUES = (names.LABEL_TARGET_VALUE, names.LABEL_COPY_VALUE, names.LABEL_LEASE_VALUE)
_OURS = f"{names.LABEL_TARGET} in ({','.join(_VALUES)})"


class Watches:
    """Watches of Secrets, ConfigMaps and namespaces as metadata, and kopf's watch of PhaseSecrets."""

    def __init__(self, edges: Edges, loop: Loop, startup: Startup, sweep_every: float) -> None:
        self._edges, self._loop = edges, loop
        settings, client, metrics = edges.settings, edges.client, edges.metrics
        self.metadata = [
            self._targets(kind, calls, scope)
            for kind, calls in [(kind, self._calls(self._sink(kind))) for kind in Kind]
            for scope in (settings.namespace or ("",))
        ]
        self.scopes = Scopes(settings.namespace)
        for watch in self.metadata:
            self.scopes.need(watch)
        # What kopf watches in a list of namespaces, by the path of its watch.
        self._merged = {
            object_path(OURS, each.plural, ""): self._merge(each, settings.namespace)
            for each in (DEFINITIONS if settings.namespace else ())
        }
        self.resources = Watcher(
            kinds=[self._shown(each, is_everywhere=not settings.namespace) for each in DEFINITIONS],
            is_back=loop.workers.kubernetes_is_back,
            listed=startup.listed,
            is_own_version=loop.cluster.own_versions.shown_by,
            session=self._session,
            server=client.host,
            served=loop.cluster.served,
            clock=edges.clock,
            has_lists=not settings.namespace,
            restarted=metrics.watch_restarted,
            sweep_every=sweep_every,
        )
        startup.all_seen = self.resources.is_complete
        if loop.tenancy.asks_for_labels:
            self.metadata.append(self._watch(_collection(CORE, "namespaces", ""), self._calls(loop.labels)))

    def _session(
        self, lists: Callable[[], None], is_own: Callable[[Mapping[str, Any]], bool], listed: Mapping[str, Take]
    ) -> aiohttp.ClientSession:
        """Return the session of kopf, for which an event `is_own` if it shows nothing but a status write of ours.

        `listed` takes the objects of the lists, by their plural, or leaves them to kopf by returning False.
        """
        news = partial(is_news, is_own, self._loop.cluster.own_versions.has)
        taken = {object_path(OURS, plural, ""): take for plural, take in listed.items()}
        return self._edges.client.session_for_watching(lists, news, self._merged, taken)

    def problem(self) -> str | None:
        """Return why resources may be unknown in a list of namespaces; None if all are known."""
        problems = (each.problem(self.scopes.unserved().keys()) for each in self._merged.values())
        return next((each for each in problems if each), None)

    def _shown(self, definition: Definition, *, is_everywhere: bool) -> ShownKind:
        """Return what takes all that the watch shows of a kind of our resources."""
        loop, kind = self._loop, kind_in_keys(definition)
        lists = _Lists(loop.cluster, self.scopes, kind, is_everywhere=is_everywhere)
        return ShownKind(
            definition=definition,
            resources=loop.resources.of(kind),
            changes=loop.triggers,
            not_understood=loop.events.not_understood,
            count=lists.count,
            list_all=lists.list_all,
            clock=self._edges.clock,
            internal_errors=self._edges.metrics.internal_errors,
            # An older installation has PhaseSecrets alone, and the operator may be upgraded before the rest.
            why_unserved=partial(loop.cluster.why_unserved, definition, is_everywhere=is_everywhere) if kind else None,
        )

    def _sink(self, kind: Kind) -> Sink:
        """Return what takes all that the watches of a kind show."""
        loop, is_secret = self._loop, kind is Kind.SECRET

        def touched(target: TargetRef) -> None:
            loop.triggers.target_changed(target)
            if is_secret:
                loop.tokens.changed(target.key)

        def relisted() -> None:
            if is_secret:
                loop.tokens.all_changed()

        records = RecordSink(loop.records, loop.triggers.record_changed) if is_secret else None
        targets = TargetSink(kind, loop.known, touched, relisted, records)
        return BothSinks(targets, PushSink(kind, loop.pushes.wakes)) if self._edges.settings.push else targets

    def _targets(self, kind: Kind, calls: Callbacks, scope: str) -> CollectionWatch:
        plural = COLLECTIONS[kind]
        # Secrets with tokens do not carry our label, so all Secrets are watched, as metadata. Nor does what is pushed,
        # which is listed too.
        listed = "" if self._edges.settings.push else _OURS
        followed = "" if kind is Kind.SECRET else listed
        return self._watch(_collection(CORE, plural, scope, list_selector=listed, follow_selector=followed), calls)

    def _merge(self, definition: Definition, namespaces: Sequence[str]) -> MergedWatch:
        """Return the watch of a kind of ours in a list of namespaces."""
        merged = MergedWatch()

        async def may_read(namespace: str) -> None:
            await self.scopes.opened(namespace)
            await merged.room()

        calls = replace(self._calls(merged), not_found=merged.not_found, may_read=may_read)
        for scope in namespaces:
            watch = self._watch(_collection(OURS, definition.plural, scope, form=WHOLE), calls)
            merged.watches.append(watch)
            self.scopes.show(definition.plural, watch)
        return merged

    def _watch(self, collection: Collection, calls: Callbacks) -> CollectionWatch:
        edges = self._edges
        return CollectionWatch(edges.client, collection, calls, edges.clock, edges.metrics.internal_errors)

    def _calls(self, sink: Sink) -> Callbacks:
        return Callbacks(sink, self._edges.metrics.watch_restarted, self._loop.workers.kubernetes_is_back)


def _collection(prefix: str, plural: str, scope: str, **options: Any) -> Collection:
    return Collection(f"{plural} in {scope}" if scope else plural, object_path(prefix, plural, scope), scope, **options)


class _Lists:
    """Lists of all resources of a kind in the namespaces that are served."""

    def __init__(self, cluster: KubeCluster, scopes: Scopes, kind: str, *, is_everywhere: bool) -> None:
        self._cluster, self._scopes, self._kind = cluster, scopes, kind
        self._everywhere: tuple[None, ...] = (None,) if is_everywhere else ()

    async def count(self) -> int:
        count = 0
        for namespace in self._scopes.served() or self._everywhere:
            with _unless_refused(namespace, set()):
                count += await self._cluster.count_resources(namespace, self._kind)
        return count

    async def list_all(self) -> Listing:
        found: list[Mapping[str, Any]] = []
        left_out = set(self._scopes.unserved())
        for namespace in self._scopes.served() or self._everywhere:
            with _unless_refused(namespace, left_out):
                found += await self._cluster.list_resources(namespace, self._kind)
        return Listing(found, left_out)


@contextmanager
def _unless_refused(namespace: str | None, left_out: set[str]) -> Iterator[None]:
    """Add a namespace that denies access to `left_out` instead of raising; its watch may not have noticed yet."""
    try:
        yield
    except Waiting:
        if namespace is None:
            raise
        left_out.add(namespace)

"""Values that are made once: each is in its Secret, and the API server has confirmed it, before anything is pushed."""

from dataclasses import dataclass, field
from functools import partial

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.push_sources import GeneratedKind
from phase_operator.core.errors import Transient
from phase_operator.core.push.facts import Facts
from phase_operator.core.push.generated import RandomBytes, generate
from phase_operator.core.push.homes import Home, HomePlan, home_plan, home_problems, kept_values, places_of
from phase_operator.core.push.ledger import Ledger
from phase_operator.core.push.problems import Problem
from phase_operator.core.push.report import generated_event
from phase_operator.core.push.sources import Rule, Source
from phase_operator.core.push.spec import Generated, PushSpec
from phase_operator.core.refs import Kind
from phase_operator.core.values import ObjectKey, SecretValue
from phase_operator.reconcile.background import BackgroundThread
from phase_operator.reconcile.ports import Cluster
from phase_operator.reconcile.pushes.ports import PushHomes
from phase_operator.reconcile.pushes.subject import PushSubject

# Microseconds, about: the primes of an RSA key take the most.
_EFFORT = {GeneratedKind.RSA_KEY: 500_000}
_USUAL_EFFORT = 500


@dataclass(frozen=True, slots=True)
class Kept:
    """The generated values of a resource, as a source, and what else is known of them."""

    source: Source | None = None
    plan: HomePlan = field(default_factory=HomePlan)
    problems: tuple[Problem, ...] = ()


class GeneratedValues:
    """Makes the generated values of resources, and keeps them."""

    def __init__(self, homes: PushHomes, cluster: Cluster, background: BackgroundThread, random: RandomBytes) -> None:
        self._homes = homes
        self._cluster = cluster
        self._background = background
        self._random = random

    async def bring(self, subject: PushSubject, push: PushSpec, ledger: Ledger, facts: Facts, now: float) -> Kept:
        """Return the values that are kept, after what is missing was made; raise ExpectedError."""
        if not push.generated:
            return Kept()
        key = ObjectKey(subject.key.namespace, push.generate_into)
        home = await self._homes.home(key)
        if home is not None and home.owner != str(subject.key):
            text = f"Secret {key.name} is not one that keeps generated values of this resource: nothing is made"
            held = frozenset(place for each in push.generated for place in places_of(each, push.root))
            return Kept(None, HomePlan(held=held), (Problem(Reason.INVALID_SPEC, text),))
        plan = home_plan(push, home, ledger, facts, now)
        if plan.made or plan.adopted:
            home = await self._keep(subject, key, home, plan)
        return Kept(_source(push, home), plan, tuple(home_problems(plan, push.generate_into)))

    async def _keep(self, subject: PushSubject, key: ObjectKey, home: Home | None, plan: HomePlan) -> Home:
        """Make what is missing, and have the Secret keep that, and what each of its values was made for."""
        made: dict[str, SecretValue] = {}
        for each in plan.made:
            # One by one: primes take long to find, and others have their turn in between.
            work, effort = partial(_made, each, self._random), _EFFORT.get(each.kind, _USUAL_EFFORT)
            made |= await self._background.run(work, effort, key.namespace)
        rotations = {each.key: each.rotate for each in (*plan.made, *plan.adopted)}
        if not await self._homes.keep(key, subject.key, home, made, rotations):
            # Whoever was first has made them: theirs count, and ours are forgotten.
            raise Transient(Reason.KUBERNETES_UNAVAILABLE, f"another process has written Secret {key.name} meanwhile")
        if plan.made:
            event = generated_event((each.key for each in plan.made), key.name)
            self._cluster.record_event(subject.key, subject.uid, [event])
        after = await self._homes.home(key)
        if after is None or after.owner != str(subject.key):
            raise Transient(Reason.KUBERNETES_UNAVAILABLE, f"Secret {key.name} was deleted as soon as it was made")
        return after


def _made(asked: Generated, random: RandomBytes) -> dict[str, SecretValue]:
    return generate(asked.key, asked.kind, random, length=asked.length, has_symbols=asked.has_symbols)


def _source(push: PushSpec, home: Home | None) -> Source | None:
    """Return the values that are kept as a source; None if there are none."""
    values = kept_values(push, home)
    if home is None or not values:
        return None
    return Source(Kind.SECRET, push.generate_into, home.version, Rule(push.root), values)

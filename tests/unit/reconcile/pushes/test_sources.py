"""Sources of a push: found by metadata, read where a value is needed, and never what may not be pushed."""

from dataclasses import replace

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import DeletionPolicy
from phase_operator.core.errors import Transient
from phase_operator.core.label_selector import parse_selector
from phase_operator.core.outcome import Failed
from phase_operator.core.push.facts import Policies
from phase_operator.core.push.sources import Rule
from phase_operator.core.push.spec import PushSpec, SpecSource
from phase_operator.core.refs import Kind
from phase_operator.reconcile.pushes.gathered import MOST_SOURCES
from support.push_house import KEY, PushHouse, ask_of, data, named, pushing, said, world

DELETE = Policies(deletion=DeletionPolicy.DELETE)


async def test_a_source_that_comes_later_is_waited_for_without_polling() -> None:
    _, [cluster] = world()
    cluster.resource(named("db"))
    house = PushHouse(cluster)
    await house.rest()
    assert (said(house).reason, said(house).message) == (
        Reason.SOURCE_NOT_FOUND,
        "Secret/db is not there: what was pushed of it stays in Phase",
    )
    before = dict(house.server.calls)
    await house.pass_time(600)
    assert dict(house.server.calls) == before

    cluster.stock.put("db", data(1))
    readers = house.readers.of("shop")
    assert readers is not None
    assert readers.seen((Kind.SECRET, "db"), {}, 1) == {KEY}
    assert readers.seen((Kind.SECRET, "other"), {}, 1) == frozenset()
    assert house.readers.of("team") is None
    house.wake(KEY)
    await house.rest()

    assert cluster.there() == {"K0000": "v-0"}


@pytest.mark.parametrize("policies", [DELETE, Policies()])
async def test_a_named_source_that_goes_keeps_its_entries_until_the_spec_lets_it_go(policies: Policies) -> None:
    """Who makes a Secret anew deletes it for a moment."""
    _, [cluster] = world()
    cluster.stock.put("db", data(2))
    cluster.stock.put("other", {"OTHER": b"o"})
    cluster.resource(named("db", "other", policies=policies))
    house = PushHouse(cluster)
    await house.rest()

    cluster.stock.put("db", None)
    house.wake(KEY)
    await house.rest()
    assert len(cluster.there()) == 3
    assert said(house).reason is Reason.SOURCE_NOT_FOUND

    cluster.resource(named("other", policies=policies))
    house.wake(KEY)
    await house.rest()
    assert cluster.there() == {"OTHER": "o"}
    assert len(house.server.phase.living()) == (1 if policies is DELETE else 3)
    assert list(cluster.ledger().rows) == [each.place for each in house.server.phase.living() if each.holder]
    assert said(house).ready


async def test_a_selected_source_that_goes_follows_the_policy() -> None:
    _, [cluster] = world()
    for name in ("one", "two"):
        cluster.stock.put(name, {name: b"v"}, label="all")
    spec = PushSpec("/", (SpecSource(Kind.SECRET, Rule("/"), selector=parse_selector("label=all")),), policies=DELETE)
    cluster.resource(spec)
    house = PushHouse(cluster)
    await house.rest()
    assert set(cluster.there()) == {"ONE", "TWO"}

    cluster.stock.put("one", None)
    cluster.stock.put("two", {"two": b"v"}, label="another")
    house.wake(KEY)
    await house.rest()

    assert house.server.phase.living() == []


async def test_a_source_that_cannot_be_read_changes_nothing() -> None:
    """An API server that is away must not look like a Secret that is gone."""
    house = await pushing()
    house.cluster.specs[KEY] = house.cluster.specs[KEY].__class__(named("db", policies=DELETE), ask_of())
    house.server.calls.clear()
    house.sources.errors.append(Transient(Reason.KUBERNETES_UNAVAILABLE, "it is away"))
    house.wake(KEY)
    await house.rest()

    assert isinstance(house.outcomes[KEY], Failed)
    assert len(house.cluster.there()) == 2

    await house.pass_time(60)
    assert said(house).ready
    assert house.server.calls["delete"] == 0


async def test_secrets_by_selector_have_folders_of_their_own() -> None:
    _, [cluster] = world()
    for number in range(200):
        cluster.stock.put(f"cert-{number:03d}", {"tls.crt": b"c", "tls.key": b"k"}, label="fao")
    cluster.stock.put("other", {"a": b"a"})
    cluster.resource(PushSpec("/", (SpecSource(Kind.SECRET, Rule("/cluster"), selector=parse_selector("label=fao")),)))
    house = PushHouse(cluster)
    await house.rest()

    paths = {each.place.path for each in house.server.phase.living()}
    assert paths == {f"/cluster/cert-{number:03d}" for number in range(200)}
    assert len(house.server.phase.living()) == 400
    assert house.server.calls["post"] == 7
    assert said(house).ready


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("is_token", True, "it holds a token of Phase"),
        ("is_ours", True, "what is pushed would come back"),
        ("type", "kubernetes.io/service-account-token", "belong to the system"),
    ],
)
async def test_a_source_that_may_not_be_pushed_is_never_read(field: str, value: object, words: str) -> None:
    _, [cluster] = world()
    cluster.stock.put("db", data(1))
    cluster.stock.put("forbidden", {"KEY": b"x"}, **{field: value})  # type: ignore[arg-type]
    cluster.resource(named("db", "forbidden"))
    house = PushHouse(cluster)
    await house.rest()

    assert cluster.stock.reads == {"shop/db": 1}
    assert cluster.there() == {"K0000": "v-0"}
    assert words in said(house).message


async def test_a_source_that_turns_into_a_forbidden_one_while_it_is_read_is_not_sent() -> None:
    _, [cluster] = world()
    cluster.stock.put("db", data(1))
    cluster.resource(named("db"))
    house = PushHouse(cluster)
    look = house.sources.look

    async def then_it_is_replaced(kind, key, selectors):  # type: ignore[no-untyped-def]
        found = await look(kind, key, selectors)
        # Nothing is read before Phase was looked at.
        if house.server.calls["look"]:
            cluster.stock.put("db", {"TOKEN": b"t"}, is_token=True)
        return found

    house.sources.look = then_it_is_replaced  # type: ignore[method-assign]
    await house.rest()

    assert cluster.stock.reads
    assert cluster.there() == {}
    house.sources.look = look  # type: ignore[method-assign]
    await house.pass_time(60)
    assert cluster.there() == {}
    assert "token" in said(house).message


async def test_a_bad_value_deletes_no_entry_and_holds_up_no_other() -> None:
    house = await pushing()
    house.cluster.resource(named("db", policies=DELETE))
    house.cluster.stock.put("db", {"K0000": b"\xff\xfe", "K0001": b"new"})
    house.wake(KEY)
    await house.rest()

    assert house.cluster.there() == {"K0000": "v-0", "K0001": "new"}
    assert said(house).reason is Reason.VALUE_INVALID

    house.wake(KEY)
    await house.rest()
    assert house.cluster.there() == {"K0000": "v-0", "K0001": "new"}
    assert said(house).reason is Reason.VALUE_INVALID


async def test_more_sources_than_one_resource_has_are_refused() -> None:
    _, [cluster] = world()
    for number in range(MOST_SOURCES + 5):
        cluster.stock.put(f"s{number}", {}, label="all")
    cluster.resource(PushSpec("/", (SpecSource(Kind.SECRET, Rule("/"), selector=parse_selector("label=all")),)))
    house = PushHouse(cluster)
    await house.rest()

    found = house.outcomes[KEY]
    assert isinstance(found, Failed)
    assert found.reason is Reason.TOO_LARGE
    assert not cluster.stock.reads


async def test_a_run_tells_what_it_found_so_that_foreign_secrets_concern_its_resource_no_more() -> None:
    _, [cluster] = world()
    cluster.stock.put("db", data(1), label="yes")
    cluster.stock.put("token", data(1), label="yes", is_token=True)
    cluster.resource(PushSpec("/", (SpecSource(Kind.SECRET, Rule("/"), selector=parse_selector("label=yes")),)))
    house = PushHouse(cluster)
    await house.rest()
    readers = house.readers.of("shop")
    assert readers is not None

    # No watch has shown any of them since the resource came.
    assert readers.seen((Kind.SECRET, "foreign"), {}, 1) == frozenset()
    assert readers.seen((Kind.SECRET, "db"), {}, 1) == {KEY}
    # One that is refused is told in the status, so its end is news, too.
    assert readers.seen((Kind.SECRET, "token"), {}, 1) == {KEY}


async def test_sources_concern_a_suspended_or_deleted_resource_no_more() -> None:
    house = await pushing()
    assert house.readers.of("shop") is not None
    house.cluster.resource(replace(named("db"), is_suspended=True))
    house.show()
    await house.rest()
    assert house.readers.of("shop") is None

    house.cluster.resource(named("db"))
    house.show()
    await house.rest()
    assert house.readers.of("shop") is not None
    house.store.remove(KEY)
    house.wake(KEY)
    await house.rest()
    assert house.readers.of("shop") is None

"""Generated values: in a Secret before Phase has them, made by a word in the spec, and never in place of one in use."""

from dataclasses import replace
from typing import Any

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.push_sources import GeneratedKind
from phase_operator.core.errors import Transient
from phase_operator.core.outcome import Failed, Pushed
from phase_operator.core.push.homes import Home
from phase_operator.core.push.spec import Generated, PushSpec
from phase_operator.core.values import ObjectKey
from support.push_api import lost
from support.push_house import KEY, PushCluster, PushHouse, named, said, world

HOME = ObjectKey("shop", "made")


def spec(*generated: Generated, **fields: Any) -> PushSpec:
    return named(generated=generated or (password(),), generate_into="made", **fields)


def password(key: str = "SESSION", **fields: Any) -> Generated:
    return Generated(key, GeneratedKind.PASSWORD, **fields)


def kept(cluster: PushCluster) -> dict[str, str]:
    return {key: each.decode() for key, each in cluster.stock.homes[HOME].values.items()}


async def test_a_value_is_kept_in_the_cluster_before_phase_has_it() -> None:
    _, [cluster] = world()
    cluster.resource(spec())
    house = PushHouse(cluster)
    await house.rest()

    assert kept(cluster) == cluster.there()
    assert len(kept(cluster)["SESSION"]) == 32
    done = house.fuse.done
    assert done.index("home") < done.index("post")
    assert [each.message for each in cluster.notices if each.reason == "ValueGenerated"] == [
        'made and kept in Secret made: "SESSION"'
    ]


async def test_another_key_makes_no_other_value() -> None:
    _, [cluster] = world()
    cluster.resource(spec())
    house = PushHouse(cluster)
    await house.rest()
    before = kept(cluster)

    cluster.resource(spec(password("A"), password(), Generated("PAIR", GeneratedKind.EC_KEY)))
    house.wake(KEY)
    await house.rest()

    assert kept(cluster).items() > before.items()
    assert set(cluster.there()) == {"A", "SESSION", "PAIR", "PAIR_PUB"}


async def test_no_source_is_read_while_a_look_has_to_tell_whether_phase_has_a_value() -> None:
    def spec_of(*generated: Generated) -> PushSpec:
        return named("db", generated=generated, generate_into="made")

    _, [cluster] = world()
    cluster.stock.put("db", {"A": b"1"})
    cluster.resource(spec_of(password()))
    house = PushHouse(cluster)
    await house.rest()
    before = dict(cluster.stock.reads)

    cluster.server.refused["look"] = [Transient(Reason.PHASE_UNAVAILABLE, "Phase is away")] * 99
    cluster.stock.put("db", {"A": b"2"})
    cluster.resource(spec_of(password(), password("OTHER")))
    house.wake(KEY)
    await house.rest()

    assert dict(cluster.stock.reads) == before
    cluster.server.refused.clear()
    await house.pass_time(600)
    assert cluster.there()["A"] == "2"
    assert set(cluster.there()) == {"A", "SESSION", "OTHER"}


async def test_a_word_rotates_one_value_once() -> None:
    _, [cluster] = world()
    cluster.resource(spec(password(), password("OTHER")))
    house = PushHouse(cluster)
    await house.rest()
    before = kept(cluster)

    cluster.resource(spec(password(rotate="2026-11"), password("OTHER")))
    for _ in range(3):
        house.wake(KEY)
        await house.rest()
        house = PushHouse(cluster)
        await house.rest()
    after = kept(cluster)

    assert after["SESSION"] != before["SESSION"]
    assert after["OTHER"] == before["OTHER"]
    assert cluster.there() == after
    assert sum(each.reason == "ValueGenerated" for each in cluster.notices) == 2


async def test_a_value_that_only_phase_has_is_kept_there() -> None:
    """The cluster lost its Secret: what is in use is at Phase, neither changed nor deleted, and a person is told."""
    _, [cluster] = world()
    cluster.resource(spec())
    await PushHouse(cluster).rest()
    [entry] = cluster.server.phase.living()
    value = entry.value

    cluster.stock.homes.clear()
    for _ in range(3):
        house = PushHouse(cluster)
        await house.rest()
        await house.probe()

        found = house.outcomes[KEY]
        assert isinstance(found, Pushed)
        assert (found.ready, found.reason, found.in_step) == (False, Reason.SOURCE_NOT_FOUND, 1)
        assert found.message == (
            'Secret/made lacks values that Phase has: "SESSION"; bring them back, or delete them in Phase to have '
            "others made"
        )

    assert HOME not in cluster.stock.homes
    assert (entry.value, entry.version, entry.is_deleted) == (value, 1, False)


@pytest.mark.parametrize("rotate", ["", "2026-12"])
async def test_a_value_that_a_person_brings_back_is_pushed_and_stays_until_it_is_rotated(rotate: str) -> None:
    """Nothing says what it was made for. If that counted as another word, a value in use would be lost."""
    _, [cluster] = world()
    cluster.resource(spec(password(rotate=rotate)))
    house = PushHouse(cluster)
    await house.rest()
    [value] = cluster.there().values()
    lost_home = cluster.stock.homes.pop(HOME)
    house.wake(KEY)
    await house.rest()

    # As somebody makes it by hand, as the page on pushes says.
    cluster.stock.homes[HOME] = Home(lost_home.owner, "uid-2", "1", {"SESSION": value.encode()}, {})
    house.wake(KEY)
    await house.rest()

    assert kept(cluster) == cluster.there() == {"SESSION": value}
    assert said(house).ready
    assert cluster.stock.homes[HOME].rotations == {"SESSION": rotate}

    cluster.resource(spec(password(rotate="2027-01")))
    house.wake(KEY)
    await house.rest()

    assert kept(cluster) == cluster.there() != {"SESSION": value}


async def test_another_value_is_made_for_a_lost_one_when_somebody_deletes_its_entry() -> None:
    _, [cluster] = world()
    cluster.resource(spec(password(rotate="2026-11")))
    house = PushHouse(cluster)
    await house.rest()
    [entry] = cluster.server.phase.living()
    cluster.stock.homes.clear()
    cluster.resource(spec(password(rotate="2026-12")))
    house.wake(KEY)
    await house.rest()
    assert HOME not in cluster.stock.homes

    cluster.server.phase.delete(entry)
    await house.probe()

    assert kept(cluster) == cluster.there() != {"SESSION": entry.value}
    assert said(house).ready


async def test_a_home_that_is_immutable_is_told_and_holds_up_nothing_else() -> None:
    """Whoever deleted it, as is right for a target, would lose the values that are in use."""
    _, [cluster] = world()
    cluster.stock.put("db", {"A": b"a"})
    cluster.resource(named("db", generated=(password(),), generate_into="made"))
    house = PushHouse(cluster)
    await house.rest()
    before = cluster.there()
    cluster.stock.homes[HOME] = replace(cluster.stock.homes[HOME], is_immutable=True)

    cluster.stock.put("db", {"A": b"another"})
    asked = (password(rotate="2026-12"), password(key="other"))
    cluster.resource(named("db", generated=asked, generate_into="made"))
    house.wake(KEY)
    await house.rest()

    assert cluster.there() == before | {"A": "another"}
    text = 'Secret/made is immutable, so it takes no new value of "SESSION", "other"; make it anew without that, with'
    assert (said(house).reason, said(house).message) == (
        Reason.INVALID_SPEC,
        f"{text} its data, labels and annotations",
    )


async def test_a_value_is_not_made_while_nobody_knows_whether_phase_has_one() -> None:
    """Its Secret was deleted and the answer was lost: the server may still be at it."""
    _, [cluster] = world()
    cluster.resource(spec())
    house = PushHouse(cluster)
    # The call is lost before it did anything: the server may do it later.
    cluster.server.refused["post"] = [lost()]
    await house.rest()
    cluster.stock.homes.clear()
    await house.pass_time(60)
    assert HOME not in cluster.stock.homes

    await house.pass_time(240)
    assert kept(cluster) == cluster.there()


async def test_no_value_is_made_on_an_old_look() -> None:
    _, [cluster] = world()
    cluster.resource(named())
    house = PushHouse(cluster)
    await house.rest()
    before = len(house.fuse.done)
    cluster.clock.turn(3600)

    cluster.resource(spec())
    house.wake(KEY)
    await house.rest()

    done = house.fuse.done[before:]
    assert done.index("look") < done.index("home") < done.index("post")
    assert kept(cluster) == cluster.there()


async def test_a_secret_of_somebody_else_gets_no_value() -> None:
    for owner in ("", "PhasePushSecret:shop/other"):
        _, [cluster] = world()
        cluster.stock.homes[HOME] = theirs = Home(owner, "uid", "1", {"SESSION": b"theirs"})
        cluster.resource(spec())
        house = PushHouse(cluster)
        await house.rest()

        assert cluster.stock.homes[HOME] is theirs
        assert cluster.there() == {}
        found = house.outcomes[KEY]
        assert isinstance(found, Pushed)
        assert found.reason is Reason.INVALID_SPEC


async def test_a_process_that_comes_second_takes_the_value_of_the_first() -> None:
    _, [cluster] = world()
    cluster.resource(spec())
    house = PushHouse(cluster)
    keep = house.sources.keep

    async def another_was_first(key: ObjectKey, owner: ObjectKey, *rest: Any) -> bool:
        cluster.stock.homes[key] = Home(str(owner), "uid-2", "1", {"SESSION": b"first"}, {"SESSION": ""})
        return await keep(key, owner, *rest)

    house.sources.keep = another_was_first  # type: ignore[method-assign, assignment]
    await house.rest()
    assert isinstance(house.outcomes[KEY], Failed)
    await house.pass_time(60)

    assert cluster.there() == {"SESSION": "first"}


async def test_a_home_that_cannot_be_read_makes_nothing() -> None:
    _, [cluster] = world()
    cluster.resource(spec())
    await PushHouse(cluster).rest()
    value = cluster.there()
    house = PushHouse(cluster)

    async def away(_: ObjectKey) -> Home | None:
        raise Transient(Reason.KUBERNETES_UNAVAILABLE, "it is away")

    house.sources.home, home = away, house.sources.home  # type: ignore[method-assign, assignment]
    await house.rest()
    assert cluster.there() == value

    house.sources.home = home  # type: ignore[method-assign]
    await house.pass_time(60)
    assert cluster.there() == kept(cluster) == value


@pytest.mark.parametrize("kind", list(GeneratedKind))
async def test_every_kind_is_pushed_as_it_is_kept(kind: GeneratedKind) -> None:
    _, [cluster] = world()
    cluster.resource(spec(Generated("MADE", kind)))
    await PushHouse(cluster).rest()

    assert cluster.there() == kept(cluster)
    assert set(kept(cluster)) in ({"MADE"}, {"MADE", "MADE_PUB"})


async def test_a_rebuilt_cluster_with_a_name_finds_what_it_made() -> None:
    """Nothing of the cluster is left: Phase wins, as the mark says whose it is."""
    server, [cluster] = world()
    cluster.resource(spec())
    await PushHouse(cluster).rest()
    [entry] = server.phase.living()

    rebuilt = PushCluster(server, cluster.clock)
    rebuilt.resource(spec())
    house = PushHouse(rebuilt)
    await house.rest()
    await house.pass_time(400)

    assert said(house).reason is Reason.SOURCE_NOT_FOUND

    assert HOME not in rebuilt.stock.homes
    assert [each.id for each in server.phase.living()] == [entry.id]
    assert entry.version == 1


async def test_keys_that_take_long_are_made_one_by_one() -> None:
    """A prime of an RSA key takes a second at worst, and a spec may ask for 32: others have their turn in between."""
    _, [cluster] = world()
    cluster.resource(spec(*(Generated(f"KEY{number}", GeneratedKind.EC_KEY) for number in range(3)), password()))
    house = PushHouse(cluster)
    pieces: list[set[str]] = []
    run = house.background.run

    async def noted(work, units, namespace):  # type: ignore[no-untyped-def]
        found = await run(work, units, namespace)
        if isinstance(found, dict):
            pieces.append(set(found))
        return found

    house.background.run = noted  # type: ignore[method-assign]
    await house.rest()

    assert pieces == [{f"KEY{number}", f"KEY{number}_PUB"} for number in range(3)] + [{"SESSION"}]
    assert house.fuse.done.count("home") == 1

"""References of an encrypted app: what they need is read, each environment once; what fails never half-writes."""

import tracemalloc
from typing import Any

import httpx
import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient, Waiting
from phase_operator.core.source.answer_memory import MIB, AnswerMemory, Reservation
from phase_operator.core.source.keyring import Decrypted, EnvironmentId
from phase_operator.core.values import SecretValue
from support.builders import query
from support.canary import Canary
from support.sealing import SealedAccount, SealedApp, SealedEnvironment, tokens_answer
from unit.phase.builders import URL, Server, answered, client, failure, place, refused

ACCOUNT = SealedAccount()


def environment(name: str, **values: str) -> SealedEnvironment:
    made = SealedEnvironment(name)
    for key, value in values.items():
        made.add(key, value)
    return made


class Meter:
    """What a read said of its requests, with the number that the server had had by then."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.followed: list[int] = []
        self.entries = 0

    def request_follows(self) -> None:
        self.followed.append(len(self._server.requests))

    def entries_came(self, number: int) -> None:
        self.entries += number


class Installation:
    """Apps of one account; an environment can answer with something else than its rows."""

    def __init__(self, *apps: SealedApp, **instead: Any) -> None:
        self._apps = apps
        self._environments = {each.id: each for app in apps for each in app.environments}
        self._instead = instead
        self.server = Server(tokens=tokens_answer(ACCOUNT, *apps), secrets=self._secrets)
        self.place: Reservation = place()
        self.meter = Meter(self.server)

    async def _secrets(self, request: httpx.Request) -> httpx.Response:
        asked = self._environments[request.headers["environment"]]
        answer = self._instead.get(asked.name, asked.rows)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else answered(answer)

    async def read(self, name: str = "home", path: str | None = None) -> Decrypted:
        edge = client(self.server)
        credential = edge.credential(SecretValue(ACCOUNT.token()))
        keyring = await edge.keyring(URL, credential, place())
        found = await edge.encrypted(
            URL,
            credential,
            keyring=keyring,
            app_id=self._apps[0].id,
            environment=name,
            place=self.place,
            meter=self.meter,
        )
        if found.damage is not None and (error := found.damage.error(query(path=path))) is not None:
            raise error
        return found

    @property
    def asked(self) -> list[str]:
        """The environments that were read, in their order."""
        reads = self.server.requests[1:]
        return [self._environments[each.headers["environment"]].name for each in reads]


def values(found: Decrypted) -> dict[str, str]:
    return {each.key: each.value.reveal() for each in found.entries}


async def test_other_environments_and_apps_are_read_as_references_need_them() -> None:
    home = environment(
        "home", URL="db://${USER}@${Staging.HOST}/${shared::base.NAME}", AGAIN="${staging.HOST}", USER="admin"
    )
    staging = environment("Staging", HOST="h-${PORT}", PORT="${shared::base.PORT}")
    shared = SealedApp("shared", [environment("base", NAME="n", PORT="1"), environment("unused")], encryption="SSE")
    there = Installation(SealedApp("shop", [home, staging]), shared)

    found = await there.read()

    assert values(found) == {"URL": "db://admin@h-1/n", "AGAIN": "h-1", "USER": "admin"}
    assert sorted(there.asked) == ["Staging", "base", "home"]
    assert there.asked[0] == "home"
    # The keyring, the environment itself, and one more each time.
    assert there.meter.followed == [2, 3]
    assert {each.environment_id for each in found.referenced} == {staging.id, shared.environments[0].id}
    assert not found.is_incomplete
    assert not any(each.problem for each in found.entries)


async def test_without_references_one_request_is_made() -> None:
    there = Installation(SealedApp("shop", [environment("home", A="${{ x }}", B="${C}", C="c"), environment("other")]))

    found = await there.read()

    assert (values(found)["B"], there.asked, there.meter.followed) == ("c", ["home"], [])


async def test_requests_and_entries_are_counted_as_they_come_however_the_read_ends() -> None:
    home = environment("home", A="${one.K} ${two.K}", B="b")
    one = environment("one", K="k", L="l")
    there = Installation(SealedApp("shop", [home, one, environment("two", K="k")]), two=httpx.ReadError("cut"))

    with pytest.raises(Transient):
        await there.read()

    assert there.meter.followed == [2, 3]
    assert there.meter.entries == 4


REFUSED = [
    pytest.param("Service account cannot access this environment", 401, id="access"),
    pytest.param("You don't have permission to read secrets in this environment.", 403, id="role"),
]


@pytest.mark.parametrize(("words", "status"), REFUSED)
async def test_an_environment_that_may_not_be_read_leaves_its_references_alone(words: str, status: int) -> None:
    home = environment("home", A="a-${closed.K}", B="${C}", C="c")
    closed = environment("closed", K="k")
    there = Installation(SealedApp("shop", [home, closed]), closed=refused(status, words))

    found = await there.read()

    assert values(found) == {"A": "a-${closed.K}", "B": "c", "C": "c"}
    [left] = [each for each in found.entries if each.problem]
    assert left.key == "A"
    assert '"closed"' in left.problem
    assert "${" not in left.problem
    assert found.referenced == {EnvironmentId(there._apps[0].id, closed.id)}
    assert found.is_incomplete


FAILURES = [
    pytest.param(refused(401, "Token expired or deleted"), Waiting, Reason.ACCESS_DENIED, id="token"),
    pytest.param(
        refused(403, "Access denied: a network access policy restricts access from your IP address."),
        Waiting,
        Reason.ACCESS_DENIED,
        id="address",
    ),
    pytest.param(refused(401, "Environment not found"), Waiting, Reason.ENVIRONMENT_NOT_FOUND, id="a stale id"),
    pytest.param(refused(429, "slow"), Transient, Reason.RATE_LIMITED, id="quota"),
    pytest.param(refused(500, "Internal server error."), Transient, Reason.PHASE_UNAVAILABLE, id="server error"),
    pytest.param(httpx.ReadTimeout("x"), Transient, Reason.PHASE_UNAVAILABLE, id="no answer"),
    pytest.param({"data": []}, Transient, Reason.UNEXPECTED_ANSWER, id="another shape"),
]


@pytest.mark.parametrize(("answer", "kind", "reason"), FAILURES)
async def test_any_other_failure_fails_the_read_as_a_whole(
    answer: Any, kind: type[ExpectedError], reason: Reason
) -> None:
    """Under `onSecretReferenceError: Warn` a reference that is left would be written over a good value."""
    home, other = environment("home", A="${other.K}"), environment("other", K="k")
    there = Installation(SealedApp("shop", [home, other]), other=answer)

    error = await failure(there.read())

    assert (type(error), error.reason) == (kind, reason)
    if kind is Waiting:
        assert "shop/other" in error.message


async def test_a_row_that_cannot_be_opened_there_fails_the_read_too(canary: Canary) -> None:
    home, other = environment("home", A="${other.K}"), environment("other", K="k")
    other.add("BAD", value="nothing that was sealed")
    canary.token("nothing that was sealed")

    error = await failure(Installation(SealedApp("shop", [home, other])).read(), canary)

    assert error.reason is Reason.DECRYPTION_FAILED
    assert 'shop/other: these entries cannot be decrypted: "/BAD"' in error.message


BAD = "nothing that was sealed"


@pytest.mark.parametrize(
    ("rows", "failing"),
    [
        pytest.param([("/a", "BAD", None)], {"/a", None}, id="a value"),
        pytest.param([("/a", "BAD", None), ("/b", "R", "${/a/BAD}")], {"/a", "/b", None}, id="a reference to it"),
        pytest.param(
            [("/a", "BAD", None), ("/b", "R", "${/c/S}"), ("/c", "S", "${/a/BAD}")],
            {"/a", "/b", "/c", None},
            id="a chain that leads to it",
        ),
        pytest.param([("/a", "R", "${other.BAD}")], {"/a", None}, id="a value of another environment"),
        pytest.param([("/a", "R", "${twin::home.BAD}")], {"/a", None}, id="one of another app"),
        pytest.param(
            [("/b", "BAD", None), ("/a", "R", "${twin::home.BAD}")], {"/a", "/b", None}, id="here and in another app"
        ),
    ],
)
async def test_an_entry_that_cannot_be_decrypted_fails_the_queries_that_have_it_or_refer_to_it(
    rows: list[tuple[str, str, str | None]], failing: set[str | None]
) -> None:
    """Folders are in plain text: a damaged entry in one cannot hold up PhaseSecrets that read another."""
    home, other, twin = environment("home"), environment("other"), environment("home")
    for path, key, value in rows:
        home.add(key, value or "x", path=path, **({} if value else {"value": BAD}))
    for each in (other, twin):
        each.add("BAD", value=BAD)
    for path in ("/a", "/b", "/c", "/d"):
        home.add("GOOD", "good", path=path)
    there = Installation(SealedApp("shop", [home, other]), SealedApp("twin", [twin]))
    told: dict[str | None, Waiting] = {}

    for asked in ("/a", "/b", "/c", "/d", None):
        try:
            found = await there.read(path=asked)
        except Waiting as error:
            told[asked] = error
        else:
            assert all(each.key != "BAD" for each in found.entries)

    assert set(told) == failing
    assert all(each.reason is Reason.DECRYPTION_FAILED and "BAD" in each.message for each in told.values())


async def test_environments_of_one_name_keep_their_damage_apart() -> None:
    """Messages call both a/shop/b: what is damaged here must not be forgotten for what is damaged there."""
    home, twin = environment("shop/b", R="${a/shop::b.X}"), environment("b")
    home.add("BAD", value=BAD, path="/a")
    twin.add("X", value=BAD)
    there = Installation(SealedApp("a", [home]), SealedApp("a/shop", [twin]))

    error = await failure(there.read("shop/b", path="/a"))

    assert error.reason is Reason.DECRYPTION_FAILED
    assert '"/a/BAD"' in error.message


async def test_requests_of_one_answer_are_bounded() -> None:
    many = [environment(f"e{number}", K="k") for number in range(30)]
    home = environment("home", **{f"K{number}": f"${{e{number}.K}}" for number in range(30)}, A="a")
    there = Installation(SealedApp("shop", [home, *many]))

    found = await there.read()

    assert 1 + len(there.meter.followed) == len(there.asked) == 21
    assert sorted(values(found).values()).count("k") == 20
    assert sum(bool(each.problem) for each in found.entries) == 10
    assert values(found)["A"] == "a"


async def test_all_environments_of_an_answer_share_its_memory() -> None:
    home, other = environment("home", A="${other.K}", B="x" * 30_000), environment("other", K="k", L="x" * 30_000)
    there = Installation(SealedApp("shop", [home, other]))
    memory = AnswerMemory(80 * MIB)
    there.place = memory.open("team")

    found = await there.read()

    assert there.place.size == memory.used == sum(each.weight for each in found.entries) < 40_000


async def test_an_answer_that_does_not_fit_with_others_gives_all_back() -> None:
    home, other = environment("home", A="${other.K}", B="x" * 30_000), environment("other", K="k", L="x" * 30_000)
    there = Installation(SealedApp("shop", [home, other]))
    memory = AnswerMemory(140_000)
    there.place = memory.open("team")

    error = await failure(there.read())

    assert error.reason is Reason.ANSWER_TOO_LARGE
    assert there.asked == ["home", "other"]
    assert memory.used == 0


async def test_resolved_values_count_as_memory_while_they_are_made() -> None:
    """Reads of many namespaces are under way at once, and the values of each may grow by megabytes."""
    made = {f"K{number}": f"${{X}}{number}" for number in range(100)}
    there = Installation(SealedApp("shop", [environment("home", X="x" * 100_000, **made)]))
    there.place = AnswerMemory(4 * MIB).open("team")
    tracemalloc.start()

    error = await failure(there.read())

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert error.reason is Reason.ANSWER_TOO_LARGE
    assert peak < 6 * MIB


async def test_a_chain_through_environments_is_followed_and_a_cycle_ends() -> None:
    home = environment("home", A="1${b.B}", CYCLE="${b.CYCLE}")
    b, c = environment("b", B="2${c.C}", CYCLE="${home.CYCLE}"), environment("c", C="3")
    there = Installation(SealedApp("shop", [home, b, c]))

    found = await there.read()

    assert values(found)["A"] == "123"
    assert sorted(there.asked) == ["b", "c", "home"]
    assert [each.key for each in found.entries if each.problem] == ["CYCLE"]


async def test_an_app_that_is_listed_twice_counts_once() -> None:
    """Ids are looked up without regard to case, so that what the second one lists is not there."""
    home = SealedApp("shop", [environment("home", A="${Twin::there.KEY}")])
    first, second = (SealedApp(name, [environment("there", KEY=name)]) for name in ("First", "Twin"))
    first.id, second.id = "ABC", "abc"

    found = await Installation(home, first, second).read()

    assert values(found) == {"A": "${Twin::there.KEY}"}
    assert found.is_incomplete

"""Entries of an encrypted app: all of them in plain text, or an error that names what cannot be opened."""

import random
from collections.abc import Callable
from typing import Any, TypeVar

import httpx
import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient, Waiting
from phase_operator.core.source.answer_memory import MIB, AnswerMemory, Reservation
from phase_operator.core.source.apps import TO_READ_ENCRYPTED
from phase_operator.core.source.keyring import Decrypted
from phase_operator.core.values import ConfigEntry, Entry, SecretValue
from phase_operator.phase.client import PhaseClient
from phase_operator.phase.rows import Limits
from phase_operator.reconcile.background import BackgroundThread
from support.builders import query
from support.canary import Canary
from support.clock import turns_beside
from support.sealing import SealedAccount, SealedApp, SealedEnvironment, seal, tokens_answer
from unit.phase.builders import HEX, HTML, KEY, URL, Server, answered, client, failure, place, refused, session

Result = TypeVar("Result")

ACCOUNT, OTHER = SealedAccount(), SealedAccount()


def environment(*keys: str, **fields: Any) -> SealedEnvironment:
    made = SealedEnvironment(**fields)
    for key in keys:
        made.add(key, f"value of {key}")
    return made


async def read(
    source: SealedEnvironment,
    *,
    answer: Any = None,
    tokens: Any = None,
    token: str | None = None,
    where: Reservation | None = None,
    edge: PhaseClient | None = None,
    name: str = "production",
) -> Decrypted:
    """Read an environment of app "shop" as the operator does: the keyring first, then the rows."""
    app = SealedApp("shop", [source])
    server = Server(tokens=tokens or tokens_answer(ACCOUNT, app), secrets=source.rows if answer is None else answer)
    edge = edge or client(server)
    credential = edge.credential(SecretValue(token or ACCOUNT.token()))
    keyring = await edge.keyring(URL, credential, place())
    found = await edge.encrypted(
        URL, credential, keyring=keyring, app_id=keyring.apps[0].id, environment=name, place=where or place()
    )
    if found.damage is not None and (error := found.damage.error(query(path=None))) is not None:
        raise error
    return found


async def test_entries_come_in_plain_text_with_all_that_selection_needs() -> None:
    source = SealedEnvironment()
    source.add("A", "one", path="/net", tags=["db", "aws"])
    source.add("B", "héllo\x00🔐", type="config")
    source.add("c", "sealed", type="sealed", override={"id": "o", "value": "ph:v1:x:y", "is_active": True})
    source.add("D", "", type="static", override={"is_active": False})

    found = await read(source)

    a, b, c, d = found.entries
    assert (a.key, a.value.reveal(), a.path, a.tags, a.type) == ("A", "one", "/net", frozenset({"db", "aws"}), "secret")
    assert (b.key, b.value.reveal(), type(b)) == ("B", "héllo\x00🔐", ConfigEntry)
    assert (c.key, c.type, c.is_overridden, type(c)) == ("c", "sealed", True, Entry)
    assert (d.value.reveal(), d.type, d.is_overridden, d.id) == ("", "secret", False, source.rows[3]["id"])
    assert (found.referenced, found.is_incomplete) == (frozenset(), False)


async def test_an_empty_text_in_place_of_a_sealed_value_is_an_empty_value() -> None:
    source = environment()
    source.add("A", value="")

    assert [(each.key, each.value.reveal()) for each in (await read(source)).entries] == [("A", "")]


async def test_the_whole_environment_is_asked_for_by_its_id() -> None:
    source = environment("A")
    server = Server(tokens=tokens_answer(ACCOUNT, SealedApp("shop", [source])), secrets=source.rows)

    await read(source, edge=client(server))

    request = server.requests[-1]
    assert str(request.url) == "https://phase.test/service/secrets/"
    assert request.headers["environment"] == source.id
    assert {"path", "tags", "keydigest", "dynamic", "lease"}.isdisjoint(request.headers)


async def test_only_the_token_itself_is_ever_sent(canary: Canary) -> None:
    source = environment("A")
    server = Server(tokens=tokens_answer(ACCOUNT, SealedApp("shop", [source])), secrets=source.rows)

    await read(source, edge=client(server))

    assert len(server.requests) == 2
    for secret in (ACCOUNT.share, ACCOUNT.unwrap, ACCOUNT.private, ACCOUNT.other_share, ACCOUNT.public, source.seed):
        canary.token(secret.hex())
    for request in server.requests:
        assert request.headers["authorization"] == f"Bearer ServiceAccount {ACCOUNT.bearer.hex()}"
        canary.see("request", f"{request.url} {request.headers.multi_items()} {request.content!r}")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        pytest.param({"value": "plain text"}, '"/net/BAD"', id="a value in plain text"),
        pytest.param({"value": seal("x", OTHER.public)}, '"/net/BAD"', id="a value for somebody else"),
        pytest.param({"key": seal("x", OTHER.public)}, '"row the-row in /net"', id="a key for somebody else"),
        pytest.param({"key": ""}, '"row the-row in /net"', id="an empty key"),
    ],
)
async def test_one_row_that_cannot_be_opened_fails_who_reads_everything_and_is_named(
    fields: dict[str, Any], named: str, canary: Canary
) -> None:
    source = environment("A", "B")
    source.add("BAD", "x", path="/net", id="the-row", **fields)
    for row in source.rows:
        canary.token(row["value"])

    error = await failure(read(source), canary)

    assert (type(error), error.reason) == (Waiting, Reason.DECRYPTION_FAILED)
    assert "shop/Production" in error.message
    assert named in error.message


@pytest.mark.parametrize("part", ["key", "value"])
async def test_a_text_that_is_not_utf_8_fails_the_read(part: str) -> None:
    source = environment("A")
    source.add("B", id="row", **{part: seal(b"\xff\xfe", source.public)})

    error = await failure(read(source))

    assert error.reason is Reason.DECRYPTION_FAILED


async def test_the_message_is_the_same_in_whatever_order_rows_come() -> None:
    source = environment()
    for number in range(300):
        source.add(f"KEY_{number}", value="broken")
    messages = set()

    for seed in range(3):
        random.Random(seed).shuffle(source.rows)
        messages.add((await failure(read(source))).message)

    assert len(messages) == 1
    assert "295 more" in messages.pop()


async def test_rows_that_come_twice_are_one_entry() -> None:
    source = environment("A", "B")

    found = await read(source, answer=[*source.rows, *source.rows])

    assert [each.key for each in found.entries] == ["A", "B"]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        pytest.param({"key": None}, Reason.UNEXPECTED_ANSWER, id="no key"),
        pytest.param({"value": None}, Reason.UNEXPECTED_ANSWER, id="no value"),
        pytest.param({"value": 17}, Reason.UNEXPECTED_ANSWER, id="a number"),
        pytest.param({"type": "dynamic", "key": None, "value": None}, Reason.UNEXPECTED_ANSWER, id="a dynamic secret"),
        pytest.param({"key": "x" * 20_000}, Reason.ANSWER_TOO_LARGE, id="a long sealed key"),
        pytest.param({"path": "/" + "x" * 3_000}, Reason.ANSWER_TOO_LARGE, id="a long folder"),
    ],
)
async def test_a_row_of_another_shape_makes_the_answer_invalid(fields: dict[str, Any], reason: Reason) -> None:
    source = environment("A")
    source.add("B", **fields)

    assert (await failure(read(source))).reason is reason


async def test_a_key_is_as_long_as_on_the_other_route() -> None:
    source = environment("é" * 2048)
    assert len((await read(source)).entries) == 1

    source.add("é" * 2049)

    assert (await failure(read(source))).reason is Reason.ANSWER_TOO_LARGE


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        pytest.param(refused(401, "Token expired or deleted"), Waiting, Reason.ACCESS_DENIED, id="token"),
        pytest.param(refused(401, "Environment not found"), Waiting, Reason.ENVIRONMENT_NOT_FOUND, id="a stale id"),
        pytest.param(
            refused(403, "Environment not found"), Waiting, Reason.ENVIRONMENT_NOT_FOUND, id="the same before"
        ),
        pytest.param(
            refused(401, "Service account cannot access this environment"), Waiting, Reason.ACCESS_DENIED, id="access"
        ),
        pytest.param(
            refused(403, "You don't have permission to read secrets in this environment."),
            Waiting,
            Reason.ACCESS_DENIED,
            id="role",
        ),
        pytest.param(refused(500, "Internal server error."), Transient, Reason.PHASE_UNAVAILABLE, id="server error"),
        pytest.param(refused(429, "Request was throttled."), Transient, Reason.RATE_LIMITED, id="throttled"),
        pytest.param(answered([], headers=HTML), Transient, Reason.UNEXPECTED_ANSWER, id="a page with 200"),
        pytest.param({"data": []}, Transient, Reason.UNEXPECTED_ANSWER, id="another shape"),
    ],
)
async def test_a_refusal_says_why(answer: Any, kind: type[ExpectedError], reason: Reason) -> None:
    error = await failure(read(environment("A"), answer=answer))

    assert (type(error), error.reason) == (kind, reason)


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(SealedAccount(bearer=ACCOUNT.bearer, unwrap=ACCOUNT.unwrap).token(), id="another account's share"),
        pytest.param(
            SealedAccount(private=ACCOUNT.private, share=ACCOUNT.share).token(), id="another token's unwrap key"
        ),
        pytest.param(ACCOUNT.token().replace(ACCOUNT.public.hex(), OTHER.public.hex()), id="another public key"),
    ],
)
async def test_a_mixed_token_is_told_as_one(token: str, canary: Canary) -> None:
    for field in token.split(":")[2:]:
        canary.token(field)

    error = await failure(read(environment("A"), token=token), canary)

    assert (type(error), error.reason) == (Waiting, Reason.TOKEN_INVALID)
    assert "mixed" in error.message


async def test_a_token_without_keys_is_told_what_to_do() -> None:
    error = await failure(read(environment("A"), token=HEX))

    assert (type(error), error.reason) == (Waiting, Reason.APP_ENCRYPTED)
    assert TO_READ_ENCRYPTED in error.message


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(lambda mine: {"wrapped_seed": seal(SealedEnvironment().seed.hex(), ACCOUNT.public)}, id="seed"),
        pytest.param(lambda mine: {"identity_key": SealedEnvironment().public.hex()}, id="public key"),
        pytest.param(lambda mine: {"wrapped_seed": seal(mine.seed.hex(), OTHER.public)}, id="another account's"),
    ],
)
async def test_a_broken_key_of_an_environment_names_it_and_nothing_is_asked(broken: Any, canary: Canary) -> None:
    source = environment("A")
    tokens = tokens_answer(ACCOUNT, SealedApp("shop", [source]))
    tokens["apps"][0]["environment_keys"][0] |= broken(source)
    server = Server(tokens=tokens, secrets=source.rows)

    error = await failure(read(source, edge=client(server)), canary)

    assert (type(error), error.reason) == (Waiting, Reason.DECRYPTION_FAILED)
    assert "shop/Production" in error.message
    assert len(server.requests) == 1


async def test_an_app_or_environment_without_keys_is_told() -> None:
    source = environment("A")
    assert (await failure(read(source, name="prod"))).reason is Reason.ENVIRONMENT_NOT_FOUND
    edge = client(Server(tokens=tokens_answer(ACCOUNT)))
    credential = edge.credential(SecretValue(ACCOUNT.token()))

    keyring = await edge.keyring(URL, credential, place())
    unknown = edge.encrypted(URL, credential, keyring=keyring, app_id="x", environment="production", place=place())

    assert (await failure(unknown)).reason is Reason.APP_NOT_FOUND


async def test_memory_is_measured_while_reading_and_after() -> None:
    source = environment()
    for number in range(50):
        source.add(f"KEY_{number}", "x" * 1000)
    where = place()

    found = await read(source, where=where)

    assert sum(each.weight for each in found.entries) <= where.size < 2 * sum(each.weight for each in found.entries)


async def test_an_answer_without_room_gives_its_room_back() -> None:
    source = environment("A")
    source.add("B", "x" * 100_000)
    memory = AnswerMemory(MIB // 8)
    where = memory.open("team")

    error = await failure(read(source, where=where))

    assert error.reason is Reason.ANSWER_TOO_LARGE
    assert memory.used == 0


@pytest.mark.parametrize("limits", [Limits(size=4_000), Limits(entries=19)], ids=["bytes", "entries"])
async def test_the_limits_of_an_answer_hold_here_too(limits: Limits) -> None:
    source = environment(*map(str, range(20)))
    server = Server(tokens=tokens_answer(ACCOUNT, SealedApp("shop", [source])), secrets=source.rows)
    edge = PhaseClient(session(httpx.MockTransport(server)), KEY, limits)

    assert (await failure(read(source, edge=edge))).reason is Reason.ANSWER_TOO_LARGE


async def test_the_loop_runs_on_while_many_rows_are_opened() -> None:
    """Ten thousand rows take a second, beside the loop: others have their turns meanwhile."""
    source = environment("A")
    rows = [source.rows[0] | {"id": f"row-{number}"} for number in range(2_000)]

    found, turns = await turns_beside(read(source, answer=answered(rows)))

    assert len(found.entries) == 2_000
    assert turns > 50


class Recorded(BackgroundThread):
    """A thread that records whose long work it does."""

    def __init__(self) -> None:
        super().__init__()
        self.namespaces: set[str] = set()

    async def run(self, work: Callable[[], Result], units: int, namespace: str) -> Result:
        self.namespaces.add(namespace)
        return await super().run(work, units, namespace)


async def test_rows_are_opened_in_the_turns_of_the_thread_that_all_long_work_shares() -> None:
    source, shared = environment("A"), Recorded()
    server = Server(tokens=tokens_answer(ACCOUNT, SealedApp("shop", [source])), secrets=source.rows)

    await read(source, edge=PhaseClient(session(httpx.MockTransport(server)), KEY, background=shared))

    assert shared.namespaces == {place().namespace}


async def test_errors_keep_neither_frames_nor_causes_that_hold_keys() -> None:
    source = environment("A")
    source.add("B", value=17)

    error = await failure(read(source))

    frames = []
    trace = error.__traceback__
    while trace is not None:
        frames.append(trace.tb_frame)
        trace = trace.tb_next
    ours = [frame for frame in frames if "/phase_operator/" in frame.f_code.co_filename]
    assert (error.__cause__, error.__context__) == (None, None)
    assert [frame.f_code.co_name for frame in ours] == ["asked"]
    assert set(ours[0].f_locals) <= {"args", "kwargs", "question", "error"}
    assert "ph:v1" not in repr(ours[0].f_locals)

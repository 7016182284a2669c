import asyncio
import json
import logging
from collections.abc import Iterable

import aiohttp
import httpx
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from phase_operator.reconcile.internal_errors import InternalErrors
from phase_operator.telemetry.http import CONNECTIONS, MOST_ASKED, Check, PortInUseError, Ports, Probes, serve
from phase_operator.telemetry.metrics import Metrics

HOST = "127.0.0.1"


async def get(port: int | None, path: str, host: str = HOST) -> tuple[int, str]:
    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(timeout=timeout) as session, session.get(f"http://{host}:{port}{path}") as answer:
        return answer.status, await answer.text()


async def ask(probes: Probes, path: str) -> tuple[int, str]:
    async with serve(probes, Metrics().registry, host=HOST, health_port=0, metrics_port=None) as ports:
        return await get(ports.health, path)


def says(text: str | None) -> Check:
    return lambda: text


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_no_failed_check_is_ok(path: str) -> None:
    status, text = await ask(Probes(live={"loop": says(None)}, ready={"loop": says(None)}), path)

    assert (status, text.strip()) == (200, "ok")


async def test_a_failed_check_is_named_with_what_is_wrong_on_its_own_line() -> None:
    checks = {"watch": says("not listed yet"), "fine": says(None), "phase": says("no answer")}

    status, text = await ask(Probes(ready=checks), "/readyz")

    assert (status, text.splitlines()) == (503, ["watch: not listed yet", "phase: no answer"])


async def test_live_and_ready_are_judged_apart() -> None:
    probes = Probes(live={"loop": says(None)}, ready={"watch": says("not listed yet")})

    assert (await ask(probes, "/healthz"))[0] == 200
    assert (await ask(probes, "/readyz"))[0] == 503


async def test_checks_may_be_added_while_serving() -> None:
    probes = Probes()
    async with serve(probes, Metrics().registry, host=HOST, health_port=0, metrics_port=None) as ports:
        probes.ready["late"] = says("starting")

        assert (await get(ports.health, "/readyz"))[0] == 503


async def test_metrics_parse_as_prometheus_text() -> None:
    metrics = Metrics()
    metrics.status_written()
    async with serve(Probes(), metrics.registry, host=HOST, health_port=None, metrics_port=0) as ports:
        _, text = await get(ports.metrics, "/metrics")

    samples = {sample.name: sample.value for each in text_string_to_metric_families(text) for sample in each.samples}
    assert samples["phase_operator_status_writes_total"] == 1


async def test_metrics_may_have_an_address_of_their_own() -> None:
    registry = Metrics().registry
    async with serve(Probes(), registry, host="", health_port=0, metrics_port=0, metrics_host="127.0.0.2") as ports:
        assert (await get(ports.metrics, "/metrics", "127.0.0.2"))[0] == 200
        assert (await get(ports.health, "/healthz", "127.0.0.1"))[0] == 200
        assert (await get(ports.health, "/metrics"))[0] == 404
        with pytest.raises(aiohttp.ClientConnectorError):
            await get(ports.metrics, "/metrics", "127.0.0.1")


async def test_equal_ports_share_one_server() -> None:
    async with serve(Probes(), Metrics().registry, host=HOST, health_port=0, metrics_port=0) as ports:
        assert ports.health == ports.metrics
        assert (await get(ports.health, "/healthz"))[0] == 200
        assert (await get(ports.health, "/metrics"))[0] == 200


async def test_different_ports_keep_their_routes_apart() -> None:
    async with serve(Probes(), Metrics().registry, host=HOST, health_port=0, metrics_port=None) as first:
        pass
    async with serve(Probes(), Metrics().registry, host=HOST, health_port=first.health, metrics_port=0) as ports:
        assert ports.health != ports.metrics
        assert (await get(ports.health, "/metrics"))[0] == 404
        assert (await get(ports.metrics, "/healthz"))[0] == 404


async def test_no_port_is_no_server() -> None:
    async with serve(Probes(), Metrics().registry, host=HOST, health_port=None, metrics_port=None) as ports:
        assert ports == Ports(None, None)


async def test_a_port_in_use_is_said_in_one_sentence_that_names_it() -> None:
    registry = Metrics().registry
    async with serve(Probes(), registry, host=HOST, health_port=0, metrics_port=None) as ports:
        with pytest.raises(PortInUseError) as caught:
            async with serve(Probes(), registry, host=HOST, health_port=None, metrics_port=ports.health):
                pass

    assert caught.value.port == ports.health
    assert f"{HOST}:{ports.health}" in str(caught.value)


async def test_the_first_server_ends_when_the_second_cannot_start() -> None:
    registry = Metrics().registry
    async with serve(Probes(), registry, host=HOST, health_port=0, metrics_port=None) as free:
        pass
    async with serve(Probes(), registry, host=HOST, health_port=0, metrics_port=None) as taken:
        with pytest.raises(PortInUseError):
            async with serve(Probes(), registry, host=HOST, health_port=free.health, metrics_port=taken.health):
                pass

    async with serve(Probes(), registry, host=HOST, health_port=free.health, metrics_port=None) as again:
        assert again.health == free.health


async def test_a_probe_leaves_no_access_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="aiohttp.access"):
        await ask(Probes(), "/healthz")

    assert not [record for record in caplog.records if record.name.startswith("aiohttp")]


@pytest.mark.parametrize("host", ["", "::"])
async def test_every_address_is_ipv4_and_ipv6(host: str) -> None:
    async with serve(Probes(), Metrics().registry, host=host, health_port=0, metrics_port=None) as ports:
        found = [await get(ports.health, "/healthz", address) for address in ("127.0.0.1", "[::1]")]

    assert [status for status, _ in found] == [200, 200]


async def test_a_port_in_use_on_every_address_is_told() -> None:
    async with serve(Probes(), Metrics().registry, host="", health_port=0, metrics_port=None) as ports:
        with pytest.raises(PortInUseError, match=rf"\*:{ports.health}"):
            async with serve(Probes(), Metrics().registry, host="", health_port=ports.health, metrics_port=None):
                pass


async def test_a_check_that_is_broken_costs_itself(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> str | None:
        raise KeyError("-".join(["a", "value"]))

    counted: list[str] = []
    probes = Probes(
        live={"bad": broken, "good": lambda: None}, ready={"bad": broken}, notes={"note": lambda: "x is not served"}
    )
    async with (
        serve(
            probes,
            CollectorRegistry(),
            host="127.0.0.1",
            health_port=0,
            metrics_port=None,
            internal_errors=InternalErrors(counted.append),
        ) as ports,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{ports.health}") as client,
    ):
        live, ready = await client.get("/healthz"), await client.get("/readyz")

    assert (live.status_code, live.text) == (200, "ok\n")
    assert (ready.status_code, ready.text.splitlines()[0]) == (503, "bad: internal error; the log has the trace")
    assert counted == ["probes", "probes"]
    assert "a-value" not in caplog.text + ready.text


async def test_a_note_does_not_make_readiness_fail() -> None:
    probes = Probes(ready={"good": lambda: None}, notes={"namespaces": lambda: "x is not served"})
    async with (
        serve(probes, CollectorRegistry(), host="127.0.0.1", health_port=0, metrics_port=None) as ports,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{ports.health}") as client,
    ):
        ready = await client.get("/readyz")

    assert (ready.status_code, ready.text) == (200, "ok\nnamespaces: x is not served\n")


async def test_the_oldest_of_too_many_connections_make_room_for_a_probe() -> None:
    probes = Probes(live={"loop": says(None)})
    async with serve(probes, Metrics().registry, host=HOST, health_port=0, metrics_port=None) as ports:
        opened = [await asyncio.open_connection(HOST, ports.health) for _ in range(3 * CONNECTIONS)]

        assert (await get(ports.health, "/healthz"))[0] == 200

        first, last = opened[: 2 * CONNECTIONS], opened[-CONNECTIONS // 2 :]
        assert [await reader.read() for reader, _ in first] == [b""] * len(first)
        for _, writer in last:
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert all([(await reader.read()).startswith(b"HTTP/1.1 200") for reader, _ in last])
        for _, writer in opened:
            writer.close()


def aged(asked: Iterable[str]) -> dict[str, int | None]:
    known = {"shop/api/uid-1": 12, "shop/new/uid-2": None}
    return {each.rpartition("/")[2]: known[each] for each in asked if each in known}


async def test_ages_are_told_of_those_that_are_asked_for() -> None:
    status, text = await ask(Probes(ages=[aged]), "/debug/sources?of=shop/api/uid-1&of=shop%2Fnew%2Fuid-2&of=shop/x/y")

    assert (status, json.loads(text)) == (200, {"confirmed": {"uid-1": 12, "uid-2": None}})


async def test_nothing_is_told_unasked() -> None:
    status, text = await ask(Probes(ages=[aged]), "/debug/sources")

    assert (status, json.loads(text)) == (200, {"confirmed": {}})


async def test_a_standby_says_that_it_does_not_know_ages() -> None:
    status, text = await ask(Probes(), "/debug/sources?of=shop/api/uid-1")

    assert (status, text) == (503, "this replica does not lead\n")


async def test_a_request_for_too_many_ages_is_refused() -> None:
    asked: list[str] = []

    def counted(of: Iterable[str]) -> dict[str, int | None]:
        asked.extend(of)
        return {}

    query = "&".join("of=a/b/c" for _ in range(MOST_ASKED + 1))
    assert (await ask(Probes(ages=[counted]), f"/debug/sources?{query}"))[0] == 400
    assert asked == []
    assert (await ask(Probes(ages=[counted]), f"/debug/sources?{query.removesuffix('&of=a/b/c')}"))[0] == 200
    assert len(asked) == MOST_ASKED


async def test_a_bug_in_ages_shows_no_text() -> None:
    def broken(_: Iterable[str]) -> dict[str, int | None]:
        raise KeyError("-".join(["a", "value"]))

    status, text = await ask(Probes(ages=[broken]), "/debug/sources?of=shop/api/uid-1")

    assert (status, text) == (500, "internal error; the log has the trace\n")

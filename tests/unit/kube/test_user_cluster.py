"""A person's requests: each failure says what it means, which right it needs, and nothing of what an object holds."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import pytest

from phase_operator.kube.client import KubeClient
from phase_operator.kube.errors import ApiError, from_answer
from phase_operator.kube.user_cluster import UserCluster
from phase_operator.kube.user_errors import Trouble, UserError
from phase_operator.kube.user_resources import CONFIG_MAPS, CRDS, DEPLOYMENTS, PHASE_SECRETS, SECRETS, Request, Resource

URL = "https://cluster.example:6443"
Answer = Mapping[str, Any] | ApiError


class FakeKubeClient:
    """Answers requests in their order, and keeps them."""

    host = URL

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str]] = []
        self.options: list[dict[str, Any]] = []

    async def request(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """Answer the next request."""
        self.asked.append((method, path))
        self.options.append(options)
        answer = self.answers.pop(0)
        if isinstance(answer, ApiError):
            raise answer
        return dict(answer)


def cluster(*answers: Answer) -> tuple[UserCluster, FakeKubeClient]:
    client = FakeKubeClient(*answers)
    return UserCluster(cast("KubeClient", client), "shop", "test"), client


def named(name: str, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "shop", **metadata}}


def listed(*items: Mapping[str, Any], token: str = "") -> dict[str, Any]:
    return {"kind": "List", "metadata": {"resourceVersion": "1", "continue": token}, "items": list(items)}


def refused(status: int, message: str = "", reason: str = "", **details: Any) -> ApiError:
    return from_answer(status, {"kind": "Status", "reason": reason, "message": message, "details": details}, None)


async def failing(ask: Callable[[UserCluster], Any], answer: ApiError) -> UserError:
    found, _ = cluster(answer)
    with pytest.raises(UserError) as raised:
        await ask(found)
    return raised.value


async def test_an_object_is_read_from_its_place() -> None:
    found, client = cluster(named("shop"), named("all"), named("web"))

    await found.get(SECRETS, "shop", "shop")
    await found.get(CRDS, "", "all")
    await found.get(DEPLOYMENTS, "shop", "web", "scale")

    assert client.asked == [
        ("GET", "/api/v1/namespaces/shop/secrets/shop"),
        ("GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/all"),
        ("GET", "/apis/apps/v1/namespaces/shop/deployments/web/scale"),
    ]


@pytest.mark.parametrize(("namespace", "name"), [("..", "web"), ("shop", ".."), ("a/b", "web"), ("shop", "\x1b[2J")])
async def test_a_name_that_would_be_another_path_is_not_asked_for(namespace: str, name: str) -> None:
    found, client = cluster(named("web"))

    with pytest.raises(UserError) as raised:
        await found.delete(PHASE_SECRETS, namespace, name)

    assert raised.value.trouble is Trouble.NOT_FOUND
    assert raised.value.message.isprintable()
    assert client.asked == []


@pytest.mark.parametrize(
    ("refusal", "resource", "says"),
    [
        (refused(404, reason="NotFound"), PHASE_SECRETS, 'there is no PhaseSecret "web" in namespace shop'),
        (refused(404), PHASE_SECRETS, "install the CRDs with `kubectl phase crds | kubectl apply --server-side -f -`"),
        (refused(404), DEPLOYMENTS, "the cluster has no deployments.apps"),
    ],
)
async def test_a_kind_that_is_not_there_is_told_from_an_object(
    refusal: ApiError, resource: Resource, says: str
) -> None:
    found, _ = cluster(refusal)

    with pytest.raises(UserError) as raised:
        await found.get(resource, "shop", "web")

    assert raised.value.trouble is Trouble.NOT_FOUND
    assert raised.value.message.endswith(says)


async def test_an_object_that_is_not_there_is_none_where_that_is_asked() -> None:
    found, _ = cluster(refused(404), refused(404))

    assert await found.find(SECRETS, "shop", "none") is None
    assert await found.metadata(SECRETS, "shop", "none") is None


async def test_metadata_is_read_without_what_the_object_holds() -> None:
    found, client = cluster({**named("shop"), "data": {"KEY": "value"}}, listed(named("one")))

    metadata = await found.metadata(SECRETS, "shop", "shop")
    [one] = [each async for each in found.each(SECRETS, "shop", metadata=True)]

    assert metadata == {"name": "shop", "namespace": "shop"}
    assert one["metadata"]["name"] == "one"
    assert all("as=PartialObjectMetadata" in options["accept"] for options in client.options)


async def test_a_list_is_read_to_its_end_and_each_object_has_its_kind() -> None:
    found, client = cluster(listed(named("a"), named("b"), token="next"), listed(named("c")))

    items = await found.list(PHASE_SECRETS, "shop", labels="tier=api", fields="metadata.name!=d")

    assert [each["metadata"]["name"] for each in items] == ["a", "b", "c"]
    assert {(each["apiVersion"], each["kind"]) for each in items} == {("secrets.phase.dev/v1alpha1", "PhaseSecret")}
    for options in client.options:
        assert {("labelSelector", "tier=api"), ("fieldSelector", "metadata.name!=d")} <= set(options["query"])
    assert ("continue", "next") in client.options[1]["query"]


async def test_a_list_that_ends_early_says_so() -> None:
    found, _ = cluster(listed(named("a"), token="next"), refused(403))

    with pytest.raises(UserError) as raised:
        await found.list(CONFIG_MAPS)

    assert raised.value.trouble is Trouble.NO_RIGHT


async def test_a_patch_is_a_merge_patch_in_our_name_and_can_be_tried() -> None:
    found, client = cluster(named("a"), named("a"))

    await found.patch(PHASE_SECRETS, "shop", "a", {"spec": {"suspend": True}})
    await found.patch(PHASE_SECRETS, "shop", "a", {"spec": {"suspend": True}}, dry_run=True)

    first, second = client.options
    assert (first["content_type"], first["query"]) == (
        "application/merge-patch+json",
        [("fieldManager", "kubectl-phase")],
    )
    assert ("dryRun", "All") in second["query"]
    assert ("dryRun", "All") not in first["query"]


async def test_no_command_can_delete_what_may_be_a_target() -> None:
    found, client = cluster(named("shop"))

    for resource in (SECRETS, CONFIG_MAPS):
        with pytest.raises(ValueError, match="no command deletes"):
            await found.delete(resource, "shop", "shop")

    assert client.asked == []


async def test_a_deletion_can_keep_what_the_object_owns_and_name_the_version() -> None:
    found, client = cluster({}, {}, refused(404))

    await found.delete(PHASE_SECRETS, "shop", "a", orphan=True, only={"uid": "u", "resourceVersion": "7"})
    await found.delete(PHASE_SECRETS, "shop", "a")
    await found.delete(PHASE_SECRETS, "shop", "gone")

    bodies = [options["body"] for options in client.options]
    assert bodies[0] == {"propagationPolicy": "Orphan", "preconditions": {"uid": "u", "resourceVersion": "7"}}
    assert bodies[1] == {"propagationPolicy": "Background", "preconditions": {}}


@pytest.mark.parametrize("allowed", [True, False])
async def test_a_right_is_asked_for_as_the_request_needs_it(allowed: bool) -> None:
    found, client = cluster({"status": {"allowed": allowed}})

    assert await found.may(Request("get", DEPLOYMENTS, "shop", "web", "scale")) is allowed

    assert client.options[0]["body"]["spec"]["resourceAttributes"] == {
        "verb": "get",
        "group": "apps",
        "resource": "deployments",
        "namespace": "shop",
        "name": "web",
        "subresource": "scale",
    }


@pytest.mark.parametrize(
    ("answer", "trouble", "told"),
    [
        pytest.param(ApiError(0, "ClientConnectorError", ""), Trouble.UNREACHABLE, URL, id="no answer"),
        pytest.param(refused(401), Trouble.UNREACHABLE, "sign in again", id="nobody"),
        pytest.param(refused(403), Trouble.NO_RIGHT, "get secrets/shop in namespace shop", id="no right"),
        pytest.param(
            refused(404, reason="NotFound"), Trouble.NOT_FOUND, 'no Secret "shop" in namespace shop', id="not there"
        ),
        pytest.param(refused(503), Trouble.UNREACHABLE, "answers 503: it cannot serve now", id="overloaded"),
        pytest.param(refused(409, reason="Conflict"), Trouble.CONFLICT, "meanwhile", id="changed"),
        pytest.param(refused(422, reason="Invalid"), Trouble.REFUSED, "cannot get", id="not valid"),
        pytest.param(refused(500), Trouble.REFUSED, "cannot get", id="broken"),
    ],
)
async def test_a_failure_says_what_it_means(answer: ApiError, trouble: Trouble, told: str) -> None:
    error = await failing(lambda cluster: cluster.get(SECRETS, "shop", "shop"), answer)

    assert error.trouble is trouble
    assert told in error.message
    assert error.request == Request("get", SECRETS, "shop", "shop")


async def test_a_kind_that_is_not_there_says_what_to_install() -> None:
    error = await failing(lambda cluster: cluster.list(PHASE_SECRETS), refused(404))

    assert error.trouble is Trouble.NOT_FOUND
    assert "phase crds | kubectl apply" in error.message


async def test_a_refusal_does_not_repeat_a_message_that_may_quote_a_value() -> None:
    error = await failing(
        lambda cluster: cluster.create(SECRETS, "shop", {}), refused(422, "data: Invalid value: hunter2", "Invalid")
    )

    assert "hunter2" not in error.message


async def test_a_webhook_that_forbids_is_no_lack_of_a_right() -> None:
    message = 'admission webhook "guard.example" denied the request: because'

    error = await failing(lambda cluster: cluster.create(SECRETS, "shop", {}), refused(403, message, "Forbidden"))

    assert error.trouble is Trouble.REFUSED


def sentences() -> Sequence[tuple[Request, str]]:
    return [
        (Request("list", SECRETS, ""), "list secrets in all namespaces"),
        (Request("get", PHASE_SECRETS, "shop", "a"), "get phasesecrets.secrets.phase.dev/a in namespace shop"),
        (Request("get", DEPLOYMENTS, "shop", "a", "scale"), "get deployments.apps/scale/a in namespace shop"),
    ]


@pytest.mark.parametrize(("request_", "told"), sentences(), ids=lambda each: each if isinstance(each, str) else "")
def test_a_request_is_told_in_words(request_: Request, told: str) -> None:
    assert str(request_) == told

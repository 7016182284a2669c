import base64
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import ManagedSecretReference, SecretType, TemplateMetadata
from phase_operator.core.content.limits import MAX_BYTES, check_size
from phase_operator.core.errors import Invalid, Waiting
from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.observed import Observed, observe
from phase_operator.core.targets.plan import Unchanged, plan
from phase_operator.core.targets.reserved import without_reserved
from phase_operator.core.targets.secret import render_secret
from phase_operator.core.targets.versions import version_label
from phase_operator.core.values import ConfigEntry, Entry, SecretValue
from support.builders import (
    DIGEST_KEY,
    KEY,
    UID,
    config_entry,
    desired_config_map,
    desired_secret,
    entry,
    observed,
    owner,
    secret_ref,
)
from support.canary import Canary
from support.fakes import StoredObject, fields_of

MARKS = {names.LABEL_MANAGED_BY: names.OPERATOR_NAME, names.LABEL_TARGET: names.LABEL_TARGET_VALUE}
OURS = (names.FIELD_MANAGER, "Apply")
DATA = ("data",)
WORDS = st.from_regex(r"\A[a-z][a-z0-9-]{0,4}\Z")
# A label does not end with a hyphen.
NAMES = WORDS.map(lambda word: word.rstrip("-"))
# An annotation is a template, and this one is to be nothing but its text.
PLAIN = st.text(max_size=9).filter(lambda text: not re.search(r"\{[{%#]", text))
TEMPLATES = st.fixed_dictionaries(
    {
        "labels": st.dictionaries(NAMES, NAMES, max_size=3),
        "annotations": st.dictionaries(NAMES, PLAIN, max_size=3),
    }
)
ENTRIES = st.dictionaries(WORDS, st.text(max_size=9), min_size=1, max_size=4).map(
    lambda found: [config_entry(key, value) for key, value in found.items()]
)


def template(**metadata: dict[str, str]) -> dict[str, Any]:
    return {"template": {"metadata": metadata}}


def applied(desired: Desired) -> StoredObject:
    """Make what the API server keeps after it took a manifest."""
    fields = fields_of(desired.manifest)
    return StoredObject("uid", 7, dict(fields), {OURS: set(fields)})


def seen(stored: StoredObject) -> Observed:
    return observe(stored.metadata())


def test_a_secret_holds_its_values_in_base64() -> None:
    found = desired_secret(entry("B", "zwei"), entry("A", "ä"))

    assert found.manifest["data"] == {
        "A": base64.b64encode("ä".encode()).decode(),
        "B": base64.b64encode(b"zwei").decode(),
    }
    assert found.keys == {"A", "B"}
    assert found.manifest["type"] == "Opaque"


def test_a_config_map_holds_text_as_text_and_the_rest_as_binary() -> None:
    raw = base64.b64encode(b"\xff\x00").decode()

    found = desired_config_map(
        config_entry("TEXT", "ä"), config_entry("RAW", raw), processors={"RAW": {"type": "base64"}}
    )

    assert found.manifest["data"] == {"TEXT": "ä"}
    assert found.manifest["binaryData"] == {"RAW": raw}
    assert found.keys == {"TEXT", "RAW"}
    assert "type" not in found.manifest


@pytest.mark.parametrize(
    "intruder",
    [
        pytest.param(entry("A"), id="a secret"),
        pytest.param(entry("A", kind="config"), id="a secret that says it is config"),
        pytest.param(ConfigEntry("1", "A", SecretValue("text"), type="secret"), id="config that says it is secret"),
    ],
)
def test_a_config_map_takes_no_entry_that_is_not_config_through_and_through(intruder: Entry) -> None:
    with pytest.raises(TypeError):
        desired_config_map(config_entry("B"), intruder)  # type: ignore[arg-type]  # what no checker lets through


def typed_secret(kind: SecretType, key: str, value: str = "text") -> Desired:
    """Make a Secret of a type from an entry with any name."""
    return desired_secret(entry("A", value), secretType=kind, processors={"A": {"asName": key}})


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        (SecretType.OPAQUE, "A", "text"),
        (SecretType.BASIC_AUTH, "password", "text"),
        (SecretType.DOCKERCFG, ".dockercfg", '{"registry.example": {}}'),
        (SecretType.DOCKERCONFIGJSON, ".dockerconfigjson", '{"auths": {}}'),
    ],
)
def test_a_type_is_written_as_asked(kind: SecretType, key: str, value: str) -> None:
    assert typed_secret(kind, key, value).manifest["type"] == str(kind)


@pytest.mark.parametrize("kind", [SecretType.TLS, SecretType.SSH_AUTH, SecretType.DOCKERCONFIGJSON])
def test_a_type_whose_keys_are_not_there_is_not_written(kind: SecretType) -> None:
    with pytest.raises(Waiting) as caught:
        desired_secret(entry("A"), secretType=kind)

    assert caught.value.reason is Reason.TYPE_MISMATCH


@pytest.mark.parametrize("kind", [SecretType.SERVICE_ACCOUNT_TOKEN, SecretType.BOOTSTRAP_TOKEN])
def test_a_type_that_lets_the_holder_act_as_another_is_refused(kind: SecretType) -> None:
    with pytest.raises(Invalid) as caught:
        desired_secret(entry("A"), secretType=kind)

    assert caught.value.reason is Reason.TYPE_NOT_SUPPORTED


def impersonating(kind: SecretType, data: dict[str, str], **fields: Any) -> Desired:
    """Render a Secret of a type that is allowed; `data` has lower-case keys, which Phase's names are given."""
    names_of = {key.upper().replace("-", "_").replace(".", "_"): key for key in data}
    processors = {name: {"asName": key} for name, key in names_of.items()}
    body = {"secretName": "shop", "secretType": kind, "processors": processors, **fields}
    entries = [entry(name, data[key]) for name, key in names_of.items()]
    reference = ManagedSecretReference.model_validate(body)
    return render_secret(secret_ref(), owner(), reference, entries, DIGEST_KEY, impersonation=True)


def test_a_bootstrap_token_is_written_where_it_is_allowed() -> None:
    found = impersonating(SecretType.BOOTSTRAP_TOKEN, {"token-id": "abcdef", "token-secret": "0123456789abcdef"})

    assert found.manifest["type"] == str(SecretType.BOOTSTRAP_TOKEN)
    assert found.keys == {"token-id", "token-secret"}


def test_an_allowed_type_is_still_checked() -> None:
    with pytest.raises(Waiting) as caught:
        impersonating(SecretType.BOOTSTRAP_TOKEN, {"token-id": "abcdef"})

    assert caught.value.reason is Reason.TYPE_MISMATCH


def test_a_service_accounts_token_says_whose_it_is_and_leaves_to_kubernetes_what_that_fills_in() -> None:
    account = template(annotations={"kubernetes.io/service-account.name": "robot"})

    found = impersonating(SecretType.SERVICE_ACCOUNT_TOKEN, {"extra": "x"}, **account)

    assert found.keys == {"extra", "token", "ca.crt", "namespace"}
    assert set(found.manifest["data"]) == {"extra"}
    filled_in = observed(found, foreign_keys=("ca.crt", "namespace", "token"), managers=("kube-controller-manager",))
    assert plan(found, filled_in) == Unchanged()


@pytest.mark.parametrize("annotations", [{}, {"kubernetes.io/service-account.name": ""}], ids=["nobody", "no name"])
def test_a_token_of_no_service_account_is_refused(annotations: dict[str, str]) -> None:
    with pytest.raises(Invalid) as caught:
        impersonating(SecretType.SERVICE_ACCOUNT_TOKEN, {"extra": "x"}, **template(annotations=annotations))

    assert caught.value.reason is Reason.INVALID_SPEC


@pytest.mark.parametrize("key", ["token", "ca.crt", "namespace"])
def test_a_key_that_kubernetes_fills_in_is_not_taken_from_phase(key: str) -> None:
    account = template(annotations={"kubernetes.io/service-account.name": "robot"})

    with pytest.raises(Waiting) as caught:
        impersonating(SecretType.SERVICE_ACCOUNT_TOKEN, {key: "x"}, **account)

    assert caught.value.reason is Reason.TYPE_MISMATCH


def test_every_target_carries_our_marks() -> None:
    for found in (desired_secret(), desired_config_map()):
        metadata = found.manifest["metadata"]

        assert metadata["labels"] == MARKS
        assert metadata["annotations"] == {
            names.ANNOTATION_OWNER: str(KEY),
            names.ANNOTATION_DIGEST: found.digest,
            names.ANNOTATION_KEYS: str(found.content),
        }
        assert (metadata["namespace"], metadata["name"]) == ("team", "shop")


def test_the_users_metadata_stands_beside_our_marks_and_never_in_their_place() -> None:
    forged = {names.LABEL_TARGET: "no", names.LABEL_MANAGED_BY: "helm", names.ANNOTATION_OWNER: "other"}

    found = desired_secret(entry("A"), **template(labels={"tier": "api"} | forged, annotations={"a": "1"} | forged))

    assert found.manifest["metadata"]["labels"] == {"tier": "api"} | MARKS
    assert found.manifest["metadata"]["annotations"] == {
        "a": "1",
        names.ANNOTATION_OWNER: str(KEY),
        names.ANNOTATION_DIGEST: found.digest,
        names.ANNOTATION_KEYS: str(found.content),
    }


@pytest.mark.parametrize(
    ("key", "kept"),
    [
        pytest.param("app.kubernetes.io/instance", False, id="Argo CD's label"),
        pytest.param("argocd.argoproj.io/tracking-id", False, id="Argo CD's annotation"),
        pytest.param("kustomize.toolkit.fluxcd.io/name", False, id="Flux, kustomize"),
        pytest.param("helm.toolkit.fluxcd.io/name", False, id="Flux, helm"),
        pytest.param("meta.helm.sh/release-name", False, id="Helm's owner"),
        pytest.param("helm.sh/chart", True, id="Helm's chart"),
        pytest.param("helm.sh/resource-policy", True, id="an order to Helm"),
        pytest.param("argocd.argoproj.io/secret-type", True, id="what Argo CD takes a Secret for"),
        pytest.param("argocd.argoproj.io/sync-options", True, id="an order to Argo CD"),
        pytest.param("argocd.argoproj.io/compare-options", True, id="another order to Argo CD"),
        pytest.param("argocd.argoproj.io/instance", False, id="Argo CD's own label"),
        pytest.param("kustomize.toolkit.fluxcd.io/reconcile", True, id="an order to Flux"),
        pytest.param("kustomize.toolkit.fluxcd.io/namespace", False, id="Flux, namespace"),
        pytest.param("app.kubernetes.io/managed-by", False, id="whose it is"),
        pytest.param("kubectl.kubernetes.io/last-applied-configuration", False, id="kubectl's copy of the values"),
        pytest.param("secrets.phase.dev/anything", False, id="ours"),
        pytest.param("merge.secrets.phase.dev/0123456789", False, id="the mark of a part"),
        pytest.param("running.secrets.phase.dev/1", False, id="the note of a restart"),
        pytest.param("my-secrets.phase.dev/anything", True, id="like ours"),
        pytest.param("app.kubernetes.io/name", True, id="a common label"),
        pytest.param("reloader.stakater.com/match", True, id="another tool's order"),
    ],
)
def test_keys_of_deployment_tools_are_left_out(key: str, kept: bool) -> None:
    assert without_reserved({key: "x"}) == ({key: "x"} if kept else {})


@pytest.mark.parametrize("policy", [None, "Retain"])
def test_a_target_that_stays_has_no_owner_reference(policy: str | None) -> None:
    assert "ownerReferences" not in desired_secret(entry("A"), deletionPolicy=policy).manifest["metadata"]


def test_a_target_that_goes_is_owned_and_blocks_no_deletion() -> None:
    [found] = desired_secret(entry("A"), deletionPolicy="Delete").manifest["metadata"]["ownerReferences"]

    assert (found["kind"], found["name"], found["uid"]) == (names.KIND_PHASE_SECRET, KEY.name, UID)
    assert found["apiVersion"] == names.API_VERSION
    assert (found["controller"], found["blockOwnerDeletion"]) == (True, False)


def test_a_desired_object_does_not_print_its_values(canary: Canary) -> None:
    for found in (
        desired_secret(entry("A", canary.value("secret"))),
        desired_config_map(config_entry("A", canary.value("config"))),
    ):
        canary.watch(repr(found))


def test_an_object_may_be_as_large_as_kubernetes_allows_to_the_byte() -> None:
    check_size({"A": b"x" * (MAX_BYTES - 1)})


def test_a_byte_more_is_refused_and_the_largest_keys_are_named_first() -> None:
    with pytest.raises(Waiting) as caught:
        check_size({"SMALL": b"", "MIDDLE": b"xx", "LARGE": b"x" * MAX_BYTES})

    assert caught.value.reason is Reason.TOO_LARGE
    assert caught.value.message.endswith('"LARGE", "MIDDLE", "SMALL"')


def test_keys_count_twice_since_the_api_server_keeps_them_twice() -> None:
    data = {str(number).ljust(200, "K"): b"" for number in range(4000)}

    with pytest.raises(Waiting) as caught:
        check_size(data)

    assert caught.value.reason is Reason.TOO_LARGE
    check_size(dict.fromkeys(list(data)[:3000], b""))


def test_large_annotations_leave_less_room_for_keys() -> None:
    data = {str(number).ljust(200, "K"): b"" for number in range(3500)}
    check_size(data)

    with pytest.raises(Waiting) as caught:
        check_size(data, TemplateMetadata(annotations={"note": "x" * 200_000}))

    assert caught.value.reason is Reason.TOO_LARGE


def test_the_decoded_bytes_count() -> None:
    text = base64.b64encode(b"x" * (MAX_BYTES - 10)).decode()

    assert desired_secret(entry("A", text), processors={"A": {"type": "base64"}}).keys == {"A"}
    with pytest.raises(Waiting):
        desired_secret(entry("A", text))


def test_the_order_of_the_entries_does_not_matter() -> None:
    one = desired_secret(entry("A"), entry("B"))
    other = desired_secret(entry("B"), entry("A"))

    assert one == other


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(desired_secret(entry("A", "other")), id="a value"),
        pytest.param(desired_secret(entry("B")), id="a key"),
        pytest.param(desired_secret(entry("A"), entry("B")), id="a key more"),
        pytest.param(desired_secret(entry("A"), immutable=True), id="whether it may change"),
        pytest.param(desired_secret(entry("A"), **template(labels={"a": "1"})), id="a label"),
        pytest.param(desired_secret(entry("A"), **template(annotations={"a": "1"})), id="an annotation"),
        pytest.param(desired_secret(entry("A"), deletionPolicy="Delete"), id="what becomes of it"),
        pytest.param(desired_config_map(config_entry("A")), id="the kind"),
        pytest.param(desired_secret(entry("A"), digest_key=b"j" * 32), id="the operator's key"),
    ],
)
def test_every_difference_shows(other: Desired) -> None:
    assert other.digest != desired_secret(entry("A")).digest


def test_another_type_shows() -> None:
    assert typed_secret(SecretType.OPAQUE, "password").digest != typed_secret(SecretType.BASIC_AUTH, "password").digest


@given(ENTRIES, TEMPLATES, st.sampled_from([None, "Retain", "Delete"]), st.booleans())
def test_an_applied_target_is_observed_as_it_was_desired(
    entries: list[ConfigEntry], metadata: dict[str, Any], policy: str | None, secret: bool
) -> None:
    make: Any = desired_secret if secret else desired_config_map
    desired = make(*entries, deletionPolicy=policy, template={"metadata": metadata})

    found = seen(applied(desired))

    assert found == observed(desired, origin=UID if desired.policy.deletes else "")


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(("data", "A"), id="a key"),
        pytest.param(("metadata", "labels", names.LABEL_TARGET), id="a mark"),
        pytest.param(("metadata", "labels", "tier"), id="a label"),
        pytest.param(("metadata", "annotations", names.ANNOTATION_OWNER), id="the owner's mark"),
        pytest.param(("metadata", "annotations", "note"), id="an annotation"),
    ],
)
@pytest.mark.parametrize("removed", [False, True], ids=["changed", "removed"])
def test_a_field_that_somebody_took_from_us_shows(path: tuple[str, ...], removed: bool) -> None:
    desired = desired_secret(entry("A"), **template(labels={"tier": "api"}, annotations={"note": "1"}))
    stored = applied(desired)
    stored.owners[OURS].discard(path)
    if removed:
        del stored.fields[path]
    else:
        stored.fields[path] = "other"
        stored.owned_by("kubectl-edit", "Update").add(path)

    assert seen(stored).owned_fields != desired.owned_fields


def test_a_changed_digest_shows_as_another_digest() -> None:
    desired = desired_secret()
    stored = applied(desired)
    stored.fields["metadata", "annotations", names.ANNOTATION_DIGEST] = "other"

    found = seen(stored)

    assert found == observed(desired, digest="other")


def test_a_lost_owner_reference_shows() -> None:
    desired = desired_secret(entry("A"), deletionPolicy="Delete")
    stored = applied(desired)
    stored.owners[OURS] = {path for path in stored.owners[OURS] if "ownerReferences" not in path}

    assert seen(stored).owned_fields != desired.owned_fields


def test_keys_and_managers_of_others_are_named_and_sorted() -> None:
    desired = desired_secret(entry("A"))
    stored = applied(desired)
    stored.owned_by("z", "Update").update({(*DATA, "Y"), (*DATA, "A")})
    stored.owned_by("b", "Apply").add((*DATA, "X"))
    stored.owned_by("labeller", "Update").add(("metadata", "labels", "x"))

    found = seen(stored)

    assert (found.foreign_keys, found.managers) == (("X", "Y"), ("b", "z"))
    assert replace(found, others=None) == observed(desired, foreign_keys=("X", "Y"))


def test_nothing_is_kept_of_those_who_own_no_data_of_ours() -> None:
    stored = applied(desired_secret(entry("A")))
    stored.owned_by("argocd", "Apply").add(("metadata", "labels", "argocd.argoproj.io/instance"))

    assert seen(stored).others is None


@pytest.mark.parametrize("part", ["data", "binaryData", "stringData"])
def test_keys_are_found_wherever_they_stand(part: str) -> None:
    fields: dict[str, Any] = {f"f:{part}": {".": {}, "f:X": {}}}

    found = observe({"managedFields": [{"manager": "m", "operation": "Update", "fieldsV1": fields}]})

    assert (found.foreign_keys, found.managers) == (("X",), ("m",))


def test_an_update_under_our_name_is_not_our_apply() -> None:
    fields: dict[str, Any] = {"f:data": {"f:X": {}}}

    found = observe({"managedFields": [{"manager": names.FIELD_MANAGER, "operation": "Update", "fieldsV1": fields}]})

    assert (found.owned_fields, found.foreign_keys) == (b"", ("X",))


def test_a_subresources_fields_are_not_the_objects() -> None:
    field = {"manager": "m", "operation": "Update", "subresource": "status", "fieldsV1": {"f:data": {"f:X": {}}}}

    assert observe({"managedFields": [field]}) == observe({})


def test_an_object_without_any_metadata_is_nobodys() -> None:
    assert observe({}) == Observed("", "", "", "", b"", ())


def test_an_object_on_its_way_out_is_seen_as_such() -> None:
    assert observe({"deletionTimestamp": "2030-01-01T00:00:00Z"}).terminating


def test_a_version_is_immutable_and_named_after_data_and_type_alone() -> None:
    first = desired_secret(entry("A"), versioned={})
    other = desired_secret(entry("A"), versioned={}, **template(labels={"a": "1"}))

    assert first.manifest["immutable"] is True
    assert first.ref == other.ref
    assert first.digest != other.digest
    assert desired_secret(entry("A", "other"), versioned={}).ref != first.ref
    assert typed_secret(SecretType.BASIC_AUTH, "password").ref.key.name == "shop"


def test_versions_are_found_by_a_label_however_long_the_name() -> None:
    assert version_label("shop") == "shop"
    assert len(version_label("a" * 253)) <= 63

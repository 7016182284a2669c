from typing import Any

import pytest

from phase_operator.cli.migrating.adoption import Force, Step, Verdict, kept_by, secrets_of, steps
from phase_operator.cli.migrating.candidates import candidates
from phase_operator.core.values import ObjectKey
from support.builders import phase_secret, spec

SHOP = ObjectKey("team", "shop")
NOBODY = Force()


def metadata(*keys: str, manager: str = "OpenAPI-Generator", **fields: Any) -> dict[str, Any]:
    managed = {"manager": manager, "operation": "Update", "fieldsV1": {"f:data": {f"f:{key}": {} for key in keys}}}
    return {"uid": "1", "resourceVersion": "7", "managedFields": [managed], **fields}


def step(found: dict[str, Any] | None, force: Force = NOBODY, **fields: Any) -> Step:
    [made] = steps(list(candidates([phase_secret(**fields)])), {SHOP: found}, force)
    return made


def test_a_secret_that_others_made_is_marked_with_its_phase_secret() -> None:
    made = step(metadata("A", "B"))

    assert (made.verdict, made.keys, made.made_by) == (Verdict.MARK, ("A", "B"), "OpenAPI-Generator")
    assert made.patch == {"metadata": {"resourceVersion": "7", "annotations": {"secrets.phase.dev/owner": "team/shop"}}}


def test_a_secret_that_has_the_mark_is_done() -> None:
    assert step(metadata(annotations={"secrets.phase.dev/owner": "team/shop"})).verdict is Verdict.DONE


def test_a_secret_with_the_mark_of_another_is_never_marked() -> None:
    other = metadata(annotations={"secrets.phase.dev/owner": "team/other"})

    assert step(other).verdict is Verdict.KEPT
    assert step(other, Force({SHOP}, keepers=True)).verdict is Verdict.KEPT


def test_a_missing_secret_is_left_to_the_operator() -> None:
    assert step(None).verdict is Verdict.MISSING


def test_a_secret_that_is_being_deleted_is_not_marked() -> None:
    assert step(metadata(deletionTimestamp="2030-01-01T00:00:00Z")).verdict is Verdict.KEPT


KEEPERS = [
    {"ownerReferences": [{"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": "shop"}]},
    {"annotations": {"meta.helm.sh/release-name": "shop"}},
    {"labels": {"argocd.argoproj.io/instance": "shop"}},
    {"annotations": {"argocd.argoproj.io/tracking-id": "shop:/Secret:team/shop"}},
    {"labels": {"kustomize.toolkit.fluxcd.io/name": "shop"}},
    {"labels": {"app.kubernetes.io/managed-by": "Helm"}},
]


@pytest.mark.parametrize("kept", KEEPERS)
def test_a_secret_that_another_tool_keeps_is_marked_only_if_it_is_named_and_forced(kept: dict[str, Any]) -> None:
    found = metadata("A", **kept)

    assert step(found).verdict is Verdict.KEPT
    assert step(found, Force({SHOP})).verdict is Verdict.KEPT
    assert step(found, Force((), keepers=True)).verdict is Verdict.KEPT
    assert step(found, Force({SHOP}, keepers=True)).verdict is Verdict.MARK


def test_an_owner_of_ours_keeps_nothing() -> None:
    assert kept_by({"ownerReferences": [{"apiVersion": "secrets.phase.dev/v1alpha1", "kind": "PhaseSecret"}]}) == ""


def test_a_secret_that_two_resources_name_is_marked_for_none() -> None:
    other = {"metadata": {"namespace": "team", "name": "other"}, "spec": spec()}

    made = steps(list(candidates([phase_secret(), other])), {SHOP: metadata("A")}, NOBODY)

    assert [each.verdict for each in made] == [Verdict.KEPT, Verdict.KEPT]


@pytest.mark.parametrize("fields", [{"adopt": True}, {"creationPolicy": "Merge"}, {"versioned": {}}])
def test_a_target_that_needs_no_mark_gets_none(fields: dict[str, Any]) -> None:
    made = step(metadata("A"), managedSecretReferences=[{"secretName": "shop", **fields}])

    assert made.verdict is Verdict.DONE


def test_keys_that_the_status_leaves_out_are_taken_out() -> None:
    target = {
        "kind": "Secret",
        "namespace": "team",
        "name": "shop",
        "leftOut": [{"why": "Keys", "keys": ["DB_HOST", "X"]}],
    }
    status = {"source": {"entries": 2}, "targets": [target]}
    targets = [{"secretName": "shop", "nameTransformer": "camel"}]

    made = step(metadata("dbHost", "other"), status=status, managedSecretReferences=targets)

    assert (made.taken_out, made.least_out) == (("dbHost",), 1)
    assert made.row()[4] == '"dbHost"'


def test_without_a_status_it_is_not_known_what_is_taken_out() -> None:
    assert step(metadata("A")).row()[4] == "not known"
    assert step(metadata("A")).as_json()["takenOut"] == {"named": [], "atLeast": 0}


def test_more_keys_than_entries_are_counted() -> None:
    made = step(metadata("A", "B", "C"), status={"source": {"entries": 1}})

    assert (made.taken_out, made.least_out, made.row()[4]) == ((), 2, "at least 2")


@pytest.mark.parametrize(
    "status", [{"targets": "x"}, {"source": {"a": 1}, "targets": [{"kind": 1}]}, {"source": [], "targets": [None]}]
)
def test_a_status_that_is_nonsense_shows_nothing(status: dict[str, Any]) -> None:
    assert step(metadata("A"), status=status).row()[4] == "not known"


def test_named_secrets_are_the_only_ones() -> None:
    every = list(candidates([phase_secret(managedSecretReferences=[{"secretName": "shop"}, {"secretName": "two"}])]))

    made = steps(every, {}, Force({ObjectKey("team", "two")}))

    assert [str(each.secret) for each in made] == ["team/two"]
    assert list(map(str, secrets_of(every))) == ["team/shop", "team/two"]


def test_a_resource_that_cannot_be_read_names_no_secret() -> None:
    assert secrets_of(list(candidates([phase_secret(pollingInterval=1)]))) == []


def test_text_of_others_is_safe_in_a_row() -> None:
    evil = "a\x1b[31m\nb"
    found = metadata(evil, manager=evil, annotations={"secrets.phase.dev/owner": evil})

    assert all(cell.isprintable() for cell in step(found).row())


def elsewhere(name: str = "grab", namespace: str = "evil") -> dict[str, Any]:
    """Make a PhaseSecret of another namespace that names the Secret."""
    target = {"secretName": "shop", "secretNamespace": "team"}
    return {"metadata": {"namespace": namespace, "name": name}, "spec": spec(managedSecretReferences=[target])}


def test_a_resource_of_another_namespace_gets_a_secret_only_if_that_is_named() -> None:
    every = list(candidates([elsewhere()]))

    [plain], [named] = (steps(every, {SHOP: metadata("A")}, force) for force in (NOBODY, Force({SHOP})))

    assert (plain.verdict, named.verdict) == (Verdict.KEPT, Verdict.MARK)


def test_a_resource_of_another_namespace_does_not_keep_a_secret_from_its_own() -> None:
    for force in (NOBODY, Force({SHOP}, keepers=True)):
        made = steps(list(candidates([phase_secret(), elsewhere()])), {SHOP: metadata("A")}, force)

        assert {str(each.owner): each.verdict for each in made} == {
            "team/shop": Verdict.MARK,
            "evil/grab": Verdict.KEPT,
        }

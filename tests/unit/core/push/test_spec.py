"""The spec of a PhasePushSecret -> core data: what it means, and what is refused with the field's name."""

from typing import Any

import pytest

from phase_operator.api.v1alpha1 import PhasePushSecretSpec
from phase_operator.api.v1alpha1.phasepushsecret import UpdatePolicy
from phase_operator.api.v1alpha1.phasesecret import DeletionPolicy, EntryType, KeySelection
from phase_operator.api.v1alpha1.push_sources import GeneratedKind
from phase_operator.core.errors import Invalid
from phase_operator.core.push.facts import Policies
from phase_operator.core.push.sources import Rule
from phase_operator.core.push.spec import Generated, PushSpec, check_token, lowered, push_spec
from phase_operator.core.refs import Kind
from phase_operator.core.values import ObjectKey


def parsed(**spec: Any) -> PushSpec:
    smallest: dict[str, Any] = {"phaseApp": "shop", "sources": [{"secretName": "db"}]}
    return push_spec(PhasePushSecretSpec.model_validate(smallest | spec))


def generating(*values: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"sources": [], "generate": list(values), "generateInto": "made"} | spec


def test_the_smallest_spec_has_the_defaults_of_the_reference() -> None:
    found = parsed()

    assert (found.root, found.tags, found.interval, found.is_suspended) == ("/", frozenset(), 60, False)
    assert found.policies == Policies(UpdatePolicy.OWNED, DeletionPolicy.RETAIN, replaces_sealed=False)
    assert found.named == ((Kind.SECRET, "db"),)
    assert found.rule_of(Kind.SECRET, "db", {}) == Rule("/")


def test_a_named_secret_gets_what_its_source_says() -> None:
    source = {
        "secretName": "db",
        "path": "/cluster//db/",
        "keys": {"include": ["tls.*"], "exclude": ["tls.old"]},
        "prefix": "DB_",
        "processors": {"tls.crt": {"asName": "CERT"}, "tls.bin": {"type": "base64"}, "plain": {"type": "plain"}},
        "type": "sealed",
    }

    found = parsed(phaseAppEnvPath="cluster", sources=[source]).rule_of(Kind.SECRET, "db", {})

    assert found == Rule(
        "/cluster/db",
        KeySelection(include=["tls.*"], exclude=["tls.old"]),
        "DB_",
        {"tls.crt": "CERT"},
        frozenset({"tls.bin"}),
        EntryType.SEALED,
    )


def test_a_configmap_becomes_config_unless_its_source_says_otherwise() -> None:
    found = parsed(sources=[{"configMapName": "a"}, {"configMapName": "b", "type": "secret"}])

    rules = [found.rule_of(Kind.CONFIG_MAP, name, {}) for name in "ab"]
    assert [rule.type for rule in rules if rule is not None] == [EntryType.CONFIG, EntryType.SECRET]
    assert found.rule_of(Kind.SECRET, "a", {}) is None


def test_each_secret_of_a_selector_has_a_folder_of_its_own() -> None:
    found = parsed(phaseAppEnvPath="/cluster", sources=[{"secretSelector": "tier in (api,web)"}])

    rules = [found.rule_of(Kind.SECRET, name, {"tier": tier}) for name, tier in (("a", "api"), ("b", "web"))]
    assert [rule.path for rule in rules if rule is not None] == ["/cluster/a", "/cluster/b"]
    assert found.rule_of(Kind.SECRET, "c", {"tier": "db"}) is None
    assert found.rule_of(Kind.CONFIG_MAP, "a", {"tier": "api"}) is None
    assert found.named == ()


def test_the_first_source_that_takes_a_secret_says_what_becomes_of_it() -> None:
    named, selected = {"secretName": "a", "prefix": "NAMED_"}, {"secretSelector": "tier"}

    first = parsed(sources=[named, selected]).rule_of(Kind.SECRET, "a", {"tier": "api"})
    second = parsed(sources=[selected, named]).rule_of(Kind.SECRET, "a", {"tier": "api"})

    assert first == Rule("/", prefix="NAMED_")
    assert second == Rule("/a")


def test_of_the_secret_that_keeps_what_is_made_only_that_is_pushed() -> None:
    values = ({"key": "SESSION", "kind": "Password"}, {"key": "deploy-key", "kind": "SSHKey"})

    found = parsed(**generating(*values, phaseAppEnvPath="/made", sources=[{"secretSelector": "tier"}]))

    rule = found.rule_of(Kind.SECRET, "made", {"tier": "api"})
    assert rule == Rule("/made", KeySelection(include=["SESSION", "deploy-key", "deploy-key_PUB"]))


def test_a_generated_value_has_the_length_and_alphabet_of_the_spec() -> None:
    found = parsed(
        **generating(
            {"key": "A", "kind": "Password", "length": 48, "symbols": True, "rotate": "2026-11"},
            {"key": "B", "kind": "Password"},
            {"key": "C", "kind": "ECKey"},
        )
    )

    assert found.generated == (
        Generated("A", GeneratedKind.PASSWORD, 48, has_symbols=True, rotate="2026-11"),
        Generated("B", GeneratedKind.PASSWORD, 32),
        Generated("C", GeneratedKind.EC_KEY),
    )
    assert found.generate_into == "made"


@pytest.mark.parametrize(
    ("word", "remembered", "is_due"),
    [("", "", False), ("", "2026-10", False), ("2026-11", "2026-11", False), ("2026-11", "", True), ("b", "a", True)],
)
def test_a_value_is_rotated_by_another_word_and_never_by_none(word: str, remembered: str, is_due: bool) -> None:
    assert Generated("A", GeneratedKind.UUID, rotate=word).is_rotated(remembered) is is_due


def test_policies_tags_and_switches_are_those_of_the_spec() -> None:
    found = parsed(
        updatePolicy="Replace",
        deletionPolicy="Delete",
        onTypeChange="Replace",
        tags=["a", "b"],
        pollingInterval=5,
        suspend=True,
    )

    assert found.policies == Policies(UpdatePolicy.REPLACE, DeletionPolicy.DELETE, replaces_sealed=True)
    assert (found.tags, found.interval, found.is_suspended) == (frozenset({"a", "b"}), 5, True)


def test_empty_strings_of_templates_mean_nothing() -> None:
    values = generating({"key": "A", "kind": "UUID", "rotate": ""})
    source = {"secretName": "db", "path": "", "prefix": "", "processors": {"a": {"asName": ""}}}

    found = parsed(**(values | {"phaseAppEnvPath": "", "sources": [source]}))

    assert found.rule_of(Kind.SECRET, "db", {}) == Rule("/")
    assert not found.generated[0].rotate


def test_the_place_of_a_spec_is_that_of_a_phasesecret() -> None:
    place = {
        "phaseHost": "https://phase.example",
        "phaseApp": "shop",
        "phaseAppEnv": "staging",
        "phaseAppEnvPath": "/cluster",
        "authentication": {"serviceToken": {"serviceTokenSecretReference": {"secretName": "token"}}},
    }

    assert lowered(place | {"sources": [], "tags": ["a"], "suspend": True, "pollingInterval": 5}) == place


def test_the_secret_of_the_own_token_is_neither_pushed_nor_written() -> None:
    pushed, kept = parsed(sources=[{"secretName": "t"}]), parsed(**generating({"key": "A", "kind": "UUID"}))

    with pytest.raises(Invalid, match=r"spec\.sources: Secret t holds the Phase token"):
        check_token(pushed, "shop", ObjectKey("shop", "t"))
    with pytest.raises(Invalid, match=r"spec\.generateInto: Secret made holds the Phase token"):
        check_token(kept, "shop", ObjectKey("shop", "made"))


def test_secrets_named_like_a_token_elsewhere_and_configmaps_are_pushed() -> None:
    check_token(parsed(sources=[{"secretName": "t"}]), "shop", ObjectKey("vault", "t"))
    check_token(parsed(sources=[{"configMapName": "t"}]), "shop", ObjectKey("shop", "t"))
    check_token(parsed(**generating({"key": "A", "kind": "UUID"})), "shop", ObjectKey("vault", "made"))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"phaseApp": ""}, "spec.phaseApp: set phaseApp (the app's name) or phaseAppId"),
        (
            {"updatePolicy": "IfNotExists", "onTypeChange": "Replace"},
            "spec.onTypeChange: with updatePolicy IfNotExists",
        ),
        ({"sources": []}, "spec.sources: name at least one"),
        ({"generate": [{"key": "A", "kind": "UUID"}]}, "spec.generateInto: generate and generateInto go together"),
        ({"generateInto": "made"}, "spec.generateInto: generate and generateInto go together"),
        ({"sources": [{}]}, "spec.sources[0]: a source has exactly one of"),
        ({"sources": [{"secretName": "a", "configMapName": "a"}]}, "spec.sources[0]: a source has exactly one of"),
        ({"sources": [{"secretSelector": ""}]}, "spec.sources[0].secretSelector: an empty selector would push every"),
        ({"sources": [{"secretSelector": " "}]}, "spec.sources[0].secretSelector: an empty selector would push every"),
        ({"sources": [{"secretSelector": "a in"}]}, 'spec.sources[0].secretSelector: label selector "a in" cannot be'),
        ({"sources": [{"secretSelector": "!a"}]}, "spec.sources[0].secretSelector: it only excludes"),
        ({"sources": [{"secretSelector": "a!=b,c notin (d)"}]}, "spec.sources[0].secretSelector: it only excludes"),
        ({"sources": [{"secretName": "a", "type": "config"}]}, "spec.sources[0].type: a Secret is not pushed as"),
        ({"sources": [{"secretSelector": "a", "type": "config"}]}, "spec.sources[0].type: a Secret is not pushed as"),
        ({"sources": [{"secretName": "a"}] * 2}, "spec.sources[0]: Secret a is a source twice"),
        ({"sources": [{"configMapName": "a"}] * 2}, "spec.sources[0]: ConfigMap a is a source twice"),
        (
            {"phaseAppEnvPath": "/a", "sources": [{"secretName": "a", "path": "/ab"}]},
            'spec.sources[0].path: not inside phaseAppEnvPath, which is "/a"',
        ),
        (
            {"phaseAppEnvPath": "a//b", "sources": [{"secretName": "a", "path": "/a"}]},
            'spec.sources[0].path: not inside phaseAppEnvPath, which is "/a/b"',
        ),
        ({"sources": [{"secretName": "a", "path": f"/{'f' * 65}"}]}, "spec.sources[0].path: folder"),
        ({"phaseAppEnvPath": "f" * 65}, "spec.phaseAppEnvPath: folder"),
        (
            generating({"key": "A", "kind": "UUID"}, sources=[{"secretName": "made"}]),
            "spec.sources[0]: the Secret of generateInto is pushed anyway",
        ),
        (
            generating({"key": "a.b", "kind": "UUID"}, {"key": "A-B", "kind": "UUID"}),
            'spec.generate[1].key: "A-B" and what is made for "a.b" are one key',
        ),
        (
            generating({"key": "A", "kind": "RSAKey"}, {"key": "a-pub", "kind": "UUID"}),
            'spec.generate[1].key: "a-pub" and what is made for "A" are one key',
        ),
        (
            generating({"key": "A_PUB", "kind": "UUID"}, {"key": "A", "kind": "SSHKey"}),
            'spec.generate[1].key: "A_PUB" and what is made for "A_PUB" are one key',
        ),
        (generating({"key": "A", "kind": "UUID", "length": 32}), "spec.generate[0]: only a Password has length"),
        (generating({"key": "A", "kind": "SSHKey", "symbols": True}), "spec.generate[0]: only a Password has length"),
        (
            generating({"key": "A", "kind": "UUID", "rotate": "x"}, updatePolicy="IfNotExists"),
            "spec.generate[0].rotate: with updatePolicy IfNotExists",
        ),
    ],
)
def test_a_spec_that_cannot_be_followed_is_refused_with_its_field(spec: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid) as refused:
        parsed(**spec)

    assert refused.value.message.startswith(said)

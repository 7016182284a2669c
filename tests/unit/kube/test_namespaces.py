from collections.abc import Mapping
from typing import Any

from phase_operator.kube.namespaces import NamespaceLabels
from phase_operator.kube.watch import key_of


def metadata(name: str, **labels: str) -> dict[str, Any]:
    return {"name": name, "labels": labels} if labels else {"name": name}


def test_labels_are_kept_and_only_a_change_is_told() -> None:
    told: list[str] = []
    namespaces = NamespaceLabels(told.append)

    namespaces.seen(metadata("a", team="x"))
    namespaces.seen(metadata("a", team="x") | {"annotations": {"b": "c"}})
    namespaces.seen(metadata("b"))

    assert namespaces.of("a") == {"team": "x"}
    assert told == ["a"]


def test_an_unknown_namespace_has_no_labels() -> None:
    assert namespaces_of({}).of("a") == {}


def test_a_label_that_is_taken_off_and_a_namespace_that_goes_are_told() -> None:
    told: list[str] = []
    namespaces = namespaces_of({"a": {"team": "x"}, "b": {"team": "y"}}, told)

    namespaces.seen(metadata("a"))
    namespaces.gone(metadata("b", team="y"))

    assert (namespaces.of("a"), namespaces.of("b")) == ({}, {})
    assert told == ["a", "b"]


def test_a_new_list_tells_what_changed_unseen() -> None:
    told: list[str] = []
    namespaces = namespaces_of({"same": {"team": "x"}, "other": {"team": "y"}, "gone": {"team": "z"}}, told)

    listed(namespaces, [metadata("same", team="x"), metadata("other", team="new"), metadata("new", team="w")])

    assert namespaces.of("gone") == {}
    assert namespaces.of("other") == {"team": "new"}
    assert sorted(told) == ["gone", "new", "other"]


def listed(namespaces: NamespaceLabels, found: list[dict[str, Any]]) -> None:
    for each in found:
        namespaces.seen(each)
    namespaces.listed("", {key_of(each) for each in found})


def namespaces_of(labels: Mapping[str, Mapping[str, str]], told: list[str] | None = None) -> NamespaceLabels:
    found = told if told is not None else []
    namespaces = NamespaceLabels(found.append)
    listed(namespaces, [metadata(name, **each) for name, each in labels.items()])
    found.clear()
    return namespaces

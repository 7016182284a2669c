"""The target of an ExternalSecret -> a target of a PhaseSecret."""

from typing import Any

from phase_operator.cli.migrating.draft import Draft
from phase_operator.cli.migrating.foreign import Path
from phase_operator.cli.migrating.go_templates import plain
from phase_operator.cli.migrating.targets import metadata_texts, secret_type, texts
from phase_operator.core.json_access import filled

TARGET: Path = ("spec", "target")
_TEMPLATE: Path = (*TARGET, "template")
_POLICIES: dict[str, dict[str, str]] = {
    # The Secret goes with its resource there.
    "": {"deletionPolicy": "Delete"},
    "Owner": {"deletionPolicy": "Delete"},
    "Orphan": {"creationPolicy": "Orphan"},
    "Merge": {"creationPolicy": "Merge", "deletionPolicy": "Retain"},
    "CreateOrMerge": {"creationPolicy": "Merge", "deletionPolicy": "Retain"},
}


def config_map_or_secret(draft: Draft) -> tuple[str, dict[str, Any]]:
    """Return the field of the spec that the target belongs to, and the target."""
    name = draft.original.text(*TARGET, "name") or draft.original.key.name
    if draft.original.text(*TARGET, "manifest", "kind") == "ConfigMap":
        draft.original.done(*TARGET, "manifest")
        field, place = "managedConfigMapReferences", {"configMapName": name}
        draft.open((*TARGET, "manifest"), "a ConfigMap takes entries of type config alone: set that type in Phase")
    else:
        field, place = "managedSecretReferences", {"secretName": name}
    at: Path = ("spec", field, 0)
    return field, {**place, **_type(draft, field), **_policies(draft, at), **_immutable(draft), **_template(draft, at)}


def _type(draft: Draft, field: str) -> dict[str, Any]:
    return secret_type(draft, (*_TEMPLATE, "type")) if field == "managedSecretReferences" else {}


def _policies(draft: Draft, at: Path) -> dict[str, Any]:
    creation = (*TARGET, "creationPolicy")
    policy = draft.original.text(*creation)
    if policy == "None":
        draft.open(creation, "it writes nothing there; here it would", at)
    elif policy not in _POLICIES:
        draft.open(creation, "this policy is not known", at)
    elif policy == "Merge":
        draft.say(creation, "a Secret that is missing is made here, and waited for there", at)
    _empty(draft, at)
    return dict(_POLICIES.get(policy, {}))


def _empty(draft: Draft, at: Path) -> None:
    deletion = (*TARGET, "deletionPolicy")
    match draft.original.text(*deletion):
        case "" | "Retain":
            return
        case "Merge":
            draft.spec["allowEmpty"] = True
            draft.say(deletion, "keys that leave Phase leave the Secret, also the last ones", ("spec", "allowEmpty"))
        case _:
            draft.open(deletion, "no Secret is deleted here because its entries are gone; allowEmpty empties it", at)


def _immutable(draft: Draft) -> dict[str, Any]:
    return filled({"immutable": draft.original.flag(*TARGET, "immutable")})


def _template(draft: Draft, at: Path) -> dict[str, Any]:
    original, where = draft.original, (*at, "template")
    original.text(*_TEMPLATE, "engineVersion")
    if original.has(*_TEMPLATE):
        labels, annotations = (
            metadata_texts(draft, (*_TEMPLATE, "metadata", name), where) for name in ("labels", "annotations")
        )
        template = draft.metadata((*_TEMPLATE, "metadata"), labels, annotations, where)
    else:
        # Without a template, the Secret has the labels and annotations of its resource.
        template = draft.metadata(("metadata",), original.labels, original.annotations, where)
    data = texts(draft, (*_TEMPLATE, "data"), plain, where)
    policy = original.text(*_TEMPLATE, "mergePolicy")
    if data:
        template["data"] = data
        if policy == "Merge":
            template["mergePolicy"] = "Merge"
    return filled({"template": template})

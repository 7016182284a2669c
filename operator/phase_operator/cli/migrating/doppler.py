"""DopplerSecrets of Doppler's operator -> PhaseSecrets."""

from typing import Any

from phase_operator.api.v1alpha1.phasesecret import NameTransformer, ProcessorType
from phase_operator.cli.migrating.draft import OPEN, Converted, Draft, Named
from phase_operator.cli.migrating.foreign import Foreign, Path
from phase_operator.cli.migrating.targets import is_plain, secret_type
from phase_operator.core.json_access import filled

GROUP = "secrets.doppler.com"
KIND = "DopplerSecret"

# The one key that holds the file, and the formats that are the same here.
_FILE_KEY = "DOPPLER_SECRETS_FILE"
_FORMATS = {"json": "json", "env": "dotenv", "yaml": "yaml"}
_MOST_PATTERNS = 64
_TARGET: Path = ("spec", "managedSecretReferences", 0)


def doppler_secret(original: Foreign, options: Named) -> Converted:
    """Convert one."""
    draft = Draft(original, options)
    draft.app(("spec", "project"), original.text("spec", "project"))
    draft.environment(("spec", "config"), original.text("spec", "config"))
    draft.token(("spec", "tokenSecret"), ("spec", "identity"), ("spec", "oidc"))
    draft.interval(("spec", "resyncSeconds"), original.number("spec", "resyncSeconds"))
    _connection(draft)
    _secrets(draft)
    target = {**_managed(draft), **_names(draft), **_format(draft)}
    if processors := _processors(draft):
        target["processors"] = processors
    draft.spec["managedSecretReferences"] = [target]
    return draft.finish()


def _connection(draft: Draft) -> None:
    draft.original.text("spec", "host")
    if draft.original.flag("spec", "verifyTLS") is False:
        draft.say(("spec", "verifyTLS"), "a certificate is always checked here; --phase-ca-file names an authority")


def _secrets(draft: Draft) -> None:
    path: Path = ("spec", "secrets")
    wanted = draft.original.words(*path)
    if not wanted:
        what = "DOPPLER_PROJECT, DOPPLER_ENVIRONMENT and DOPPLER_CONFIG are in Phase only if somebody puts them there"
        draft.say(("spec",), what, ("spec", "managedSecretReferences"))
    elif len(wanted) > _MOST_PATTERNS or not all(map(is_plain, wanted)):
        draft.open(path, "name the keys by patterns in keys.include, or give them a folder of their own")
    else:
        draft.spec["keys"] = {"include": list(dict.fromkeys(wanted))}


def _managed(draft: Draft) -> dict[str, Any]:
    original, path = draft.original, ("spec", "managedSecret")
    name, namespace = original.text(*path, "name"), original.text(*path, "namespace")
    if not name:
        draft.open((*path, "name"), "name the Secret", _TARGET)
    found: dict[str, Any] = {"secretName": name or OPEN.lower()}
    if namespace and namespace != original.key.namespace:
        found["secretNamespace"] = namespace
        what = "another namespace needs a grant of this operator; a PhaseSecret in that namespace needs none"
        draft.say((*path, "namespace"), what, (*_TARGET, "secretNamespace"))
    labels, annotations = original.pairs(*path, "labels"), original.pairs(*path, "annotations")
    template = draft.metadata(path, labels, annotations, (*_TARGET, "template"))
    return {**found, **secret_type(draft, (*path, "type")), **filled({"template": template})}


def _names(draft: Draft) -> dict[str, Any]:
    why = "nameTransformer has no such spelling; name the keys by processors.<KEY>.asName"
    return filled({"nameTransformer": draft.one_of(("spec", "nameTransformer"), list(NameTransformer), why, _TARGET)})


def _format(draft: Draft) -> dict[str, Any]:
    why = "format has no such form; write the file as template.data"
    found = draft.one_of(("spec", "format"), _FORMATS, why, _TARGET)
    return {"format": _FORMATS[found], "fileKey": _FILE_KEY} if found else {}


def _processors(draft: Draft) -> dict[str, dict[str, str]]:
    original, path = draft.original, ("spec", "processors")
    found: dict[str, dict[str, str]] = {}
    for key in original.names(*path):
        kind, name = original.text(*path, key, "type"), original.text(*path, key, "asName")
        processor = filled({"asName": name})
        if kind == ProcessorType.BASE64:
            processor["type"] = kind
        elif kind not in ("", ProcessorType.PLAIN):
            draft.open((*path, key, "type"), "a processor's type is plain or base64", _TARGET)
        if processor:
            found[key] = processor
    return found

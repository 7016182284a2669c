"""The PhaseSecrets in files: those that neither the API server nor the operator would refuse."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from phase_operator.api import names
from phase_operator.cli.common import desired
from phase_operator.cli.common.desired import Subject
from phase_operator.cli.common.manifests import Document
from phase_operator.cli.linting.findings import Level
from phase_operator.cli.linting.resource import findings, is_ours, schema_of
from phase_operator.cli.linting.structure import pruned
from phase_operator.core.json_access import mapping, text
from phase_operator.core.text import clean

_NO_OBJECTS = {
    names.KIND_PHASE_DYNAMIC_SECRET: "nothing can be rendered before a lease, and only the operator asks for one",
    names.KIND_PHASE_PUSH_SECRET: "it makes entries in Phase and no objects",
}


@dataclass(slots=True)
class Subjects:
    """What files hold."""

    found: list[Subject] = field(default_factory=list)
    # Resources of ours that would be refused, those of kinds that have no objects to render, and the rest.
    refused: int = 0
    without_objects: int = 0
    others: int = 0

    @property
    def has_ours(self) -> bool:
        """Whether there is any resource of ours."""
        return bool(self.found or self.refused or self.without_objects)


def subjects(
    documents: Iterable[Document], namespace: str, default_host: str | None, tell: Callable[[str], None]
) -> Subjects:
    """Return the PhaseSecrets of files; `namespace` is that of those that name none, and so is `default_host`.

    `tell` gets a line for each resource of ours that is none, or that would be refused.
    """
    made = Subjects()
    for each in documents:
        if not is_ours(each):
            made.others += 1
            continue
        wrong = [one for one in findings(_placed(each, namespace)) if one.level is Level.ERROR]
        for one in wrong:
            tell(f"error: {each.at(*one.path)}: {one.field}: {one.message}")
        if wrong:
            made.refused += 1
        elif each.kind in _NO_OBJECTS:
            made.without_objects += 1
            tell(f"{each.at()}: {_named(_placed(each, namespace))}: {_NO_OBJECTS[each.kind]}")
        else:
            made.found.append(_subject(_placed(each, namespace), default_host))
    return made


def _subject(document: Document, default_host: str | None) -> Subject:
    body = pruned(schema_of(document.kind), document.body)
    metadata = body["metadata"]
    # As the cluster has it, if the file is from there: its uid is known then.
    existing = {"metadata": {"uid": text(metadata.get("uid"))}, "spec": body["spec"]}
    return desired.subject(body, metadata["namespace"], existing, default_host=default_host)


def _placed(document: Document, namespace: str) -> Document:
    """Return a document that names its namespace."""
    metadata = mapping(document.body.get("metadata"))
    if metadata.get("namespace") not in (None, ""):
        return document
    return replace(document, body={**document.body, "metadata": {**metadata, "namespace": namespace}})


def _named(document: Document) -> str:
    metadata = mapping(document.body.get("metadata"))
    return f"{clean(document.kind)} {text(metadata.get('namespace'))}/{text(metadata.get('name'))}"

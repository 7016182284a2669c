"""Resources as commands name them: `shop`, `phasepushsecret/shop`, `pps/shop`, or several by label."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from phase_operator.api import names
from phase_operator.api.crd import DEFINITIONS
from phase_operator.cli.common.options import Decorator, combined, selector_option
from phase_operator.core.json_access import mapping, text
from phase_operator.core.object_names import is_object_name
from phase_operator.core.refs import Kind
from phase_operator.core.text import clean
from phase_operator.core.values import ObjectKey
from phase_operator.kube.listing import Page
from phase_operator.kube.user_cluster import UserCluster
from phase_operator.kube.user_errors import Trouble, UserError
from phase_operator.kube.user_resources import CONFIG_MAPS, OURS, SECRETS, Resource

# What targets are.
OF_TARGETS: Mapping[Kind, Resource] = {Kind.SECRET: SECRETS, Kind.CONFIG_MAP: CONFIG_MAPS}
_SPELLINGS: Mapping[str, Resource] = {
    spelling: resource
    for definition, resource in zip(DEFINITIONS, OURS, strict=True)
    for spelling in (
        definition.kind.lower(),
        definition.plural,
        definition.name,
        f"{definition.kind.lower()}.{names.GROUP}",
        *definition.short_names,
    )
}
_OBJECTS: Mapping[str, Resource] = {
    **dict.fromkeys(("secret", "secrets"), SECRETS),
    **dict.fromkeys(("configmap", "configmaps", "cm"), CONFIG_MAPS),
}


@dataclass(frozen=True, slots=True)
class Given:
    """A resource that the command line names."""

    resource: Resource
    name: str

    def __str__(self) -> str:
        """Return it as kubectl prints names."""
        return f"{self.resource.kind.lower()}.{names.GROUP}/{self.name}"


def given(word: str, *, objects: bool = False) -> Given:
    """Parse NAME or KIND/NAME; a name alone is a PhaseSecret's. With `objects`, Secrets and ConfigMaps count too."""
    kind, slash, name = word.rpartition("/")
    known = {**_SPELLINGS, **(_OBJECTS if objects else {})}
    resource = known.get(kind.lower()) if slash else OURS[0]
    if resource is None or not name:
        listed = ", ".join(dict.fromkeys(each.kind.lower() for each in known.values()))
        how = f"write NAME or KIND/NAME, where KIND is one of {listed}"
        raise click.UsageError(f'"{clean(word)}" names no resource: {how}')
    if not is_object_name(name):
        # `..` would be another path, and so another object or all of them.
        raise click.UsageError(f'"{clean(name)}" is no name of an object')
    return Given(resource, name)


async def chosen(
    cluster: UserCluster,
    namespace: str,
    named: Sequence[str],
    *,
    labels: str = "",
    kinds: Iterable[Resource] = OURS,
) -> list[Mapping[str, Any]]:
    """Return the resources of these names, else those of a namespace (all for "") with the labels; raise UserError."""
    if named:
        return [await cluster.get(each.resource, namespace, each.name) for each in map(given, named)]
    return [item async for _, page in parts(cluster, namespace, labels=labels, kinds=kinds) for item in page.items]


async def parts(
    cluster: UserCluster, namespace: str, *, labels: str = "", kinds: Iterable[Resource] = OURS
) -> AsyncIterator[tuple[Resource, Page]]:
    """Yield the resources of a namespace, or of all for "", kind by kind and part by part; raise UserError.

    A kind that the cluster does not have yet is passed over, unless it has none of them.
    """
    errors: list[UserError] = []
    has_one = False
    for kind in kinds:
        try:
            async for page in cluster.pages(kind, namespace, labels=labels):
                has_one = True
                yield kind, page
        except UserError as error:
            if error.trouble is not Trouble.NOT_FOUND:
                raise
            errors.append(error)
    if errors and not has_one:
        raise errors[0]


def several_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command parameters `named`, `selector` and `everything`, for `check_several`."""
    options: Decorator[Any] = combined(
        click.argument("named", nargs=-1, metavar="[[KIND/]NAME]..."),
        selector_option(),
        click.option("--all", "everything", is_flag=True, help="All resources of the namespace, of all three kinds."),
    )
    return options(command)  # type: ignore[no-any-return]


def check_several(named: Sequence[str], selector: str, *, everything: bool, all_namespaces: bool) -> None:
    """Raise UsageError unless it is said which resources are meant: by name, or by label, or all of them."""
    if named and any((selector, everything, all_namespaces)):
        raise click.UsageError("give either names, or -l, --all and -A")
    if not any((named, selector, everything)):
        raise click.UsageError("name resources, or choose them by -l LABELS or --all")
    for each in named:
        given(each)


def resource_of(found: Mapping[str, Any]) -> Resource:
    """Return the kind of one of our resources, as it was read."""
    return kind_named(found.get("kind")) or OURS[0]


def place_of(found: Mapping[str, Any]) -> ObjectKey:
    """Return namespace and name of an object, as it was read."""
    metadata = mapping(found.get("metadata"))
    return ObjectKey(text(metadata.get("namespace")), text(metadata.get("name")))


def key_of(found: Mapping[str, Any]) -> ObjectKey:
    """Return the key of one of our resources, as it was read; that of a PhaseSecret names no kind."""
    kind = text(found.get("kind"))
    return place_of(found)._replace(kind="" if kind == names.KIND_PHASE_SECRET else kind)


def is_marked(found: Mapping[str, Any]) -> bool:
    """Return whether an object has a mark of the operator: it writes the object, or keeps something in it."""
    metadata = mapping(found.get("metadata"))
    is_owned = names.ANNOTATION_OWNER in mapping(metadata.get("annotations"))
    return is_owned or names.LABEL_TARGET in mapping(metadata.get("labels"))


def uid_of(found: Mapping[str, Any]) -> str:
    """Return the uid of an object, as it was read."""
    return text(mapping(found.get("metadata")).get("uid"))


def kind_named(kind: object) -> Resource | None:
    """Return the kind of ours with this name; None if it is none of ours."""
    return next((each for each in OURS if each.kind == kind), None)

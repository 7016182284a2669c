"""Which rights a command needs beside the one that it was found to lack.

Rule: who gives a person the Role that a command prints has given all that this command needs: nobody asks an
administrator five times. Of Secrets it gives no more than the command reads.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from phase_operator.core.values import ObjectKey
from phase_operator.kube.user_resources import (
    CONFIG_MAPS,
    EVENTS,
    LEASES,
    OURS,
    PHASE_SECRETS,
    PODS,
    PUSH_SECRETS,
    SECRETS,
    Request,
    Resource,
)

_OBJECTS = (SECRETS, CONFIG_MAPS)


@dataclass(frozen=True, slots=True)
class _Need:
    """Verbs on kinds."""

    verbs: tuple[str, ...]
    kinds: tuple[Resource, ...]
    subresource: str = ""
    # Whether it is the namespace of the operator; there, a Lease is the operator's.
    is_at_home: bool = False
    # Whether it is the object alone that the command was refused.
    is_same: bool = False


_READ, _CHANGE = _Need(("get",), OURS), _Need(("get", "list", "patch"), OURS)
_READ_OBJECT = _Need(("get",), _OBJECTS, is_same=True)
_NEEDS: Mapping[str, tuple[_Need, ...]] = {
    "get": (_Need(("get", "list", "watch"), OURS),),
    "explain": (_READ,),
    "events": (_READ, _Need(("list", "watch"), (EVENTS,))),
    "logs": (
        _READ,
        _Need(("get",), (LEASES,), is_at_home=True),
        _Need(("get",), (PODS,), "log", is_at_home=True),
    ),
    "tree": (_READ, _READ_OBJECT, _Need(("list",), (PUSH_SECRETS,))),
    "trace": (_READ_OBJECT, _READ),
    "sync": (_CHANGE,),
    "suspend": (_CHANGE,),
    "resume": (_CHANGE,),
    "diff": (_READ, _Need(("get",), _OBJECTS)),
    "auth create": (_Need(("get", "patch"), (SECRETS,), is_same=True), _Need(("create",), (SECRETS,))),
    "migrate check": (_Need(("list",), (PHASE_SECRETS,)),),
    "migrate adopt": (_Need(("list",), (PHASE_SECRETS,)), _Need(("get", "patch"), (SECRETS,))),
    "uninstall": (_Need(("list", "get", "patch", "delete"), OURS), _Need(("list", "get"), _OBJECTS)),
}


def needs_of(command: str, denied: Request, lease: ObjectKey | None) -> list[Request]:
    """Return the right that a command lacks, then the others that it needs there and where the operator's Lease is."""
    more = (each for need in _NEEDS.get(command, ()) for each in _requests(need, denied, lease))
    return list(dict.fromkeys([denied, *more]))


def _requests(need: _Need, denied: Request, lease: ObjectKey | None) -> Iterator[Request]:
    place = ObjectKey(denied.namespace, denied.name)
    if need.is_at_home:
        if lease is None:
            return
        place = lease
    for kind in need.kinds:
        if need.is_same and kind != denied.resource:
            continue
        for verb in need.verbs:
            is_named = verb != "create" and (need.is_same or kind == LEASES)
            yield Request(verb, kind, place.namespace, place.name if is_named else "", need.subresource)

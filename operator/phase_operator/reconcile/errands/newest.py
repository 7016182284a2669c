"""A resource as it is now, for a run that began with it some time ago."""

from phase_operator.reconcile.store import Resource, Resources


class ResourceGoneError(Exception):
    """The resource was deleted meanwhile, or another one has its name."""


def newest(resources: Resources, resource: Resource) -> Resource:
    """Return a resource as it was written or read last; raise ResourceGoneError if it is there no more."""
    found = resources.get(resource.key)
    if found is None or found.uid != resource.uid:
        raise ResourceGoneError
    return found

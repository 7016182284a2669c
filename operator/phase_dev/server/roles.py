"""The roles that accounts may have: those of Phase, and those of a seed."""

from collections.abc import Iterable, Iterator, Mapping

from phase_dev.server import model

_CRUD = ("create", "read", "update", "delete")
DEFAULT_ROLES: dict[str, dict[str, list[str]]] = {
    "Service": {
        "Secrets": [*_CRUD],
        "Environments": [*_CRUD],
        "Apps": ["create", "read", "update"],
        "DynamicSecretLeases": ["create", "read"],
        "ServiceAccounts": ["read"],
        "ServiceAccountTokens": ["read"],
    },
    "Admin": {
        name: [*_CRUD]
        for name in (
            "Secrets",
            "Environments",
            "Apps",
            "DynamicSecretLeases",
            "ServiceAccounts",
            "ServiceAccountTokens",
        )
    },
}


def role_records(
    organisations: Iterable[str], roles: Mapping[str, Mapping[str, Iterable[str]]]
) -> Iterator[model.Role]:
    """Return the records of roles, of each organisation its own."""
    for organisation in organisations:
        for name, permissions in roles.items():
            granted = frozenset(
                f"{resource}:{action}" for resource, actions in permissions.items() for action in actions
            )
            yield model.Role(model.stable_id("role", organisation, name), organisation, name, granted)

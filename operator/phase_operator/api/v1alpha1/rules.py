"""Helpers for the fields of a custom resource: CEL rules, and empty values as the official resource treats them.

Rule: a CEL rule has a message for the person who applies the resource, and costs a small part of the API server's cost
budget; tests/manifests verifies that with a real one.
"""

from typing import Any

from pydantic import BeforeValidator

from phase_operator.api import names


def rule(expression: str, message: str, field_path: str | None = None) -> dict[str, str]:
    """One CEL rule of the CRD: the API server checks it when a resource is applied."""
    found = {"rule": expression, "message": message}
    return found if field_path is None else found | {"fieldPath": field_path}


def rules(*found: dict[str, str]) -> dict[str, Any]:
    """Attach CEL rules to a model's or a field's schema."""
    return {"x-kubernetes-validations": list(found)}


def unless_empty(otherwise: str | None = None) -> BeforeValidator:
    """Read an empty string as if the field were not there: the official operator does, and its template has some."""
    return BeforeValidator(lambda given: otherwise if given == "" else given)


def no_doubles(name: str, namespace: str, what: str) -> dict[str, Any]:
    """Refuse a list that names the same object twice: the two would overwrite each other for ever."""
    same = (
        f"a.{name} == b.{name} && has(a.{namespace}) == has(b.{namespace}) && "
        f"(!has(a.{namespace}) || a.{namespace} == b.{namespace})"
    )
    return {"x-kubernetes-list-type": "atomic"} | rules(
        rule(f"self.all(a, self.exists_one(b, {same}))", f"the same {what} is named twice")
    )


_TOKEN = "self.authentication.serviceToken.serviceTokenSecretReference"
_TOKEN_GIVEN = f"has(self.authentication) && has(self.authentication.serviceToken) && has({_TOKEN})"


def _token_is_named(name: str) -> str:
    return (
        f'{_TOKEN_GIVEN} && has({_TOKEN}.secretName) && {_TOKEN}.secretName != "" ? '
        f'{name} == {_TOKEN}.secretName : {name} == "{names.DEFAULT_TOKEN_SECRET}"'
    )


def is_own_token(name: str) -> str:
    """Return the condition that a Secret of the resource's own namespace is the one that holds the token.

    A namespace that is spelled out may be the resource's own, which CEL does not know; the operator checks again.
    """
    elsewhere = f'{_TOKEN_GIVEN} && has({_TOKEN}.secretNamespace) && {_TOKEN}.secretNamespace != ""'
    return f"!({elsewhere}) && ({_token_is_named(name)})"


def inside_the_folder(field: str, each: str) -> str:
    """Return the condition that the paths in a list are phaseAppEnvPath or folders below it.

    Spelled with doubled slashes or none, it is left to the operator, who knows all spellings.
    """
    return (
        f"!has(self.{field}) || !has(self.phaseAppEnvPath) || !self.phaseAppEnvPath.startsWith('/') || "
        f"self.phaseAppEnvPath.contains('//') || self.{field}.all({each}, !has({each}.path) || "
        f"{each}.path == '' || {each}.path.contains('//') || ({each}.path + '/').startsWith("
        "self.phaseAppEnvPath.endsWith('/') ? self.phaseAppEnvPath : self.phaseAppEnvPath + '/'))"
    )


def not_the_token() -> dict[str, str]:
    """Refuse a target that is the token's own Secret.

    Written with has() and not with optionals: the API server estimates the cost of `.orValue()` without the bounds of
    the field and refuses the CRD (over 100 times the budget, against a fraction of a percent like this). A namespace
    that is spelled out on one side only is not compared: CEL in a CRD does not know metadata.namespace. The operator
    checks again.
    """
    same_namespace = (
        f"{_TOKEN_GIVEN} && has({_TOKEN}.secretNamespace) ? "
        f"has(target.secretNamespace) && target.secretNamespace == {_TOKEN}.secretNamespace : "
        "!has(target.secretNamespace)"
    )
    return rule(
        "!has(self.managedSecretReferences) || self.managedSecretReferences.all(target, "
        f"!(({_token_is_named('target.secretName')}) && ({same_namespace})))",
        "a target may not be the Secret that holds the Phase token: it would be overwritten",
        ".managedSecretReferences",
    )


# The official resource has defaults here, and the API server takes a null for "give me the default". A template that
# renders an empty value (`phaseAppEnv:`) works there, so it works here. (Not for enums: the API server cannot.)
NULLABLE: dict[str, Any] = {"nullable": True}

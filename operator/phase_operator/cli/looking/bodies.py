"""Resources as other programs read them: YAML, JSON or names, printed one by one, so that not all are held at once."""

import json
from collections.abc import Mapping
from typing import Any

import click

from phase_operator.api import names
from phase_operator.api.crd import as_yaml
from phase_operator.cli.common.terminal import shown
from phase_operator.core.json_access import mapping, without


class Bodies:
    """Prints objects in a format; JSON is one object if `is_one`, else a List."""

    def __init__(self, form: str, *, is_one: bool) -> None:
        self._form = form
        self._is_one = is_one
        self._count = 0

    def print(self, body: Mapping[str, Any]) -> None:
        """Print the next object, without what the API server notes about those who wrote it."""
        metadata = without(mapping(body.get("metadata")), "managedFields")
        plain = {**body, "metadata": metadata}
        match self._form:
            case "name":
                click.echo(f"{str(body.get('kind')).lower()}.{names.GROUP}/{shown(metadata.get('name'))}")
            case "yaml":
                click.echo(("---\n" if self._count else "") + as_yaml(plain), nl=False)
            case _:
                self._json(plain)
        self._count += 1

    def end(self) -> None:
        """Print what follows the last object."""
        if self._form == "json" and not self._is_one:
            click.echo("\n]}" if self._count else '{"apiVersion": "v1", "kind": "List", "items": []}')

    def _json(self, body: Mapping[str, Any]) -> None:
        text = json.dumps(body, indent=2)
        if self._is_one:
            click.echo(text)
            return
        click.echo(",\n" if self._count else '{"apiVersion": "v1", "kind": "List", "items": [\n', nl=False)
        click.echo(text, nl=False)

"""Write the files that others determine: CRDs, the chart's copies, one manifest, reference pages, monitoring.

Rule: what is generated is never edited, and `--check` names each file that says something else than its source.
"""

import difflib
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from functools import partial
from pathlib import Path

import click
from pydantic.fields import FieldInfo

from phase_dev import argocd, calls_picture, chart, cli_page, kustomize, rooms, shown_files
from phase_dev.monitoring import alerts, alerts_page, dashboard
from phase_dev.release import owner, pages
from phase_dev.troubleshooting import page as troubleshooting
from phase_operator.api import crd, names
from phase_operator.api.reasons import CATALOGUE
from phase_operator.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]

_MODELS = "operator/phase_operator/api/{}/{}.py"
_REASONS = "operator/phase_operator/api/reasons.py and operator/phase_dev/troubleshooting"
_REFERENCE = "docs/api/{}/{}.md"
_EXAMPLES = "docs/api/{}/examples"
_SETTINGS = "docs/operating/settings.md"
_ARCHITECTURE = "docs/architecture.md"
_CHART, _VALUES = "helm/phase-operator/README.md", "helm/phase-operator/values.yaml"
_INSTALL, _OVERLAY = "deploy/install.yaml", "deploy/overlays/cluster-wide"
_ALERTS = "operator/phase_dev/monitoring/alerts.yaml"
_DASHBOARD = "operator/phase_dev/monitoring/dashboard.yaml"
_NOTE = "Generated from {} by `make generate`; do not edit."
# Of a field of a ConfigMap, the same one of a Secret.
_SHARED = ("managedConfigMapReferences[].", "managedSecretReferences[].")

Schema = crd.Schema


def generated(root: Path = ROOT) -> dict[str, str]:
    """Return every generated file, as path and content; pages with parts by hand keep those."""
    files = {}
    for definition in crd.DEFINITIONS:
        document = crd.document(definition)
        text = f"# {_NOTE.format(_of_kind(_MODELS, definition))}\n" + crd.as_yaml(document)
        files[definition.file] = text
        files[f"helm/phase-operator/files/{definition.file}"] = text
    files[_INSTALL] = _install(root, files)
    value_tables = {"values": lambda: chart.tables((root / _VALUES).read_text())}
    drawings: dict[str, Callable[[], str]] = {
        f"rooms of {each}": partial(rooms.page_part, each, ROOT) for each in rooms.PACKAGES
    }
    pages = (
        *((_of_kind(_REFERENCE, each), _reference_parts(each)) for each in crd.DEFINITIONS),
        (_SETTINGS, {"settings": _settings_table}),
        (_CHART, value_tables),
        (cli_page.PAGE, {"exit codes": cli_page.exit_codes, "commands": cli_page.commands}),
        (_ARCHITECTURE, drawings),
        *((page, shown_files.parts((root / page).read_text(), root)) for page in shown_files.PAGES),
    )
    for page, parts in pages:
        files[page] = _fill(page, (root / page).read_text(), parts)
    for package in rooms.PACKAGES:
        path = f"operator/phase_operator/{package}/__init__.py"
        files[path] = rooms.with_map(package, (root / path).read_text(), ROOT)
    files[troubleshooting.PAGE] = troubleshooting.page(_NOTE.format(_REASONS))
    note = _NOTE.format(f"{calls_picture.FIGURES} and {calls_picture.COMPARISON}")
    files[calls_picture.PAGE] = calls_picture.picture(lambda path: (root / path).read_text(), note)
    return files | _monitoring() | argocd.generated(_NOTE.format, ROOT) | _owned(root)


def stale(root: Path = ROOT) -> Iterator[tuple[str, str]]:
    """Yield each file that differs from what its source says, with the difference."""
    for path, wanted in generated(root).items():
        file = root / path
        found = file.read_text() if file.exists() else ""
        if found != wanted:
            lines = difflib.unified_diff(found.splitlines(), wanted.splitlines(), path, "generated", lineterm="", n=1)
            yield path, "\n".join(lines)


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail if a file is not what its source says.")
def main(check: bool) -> None:
    """Write the generated files of the repository, or check them."""
    differing = list(stale())
    for path, difference in differing:
        if check:
            print(f"{path} is not what its source says; run `make generate`", file=sys.stderr)
            print("\n".join(difference.splitlines()[:20]), file=sys.stderr)
            continue
        file = ROOT / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(generated()[path])
        print(f"wrote {path}")
    if check and differing:
        sys.exit(1)


def _install(root: Path, fresh: Mapping[str, str]) -> str:
    """Return the overlay as one file, with the CRDs that are generated with it."""

    def read(path: str) -> str:
        return fresh[path] if path in fresh else (root / path).read_text()

    objects = kustomize.build(_OVERLAY, read)
    return f"# {_NOTE.format(_OVERLAY)}\n" + "---\n".join(crd.as_yaml(each) for each in objects)


def _owned(root: Path) -> dict[str, str]:
    """Return the pages that name people and addresses."""
    found = owner.read((root / owner.FILE).read_text())
    parts = {"MAINTAINERS.md": ("maintainers", pages.maintainers), "SECURITY.md": ("reporting", pages.reporting)}
    filled = {
        page: _fill(page, (root / page).read_text(), {part: partial(make, found)})
        for page, (part, make) in parts.items()
    }
    return filled | {
        ".github/CODEOWNERS": pages.codeowners(found),
        ".github/ISSUE_TEMPLATE/config.yml": pages.contacts(found),
    }


def _monitoring() -> dict[str, str]:
    note = _NOTE.format(_ALERTS)
    board = dashboard.dashboard(_NOTE.format(_DASHBOARD))
    return {
        alerts.PAGE: alerts_page.page(note),
        "deploy/monitoring/prometheusrule.yaml": f"# {note}\n" + crd.as_yaml(alerts.rule_object()),
        "helm/phase-operator/files/alerts.yaml": f"# {note}\n" + crd.as_yaml({"groups": alerts.groups()}),
        "deploy/monitoring/dashboard.json": board,
        "helm/phase-operator/files/dashboard.json": board,
    }


def _fill(path: str, page: str, parts: dict[str, Callable[[], str]]) -> str:
    """Replace the text between the markers of each part."""
    for part, make in parts.items():
        start, end = f"<!-- generated: {part} -->", f"<!-- end: {part} -->"
        pattern = re.compile(f"{re.escape(start)}\n.*?{re.escape(end)}", re.DOTALL)
        filled, count = pattern.subn(lambda _: f"{start}\n{make()}\n{end}", page)  # noqa: B023 - used at once
        if count != 1:
            raise click.ClickException(f'{path}: the markers of "{part}" stand there {count} times, not once')
        page = filled
    return page


def _of_kind(path: str, definition: crd.Definition) -> str:
    return path.format(names.VERSION, definition.kind.lower())


def _reference_parts(definition: crd.Definition) -> dict[str, Callable[[], str]]:
    schema = crd.structural(definition.model)
    spec, status = schema["properties"]["spec"], schema["properties"]["status"]
    return {
        "spec": lambda: _field_table(spec, "spec"),
        "rules": lambda: _rule_list(spec, "spec"),
        "status": lambda: _field_table(status, "status"),
        "columns": lambda: _column_table(definition),
        **_examples(definition),
        # One table of all reasons is enough.
        **({"reasons": _reason_table} if definition is crd.PHASE_SECRET else {}),
    }


def _examples(definition: crd.Definition) -> dict[str, Callable[[], str]]:
    """Return the parts with examples: all files whose name begins with the kind."""
    folder = ROOT / _EXAMPLES.format(names.VERSION)
    files = sorted(folder.glob(f"{definition.kind.lower()}*.yaml"))
    return {f"example {file.stem}": partial(_yaml_block, file) for file in files}


def _yaml_block(file: Path) -> str:
    return f"```yaml\n{file.read_text()}```"


def _field_table(schema: Schema, root: str) -> str:
    shown: dict[str, str] = {}
    for path, field, required in _fields(schema, root):
        need = "**required** " if required else ""
        limits, meaning = _cell(", ".join(_limits(field))), _cell(field.get("description", ""))
        cells = f"{_type(field)} | {limits} | {need}{meaning}"
        # What both kinds of targets have is listed once.
        if shown.get(path.replace(*_SHARED)) != cells:
            shown[path] = cells
    rows = ["| field | type | limits | meaning |", "|---|---|---|---|"]
    return "\n".join([*rows, *(f"| `{path}` | {cells} |" for path, cells in shown.items())])


def _fields(schema: Schema, path: str) -> Iterator[tuple[str, Schema, bool]]:
    for name, child in schema.get("properties", {}).items():
        here = f"{path}.{name}"
        yield here, child, name in schema.get("required", ())
        yield from _fields(child, here)
        yield from _fields(child.get("items", {}), f"{here}[]")
        yield from _fields(child.get("additionalProperties", {}), f"{here}.*")


def _type(field: Schema) -> str:
    if "items" in field:
        return f"list of {_type(field['items'])}"
    if "additionalProperties" in field:
        return f"map of {_type(field['additionalProperties'])}"
    return str(field.get("format") if field.get("format") == "date-time" else field["type"])


def _limits(field: Schema) -> Iterator[str]:
    if "enum" in field:
        yield " ".join(f"`{value}`" for value in field["enum"])
    if "minimum" in field or "maximum" in field:
        yield f"{field.get('minimum', '')} to {field.get('maximum', '')}".strip()
    if "enum" not in field and field.get("format") != "date-time":
        yield from _sizes(field)
    if "items" in field:
        yield from (f"each {limit}" for limit in _limits(field["items"]))


def _sizes(field: Schema) -> Iterator[str]:
    for word, unit in (("maxLength", "characters"), ("maxItems", "items"), ("maxProperties", "entries")):
        if word in field:
            yield f"at most {field[word]} {unit}"


def _rule_list(schema: Schema, path: str) -> str:
    places: dict[str, list[str]] = {}
    for where, message in _rules(schema, path):
        places.setdefault(message, []).append(f"`{where}`")
    return "\n".join(f"- {', '.join(dict.fromkeys(where))}: {message}." for message, where in places.items())


def _rules(schema: Schema, path: str) -> Iterator[tuple[str, str]]:
    for rule in schema.get("x-kubernetes-validations", ()):
        yield path + rule.get("fieldPath", ""), rule["message"]
    for name, child in schema.get("properties", {}).items():
        yield from _rules(child, f"{path}.{name}")
    if "items" in schema:
        yield from _rules(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        yield from _rules(schema["additionalProperties"], f"{path}.*")


def _column_table(definition: crd.Definition) -> str:
    rows = ["| column | from | meaning |", "|---|---|---|"]
    for column in definition.columns:
        wide = " (`-o wide`)" if column.priority else ""
        rows.append(f"| {column.name}{wide} | `{column.path}` | {column.description} |")
    return "\n".join(rows)


def _reason_table() -> str:
    rows = ["| reason | meaning |", "|---|---|"]
    link = "../../operating/troubleshooting.md"
    rows += [
        f"| [{reason.value}]({link}#{reason.value.lower()}) | {_cell(entry.meaning)} |"
        for reason, entry in CATALOGUE.items()
    ]
    return "\n".join(rows)


def _settings_table() -> str:
    rows = ["| flag | variable | default | takes | meaning |", "|---|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        meaning, _, given = (field.description or "").partition(" Default: ")
        default = given.removesuffix(".") or ("none" if field.default is None else f"`{_shown(field.default)}`")
        cells = [f"`--{name.replace('_', '-')}`", f"`{PREFIX}{name.upper()}`", default, _takes(field), meaning]
        rows.append(f"| {' | '.join(map(_cell, cells))} |")
    return "\n".join(rows)


def _shown(default: object) -> str:
    return str(default).lower() if isinstance(default, bool) else str(default)


def _takes(field: FieldInfo) -> str:
    if field.annotation is bool:
        return "`true` `false`"
    if isinstance(field.annotation, type) and issubclass(field.annotation, StrEnum):
        return " ".join(f"`{member}`" for member in field.annotation)
    least, most = _bound(field, "ge"), _bound(field, "le")
    return "" if least is None or most is None else f"{least} to {most}"


def _bound(field: FieldInfo, name: str) -> object:
    return next((getattr(each, name) for each in field.metadata if hasattr(each, name)), None)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    main()

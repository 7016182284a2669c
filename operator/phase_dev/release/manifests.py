"""What a release writes into manifests and the chart: where its image is, and who publishes it.

Rule: by digest, with the tag beside it for people. A text in which there is no image of ours to replace is refused.
"""

import re
from typing import Any

import yaml

from phase_dev import documents
from phase_dev.release.owner import NAME, Owner
from phase_dev.shell.errors import ToolError

Object = dict[str, Any]


def with_image(manifest: str, version: str, image: str) -> str:
    """Return a manifest whose only image of ours is this one."""
    ours = rf"(\bimage: ){NAME}:{re.escape(version)}$"
    text, count = re.subn(ours, rf"\g<1>{image}", manifest, flags=re.MULTILINE)
    if count != 1:
        raise ToolError(f"a manifest names {NAME}:{version} {count} times; a release replaces it once")
    return text


def with_runbooks(manifest: str, tree: str) -> str:
    """Return alerts whose runbooks can be opened: below `tree`, the page of the release's files."""
    text, count = re.subn(r"(\brunbook_url: )(docs/)", rf"\g<1>{tree}/\g<2>", manifest)
    if not count:
        raise ToolError("the alerts name no runbook")
    return text


def chart_values(text: str, registry: str, digest: str, alerts: str) -> str:
    """Return the chart's values with the release's image, and its page about `alerts`, as defaults."""
    head, found, tail = text.partition("\nimage:\n")
    if not found:
        raise ToolError("values.yaml has no section image")
    for name, value in (("registry", registry), ("digest", digest)):
        tail, count = re.subn(rf'^  {name}: ""$', f'  {name}: "{value}"', tail, count=1, flags=re.MULTILINE)
        if count != 1:
            raise ToolError(f"values.yaml: image.{name} is not empty, so a release cannot set it")
    tail, count = re.subn(r'^( +runbookUrl: )""$', rf'\g<1>"{alerts}"', tail, flags=re.MULTILINE)
    if count != 1:
        raise ToolError("values.yaml: runbookUrl is not empty, so a release cannot set it")
    return head + found + tail


def chart_metadata(text: str, owner: Owner, image: str) -> str:
    """Return Chart.yaml with the publisher's addresses, and what Artifact Hub shows."""
    chart: Object = documents.load(text)
    links = [{"name": "Documentation", "url": owner.docs}, {"name": "Vulnerabilities", "url": owner.security_contact}]
    chart |= {
        "home": owner.docs,
        "sources": [owner.repository],
        "maintainers": [
            {"name": each.name, "url": f"https://github.com/{each.github}"}
            | ({"email": each.email} if each.email else {})
            for each in owner.maintainers
        ],
    }
    chart["annotations"] = chart.get("annotations", {}) | {
        "artifacthub.io/images": _yaml([{"name": NAME, "image": image}]),
        "artifacthub.io/links": _yaml(links),
    }
    return _yaml(chart)


def absolute_links(page: str, folder: str, tree: str) -> str:
    """Return a page with links that work outside the repository: below `tree`, the page of the release's files."""

    def absolute(match: re.Match[str]) -> str:
        parts: list[str] = folder.split("/") if folder else []
        path, mark, anchor = match[1].partition("#")
        for part in path.split("/"):
            if part == "..":
                parts.pop()
            elif part != ".":
                parts.append(part)
        return f"]({tree}/{'/'.join(parts)}{mark}{anchor})"

    return re.sub(r"\]\((?![a-z]+:|#)([^)\s]+)\)", absolute, page)


def crds(objects: list[Object]) -> list[Object]:
    """Return the CRDs among the objects."""
    return [each for each in objects if each["kind"] == "CustomResourceDefinition"]


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, width=120, allow_unicode=True)

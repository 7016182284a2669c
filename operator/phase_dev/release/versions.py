"""The version, and every place in the repository that says it.

Rule: a place is known by what stands around it, so that another program's equal version is left alone; a test finds
the places that nothing here knows. Only X.Y.Z: it is the one form that Helm, Python and image tags spell alike.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_NUMBER = r"(?:0|[1-9]\d*)"
_FORM = rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}"
_TEXTS = r".*\.(?:md|ya?ml|tpl|txt|toml|json)"

# What tells of the past, belongs to others, or compares: no place of the current version.
NOT_OURS = re.compile(r"(?:tests|requirements|controlplane)/.*|CHANGELOG\.md|.*\.svg")


@dataclass(frozen=True, slots=True)
class Place:
    """Lines of some files that say the version: the group is where."""

    files: str
    line: str


PLACES = (
    Place(r"operator/phase_operator/__init__\.py", rf'^__version__ = "({_FORM})"$'),
    Place(r"pyproject\.toml", rf'^version = "({_FORM})"$'),
    Place(r"helm/phase-operator/Chart\.yaml", rf'^(?:version|appVersion): "?({_FORM})"?$'),
    Place(_TEXTS, rf"\bphase-operator:({_FORM})(?![\w.])"),
    Place(_TEXTS, rf"\bphase-operator\b.* --version[= ]v?({_FORM})(?![\w.])"),
    Place(r".*\.md", rf"\bimage\.tag=({_FORM})(?![\w.])"),
    Place(_TEXTS, rf"\bnewTag: [\"']?({_FORM})[\"']?$"),
    Place(r".*\.md", rf"\brev: v({_FORM})$"),
    Place(_TEXTS, rf"\b(?:phase-operator|phase_operator|kubectl-phase)-({_FORM})(?![\w.]*\d)"),
    Place(_TEXTS, rf"/(?:releases/download|releases/tag|tree|blob)/v({_FORM})(?![\w.])"),
)
# The line of SECURITY.md that names the minor version with security fixes.
SUPPORTED = re.compile(rf"^\| ({_NUMBER}\.{_NUMBER}) \| yes \|$", re.MULTILINE)


def parse(text: str) -> tuple[int, int, int] | None:
    """Return the numbers of a version, or None if it is none."""
    if not re.fullmatch(_FORM, text):
        return None
    major, minor, patch = map(int, text.split("."))
    return major, minor, patch


def following(version: str, released: bool) -> str:
    """Return the version to rehearse: the checkout's own, or the next patch if that one is released."""
    found = parse(version)
    if found is None or not released:
        return version
    major, minor, patch = found
    return f"{major}.{minor}.{patch + 1}"


def changed(texts: Mapping[str, str], old: str, new: str) -> dict[str, str]:
    """Return the files that say the old version, saying the new one."""
    found = {path: _with_version(path, text, old, new) for path, text in texts.items()}
    return {path: text for path, text in found.items() if text != texts[path]}


def unknown(texts: Mapping[str, str], version: str) -> Iterator[str]:
    """Yield each line that says the version in a place that nothing here knows: `path:number: line`."""
    word = re.compile(rf"(?<![\w.]){re.escape(version)}(?![\w.]*\d)")
    for path, text in texts.items():
        if version not in text:
            continue
        rest = _with_version(path, text, version, "")
        for number, line in enumerate(rest.splitlines(), 1):
            if word.search(line):
                yield f"{path}:{number}: {line.strip()[:100]}"


def is_ours(path: str) -> bool:
    """Tell whether a file of the repository may say the current version."""
    return NOT_OURS.fullmatch(path) is None


def _with_version(path: str, text: str, old: str, new: str) -> str:
    def replaced(match: re.Match[str]) -> str:
        start, end = (place - match.start() for place in match.span(1))
        whole = match[0]
        return whole[:start] + new + whole[end:] if match[1] == old else whole

    for place in PLACES:
        if re.fullmatch(place.files, path):
            text = re.sub(place.line, replaced, text, flags=re.MULTILINE)
    if path == "SECURITY.md" and new:
        text = SUPPORTED.sub(lambda _: f"| {new.rpartition('.')[0]} | yes |", text)
    return text

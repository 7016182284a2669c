"""Ask a registry for the digest behind a name: what a tag means today, and whether a push arrived as it was built.

Rule: for all architectures at once. A registry that wants to know who asks is asked as nobody, for public images.
"""

import re
from dataclasses import dataclass

import httpx

from phase_dev.shell.errors import ToolError

_HUB = "registry-1.docker.io"
_INDEXES = "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json"


@dataclass(frozen=True, slots=True)
class Name:
    """An image's name, taken apart."""

    host: str
    repository: str
    tag: str

    @property
    def url(self) -> str:
        """Where its manifest is; without TLS on this machine alone."""
        scheme = "http" if self.host.startswith("127.0.0.1:") else "https"
        return f"{scheme}://{self.host}/v2/{self.repository}/manifests/{self.tag}"

    def pinned(self, digest: str) -> str:
        """Return the name by digest, with a registry that every builder understands alike."""
        host = "docker.io" if self.host == _HUB else self.host
        return f"{host}/{self.repository}@{digest}"


def parse(image: str) -> Name:
    """Take a name with a tag apart; short names are Docker Hub's."""
    path, _, tag = image.rpartition(":") if re.search(r":[^/]+$", image) else (image, "", "latest")
    first, slash, rest = path.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return Name(_HUB if first == "docker.io" else first, rest, tag)
    return Name(_HUB, path if slash else f"library/{path}", tag)


def resolve(image: str, client: httpx.Client) -> str:
    """Return the digest behind an image's tag, or raise ToolError."""
    name = parse(image)
    try:
        answer = client.head(name.url, headers={"Accept": _INDEXES})
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            token = _token(answer.headers.get("WWW-Authenticate", ""), client)
            answer = client.head(name.url, headers={"Accept": _INDEXES, "Authorization": f"Bearer {token}"})
    except httpx.HTTPError as e:
        raise ToolError(f"{name.host} does not say which digest {image} has: {e}") from e
    digest = answer.headers.get("Docker-Content-Digest", "")
    if not answer.is_success or not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        raise ToolError(f"{name.host} does not say which digest {image} has: HTTP {answer.status_code}")
    return str(digest)


def _token(challenge: str, client: httpx.Client) -> str:
    asked = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    realm = asked.pop("realm", "")
    if not realm.startswith("https://"):
        raise ToolError("the registry wants a login that a release does not know")
    return str(client.get(realm, params=asked).raise_for_status().json().get("token", ""))

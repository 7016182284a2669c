"""Bases by digest: what a registry says, and that the image is built on just that."""

import httpx
import pytest

from phase_dev.image import bases
from phase_dev.image.bases import Bases
from phase_dev.image.building import REPOSITORY
from phase_dev.image.storage import Unfit, buildah, require, tell
from phase_dev.release import digests, grounds
from phase_dev.shell.errors import ToolError

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def published(registry: str) -> str:
    """Give a registry that has a Python for two architectures, under the name that Docker Hub has it."""
    try:
        require("buildah", "mmdebstrap")
        foundation = grounds.stand_ins((REPOSITORY / "Dockerfile").read_text())
        found = {architecture: foundation(architecture).bases for architecture in ("amd64", "arm64")}
    except Unfit as e:
        pytest.skip(f"THE BASES OF THE RELEASE ARE NOT TESTED: {e}")
    name = f"{registry}/library/python:3.13-slim-trixie"
    _publish(name, found)
    return name


def test_bases_are_fetched_by_the_digest_that_the_registry_says(published: str) -> None:
    dockerfile = f"ARG BUILD_IMAGE={published}\nARG RUNTIME_IMAGE={published}\n"
    with httpx.Client(trust_env=False) as client:
        digest = digests.resolve(published, client)

        foundation = grounds.named(dockerfile, client, secure=False)

    for architecture in ("amd64", "arm64"):
        ground = foundation(architecture)
        assert (ground.name, ground.digest) == (published.rpartition(":")[0], digest)
        assert _architecture(ground.bases.runtime) == architecture
        assert _architecture(ground.bases.build) == "amd64"


def test_a_tag_that_the_registry_does_not_have_is_a_sentence(published: str) -> None:
    with httpx.Client(trust_env=False) as client, pytest.raises(ToolError, match=r"does not say .* HTTP 404"):
        digests.resolve(f"{published}-none", client)


def _architecture(image: str) -> str:
    return tell(buildah("inspect", "--type", "image", "--format", "{{.OCIv1.Architecture}}", image)).strip()


def _publish(name: str, found: dict[str, Bases]) -> None:
    index = "localhost/phase-operator-bases-under-test"
    tell(buildah("manifest", "create", index))
    try:
        for each in found.values():
            tell(buildah("manifest", "add", index, each.runtime))
        tell(buildah("manifest", "push", "--all", "--tls-verify=false", index, f"docker://{name}"))
    finally:
        tell(buildah("manifest", "rm", index))


def test_the_dockerfile_of_the_repository_names_bases_that_a_release_can_pin() -> None:
    found = bases.named((REPOSITORY / "Dockerfile").read_text())

    assert {
        digests.parse(each.partition("@")[0]).url.partition("/manifests/")[0] for each in (found.build, found.runtime)
    } == {"https://registry-1.docker.io/v2/library/python"}

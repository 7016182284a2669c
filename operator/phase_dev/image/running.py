"""Run the image as the manifests would have it run.

Rule: what the container may do is read from the manifest that we ship, so that the two cannot differ.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from phase_dev import documents
from phase_dev.image.building import REPOSITORY
from phase_dev.image.storage import Unfit, ask, podman, require
from phase_dev.shell.errors import ToolError

Object = Mapping[str, Any]
DEPLOYMENT = REPOSITORY / "deploy/base/deployment.yaml"
# root without CAP_SYS_RESOURCE, as in many a CI, may not raise limits to podman's defaults.
_LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")


def command(image: str, *arguments: str, more: tuple[str, ...] = ()) -> list[str | Path]:
    """Return the command that runs a program of the image, restricted like the pod, on this machine's network."""
    pod = documents.load(DEPLOYMENT.read_text())["spec"]["template"]["spec"]
    flags = ("--rm", "--pull", "never", "--network", "host", *_LIMITS, *restrictions(pod), *more)
    return podman("run", *flags, image, *arguments)


def restrictions(pod: Object) -> Iterator[str]:
    """Yield podman's flags for what a pod's security contexts, limits and volumes say."""
    container, [volume] = pod["containers"][0], pod["volumes"]
    account, rights = pod["securityContext"], container["securityContext"]
    yield from ("--user", f"{account['runAsUser']}:{account['runAsGroup']}")
    if rights["readOnlyRootFilesystem"]:
        # podman would add writable folders of its own.
        yield from ("--read-only", "--read-only-tmpfs=false")
    for capability in rights["capabilities"]["drop"]:
        yield from ("--cap-drop", capability)
    if not rights["allowPrivilegeEscalation"]:
        yield from ("--security-opt", "no-new-privileges")
    yield from ("--memory", _size(container["resources"]["limits"]["memory"]))
    yield from ("--tmpfs", f"{_place(container, volume)}:rw,size={_size(volume['emptyDir']['sizeLimit'])},mode=1777")


def check(base: str) -> None:
    """Raise Unfit unless this machine runs a container of a base image under the same restrictions."""
    require("podman", "runc")
    done = ask(command(base, "python3", "-c", ""))
    if done.returncode != 0:
        said = " | ".join(done.stderr.strip().splitlines()[-2:])
        raise Unfit(f"podman cannot run a container on this machine: {said}")


def _place(container: Object, volume: Object) -> str:
    [mount] = [each for each in container["volumeMounts"] if each["name"] == volume["name"]]
    return str(mount["mountPath"])


def _size(quantity: str) -> str:
    """Turn a quantity in Mi into podman's spelling."""
    if not quantity.endswith("Mi"):
        raise ToolError(f'the manifest says "{quantity}", and only Mi is known here')
    return f"{quantity.removesuffix('Mi')}m"

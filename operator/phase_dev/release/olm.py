"""The bundle for the Operator Lifecycle Manager: what deploy/ installs, told in its words.

Rule: rights and pods are those of deploy/overlays/cluster-wide, read from it, so that the two cannot differ.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from phase_dev.release.manifests import crds
from phase_dev.release.owner import NAME, Owner
from phase_dev.shell.errors import ToolError

Object = dict[str, Any]

_PACKAGE, _CHANNEL = NAME, "stable"
# What OLM makes itself, or refuses in a bundle: the one who installs chooses the namespace.
_NOT_IN_BUNDLES = {
    *("Namespace", "ServiceAccount", "Deployment"),
    *("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"),
}
_ANNOTATIONS = {
    "operators.operatorframework.io.bundle.mediatype.v1": "registry+v1",
    "operators.operatorframework.io.bundle.manifests.v1": "manifests/",
    "operators.operatorframework.io.bundle.metadata.v1": "metadata/",
    "operators.operatorframework.io.bundle.package.v1": _PACKAGE,
    "operators.operatorframework.io.bundle.channels.v1": _CHANNEL,
    "operators.operatorframework.io.bundle.channel.default.v1": _CHANNEL,
}


@dataclass(frozen=True, slots=True)
class About:
    """What the bundle says of the release."""

    version: str
    image: str
    created: str
    """When it was made: RFC 3339."""
    kubernetes: str
    """The oldest Kubernetes."""
    description: str
    owner: Owner


def bundle(objects: Sequence[Object], samples: Sequence[Object], about: About) -> dict[str, str]:
    """Return the bundle's files, by path."""
    service = _service_version(objects, samples, about)
    files = {f"manifests/{NAME}.clusterserviceversion.yaml": service}
    for each in objects:
        name = each["metadata"]["name"]
        if each["kind"] == "CustomResourceDefinition":
            files[f"manifests/{name}.crd.yaml"] = each
        elif each["kind"] not in _NOT_IN_BUNDLES:
            files[f"manifests/{name}.{each['kind'].lower()}.yaml"] = _anywhere(each)
        elif each["kind"] == "ClusterRole" and name != NAME:
            files[f"manifests/{name}.clusterrole.yaml"] = each
    files["metadata/annotations.yaml"] = {"annotations": _ANNOTATIONS}
    texts = {path: yaml.safe_dump(each, sort_keys=False, width=120) for path, each in files.items()}
    return texts | {"bundle.Dockerfile": _dockerfile()}


def _service_version(objects: Sequence[Object], samples: Sequence[Object], about: About) -> Object:
    return {
        "apiVersion": "operators.coreos.com/v1alpha1",
        "kind": "ClusterServiceVersion",
        "metadata": {
            "name": f"{NAME}.v{about.version}",
            "namespace": "placeholder",
            "annotations": _shown(samples, about),
            "labels": {f"operatorframework.io/arch.{each}": "supported" for each in ("amd64", "arm64")},
        },
        "spec": _described(about)
        | {
            # The rights are for the whole cluster; namespaces are chosen by a setting, which OLM does not know.
            "installModes": [
                {"type": mode, "supported": mode == "AllNamespaces"}
                for mode in ("OwnNamespace", "SingleNamespace", "MultiNamespace", "AllNamespaces")
            ],
            "customresourcedefinitions": {"owned": list(_owned(objects))},
            "install": {"strategy": "deployment", "spec": _installed(objects)},
        },
    }


def _shown(samples: Sequence[Object], about: About) -> Object:
    return {
        "alm-examples": json.dumps(list(samples), indent=2),
        "capabilities": "Seamless Upgrades",
        "categories": "Security",
        "certified": "false",
        "containerImage": about.image,
        "createdAt": about.created,
        "description": about.description,
        "repository": about.owner.repository,
        "support": about.owner.vendor,
    }


def _described(about: About) -> Object:
    owner = about.owner
    return {
        "displayName": "Phase Operator (community)",
        "description": f"{about.description}. {owner.docs}",
        "version": about.version,
        "maturity": "alpha",
        "minKubeVersion": about.kubernetes,
        "keywords": ["secrets", "phase", "security"],
        "provider": {"name": owner.vendor, "url": owner.repository},
        "maintainers": [{"name": each.name, "email": each.email} for each in owner.maintainers if each.email],
        "links": [{"name": "Documentation", "url": owner.docs}, {"name": "Source", "url": owner.repository}],
        "relatedImages": [{"name": NAME, "image": about.image}],
    }


def _installed(objects: Sequence[Object]) -> Object:
    [deployment] = [each for each in objects if each["kind"] == "Deployment"]
    account = deployment["spec"]["template"]["spec"]["serviceAccountName"]
    labels = deployment["metadata"].get("labels", {})
    return {
        "deployments": [{"name": NAME, "label": labels, "spec": deployment["spec"]}],
        "clusterPermissions": [{"serviceAccountName": account, "rules": _rules(objects, "ClusterRole", NAME)}],
        "permissions": [{"serviceAccountName": account, "rules": _rules(objects, "Role", f"{NAME}-leader")}],
    }


def _owned(objects: Sequence[Object]) -> Iterator[Object]:
    for crd in crds(list(objects)):
        for version in crd["spec"]["versions"]:
            described = version["schema"]["openAPIV3Schema"].get("description", "")
            kind = crd["spec"]["names"]["kind"]
            yield {
                "name": crd["metadata"]["name"],
                "version": version["name"],
                "kind": kind,
                "displayName": kind,
                "description": described or kind,
            }


def _rules(objects: Sequence[Object], kind: str, name: str) -> list[Object]:
    found = [each for each in objects if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    if len(found) != 1:
        raise ToolError(f"the bundle needs one {kind} {name}, and the overlay has {len(found)}")
    rules: list[Object] = found[0]["rules"]
    return rules


def _anywhere(found: Object) -> Object:
    metadata = {key: value for key, value in found["metadata"].items() if key != "namespace"}
    return found | {"metadata": metadata}


def _dockerfile() -> str:
    labels = "".join(f"LABEL {name}={value}\n" for name, value in _ANNOTATIONS.items())
    return f"FROM scratch\n{labels}COPY manifests /manifests/\nCOPY metadata /metadata/\n"

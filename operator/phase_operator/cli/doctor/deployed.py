"""Operators that a cluster runs, read from their Deployments: ours, and Phase's official one.

Rule: a Deployment counts by its labels or images, and what it says may come from anybody who may write Deployments.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from phase_operator.api import names
from phase_operator.core.json_access import at, mapping, mappings, number, strings, text, texts
from phase_operator.settings import PREFIX, REPEATED, Settings

LABEL_NAME = "app.kubernetes.io/name"
# The official operator's name, in its image, its labels and its Lease.
OFFICIAL_NAME = "phase-kubernetes-operator"
OFFICIAL_LEASE = f"{OFFICIAL_NAME}.{names.GROUP}"
_OFFICIAL_IMAGE = "phasehq/kubernetes-operator"
_APP = "app"
_OWN_VARIABLE = f"{PREFIX}POD_NAMESPACE"
_TRUE = frozenset({"1", "on", "t", "true", "y", "yes"})
_SEPARATORS = {"grant": ";"}
# Variables of the platform that name proxies.
PROXIES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"})
_HEALTH_PORT, _METRICS_PORT, _LEASE_SECONDS = 8081, 8080, 15.0


@dataclass(frozen=True, slots=True)
class Operator:
    """A Deployment that runs an operator."""

    namespace: str
    name: str
    is_official: bool
    # The container that runs it, and its image.
    container: str
    image: str
    # How many pods it should have, and how many are ready.
    replicas: int
    ready: int
    account: str
    selector: Mapping[str, str]
    # What its container sets, by the names of settings.
    told: Mapping[str, Sequence[str]]
    # Settings, or a source of them, that cannot be read from the Deployment.
    unclear: tuple[str, ...]
    body: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def version(self) -> str:
        """The tag of its image; "" if it has none."""
        return tag_of(self.image)

    @property
    def pod_labels(self) -> dict[str, str]:
        """The labels of its pods."""
        return pod_labels(self.body)

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The namespaces that it watches; none named means all."""
        return tuple(self.told.get("namespace", ()))

    @property
    def lease(self) -> str:
        """The name of its Lease."""
        return self._last("lease_name", names.OPERATOR_NAME)

    @property
    def elects(self) -> bool:
        """Whether its replicas elect a leader."""
        return self._is_on("leader_elect", default=True)

    @property
    def restarts(self) -> bool:
        """Whether it restarts workloads."""
        return self._is_on("restarts", default=True)

    @property
    def asks_for_labels(self) -> bool:
        """Whether one of its grants goes by labels of namespaces."""
        return any("fromLabel=" in each for each in self._grants)

    @property
    def health_port(self) -> int:
        """The port of /readyz; 0 if it has none."""
        return self._number("health_port", _HEALTH_PORT)

    @property
    def metrics_port(self) -> int:
        """The port of /metrics; 0 if it has none."""
        return self._number("metrics_port", _METRICS_PORT)

    @property
    def lease_seconds(self) -> float:
        """How long its Lease lasts."""
        try:
            return float(self._last("lease_seconds", str(_LEASE_SECONDS)))
        except ValueError:
            return _LEASE_SECONDS

    @property
    def _grants(self) -> Sequence[str]:
        return self.told.get("grant", ())

    def _last(self, setting: str, default: str) -> str:
        found = self.told.get(setting) or [default]
        return found[-1]

    def _is_on(self, setting: str, *, default: bool) -> bool:
        return self._last(setting, str(default)).lower() in _TRUE

    def _number(self, setting: str, default: int) -> int:
        said = self._last(setting, str(default))
        return int(said) if said.isdecimal() and len(said) < len("100000") else default


def operator_of(deployment: Mapping[str, Any]) -> Operator | None:
    """Return the operator that a Deployment runs; None if it is another program."""
    spec = mapping(deployment.get("spec"))
    pod = at(spec, ("template", "spec"))
    containers = list(mappings(pod.get("containers")))
    ours = next((each for each in containers if _is_ours(deployment, each)), None)
    official = next((each for each in containers if _is_official(deployment, each)), None)
    found = official if ours is None else ours
    if found is None:
        return None
    metadata = mapping(deployment.get("metadata"))
    told, unclear = settings_of(found)
    return Operator(
        namespace=text(metadata.get("namespace")),
        name=text(metadata.get("name")),
        is_official=ours is None,
        container=text(found.get("name")),
        image=text(found.get("image")),
        replicas=number(spec.get("replicas", 1)),
        ready=number(mapping(deployment.get("status")).get("readyReplicas")),
        account=text(pod.get("serviceAccountName")) or "default",
        selector=texts(at(spec, ("selector", "matchLabels"))),
        told=told,
        unclear=unclear,
        body=deployment,
    )


def settings_of(container: Mapping[str, Any]) -> tuple[dict[str, list[str]], tuple[str, ...]]:
    """Return the settings that a container's flags and variables give it, and those that cannot be read from there."""
    told: dict[str, list[str]] = {}
    unclear = ["envFrom"] if container.get("envFrom") else []
    for each in mappings(container.get("env")):
        name = text(each.get("name"))
        setting = setting_of_variable(name)
        if not setting:
            continue
        if "valueFrom" in each:
            unclear.append(name)
        elif value := text(each.get("value")):
            told[setting] = _parts(setting, value)
    flags: dict[str, list[str]] = {}
    for setting, value in _flags(container):
        flags.setdefault(setting, []).extend(_parts(setting, value))
    return told | flags, tuple(each for each in unclear if each != _OWN_VARIABLE)


def setting_of_variable(name: str) -> str:
    """Return the setting that a variable gives; "" if it is none of ours."""
    setting = name.removeprefix(PREFIX).lower()
    return setting if name.startswith(PREFIX) and setting in Settings.model_fields else ""


def setting_of_flag(word: str) -> str:
    """Return the setting that a flag gives; "" if it is none of ours, or another word."""
    setting = word.removeprefix("--").replace("-", "_")
    return setting if word.startswith("--") and setting in Settings.model_fields else ""


def pod_labels(deployment: Mapping[str, Any]) -> dict[str, str]:
    """Return the labels of a Deployment's pods."""
    return texts(at(deployment, ("spec", "template", "metadata", "labels")))


def tag_of(image: str) -> str:
    """Return the tag of an image; "" if it has none."""
    last = image.partition("@")[0].rpartition("/")[2]
    return last.partition(":")[2]


def _flags(container: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield settings and values from arguments: `--flag value`, `--flag=value`, and a switch alone."""
    given = [*strings(container.get("command")), *strings(container.get("args"))]
    for word, following in zip_longest(given, given[1:], fillvalue=""):
        flag, equals, value = word.partition("=")
        setting = setting_of_flag(flag)
        if not setting:
            continue
        is_switch = following.startswith("--") or not following
        yield setting, value if equals else "true" if is_switch else following


def _parts(setting: str, value: str) -> list[str]:
    if setting not in REPEATED:
        return [value]
    return [part.strip() for part in value.split(_SEPARATORS.get(setting, ",")) if part.strip()]


def _is_ours(deployment: Mapping[str, Any], container: Mapping[str, Any]) -> bool:
    base = _repository(container).rpartition("/")[2]
    labels = texts(mapping(deployment.get("metadata")).get("labels"))
    runs = "run" in (container.get("args") or container.get("command") or [])
    is_labelled = labels.get(LABEL_NAME) == names.OPERATOR_NAME and runs
    # A mirror may rename the image, and a chart's value the label; every manifest of ours sets this variable.
    is_told = any(each.get("name") == _OWN_VARIABLE for each in mappings(container.get("env")))
    return base == names.OPERATOR_NAME or is_labelled or is_told


def _is_official(deployment: Mapping[str, Any], container: Mapping[str, Any]) -> bool:
    repository = _repository(container)
    is_image = repository == _OFFICIAL_IMAGE or repository.endswith(f"/{_OFFICIAL_IMAGE}")
    return is_image or pod_labels(deployment).get(_APP) == OFFICIAL_NAME or container.get("name") == OFFICIAL_NAME


def _repository(container: Mapping[str, Any]) -> str:
    image = text(container.get("image")).partition("@")[0]
    folder, slash, last = image.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}"

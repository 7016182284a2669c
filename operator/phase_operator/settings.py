"""Flags and environment -> frozen Settings.

Rule: no other module reads environment variables for settings. The error for a bad setting is one sentence that names
the setting and what is wrong with it.
"""

import os
import ssl
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from phase_operator.api import names
from phase_operator.api.base import NamespaceName
from phase_operator.core.access.default_host import parse_default_host
from phase_operator.core.access.grants import ANY, Grant, parse_grant
from phase_operator.core.access.hosts import Host, parse_host
from phase_operator.core.access.proxies import Proxies

PREFIX = "PHASE_OPERATOR_"
# Flags that may be given more than once.
REPEATED = frozenset({"namespace", "grant", "allow_phase_host"})
_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class SettingsError(Exception):
    """A setting cannot be used; the message is one sentence for the person who started the operator."""


class LogFormat(StrEnum):
    """The format of log lines."""

    JSON = "json"
    TEXT = "text"


class LogLevel(StrEnum):
    """The lowest level that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Settings(BaseSettings):
    """How the operator runs; PhaseSecrets say what it does."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    kubeconfig: Path | None = Field(
        None, description="Kubeconfig of the cluster. Default: the pod's ServiceAccount, else the usual kubeconfig."
    )
    namespace: Annotated[tuple[NamespaceName, ...], NoDecode] = Field(
        (), description="Watch this namespace only; may be repeated, in the variable separated by commas. Default: all."
    )
    grant: Annotated[tuple[Grant, ...], NoDecode] = Field(
        (),
        description="Let the resources of one namespace read or lease with a token in another, write targets there, "
        "or push with a token there: from=team-a,to=shared,what=token, or target, or push, or token+target. "
        "target+adopt: also take over, or merge into, objects of others; push+replace: also take over entries without "
        "a mark. May be repeated, in the variable separated by semicolons. Default: none.",
    )
    allow_phase_host: Annotated[tuple[Host, ...], NoDecode] = Field(
        (),
        description="Allow this host of Phase only, such as https://phase.example.com or https://*.example.com; may "
        "be repeated, in the variable separated by commas. Default: any host for a token in the resource's own "
        "namespace; only --default-host for a token in another namespace, and for what is pushed.",
    )
    default_host: str | None = Field(
        None,
        description="Host of Phase for resources that name none in phaseHost, such as https://phase.example.com. "
        "Default: Phase's cloud, https://console.phase.dev.",
    )
    allow_impersonation_types: bool = Field(
        False,
        description="Write Secrets of the types kubernetes.io/service-account-token and bootstrap.kubernetes.io/token, "
        "which let their holder act under another identity.",
    )
    pod_namespace: NamespaceName = Field(
        default_factory=lambda: pod_namespace(),
        description="Namespace for the operator's own Secret. Default: the pod's, else default.",
    )
    leader_elect: bool = Field(
        True,
        description="Work only while this process holds the Lease, so that one of several replicas works. false: work "
        "at once; then run a single replica. Default: true.",
    )
    lease_name: NamespaceName = Field(
        names.OPERATOR_NAME, description="Name of the Lease, in the operator's own namespace. Default: phase-operator."
    )
    lease_seconds: float = Field(
        15.0,
        ge=3,
        le=3600,
        description="How long a Lease lasts without a renewal, and so how soon a standby takes over after a crash.",
    )
    host: str = Field("", description="Address for health and metrics. Default: every address, IPv4 and IPv6.")
    health_port: int = Field(
        8081, ge=0, le=65535, description="Port of /healthz, /readyz and /debug/sources; 0 turns them off."
    )
    metrics_host: str | None = Field(
        None,
        description="Address for metrics alone, such as 127.0.0.1 if a proxy in the pod serves them to others. "
        "Default: that of --host.",
    )
    metrics_port: int = Field(8080, ge=0, le=65535, description="Port of /metrics; 0 turns it off.")
    resource_metrics: bool = Field(
        False,
        description="Also export metrics of each PhaseSecret and each source, with their names as labels; this adds "
        "series for each of them.",
    )
    log_format: LogFormat = Field(
        default_factory=lambda: _log_format(), description="json, or text for people. Default: text on a terminal."
    )
    log_level: LogLevel = Field(LogLevel.INFO, description="debug, info, warning or error.")
    phase_ca_file: Path | None = Field(
        None, description="PEM file with certificates to trust for Phase, in addition to the system's."
    )
    workers: int = Field(32, ge=1, le=256, description="Resources that are reconciled at once.")
    phase_workers: int = Field(
        16,
        ge=1,
        le=64,
        description="Calls at once to hosts of Phase that answer quickly; a namespace may have half of them. Four "
        "times as many may be in flight to hosts that do not.",
    )
    errand_workers: int = Field(
        12,
        ge=1,
        le=64,
        description="Calls at once about leases and pushed entries that are "
        "answered quickly; a namespace may have half of them. Four times as many may take longer, up to two minutes.",
    )
    leases_per_minute: int = Field(
        20,
        ge=1,
        le=10_000,
        description="Leases that an account may be asked for in a minute; namespaces that share it have equal parts.",
    )
    removal_seconds: float = Field(
        600.0,
        ge=10,
        le=86400,
        description="How long a PhaseDynamicSecret or PhasePushSecret that is being deleted waits for Phase: for its "
        "leases to be given back, or its entries to be let go. What is left then is named in an Event.",
    )
    phase_quota: int | None = Field(
        None,
        ge=0,
        le=1_000_000,
        description="Calls to Phase that an account may make in a minute; 0 for no limit. Default: 120 for Phase's "
        "cloud, elsewhere none until Phase refuses one.",
    )
    answer_mib: int = Field(
        16, ge=1, le=1024, description="The largest answer of Phase that is read, in MiB once it is unpacked."
    )
    answer_entries: int = Field(20_000, ge=1, le=10_000_000, description="The most entries that one answer may hold.")
    answers_mib: int = Field(
        80,
        ge=4,
        le=65536,
        description="Memory for all answers that are stored or being read, in MiB. One namespace may take twice what "
        "it leaves to others: at most half. An answer stays in memory while the next one is read.",
    )
    whole_environment_above: int = Field(
        4,
        ge=0,
        le=1000,
        description="If one environment is read by more different queries (path, tags) than this, it is read as a "
        "whole instead; 0 turns that off.",
    )
    reference_seconds: float = Field(
        300.0,
        ge=0,
        le=86400,
        description="After a change of any environment, values that may refer to it are read again within this many "
        "seconds; 0 turns that off.",
    )
    full_read_seconds: float = Field(
        3600.0,
        ge=60,
        le=604800,
        description="Seconds after which everything is read again even if nothing seems to have changed.",
    )
    push: bool = Field(
        False,
        description="Act on PhasePushSecrets: read the Secrets and ConfigMaps that they name, and write them to Phase. "
        "Anyone who may create one can send the Secrets of its namespace to Phase. Default: false.",
    )
    cluster_name: str = Field(
        "",
        max_length=63,
        pattern=r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$",
        description="Name of the cluster in the marks of entries that are pushed; by it, a cluster that is built anew "
        "knows its entries again. Two clusters must not have the same. Default: eight digits of its own.",
    )
    restarts: bool = Field(
        True,
        description="Restart workloads when the targets that they read change, if the workload or the target asks for "
        "it. false: never; then no rights on workloads are needed. Default: true.",
    )
    restart_settle_seconds: float = Field(
        10.0,
        ge=0,
        le=3600,
        description="Seconds without a further change before workloads are restarted, so that changes made together "
        "cause one restart.",
    )
    restarts_at_once: int = Field(
        10,
        ge=1,
        le=10_000,
        description="Roll-outs that the operator may have in progress at once. Each namespace has a share of them.",
    )
    drain_seconds: float = Field(4.0, ge=0, le=600, description="Seconds that runs may continue after SIGTERM.")
    lease_drain_seconds: float = Field(
        24.0,
        ge=0,
        le=600,
        description="Seconds after SIGTERM in which calls that make a lease or push entries may end and be recorded, "
        "while all else goes on; those of runs begin then.",
    )

    @field_validator("namespace", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        # A namespace that is named twice is watched once.
        parts = _parts(value, ",")
        return tuple(dict.fromkeys(parts)) if isinstance(parts, list | tuple) else parts

    @field_validator("grant", mode="before")
    @classmethod
    def _grants(cls, value: Any) -> Any:
        return tuple(parse_grant(text) for text in _parts(value, ";"))

    @field_validator("grant")
    @classmethod
    def _watched(cls, value: tuple[Grant, ...], info: ValidationInfo) -> tuple[Grant, ...]:
        watched = info.data.get("namespace", ())
        unseen = sorted({grant.to for grant in value if watched and grant.to not in (ANY, *watched)})
        if unseen:
            raise ValueError(
                f'a grant leads to "{unseen[0]}", which --namespace leaves out; watch it or drop the grant'
            )
        return value

    @field_validator("allow_phase_host", mode="before")
    @classmethod
    def _hosts(cls, value: Any) -> Any:
        return tuple(parse_host(text) for text in _parts(value, ","))

    @field_validator("default_host")
    @classmethod
    def _asked(cls, value: str | None, info: ValidationInfo) -> str | None:
        return None if value is None else parse_default_host(value, info.data.get("allow_phase_host", ()))

    @field_validator("phase_ca_file")
    @classmethod
    def _loadable(cls, value: Path | None) -> Path | None:
        if value is not None:
            try:
                ssl.create_default_context().load_verify_locations(cafile=value)
            except (OSError, ssl.SSLError) as error:
                raise ValueError(f"{value} is no readable PEM file with certificates ({error})") from error
        return value

    @field_validator("kubeconfig")
    @classmethod
    def _there(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError(f"{value} does not exist or is no file")
        return value


def load(flags: Mapping[str, Any]) -> Settings:
    """Return the settings from flags, which win, environment and defaults; raise SettingsError."""
    given = {name: value for name, value in flags.items() if value not in (None, ())}
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0])
        message = str(first["msg"]).removeprefix("Value error, ")
        raise SettingsError(f"--{name.replace('_', '-')} ({PREFIX}{name.upper()}): {message}") from error


def platform_proxies() -> Proxies:
    """Return the proxies of `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`; raise SettingsError."""
    try:
        return Proxies.of(os.environ)
    except ValueError as error:
        raise SettingsError(str(error)) from error


def phase_token() -> str:
    """Return the token of Phase that a person gives commands in `PHASE_TOKEN`; "" if there is none."""
    return os.environ.get("PHASE_TOKEN", "")


def phase_host() -> str:
    """Return the URL of Phase that a person gives commands in `PHASE_HOST`; "" if there is none."""
    return os.environ.get("PHASE_HOST", "")


def default_host() -> str:
    """Return the operator's setting of a host for resources that name none, as commands are told it; "" for not."""
    return os.environ.get(f"{PREFIX}DEFAULT_HOST", "")


def wants_no_colour() -> bool:
    """Return whether the person wants no colours, as https://no-color.org has it."""
    return bool(os.environ.get("NO_COLOR"))


def _parts(value: Any, separator: str) -> Any:
    """Split a variable; the values of a repeated flag are split already."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(separator) if part.strip())
    return value


def pod_namespace() -> str:
    """Return the namespace of the pod that this runs in; `default` where it runs in none."""
    try:
        return _POD_NAMESPACE.read_text().strip() or "default"
    except OSError:
        return "default"


def _log_format() -> LogFormat:
    return LogFormat.TEXT if sys.stderr.isatty() else LogFormat.JSON

"""The cluster, the user and the namespace that a person's kubeconfig names, found as kubectl finds them.

Rule: the kubeconfig is only read; a token that its provider renews is not written back.
"""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kubernetes.aio import client as aio
from kubernetes.aio import config as aio_config
from kubernetes.aio.config.config_exception import ConfigException
from kubernetes.aio.config.incluster_config import InClusterConfigLoader
from yaml import YAMLError

from phase_operator.core.access.proxies import Proxies
from phase_operator.core.json_access import mapping, text
from phase_operator.core.text import clean
from phase_operator.kube.client import KubeconfigError, tuned_configuration

_DEFAULT_NAMESPACE = "default"
# Where a pod has the token and the CA of its ServiceAccount.
_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_UNUSABLE = (ConfigException, OSError, ValueError, KeyError, TypeError, AttributeError, YAMLError)
# What the library stumbles over in a file of another shape: its words say nothing about that.
_SHAPELESS = (KeyError, TypeError, AttributeError)
_SCHEMES = frozenset({"http", "https"})
# The library logs a warning about a file that is not there; the error says it.
logging.getLogger("kubernetes").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class UserContext:
    """Where a person's commands go."""

    configuration: aio.Configuration
    # The namespace of commands that name none.
    namespace: str
    # The name of the context; "" for a pod's ServiceAccount.
    name: str


async def user_context(
    kubeconfig: Path | None,
    context: str | None,
    proxies: Proxies,
    pod_namespace: str = _DEFAULT_NAMESPACE,
    *,
    account: Path = _ACCOUNT,
) -> UserContext:
    """Return the context of that name, else the current one, of `kubeconfig`, else of ~/.kube/config.

    Like $KUBECONFIG, `kubeconfig` may be several paths with colons between them. In a pod without any of these, it is
    that of the ServiceAccount and of `pod_namespace`. Raise KubeconfigError.
    """
    configuration = tuned_configuration()
    try:
        found = await _from_kubeconfig(kubeconfig, context, configuration)
    except _UNUSABLE as error:
        if kubeconfig is not None or context is not None or not _in_pod(account, configuration):
            raise KubeconfigError(_why(kubeconfig, error)) from error
        found = UserContext(configuration, pod_namespace, "")
    configuration.proxy = configuration.proxy or proxies.of_url(configuration.host)
    return found


async def _from_kubeconfig(
    kubeconfig: Path | None, context: str | None, configuration: aio.Configuration
) -> UserContext:
    loader = await aio_config.load_kube_config(
        config_file=str(kubeconfig or _usual()),
        context=context,
        client_configuration=configuration,
        persist_config=False,
    )
    _check(configuration, mapping(getattr(loader._user, "value", None)))
    current = mapping(loader.current_context)
    namespace = text(mapping(current.get("context")).get("namespace"))
    return UserContext(configuration, namespace or _DEFAULT_NAMESPACE, text(current.get("name")))


def _usual() -> Path:
    """Return the kubeconfig of who names none."""
    return Path("~/.kube/config").expanduser()


def _check(configuration: aio.Configuration, user: Mapping[str, Any]) -> None:
    """Raise ConfigException for what would only fail later, and then look like a trouble of the cluster."""
    try:
        server = urlsplit(str(configuration.host))
        is_url = server.scheme in _SCHEMES and bool(server.hostname) and server.port != 0
    except ValueError:
        is_url = False
    if not is_url:
        raise ConfigException("the server of its cluster is no URL")
    if server.username or server.password:
        raise ConfigException("the server of its cluster is a URL with a password, which is not supported")
    program = mapping(user.get("exec"))
    if program and not (configuration.api_key or configuration.cert_file):
        raise ConfigException(f'the program "{clean(text(program.get("command")))}" that signs you in gave no token')


def _in_pod(account: Path, configuration: aio.Configuration) -> bool:
    """Fill the configuration with the pod's ServiceAccount; return False if there is none."""
    try:
        InClusterConfigLoader(str(account / "token"), str(account / "ca.crt")).load_and_set(configuration)
    except _UNUSABLE:
        return False
    return True


def _why(kubeconfig: Path | None, error: Exception) -> str:
    """Return why a kubeconfig cannot be used, as a sentence without its end."""
    path = clean(str(kubeconfig or _usual()))
    if not any(Path(each).exists() for each in str(kubeconfig or _usual()).split(os.pathsep)):
        return f"cannot use the kubeconfig: there is no file {path}"
    if isinstance(error, _SHAPELESS):
        return f"cannot use the kubeconfig: {path} is none, or lacks a part"
    return f"cannot use the kubeconfig: {clean(' '.join(str(error).split()))}"

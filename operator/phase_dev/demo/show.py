"""The show: what a person wants to see of the main job, and how long each part took.

Rule: values of Secrets are compared and never printed; every number on the screen was measured in this run.
"""

import base64
import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from phase_dev.demo.kubectl import Kubectl
from phase_dev.demo.leases import Leases
from phase_dev.demo.stage import NAMESPACE, Stage
from phase_dev.shell.errors import ToolError
from phase_dev.shell.loopback import ask

POLLING = 5
NAMES = ("shop", "shop-development", "billing")
_MASK = "********"
_PATIENCE = 30.0
# Seconds between two looks, each of which starts a kubectl: a tenth of what is measured, within these bounds.
_SHORTEST, _LONGEST = 0.02, 1.0


@dataclass(frozen=True, slots=True)
class Question:
    """A call of `kubectl phase`: as it is shown, and as it is made."""

    shown: str
    words: tuple[str, ...]
    stdin: str | None = None


@dataclass(frozen=True, slots=True)
class Show:
    """One run of the show."""

    stage: Stage
    kubectl: Kubectl
    say: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep

    def run(self) -> None:
        """Show everything; raise ToolError when something does not come about."""
        self._apply()
        self._results()
        self._questions()
        self._change_in_phase()
        self._hand_edits()
        self._leases()
        self._cost()

    def _apply(self) -> None:
        self._title("Three PhaseSecrets, a token, kubectl apply")
        self.kubectl.apply(token_secret(self.stage.phase_token))
        self.kubectl.apply(*phase_secrets(self.stage.phase_url))
        took = self._until("all PhaseSecrets are ready", self._all_ready)
        self._line(f"ready {took:.2f} s after kubectl apply")
        self._command("get", "phasesecrets", "-o", "wide")

    def _results(self) -> None:
        self._title("What they became")
        for name in NAMES:
            self._line(f"Secret {name}")
            for key in sorted(self._data("secret", name)):
                self._line(f"    {key}={_MASK}")
        self._line("ConfigMap shop-config: the entries of type config, and nothing else")
        for key, value in sorted(self._data("configmap", "shop-config").items()):
            self._line(f"    {key}={value}")
        resolved = self._decoded("shop-development", "CDN_HOST") == "cdn.staging.example"
        self._line(
            "CDN_HOST of Development is ${staging.CDN_HOST} in Phase; here it holds what Staging holds: "
            + ("yes" if resolved else "no")
        )
        if not resolved:
            raise ToolError("the reference between the environments was not resolved")
        decrypted = self._decoded("billing", "SMTP_URL") == "smtp://billing:a-mail-password@mail.internal:587"
        self._line(
            "The app billing is end-to-end encrypted: it was decrypted here in the cluster, its references resolved: "
            + ("yes" if decrypted else "no")
        )
        if not decrypted:
            raise ToolError("the end-to-end encrypted app was not decrypted")

    def _questions(self) -> None:
        self._title("kubectl phase: what is in step, from where to where, and what a change would do")
        changed = phase_secrets(self.stage.phase_url)[0]
        changed["spec"]["phaseAppEnv"] = "staging"
        asked = (
            Question("kubectl phase get", ("get",)),
            Question("kubectl phase tree shop", ("tree", "shop")),
            Question(
                f"kubectl phase diff -f shop-of-staging.yaml --host {self.stage.phase_url}",
                ("diff", "-f", "-", "--host", self.stage.phase_url),
                stdin=json.dumps(changed),
            ),
        )
        # At once: nothing changes meanwhile, and each begins a program.
        with ThreadPoolExecutor() as pool:
            said = pool.map(lambda each: self.kubectl.phase(*each.words, "-n", NAMESPACE, stdin=each.stdin), asked)
        for question, answer in zip(asked, said, strict=True):
            self._line(f"$ {question.shown} -n {NAMESPACE}")
            for line in answer.stdout.splitlines():
                self._line(line)

    def _change_in_phase(self) -> None:
        self._title(f"A value changes in Phase (polling interval {POLLING} s)")
        self._line("LOG_LEVEL of shop, Production: warning -> debug")
        self.change_value("LOG_LEVEL", "debug")
        took = self._until(
            "the ConfigMap follows", lambda: self._data("configmap", "shop-config").get("LOG_LEVEL") == "debug"
        )
        self._line(f"in the ConfigMap after {took:.2f} s")
        self.change_value("DATABASE_PASSWORD", "another-long-password")
        took = self._until(
            "the Secret follows", lambda: self._decoded("shop", "DATABASE_PASSWORD") == "another-long-password"
        )
        self._line(f"DATABASE_PASSWORD, changed next: in the Secret after {took:.2f} s")

    def _hand_edits(self) -> None:
        self._title("A person edits the targets by hand")
        before = self._calls()
        good = self._data("secret", "shop")
        self.kubectl("-n", NAMESPACE, "patch", "secret", "shop", "-p", '{"stringData": {"DATABASE_PASSWORD": "oops"}}')
        took = self._until("the Secret is repaired", lambda: self._data("secret", "shop") == good)
        self._line(f"kubectl patch secret shop: repaired after {took:.2f} s")
        self.kubectl("-n", NAMESPACE, "delete", "configmap", "shop-config")
        took = self._until("the ConfigMap is back", lambda: bool(self._data("configmap", "shop-config")))
        self._line(f"kubectl delete configmap shop-config: back after {took:.2f} s")
        asked = self._calls() - before
        self._line(f"calls of Phase's API meanwhile: {asked}")

    def _leases(self) -> None:
        self._title("A dynamic secret is leased and rolled over")
        Leases(self.stage.phase_url, self.kubectl, self._until, self._line).run()
        self._command("get", "pds")
        self._command("get", "events", "--field-selector", "involvedObject.kind=PhaseDynamicSecret")

    def _cost(self) -> None:
        self._title("What it cost")
        self._line(f"calls of Phase's API in all: {self._calls()}")
        self._command("get", "events", "--field-selector", "involvedObject.kind=PhaseSecret")

    def change_value(self, key: str, value: str) -> None:
        """Change a value of shop's production environment, as a person would in Phase's Console."""
        order = {"app": "shop", "env": "Production", "key": key, "value": value}
        ask("POST", f"{self.stage.phase_url}/_control/secret", body=order).raise_for_status()

    def _calls(self) -> int:
        answer = ask("GET", f"{self.stage.phase_url}/_control/calls")
        return int(answer.raise_for_status().json()["total"])

    def _all_ready(self) -> bool:
        found = json.loads(self.kubectl("-n", NAMESPACE, "get", "phasesecrets", "-o", "json").stdout)["items"]
        return len(found) == len(NAMES) and all(map(_is_ready, found))

    def _data(self, kind: str, name: str) -> dict[str, str]:
        return dict((self.kubectl.find(kind, name, NAMESPACE) or {}).get("data") or {})

    def _decoded(self, name: str, key: str) -> str:
        return base64.b64decode(self._data("secret", name).get(key, "")).decode()

    def _until(self, what: str, look: Callable[[], bool], patience: float = _PATIENCE) -> float:
        began = self.clock()
        while not look():
            if self.clock() - began > patience:
                raise ToolError(f"waited {patience:g} s in vain until {what}; log: {self.stage.operator_log}")
            self.pause(max(_SHORTEST, min((self.clock() - began) / 10, _LONGEST)))
        return self.clock() - began

    def _title(self, text: str) -> None:
        self.say(f"\n== {text}")

    def _line(self, text: str) -> None:
        self.say(f"   {text}")

    def _command(self, *arguments: str) -> None:
        self.say(f"   $ kubectl -n {NAMESPACE} {' '.join(arguments)}")
        for line in self.kubectl("-n", NAMESPACE, *arguments).stdout.splitlines():
            self._line(line.rstrip())


def _is_ready(found: Mapping[str, Any]) -> bool:
    conditions = (found.get("status") or {}).get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def token_secret(token: str) -> Mapping[str, Any]:
    """Return the Secret that holds the service account's token."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "phase-service-token", "namespace": NAMESPACE},
        "stringData": {"token": token},
    }


def phase_secrets(url: str) -> list[dict[str, Any]]:
    """Return the PhaseSecrets: production with a ConfigMap, development with references, and an encrypted app.

    The last differs from the others in nothing but names: how an app is encrypted is found out.
    """
    return [
        _phase_secret(
            "shop",
            url,
            phaseAppEnv="production",
            managedSecretReferences=[{"secretName": "shop"}],
            managedConfigMapReferences=[{"configMapName": "shop-config"}],
        ),
        _phase_secret(
            "shop-development",
            url,
            phaseAppEnv="development",
            managedSecretReferences=[{"secretName": "shop-development"}],
        ),
        _phase_secret(
            "billing",
            url,
            phaseApp="billing",
            phaseAppEnv="production",
            managedSecretReferences=[{"secretName": "billing"}],
        ),
    ]


def _phase_secret(name: str, url: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "secrets.phase.dev/v1alpha1",
        "kind": "PhaseSecret",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"phaseHost": url, "phaseApp": "shop", "pollingInterval": POLLING, **spec},
    }

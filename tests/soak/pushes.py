"""The PhasePushSecrets of the soak: sources that change, entries that people delete, and values that are made once."""

import json
import random
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator

from bench import fleet, hands
from phase_dev.cluster import ControlPlane
from phase_dev.server import EmbeddedPhase
from support.api import api_of
from support.push_stage import push_secret
from support.world import secret

_ENV = "Production"
_COUNT = 5
# The key of the value that is made once.
_MADE = "MADE"
_SECRETS = f"/api/v1/namespaces/{fleet.FOLLOWED}/secrets"
_RESOURCES = f"/apis/secrets.phase.dev/v1alpha1/namespaces/{fleet.FOLLOWED}/phasepushsecrets"


def flags(phase: EmbeddedPhase) -> tuple[str, ...]:
    """Return how the operator is told to push there."""
    return ("--push", "true", "--allow-phase-host", phase.url)


def let_go(plane: ControlPlane) -> None:
    """Delete the resources where no operator is at work any more: nobody else takes their finalizers off."""
    api = api_of(plane)
    api.delete("phasepushsecrets", namespace=fleet.FOLLOWED)
    for each in api.items("phasepushsecrets", fleet.FOLLOWED):
        api.patch("phasepushsecret", each["metadata"]["name"], fleet.FOLLOWED, {"metadata": {"finalizers": None}})


class Pushed:
    """What is pushed, and what Phase should have."""

    def __init__(self, phase: EmbeddedPhase, chance: random.Random) -> None:
        self._phase, self._chance = phase, chance
        self._values = dict.fromkeys(range(_COUNT), "first")
        self._made: dict[str, str] = {}

    async def make(self, admin: hands.Hands) -> None:
        """Make the resources, each with a source and a value to be made."""
        for number in range(_COUNT):
            await admin.create(_SECRETS, secret(f"source-{number}", {"KEY": "first"}))
            made = {"generate": [{"key": _MADE, "kind": "Password"}], "generateInto": f"made-{number}"}
            sources = [{"secretName": f"source-{number}"}]
            body = push_secret(
                f"push-{number}", self._phase.url, _folder(number), sources=sources, phaseApp=fleet.FOLLOWED, **made
            )
            await admin.create(_RESOURCES, body)

    async def change(self, admin: hands.Hands) -> str:
        """Edit a source, or delete its entry in Phase; return what was done."""
        number = self._chance.randrange(_COUNT)
        if self._chance.random() < 0.3 and (_folder(number), "KEY") in self._entries():
            self._phase.delete(fleet.FOLLOWED, _ENV, "KEY", path=_folder(number))
            return "pushed entries deleted"
        self._values[number] = f"value {self._chance.random()}"
        await admin.merge(f"{_SECRETS}/source-{number}", {"data": {"KEY": hands.encoded(self._values[number])}})
        return "edits of sources"

    def differences(self) -> Iterator[str]:
        """Yield what is wrong in Phase: an entry that is missing, old, there twice, or made a second time."""
        found = self._entries()
        for number, value in self._values.items():
            path = _folder(number)
            if found.get((path, "KEY")) != [value]:
                yield f"{path}/KEY: {len(found.get((path, 'KEY'), []))} of it, or another value"
            made = found.get((path, _MADE), [])
            if len(made) != 1 or self._made.setdefault(path, made[0]) != made[0]:
                yield f"{path}/{_MADE}: {len(made)} of it, or another value"
        if extra := Counter(path for path, _ in found) - Counter(2 * [_folder(each) for each in self._values]):
            yield f"entries that nobody wants: {sorted(extra)}"

    def _entries(self) -> dict[tuple[str, str], list[str]]:
        query = {"app_id": self._phase.app_id(fleet.FOLLOWED), "env": _ENV}
        url = f"{self._phase.url}/service/public/v1/secrets/?{urllib.parse.urlencode(query)}"
        request = urllib.request.Request(url, headers=self._phase.headers("operator"))
        while True:
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    listed = json.load(answer)
                break
            except urllib.error.HTTPError as error:
                # One request in a hundred fails, whoever makes it.
                if error.code != 503:
                    raise
        found: dict[tuple[str, str], list[str]] = {}
        for each in listed:
            if each["path"].startswith("/pushed/"):
                found.setdefault((each["path"], each["key"]), []).append(each["value"])
        return found


def _folder(number: int) -> str:
    return f"/pushed/{number}"

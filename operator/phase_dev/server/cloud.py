"""The cloud account in which leases make users: it refuses, throttles, loses answers and is slow, as tests order.

Rule: what was executed stays executed, whatever the caller was told; nothing but a call changes a user.
"""

import hashlib
import re
import secrets
import string
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from phase_dev.server.clock import Clock
from phase_dev.server.faultbook import FaultBook
from phase_dev.server.model import CloudUser, DynamicSecret, Organisation, stable_id
from phase_dev.server.state import State
from phase_dev.server.steps import Steps

T = TypeVar("T")
CloudAction = Literal[
    "CreateUser",
    "TagUser",
    "AttachUserPolicy",
    "AddUserToGroup",
    "CreateAccessKey",
    "ListAccessKeys",
    "DeleteAccessKey",
    "DeleteUser",
]
CloudFaultKind = Literal["delay", "refuse", "throttle", "error", "away", "lost", "hang"]
# The client of the real server tries a call so often.
TRIES = 5
KEYS_PER_USER = 2
_AWAY = 'Could not connect to the endpoint URL: "https://iam.amazonaws.com/"'
_NAME = string.ascii_lowercase + string.digits
_KEY_ID = string.ascii_uppercase + "234567"
_SECRET = string.ascii_letters + string.digits + "+/"


class CloudError(Exception):
    """A call that failed, in the words of the client of the real server."""

    def __init__(self, text: str, code: str = "") -> None:
        super().__init__(text)
        self.code = code


class NeverAnswered(Exception):
    """A call whose answer never came: the process that waits for it is killed, and tidies nothing up."""


class CloudFault(BaseModel):
    """One fault of the cloud account; without an action it fits every call, without `times` it lasts.

    `delay` seconds come before the call, of `hang` after it. `lost` executes and loses the answer, so that the client
    calls again; `hang` executes twice, as a client that gave up waiting once, and never answers.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: CloudFaultKind
    action: CloudAction | None = None
    delay: float = Field(0.0, ge=0)
    times: int | None = Field(None, ge=1)
    # Of the calls in its scope, by chance.
    share: float = Field(1.0, gt=0, le=1)

    def fits(self, action: CloudAction) -> bool:
        """Return whether a call is in this fault's scope."""
        return self.action in (None, action)

    def error(self, action: CloudAction) -> CloudError | None:
        """Return the error in place of an answer, for the kinds that have one."""
        match self.kind:
            case "refuse":
                return _refused(action, "AccessDenied", f"User is not authorized to perform: iam:{action}")
            case "throttle":
                return _refused(action, "Throttling", "Rate exceeded", tries=TRIES)
            case "error":
                return _refused(action, "InternalFailure", "The request processing has failed.", tries=TRIES)
            case "away":
                return CloudError(_AWAY)
            case "delay" | "lost" | "hang":
                return None


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An access key as it is shown once."""

    id: str
    secret: str = field(repr=False)


@dataclass
class Cloud:
    """The users of every organisation's cloud account, and the faults in force."""

    state: State
    clock: Clock
    faults: FaultBook[CloudFault] = field(default_factory=lambda: FaultBook[CloudFault]())

    def call(self, organisation: Organisation, action: CloudAction, act: Callable[[], T]) -> Steps[T]:
        """Make a call as the real server's client does: again if it was throttled or got no answer."""
        failed = CloudError(_AWAY)
        for _ in range(TRIES):
            fault = self.faults.take(action)
            wait = organisation.cloud_delay + (fault.delay if fault else 0.0)
            if fault and fault.kind == "hang":
                yield from _hang(act, wait)
            if wait:
                yield wait
            if fault is None or fault.kind == "delay":
                return act()
            if fault.kind == "lost":
                with suppress(CloudError):
                    act()
            failed = fault.error(action) or failed
            if fault.kind == "refuse":
                break
        raise failed

    def find(self, organisation: str, name: str) -> CloudUser | None:
        """Return the user with this name."""
        return self.state.cloud_users.get(_user_id(organisation, name))

    def users_of(self, organisation: str) -> list[CloudUser]:
        """Return the users of an account."""
        return [user for user in self.state.cloud_users.values() if user.organisation == organisation]

    def create_user(self, organisation: Organisation, name: str, dynamic: DynamicSecret) -> None:
        """Make a user that has nothing yet."""
        if self.find(organisation.id, name):
            raise _refused("CreateUser", "EntityAlreadyExists", f"User with name {name} already exists.")
        if len(self.users_of(organisation.id)) >= organisation.cloud_users:
            quota = f"Cannot exceed quota for UsersPerAccount: {organisation.cloud_users}"
            raise _refused("CreateUser", "LimitExceeded", quota)
        user_id = _user_id(organisation.id, name)
        self.state.put(CloudUser(user_id, organisation.id, name, dynamic.id, self.clock()))

    def change_user(self, organisation: str, name: str, action: CloudAction, **changes: object) -> None:
        """Tag a user, attach policies to it or add it to groups."""
        self.state.put(replace(self._existing(organisation, name, action), **changes))  # type: ignore[arg-type]  # the fields of CloudUser

    def create_key(self, organisation: str, name: str) -> AccessKey:
        """Make an access key for a user, of which it may have two."""
        user = self._existing(organisation, name, "CreateAccessKey")
        if len(user.keys) >= KEYS_PER_USER:
            quota = f"Cannot exceed quota for AccessKeysPerUser: {KEYS_PER_USER}"
            raise _refused("CreateAccessKey", "LimitExceeded", quota)
        key = AccessKey("AKIA" + _random(_KEY_ID, 16), _random(_SECRET, 40))
        self.state.put(replace(user, keys={**user.keys, key.id: _digest(key.secret)}))
        return key

    def list_keys(self, organisation: str, name: str) -> list[str]:
        """Return the ids of a user's access keys."""
        return list(self._existing(organisation, name, "ListAccessKeys").keys)

    def delete_key(self, organisation: str, name: str, key: str) -> None:
        """Delete an access key."""
        user = self._existing(organisation, name, "DeleteAccessKey")
        self.state.put(replace(user, keys={k: v for k, v in user.keys.items() if k != key}))

    def delete_user(self, organisation: str, name: str) -> None:
        """Delete a user."""
        self.state.remove(self._existing(organisation, name, "DeleteUser"))

    def holder(self, key: AccessKey) -> CloudUser | None:
        """Return the user whom an access key lets in now, if it does."""
        digest = _digest(key.secret)
        return next((user for user in self.state.cloud_users.values() if user.keys.get(key.id) == digest), None)

    def _existing(self, organisation: str, name: str, action: CloudAction) -> CloudUser:
        if (user := self.find(organisation, name)) is None:
            raise _refused(action, "NoSuchEntity", f"The user with name {name} cannot be found.")
        return user


def user_name(template: str) -> str:
    """Return a name of a template, each `{{ random }}` in it 6 to 18 letters and digits."""
    return re.sub(r"\{\{\s*random\s*\}\}", lambda _: _random(_NAME, 6 + secrets.randbelow(13)), template)


def _hang(act: Callable[[], object], wait: float) -> Steps[None]:
    for _ in range(2):
        with suppress(CloudError):
            act()
    if wait:
        yield wait
    raise NeverAnswered("the cloud account never answers")


def _refused(action: CloudAction, code: str, text: str, *, tries: int = 1) -> CloudError:
    repeated = f" (reached max retries: {tries - 1})" if tries > 1 else ""
    return CloudError(f"An error occurred ({code}) when calling the {action} operation{repeated}: {text}", code)


def _user_id(organisation: str, name: str) -> str:
    return stable_id("cloud user", organisation, name)


def _random(letters: str, length: int) -> str:
    return "".join(secrets.choice(letters) for _ in range(length))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()

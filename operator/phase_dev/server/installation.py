"""One running installation, and what an administrator does to it outside the public API.

Rule: apps, environments and accounts are named as people name them; an unknown name is an error, never a guess.
"""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from phase_dev.server import model
from phase_dev.server.clock import AdvancingClock
from phase_dev.server.damage import OF_ENVIRONMENTS, OF_SECRETS, Damage, DamagedField, can_be
from phase_dev.server.dynamic_seed import DynamicSeed, changed_seed, check_place, dynamic_records
from phase_dev.server.facts import CallCounter
from phase_dev.server.faultbook import FaultBook
from phase_dev.server.faults import Fault
from phase_dev.server.lease_switches import LeaseSwitches
from phase_dev.server.leasing import Leasing
from phase_dev.server.quota import Quota
from phase_dev.server.state import State
from phase_dev.server.unknown import Unknown, given


@dataclass
class Phase:
    """The records, the clock and the switches of one installation."""

    state: State
    clock: AdvancingClock = field(default_factory=AdvancingClock)
    quota_limit: int | None = None
    quota: Quota = field(default_factory=Quota)
    faults: FaultBook[Fault] = field(default_factory=lambda: FaultBook[Fault]())
    counter: CallCounter = field(default_factory=CallCounter)
    leasing: Leasing = field(init=False)

    def __post_init__(self) -> None:
        """Lease by this installation's clock."""
        self.leasing = Leasing(self.state, self.clock)

    @property
    def leases(self) -> LeaseSwitches:
        """The switches of leases, cloud users and the worker."""
        return LeaseSwitches(self.leasing)

    def app(self, name: str) -> model.App:
        """Return the app with this name or id."""
        found = self.state.apps.get(name) or next((a for a in self.state.apps.values() if a.name == name), None)
        return given(found, f'there is no app "{name}"')

    def environment(self, app: str, env: str) -> model.Environment:
        """Return the environment of an app."""
        return given(self.state.environment_named(self.app(app).id, env), f'app "{app}" has no environment "{env}"')

    def account(self, name: str) -> model.Account:
        """Return the account with this name or id."""
        accounts = self.state.accounts
        found = accounts.get(name) or next((a for a in accounts.values() if a.name == name), None)
        return given(found, f'there is no account "{name}"')

    def token(self, account: str, name: str | None = None) -> model.Token:
        """Return the account's newest token, or the one with this name."""
        tokens = [t for t in self.state.tokens_of(self.account(account).id) if name in (None, t.name)]
        return given(tokens[-1] if tokens else None, f'account "{account}" has no such token')

    def set_secret(
        self,
        app: str,
        env: str,
        key: str,
        value: str,
        *,
        path: str = "/",
        type: model.SecretType | None = None,  # noqa: A002  the API's own word for it
        tags: Iterable[str] | None = None,
        comment: str | None = None,
        lifecycle: str | None = None,
        keep_case: bool = False,
    ) -> model.Secret:
        """Create the secret or change its value; what is not given stays as it was."""
        with self.state.transaction():
            environment, now = self.environment(app, env), self.clock()
            folder, stored_key = model.normalise_path(path), key if keep_case else key.upper()
            old = self.state.find_secret(environment.id, folder, stored_key)
            secret = old or model.Secret(
                id=model.new_id(),
                environment=environment.id,
                key=stored_key,
                value=value,
                created_at=now,
                updated_at=now,
                path=folder,
                version=0,
            )
            secret = replace(
                secret,
                value=value,
                version=secret.version + 1,
                updated_at=now,
                type=type or secret.type,
                tags=secret.tags if tags is None else tuple(tags),
                comment=secret.comment if comment is None else comment,
                lifecycle="rotating" if lifecycle == "rotating" else secret.lifecycle,
                # Who writes a secret seals it anew.
                damage={},
            )
            self.state.put(secret)
            self.state.touch(environment.id, now)
            return secret

    def add_dynamic(self, app: str, env: str, seed: DynamicSeed) -> model.DynamicSecret:
        """Create a dynamic secret, which has no values until it is leased."""
        with self.state.transaction():
            environment, now = self.environment(app, env), self.clock()
            check_place(seed, self.state, environment.id)
            [made] = dynamic_records([seed], environment.id, now)
            made = replace(made, id=seed.id or model.new_id())
            self.state.put(made)
            self.state.touch(environment.id, now)
            return made

    def dynamic(self, app: str, env: str, name: str, *, path: str = "/") -> model.DynamicSecret:
        """Return the dynamic secret with this name in this folder."""
        folder = model.normalise_path(path)
        listed = self.state.dynamic_of(self.environment(app, env).id)
        found = next((d for d in listed if (d.name, d.path) == (name, folder)), None)
        return given(found, f'{app}/{env} has no dynamic secret "{name}" at {path}')

    def change_dynamic(
        self, app: str, env: str, name: str, settings: Mapping[str, object], *, path: str = "/"
    ) -> model.DynamicSecret:
        """Change settings of a dynamic secret, in the words of a seed; its leases stay as they are."""
        with self.state.transaction():
            old, now = self.dynamic(app, env, name, path=path), self.clock()
            seed = changed_seed(old, settings)
            check_place(seed, self.state, old.environment, but=old.id)
            [made] = dynamic_records([seed], old.environment, now)
            made = replace(made, id=old.id, created_at=old.created_at)
            self.state.put(made)
            self.state.touch(old.environment, now)
            return made

    def delete_dynamic(self, app: str, env: str, name: str, *, path: str = "/") -> None:
        """Delete a dynamic secret as somebody does in the Console: the worker ends its leases soon, the list stays."""
        with self.state.transaction():
            dynamic, now = self.dynamic(app, env, name, path=path), self.clock()
            self.state.put(replace(dynamic, deleted_at=now))
            self.state.touch(dynamic.environment, now)
            for lease in self.state.leases_of(dynamic.id):
                if lease.revoked_at is None:
                    self.leasing.end_soon(lease)

    def secret(self, app: str, env: str, key: str, *, path: str = "/") -> model.Secret:
        """Return the secret with this key, or with this key in upper case."""
        environment, folder = self.environment(app, env).id, model.normalise_path(path)
        found = self.state.find_secret(environment, folder, key)
        found = found or self.state.find_secret(environment, folder, key.upper())
        return given(found, f'{app}/{env} has no secret "{key}" at {path}')

    def delete_secret(self, app: str, env: str, key: str, *, path: str = "/") -> None:
        """Delete the secret."""
        with self.state.transaction():
            secret, now = self.secret(app, env, key, path=path), self.clock()
            self.state.put(replace(secret, deleted_at=now))
            self.state.touch(secret.environment, now)

    def damage_secret(
        self, app: str, env: str, key: str, field: DamagedField, how: Damage | None, *, path: str = "/"
    ) -> None:
        """Damage a stored field of a secret as another client's bad write would, or make it whole."""
        _check_damage(field, how, OF_SECRETS)
        with self.state.transaction():
            secret, now = self.secret(app, env, key, path=path), self.clock()
            self.state.put(replace(secret, damage=_noted(secret.damage, field, how), updated_at=now))
            self.state.touch(secret.environment, now)

    def damage_environment(self, app: str, env: str, field: DamagedField, how: Damage | None) -> None:
        """Damage the keys of an environment, or make them whole; its `updated_at` does not move."""
        _check_damage(field, how, OF_ENVIRONMENTS)
        with self.state.transaction():
            environment = self.environment(app, env)
            self.state.put(replace(environment, damage=_noted(environment.damage, field, how)))

    def damage_token(self, account: str, how: Damage | None) -> None:
        """Damage the share that the server keeps of an account's newest token, or make it whole."""
        _check_damage("wrapped_key_share", how, frozenset({"wrapped_key_share"}))
        with self.state.transaction():
            token = self.token(account)
            self.state.put(replace(token, damage=_noted(token.damage, "wrapped_key_share", how)))

    def change_access(self, account: str, app: str, envs: Iterable[str], *, grant: bool) -> None:
        """Give an account access to environments, or withdraw it."""
        with self.state.transaction():
            who = self.account(account)
            ids = {self.environment(app, env).id for env in envs}
            granted = who.environments | ids if grant else who.environments - ids
            withdrawn = {i: at for i, at in who.withdrawn.items() if i not in ids}
            if not grant:
                withdrawn |= dict.fromkeys(ids & who.environments, self.clock()) | who.withdrawn
            self.state.put(replace(who, environments=granted, withdrawn=withdrawn))

    def add_token(self, account: str, name: str = "token", expires_at: datetime | None = None) -> model.Token:
        """Make a token for an account."""
        with self.state.transaction():
            who = self.account(account)
            value = secrets.token_hex(32)
            token = model.Token(model.new_id(), who.id, name, value, self.clock(), expires_at)
            self.state.put(token)
            return token

    def revoke_tokens(self, account: str, name: str | None = None) -> None:
        """Delete an account's tokens, or the one with this name."""
        with self.state.transaction():
            for token in self.state.tokens_of(self.account(account).id):
                if name in (None, token.name):
                    self.state.remove(token)

    def rotate_token(self, account: str) -> model.Token:
        """Replace all of an account's tokens by a new one."""
        with self.state.transaction():
            self.revoke_tokens(account)
            return self.add_token(account)

    def add_app(self, name: str, *, sse: bool = True) -> model.App:
        """Make an app without environments."""
        with self.state.transaction():
            now = self.clock()
            organisation = next(iter(self.state.organisations))
            app = model.App(model.new_id(), organisation, name, now, now, sse=sse)
            self.state.put(app)
            return app

    def change_app(self, app: str, *, name: str | None = None, sse: bool | None = None) -> None:
        """Rename an app or turn server-side encryption on or off."""
        with self.state.transaction():
            old = self.app(app)
            new_sse = old.sse if sse is None else sse
            self.state.put(replace(old, name=name or old.name, sse=new_sse, updated_at=self.clock()))

    def rename_environment(self, app: str, env: str, name: str) -> None:
        """Rename an environment; the old name is unknown from now on."""
        with self.state.transaction():
            self.state.put(replace(self.environment(app, env), name=name, updated_at=self.clock()))

    def remove(self, app: str, env: str | None = None) -> None:
        """Delete an app, or one of its environments, with all it holds."""
        with self.state.transaction():
            self.state.remove(self.environment(app, env) if env else self.app(app))

    def set_quota(self, quota: int | None) -> None:
        """Set requests per minute and account, in place of what the seed said, and start a new window."""
        with self.state.transaction():
            self.quota_limit = quota
            for organisation in list(self.state.organisations.values()):
                self.state.put(replace(organisation, quota=quota))
            self.quota.reset()

    def set_plan(self, plan: model.Plan) -> None:
        """Put all organisations on a plan."""
        with self.state.transaction():
            for organisation in list(self.state.organisations.values()):
                self.state.put(replace(organisation, plan=plan))


def _check_damage(field: DamagedField, how: Damage | None, fields: frozenset[DamagedField]) -> None:
    if field not in fields:
        raise Unknown(f'field: "{field}" is not here; it is one of {", ".join(sorted(fields))}')
    if not can_be(field, how):
        raise Unknown(f'how: "{field}" has only hexadecimal digits and cannot be damaged by "{how}"')


def _noted(notes: Mapping[str, str], field: DamagedField, how: Damage | None) -> dict[str, str]:
    others = {name: note for name, note in notes.items() if name != field}
    return others if how is None else {**others, field: how}

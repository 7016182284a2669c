"""What a PhasePushSecret pushes: Secrets, ConfigMaps, and values that are made once.

Rule: a source has a name, or a selector by a label that its Secrets have. There is no way to say "all of them".
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from phase_operator.api.base import ApiModel, ObjectName
from phase_operator.api.v1alpha1.phasesecret import EntryKey, EntryType, KeySelection, ProcessorType
from phase_operator.api.v1alpha1.rules import rule, rules, unless_empty

_ALL_KEYS = KeySelection()
# Below what a row of the ledger holds, with the name of a Secret behind it.
_LONGEST_FOLDER = 512
# A folder, or nothing. Signs that do not print would reach terminals.
_FOLDER = r"^(/[^\x00-\x1f\x7f]*)?$"
_ANY_FOLDER = r"^[^\x00-\x1f\x7f]*$"
# Phase: a longer name of a folder is a server error.
SHORT_NAMES = rule("self.split('/').all(name, size(name) <= 64)", "the name of a folder has at most 64 characters")
RootFolder = Annotated[
    Annotated[str, Field(max_length=_LONGEST_FOLDER, pattern=_ANY_FOLDER)] | None,
    unless_empty(),
]
_Folder = Annotated[
    Annotated[str, Field(max_length=_LONGEST_FOLDER, pattern=_FOLDER)] | None,
    unless_empty(),
]
_Name = Annotated[str, Field(max_length=253, pattern=r"^[-._a-zA-Z0-9]*$")]


class GeneratedKind(StrEnum):
    """What can be made."""

    PASSWORD = "Password"
    UUID = "UUID"
    # Ed25519, in OpenSSH's form.
    SSH_KEY = "SSHKey"
    # PKCS#8 and its public half, in PEM.
    RSA_KEY = "RSAKey"
    EC_KEY = "ECKey"


class PushedKey(ApiModel):
    """What one key of a source becomes in Phase."""

    as_name: Annotated[_Name | None, unless_empty()] = Field(
        None, description="The key in Phase, without the prefix; Phase stores it in upper case."
    )
    type: ProcessorType | None = Field(
        None,
        description="base64: the bytes are pushed as base64 text; a value that is no UTF-8 text needs it. Default: "
        "plain.",
    )


class PushSource(ApiModel):
    """A Secret, Secrets with a label, or a ConfigMap, in the resource's own namespace."""

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(
            rule(
                "[has(self.secretName), has(self.secretSelector), has(self.configMapName)].exists_one(given, given)",
                "a source has exactly one of secretName, secretSelector and configMapName",
            ),
            rule(
                '!has(self.type) || self.type != "config" || has(self.configMapName)',
                "a Secret is not pushed as config, whose values everybody sees who may open the environment in Phase",
                ".type",
            ),
        )
    }

    secret_name: ObjectName | None = Field(None, description="Name of a Secret.")
    secret_selector: Annotated[str, Field(max_length=1024, pattern=r"^[-A-Za-z0-9_./=!,()<>\s]*$")] | None = Field(
        None,
        description="Label selector, as kubectl takes it (tier=api), of Secrets. It has to name a label that they "
        "have: what only excludes would push nearly every Secret of the namespace.",
        json_schema_extra=rules(
            rule("self.matches('[A-Za-z0-9]')", "an empty selector would push every Secret of the namespace")
        ),
    )
    config_map_name: ObjectName | None = Field(None, description="Name of a ConfigMap.")
    path: _Folder = Field(
        None,
        description="Folder of the entries: phaseAppEnvPath or a folder below it, written in full. With "
        "secretSelector, each Secret has a folder of its own name in it. Default: phaseAppEnvPath.",
        json_schema_extra=rules(SHORT_NAMES),
    )
    keys: KeySelection = Field(
        default_factory=lambda: _ALL_KEYS,
        description="Which keys to push, by glob patterns on the key as the source has it. Default: all.",
    )
    prefix: Annotated[str, Field(max_length=128, pattern=r"^[_a-zA-Z0-9]*$")] | None = Field(
        None,
        description="Comes before every key in Phase, except those that asName names. The key itself follows in upper "
        "case, with _ for - and for a dot.",
    )
    processors: dict[EntryKey, PushedKey] = Field(
        default_factory=dict, max_length=256, description="Per key, as the source has it: name and encoding."
    )
    type: EntryType | None = Field(
        None,
        description="Type of the entries in Phase. A sealed entry shows its value to nobody, and no write changes it: "
        "see onTypeChange. Default: secret; of a ConfigMap: config.",
    )


_OF_PASSWORDS = "self.kind == 'Password'"


class GeneratedValue(ApiModel):
    """A value that is made once, kept in a Secret and pushed."""

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(
            rule(f"!has(self.length) || {_OF_PASSWORDS}", "only a Password has a length", ".length"),
            rule(f"!has(self.symbols) || {_OF_PASSWORDS}", "only a Password has symbols", ".symbols"),
        )
    }

    # With _PUB behind it, it is still a key of a Secret.
    key: Annotated[str, Field(min_length=1, max_length=249, pattern=r"^[.]?[-_a-zA-Z0-9][-._a-zA-Z0-9]*$")] = Field(
        description="Key in the Secret of generateInto. The key in Phase is the same in upper case, with _ for - and "
        "for a dot. The public half of a key pair has _PUB behind it."
    )
    kind: GeneratedKind = Field(
        description="Password: letters and digits. UUID: a random one. SSHKey: Ed25519, in OpenSSH's form. RSAKey: "
        "3072 bits, and ECKey: P-256, both in PEM. Another kind alone makes no new value; change rotate too."
    )
    length: Annotated[int, Field(ge=16, le=256)] | None = Field(
        None, description="Characters of a Password. Another length alone makes no new one. Default: 32."
    )
    symbols: bool | None = Field(
        None,
        description="true: a Password has signs too, but none of $ { } \\ and quotes. Default: false.",
    )
    rotate: Annotated[Annotated[str, Field(max_length=63)] | None, unless_empty()] = Field(
        None, description="Any text, such as a date. Another text makes a new value, once; without one, none is made."
    )

"""PhasePushSecret: which Secrets and ConfigMaps of its namespace to keep in Phase, where, and which values to make.

Rule: what the text of a spec alone shows to be impossible is refused when it is applied, with a message that names the
field. Defaults are applied when the operator reads a resource, never written into its spec.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from phase_operator.api.base import ApiModel, ObjectName
from phase_operator.api.v1alpha1.phasesecret import (
    NAMES_AN_APP,
    Authentication,
    DeletionPolicy,
    OnTypeChange,
    PlaceFields,
)
from phase_operator.api.v1alpha1.push_sources import SHORT_NAMES, GeneratedValue, PushSource, RootFolder
from phase_operator.api.v1alpha1.push_status import PhasePushSecretStatus
from phase_operator.api.v1alpha1.rules import NULLABLE, inside_the_folder, is_own_token, rule, rules

_NEVER_CHANGES = 'has(self.updatePolicy) && self.updatePolicy == "IfNotExists"'


class UpdatePolicy(StrEnum):
    """What is done about entries that are in Phase."""

    # Change what is ours, refuse the rest.
    OWNED = "Owned"
    # Change nothing, also not what is ours.
    IF_NOT_EXISTS = "IfNotExists"
    # Owned, and take over what nobody's mark is on.
    REPLACE = "Replace"


def _in_phase(key: str) -> str:
    """Return the key in Phase of a generated one, in CEL."""
    return f"{key}.upperAscii().replace('-', '_').replace('.', '_')"


def _no_name_twice(field: str, what: str) -> dict[str, str]:
    same = f"has(b.{field}) && a.{field} == b.{field}"
    return rule(
        f"self.all(a, !has(a.{field}) || self.exists_one(b, {same}))",
        f"a {what} is a source twice; name it once",
    )


class PhasePushSecretSpec(PlaceFields):
    """What to push to Phase, and what may be done to entries there."""

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(
            NAMES_AN_APP,
            rule(
                "has(self.sources) && size(self.sources) > 0 || has(self.generate) && size(self.generate) > 0",
                "name at least one source, or a value to generate",
                ".sources",
            ),
            rule(
                "!has(self.sources) || self.sources.all(source, !has(source.secretName) || "
                f"!({is_own_token('source.secretName')}))",
                "a source may not be the Secret that holds the Phase token",
                ".sources",
            ),
            rule(
                inside_the_folder("sources", "source"),
                "the path of a source is phaseAppEnvPath or a folder below it",
                ".sources",
            ),
            rule(
                "(has(self.generate) && size(self.generate) > 0) == has(self.generateInto)",
                "generate and generateInto go together: name the Secret that keeps the generated values",
                ".generateInto",
            ),
            rule(
                f"!has(self.generateInto) || !({is_own_token('self.generateInto')})",
                "generateInto may not be the Secret that holds the Phase token: it would be overwritten",
                ".generateInto",
            ),
            rule(
                "!has(self.generateInto) || !has(self.sources) || self.sources.all(source, !has(source.secretName) || "
                "source.secretName != self.generateInto)",
                "the Secret of generateInto is pushed anyway: leave it out of sources",
                ".sources",
            ),
            rule(
                f"!({_NEVER_CHANGES}) || !has(self.generate) || self.generate.all(each, !has(each.rotate) || "
                "each.rotate == '')",
                "with updatePolicy IfNotExists nothing in Phase changes, so no value can be rotated: leave rotate out",
                ".generate",
            ),
            rule(
                f'!({_NEVER_CHANGES}) || !has(self.onTypeChange) || self.onTypeChange == "Refuse"',
                "with updatePolicy IfNotExists nothing in Phase changes: onTypeChange has to be Refuse",
                ".onTypeChange",
            ),
        )
    }

    phase_app_env_path: RootFolder = Field(
        None,
        description="Folder that all entries are in, or below. Phase makes it with the first entry. Default: /.",
        json_schema_extra=NULLABLE | rules(SHORT_NAMES),
    )
    polling_interval: Annotated[int, Field(ge=5, le=31536000)] | None = Field(
        None,
        description="Seconds between checks for a change in Phase, at least 5. Default: 60.",
        json_schema_extra=NULLABLE,
    )
    authentication: Authentication = Field(
        default_factory=Authentication, description="How to authenticate with Phase."
    )
    sources: list[PushSource] = Field(
        default_factory=list,
        max_length=32,
        description="What to push, all from the resource's own namespace. An object that several sources take is "
        "pushed as the first of them says.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"}
        | rules(_no_name_twice("secretName", "Secret"), _no_name_twice("configMapName", "ConfigMap")),
    )
    generate: list[GeneratedValue] = Field(
        default_factory=list,
        max_length=32,
        description="Values to make once and push to phaseAppEnvPath. If the Secret of generateInto is lost, the value "
        "in Phase is taken; none is made anew but by rotate.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"}
        | rules(
            rule(
                f"self.all(a, self.exists_one(b, {_in_phase('a.key')} == {_in_phase('b.key')}))",
                "two keys are one in Phase, which has - and . as _, and all letters in upper case",
            ),
            rule(
                "self.all(a, a.kind in ['Password', 'UUID'] || "
                f"!self.exists(b, {_in_phase('b.key')} == {_in_phase('a.key')} + '_PUB'))",
                "a key is that of the public half of a key pair, which ends in _PUB",
            ),
        ),
    )
    generate_into: ObjectName | None = Field(
        None,
        description="Name of the Secret that keeps the generated values, in the resource's own namespace. The operator "
        "makes it and adds keys; it changes none that others wrote.",
    )
    tags: list[Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^,\x00-\x1f\x7f]+$")]] = Field(
        default_factory=list,
        max_length=16,
        description="Tags of all entries; Phase makes those that it does not know.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    update_policy: UpdatePolicy | None = Field(
        None,
        description="Owned: make entries, change those with the resource's mark, and refuse all others. IfNotExists: "
        "make entries and change none. Replace: as Owned, and take over entries that nobody's mark is on. Default: "
        "Owned.",
    )
    deletion_policy: DeletionPolicy | None = Field(
        None,
        description="What happens to entries whose source, key or resource is gone. Retain: they stay, without the "
        "mark. Delete: they are deleted, except those that others changed since. Default: Retain.",
    )
    on_type_change: OnTypeChange | None = Field(
        None,
        description="No write changes the value or type of a sealed entry. Refuse: a change is reported and not "
        "written. Replace: the entry is deleted and made anew; it is missing in between. Default: Refuse.",
    )
    suspend: bool | None = Field(None, description="true: nothing is pushed, and Phase is not called. Default: false.")


class PhasePushSecret(ApiModel):
    """Keeps Secrets and ConfigMaps of its namespace in Phase, and makes values once."""

    spec: PhasePushSecretSpec = Field(description="What to push to Phase.")
    status: PhasePushSecretStatus = Field(
        default_factory=PhasePushSecretStatus, description="The state; written by the operator."
    )

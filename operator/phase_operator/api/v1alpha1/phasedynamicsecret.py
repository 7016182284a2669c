"""PhaseDynamicSecret: which dynamic secret of Phase to lease, for how long, and which Secrets get its credentials.

Rule: a target has the fields of a PhaseSecret's Secret, so that all there is to know of one holds for the other. What
it lacks has no meaning for credentials: entry types, folders and ConfigMaps.
"""

from typing import Annotated

from pydantic import Field, JsonValue

from phase_operator.api.base import ApiModel
from phase_operator.api.v1alpha1.phasesecret import (
    NAMES_AN_APP,
    SECRET_RULES,
    Authentication,
    KeySelection,
    PlaceFields,
    RedeployLabelSelector,
    SecretName,
    SourceStatus,
    TargetStatus,
    TypeChange,
    WritingFields,
)
from phase_operator.api.v1alpha1.resource_status import ResourceStatus
from phase_operator.api.v1alpha1.rules import NULLABLE, no_doubles, not_the_token, rule, rules, unless_empty

_ALL_KEYS = KeySelection()
_Id = Annotated[str, Field(max_length=253)]
_Moment = Annotated[str, Field(max_length=64)]
_TIME: dict[str, JsonValue] = {"format": "date-time"}


class DynamicSecretTarget(WritingFields, TypeChange, SecretName):
    """A Secret that gets the credentials of the lease."""

    model_config = ApiModel.model_config | {"json_schema_extra": SECRET_RULES}


class PhaseDynamicSecretSpec(PlaceFields):
    """Which dynamic secret to lease, for how long, and which Secrets get its credentials."""

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(
            NAMES_AN_APP,
            rule(
                "has(self.managedSecretReferences) && size(self.managedSecretReferences) > 0",
                "name at least one Secret that gets the credentials",
                ".managedSecretReferences",
            ),
            rule(
                "!has(self.leaseTTL) || !has(self.overlap) || self.overlap * 2 < self.leaseTTL",
                "overlap has to be less than half of leaseTTL: two leases would live at once for most of the time",
                ".overlap",
            ),
            not_the_token(),
        )
    }

    phase_app_env_path: Annotated[Annotated[str, Field(max_length=1024)] | None, unless_empty()] = Field(
        None,
        description="Folder that holds the dynamic secret. Default: /, the root folder.",
        json_schema_extra=NULLABLE,
    )
    dynamic_secret: Annotated[str, Field(min_length=1, max_length=253)] = Field(
        description="Name of the dynamic secret in that folder; exact."
    )
    lease_ttl: Annotated[int, Field(ge=60, le=31536000)] | None = Field(
        None,
        alias="leaseTTL",
        description="Seconds that a lease lives, at most what the dynamic secret allows. The operator asks for some "
        "seconds less, to recognise the lease. Default: the dynamic secret's own default.",
    )
    rollover_percent: Annotated[int, Field(ge=10, le=90)] | None = Field(
        None,
        description="Part of a lease's life, in percent, after which the next lease is asked for. Default: 67.",
    )
    overlap: Annotated[int, Field(ge=0, le=86400)] | None = Field(
        None,
        description="Seconds that a replaced lease lives on at least, counted from the moment when all targets have "
        "the next one; never beyond its own end. Default: 300.",
    )
    revoke: bool | None = Field(
        None,
        description="true: a replaced lease is revoked when no pod uses it any more, and every lease when the resource "
        "is deleted. false: leases are left to their ends. Default: true.",
    )
    polling_interval: Annotated[int, Field(ge=60, le=86400)] | None = Field(
        None,
        description="Seconds between looks at Phase's list of leases, which show whether others revoked the lease. "
        "Default: 600.",
    )
    authentication: Authentication = Field(
        default_factory=Authentication, description="How to authenticate with Phase."
    )
    keys: KeySelection = Field(
        default_factory=lambda: _ALL_KEYS, description="Which keys of the credentials to take. Default: all."
    )
    managed_secret_references: list[DynamicSecretTarget] = Field(
        default_factory=list,
        max_length=16,
        description="Secrets that get the credentials.",
        json_schema_extra=no_doubles("secretName", "secretNamespace", "Secret"),
    )
    redeploy_label_selector: RedeployLabelSelector = None
    suspend: bool | None = Field(
        None,
        description="true: no lease is asked for, looked at or revoked, and the targets are only repaired. "
        "Default: false.",
    )


class LeasedSourceStatus(SourceStatus):
    """What is leased from Phase."""

    dynamic_secret_id: _Id | None = Field(None, description="Id of the dynamic secret.")


class LeaseStatus(ApiModel):
    """One lease: a row of the ledger."""

    attempt: Annotated[str, Field(max_length=64)] = Field(
        description="Eight hexadecimal digits; the Secret that keeps the credentials is named after them."
    )
    state: Annotated[str, Field(max_length=16)] = Field(
        description="Asking: announced, and Phase may have made it. Active: the targets have it, or get it. Ended: its "
        "credentials are void, and there is no other yet. Retiring: replaced, and pods may still use it. Revoking: it "
        "is given back."
    )
    host: Annotated[str, Field(max_length=2100)] = Field(description="Base URL of the Phase that it is asked of.")
    app_id: _Id = Field(description="Id of the app.")
    environment: Annotated[str, Field(max_length=253)] = Field(description="The environment.")
    dynamic_secret_id: _Id = Field(description="Id of the dynamic secret.")
    asked_by: Annotated[str, Field(max_length=64)] | None = Field(
        None, description="Digits that stand for the fields of the spec that led there."
    )
    ttl: int = Field(description="The life that was asked for, in seconds; Phase's list has the same.")
    asked_at: _Moment = Field(description="When it was announced.", json_schema_extra=_TIME)
    after: _Id | None = Field(None, description="Id of the newest lease in Phase's list before it.")
    id: _Id | None = Field(None, description="Its id in Phase, as soon as it is known.")
    ends_at: _Moment | None = Field(
        None, description="When Phase deletes its credentials. A renewal does not change that.", json_schema_extra=_TIME
    )
    revoke_after: _Moment | None = Field(None, description="When the overlap is over.", json_schema_extra=_TIME)
    proof: Annotated[str, Field(max_length=64)] | None = Field(
        None,
        description="Shows that the operator wrote this row, for this resource. Without it, the lease is neither "
        "looked for nor given back.",
    )


class AttemptsStatus(ApiModel):
    """How the last attempts to get a lease went."""

    setbacks: int = Field(description="How many in a row failed, or gave a lease that ended early.")
    last: _Moment = Field(description="When the newest was announced.", json_schema_extra=_TIME)


class PhaseDynamicSecretStatus(ResourceStatus):
    """The state of the PhaseDynamicSecret; written by the operator only, and only when it changes."""

    source: LeasedSourceStatus | None = Field(None, description="What is leased.")
    account: _Id | None = Field(None, description="Id of the service account that holds the leases.")
    leases: list[LeaseStatus] = Field(
        default_factory=list,
        max_length=12,
        description="The ledger: every lease that was asked for and is not known to be gone, the newest first. The "
        "operator writes it before it asks; do not edit it.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    attempts: AttemptsStatus | None = Field(None, description="How the last attempts to get a lease went.")
    targets: list[TargetStatus] = Field(
        default_factory=list,
        max_length=256,
        description="The state of each target; also of those that are still to be removed.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    keys: int | None = Field(None, description="How many keys all targets hold together.")
    last_synced_time: _Moment | None = Field(
        None,
        description="When a target or the verdict last changed; not when Phase was last asked.",
        json_schema_extra=_TIME,
    )
    last_forced_sync: Annotated[str, Field(max_length=256)] | None = Field(
        None, description="The value of the annotation secrets.phase.dev/sync that was acted on last."
    )


class PhaseDynamicSecret(ApiModel):
    """Leases a dynamic secret of Phase and keeps the credentials of the lease in Secrets."""

    spec: PhaseDynamicSecretSpec = Field(description="What to lease from Phase and where to write it.")
    status: PhaseDynamicSecretStatus = Field(
        default_factory=PhaseDynamicSecretStatus, description="The state; written by the operator."
    )

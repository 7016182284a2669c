"""The status of a PhasePushSecret: its conditions, what is in step, and the ledger of its entries.

Rule: it names entries and sources, and holds no value and no digest of one. The ledger makes no entry ours: the mark in
Phase does.
"""

from typing import Annotated

from pydantic import Field, JsonValue

from phase_operator.api.base import ApiModel, ObjectName
from phase_operator.api.v1alpha1.phasesecret import SourceStatus
from phase_operator.api.v1alpha1.resource_status import ResourceStatus

_Id = Annotated[str, Field(max_length=253)]
_Moment = Annotated[str, Field(max_length=64)]
# What the ledger reads of a text: core/push/ledger.py.
_Text = Annotated[str, Field(max_length=1024)]
_TIME: dict[str, JsonValue] = {"format": "date-time"}
_ATOMIC: dict[str, JsonValue] = {"x-kubernetes-list-type": "atomic"}


class PushedToStatus(ApiModel):
    """Where the entries of the ledger are."""

    host: Annotated[str, Field(max_length=2100)] = Field(description="Base URL of Phase.")
    app_id: _Id = Field(description="Id of the app.")
    environment: _Id = Field(description="The environment.")


class PushedEntryStatus(ApiModel):
    """One entry: a row of the ledger."""

    path: _Text = Field(description="Its folder.")
    key: _Text = Field(description="Its key, as Phase has it.")
    source: _Text = Field(description="What its value is made of, as kind and name; empty: not known.")
    resource_version: _Text = Field(description="The resourceVersion of the source that was pushed.")
    state: Annotated[str, Field(max_length=16)] | None = Field(
        None,
        description="Adding: announced, and Phase may have made it. Changing: a change is announced. Replacing: it is "
        "deleted and made anew. None: Phase has it.",
    )
    id: _Text | None = Field(None, description="Its id in Phase, as soon as it is known.")
    version: int | None = Field(None, description="The version in which Phase has this value.")
    attempt: _Text | None = Field(None, description="Eight hexadecimal digits of the announced call.")
    sealed: bool | None = Field(None, description="true: no write changes its value.")
    announced_at: _Moment | None = Field(None, description="When the call was announced.", json_schema_extra=_TIME)
    unclear_until: _Moment | None = Field(
        None, description="Until when a change whose answer was lost may still come.", json_schema_extra=_TIME
    )


class PushedSourceStatus(ApiModel):
    """One Secret or ConfigMap that is pushed."""

    kind: Annotated[str, Field(max_length=16)] = Field(description="Secret or ConfigMap.")
    name: ObjectName = Field(description="Its name.")
    resource_version: _Id = Field(description="Its resourceVersion when it was last looked at.")
    entries: int = Field(description="How many entries Phase has of it.")


class PhasePushSecretStatus(ResourceStatus):
    """The state of the PhasePushSecret; written by the operator only, and only when it changes."""

    source: SourceStatus | None = Field(None, description="Where the spec pushes to, and how many entries it wants.")
    sources: list[PushedSourceStatus] = Field(
        default_factory=list,
        max_length=100,
        description="The Secrets and ConfigMaps that are pushed: the first hundred of them.",
        json_schema_extra=_ATOMIC,
    )
    entries_in_step: int | None = Field(
        None, description="How many entries of Phase have the value of their source; absent while that is not known."
    )
    pushed_to: PushedToStatus | None = Field(
        None, description="Where the entries below are; not where the spec wants them, until they have left it."
    )
    entries: list[PushedEntryStatus] = Field(
        default_factory=list,
        max_length=2000,
        description="The ledger: what the operator has in Phase, in which version, and made of what. It is written "
        "before Phase is called; do not edit it.",
        json_schema_extra=_ATOMIC,
    )
    last_synced_time: _Moment | None = Field(
        None,
        description="When an entry or the verdict last changed; not when Phase was last asked.",
        json_schema_extra=_TIME,
    )
    last_forced_sync: Annotated[str, Field(max_length=256)] | None = Field(
        None, description="The value of the annotation secrets.phase.dev/sync that was acted on last."
    )

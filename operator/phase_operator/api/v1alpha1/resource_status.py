"""What the statuses of all our kinds have."""

from typing import Annotated

from pydantic import Field

from phase_operator.api.base import ApiModel


class Condition(ApiModel):
    """One condition, in the form that all of Kubernetes uses."""

    type: Annotated[str, Field(max_length=316)] = Field(description="Ready, Reconciling or Stalled.")
    status: Annotated[str, Field(max_length=7)] = Field(
        description="True, False or Unknown.", json_schema_extra={"enum": ["True", "False", "Unknown"]}
    )
    observed_generation: int | None = Field(None, description="The generation this was decided for.")
    last_transition_time: Annotated[str, Field(max_length=64)] = Field(
        description="When status last changed.", json_schema_extra={"format": "date-time"}
    )
    reason: Annotated[str, Field(max_length=1024)] = Field(description="One word from the catalogue of reasons.")
    message: Annotated[str, Field(max_length=32768)] = Field(description="A sentence for people.")


class ResourceStatus(ApiModel):
    """Which generation a status is about, and its conditions."""

    observed_generation: int = Field(-1, description="The generation that this status is about; -1: not looked at yet.")
    conditions: list[Condition] = Field(
        default_factory=list,
        max_length=8,
        description="Ready; Reconciling and Stalled only while true.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )

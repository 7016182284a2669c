"""The base of every model in the API.

Rule: models are frozen, camelCase outside, and ignore what they do not know: during an upgrade an old operator
meets a newer CRD, and the API server has already pruned typing errors.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class ApiModel(BaseModel):
    """A part of a custom resource."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


# A DNS-1123 subdomain, as Kubernetes wants object names.
ObjectName = Annotated[
    str,
    Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"),
]
# A DNS-1123 label, as Kubernetes wants namespaces.
NamespaceName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]

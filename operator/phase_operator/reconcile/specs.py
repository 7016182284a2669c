"""A PhaseSecret's spec as the API server has it -> the model; what is wrong is told by its field, never by its text."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.core.errors import Invalid


def parse_spec(spec: Mapping[str, Any]) -> PhaseSecretSpec:
    """Read the spec; raise Invalid with the field's path. Input is not quoted: a value may have been pasted there."""
    try:
        return PhaseSecretSpec.model_validate(spec)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(["spec", *(str(part) for part in first["loc"])])
        raise Invalid(Reason.INVALID_SPEC, f"{where}: {first['msg']}") from None

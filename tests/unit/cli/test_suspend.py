"""`suspend` and `resume` tell what became of a resource, and not what was asked for."""

from collections.abc import Mapping
from typing import Any, cast

import pytest

from phase_operator.cli.commands.suspend import Change, changed
from phase_operator.cli.common.failures import ExitCode, Failure
from phase_operator.kube.user_cluster import UserCluster
from support.shown import resource


class Forgetful:
    """A cluster with an older CRD: the API server drops the field, and says nothing of it."""

    def __init__(self, *, is_suspended: bool) -> None:
        self._is_suspended = is_suspended

    async def patch(self, _: object, __: str, ___: str, ____: Mapping[str, Any]) -> dict[str, Any]:
        """Return the resource as it stays."""
        return resource(spec={"suspend": True} if self._is_suspended else {})


@pytest.mark.parametrize("is_suspension", [True, False])
async def test_a_change_that_the_api_server_drops_is_told(is_suspension: bool) -> None:
    cluster = cast("UserCluster", Forgetful(is_suspended=not is_suspension))
    change = Change(is_suspension, "", None)

    with pytest.raises(Failure, match=r"has no spec\.suspend") as raised:
        await changed(cluster, resource(spec={} if is_suspension else {"suspend": True}), change, "now")

    assert raised.value.exit_code == ExitCode.NO

"""Policies and webhooks refuse what the operator writes: they are named, and none of their words is repeated."""

import pytest

from phase_dev.cluster import CommandFailed
from support.operator_process import eventually
from support.quoting import BY_POLICY, BY_WEBHOOK, CODES, POLICY, WEBHOOK
from support.world import World, secret


@pytest.mark.parametrize("reason", ["forbidden", "invalid", "requestentitytoolarge"])
def test_a_policy_that_refuses_is_named(world: World, reason: str) -> None:
    _hold_a_canary(world)
    world.phase_secret("shop", managedSecretReferences=[{"secretName": f"{BY_POLICY}{reason}"}])

    message = world.until_reason("TargetRefused")["message"]

    assert f"ValidatingAdmissionPolicy {POLICY}-{reason} denies it" in message


@pytest.mark.parametrize("code", CODES)
def test_a_webhook_that_refuses_is_named_whatever_it_answers(world: World, code: int) -> None:
    _hold_a_canary(world)
    world.phase_secret("shop", managedSecretReferences=[{"secretName": f"{BY_WEBHOOK}{code}"}, {"secretName": "good"}])

    message = world.until_reason("TargetRefused")["message"]

    assert f'admission webhook "{WEBHOOK}" denies it' in message
    eventually(lambda: world.data("good"), what="the other target is written")


def test_the_policy_and_the_webhook_do_quote_values(world: World) -> None:
    """The tests above rely on this: a user who writes such a Secret by hand sees its values."""
    for name in (f"{BY_POLICY}forbidden", f"{BY_WEBHOOK}403"):
        with pytest.raises(CommandFailed, match="bm8tc2VjcmV0LWF0LWFsbA=="):
            world.apply(secret(name, {"A": "no-secret-at-all"}))


def _hold_a_canary(world: World) -> None:
    world.phase.set("shop", "Production", "QUOTED", world.canary.value("quoted"))

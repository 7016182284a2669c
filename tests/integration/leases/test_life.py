"""The life of a lease on a real API server: made once, used from its record, replaced with an overlap, given back."""

from support.lease_stage import KEYS, NAME, TARGET, LeaseStage


def test_a_lease_is_made_once_and_its_credentials_are_in_the_target(world: LeaseStage) -> None:
    world.dynamic_secret()

    found = world.until_serving()

    data = world.data(TARGET)
    assert data is not None
    assert data.keys() >= KEYS
    (row,) = world.ledger()
    (lease,) = world.live()
    assert (row["state"], row["id"]) == ("Active", lease.id)
    assert world.held() == lease.id
    assert world.records() == [f"{NAME}-lease-{row['attempt']}"]
    assert f"the lease ends {row['endsAt']}" in world.ready()["message"]
    assert "secrets.phase.dev/outside" in found["metadata"]["finalizers"]
    assert world.phase.calls(lease=True) == 1

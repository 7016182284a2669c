"""What is said of a token, as literal text."""

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.cli.setting_up.token_findings import (
    AppAccess,
    Level,
    account,
    apps,
    expiry,
    form,
    is_missing,
    probing,
)
from phase_operator.core.errors import Waiting
from phase_operator.core.source.keyring import Identity
from phase_operator.phase.accounts import AccountToken, ServiceAccount

NOW = 1_800_000_000.0
DAY = 24 * 60 * 60.0
DENIED = Waiting(Reason.ACCESS_DENIED, "Phase answers 403: You don't have permission to read environments.")
SHOP = AppAccess("1", "shop", False, ["Production", "Staging"])
VAULT = AppAccess("2", "vault", True, ["Production"])


def service_account(*ends: float | None) -> ServiceAccount:
    return ServiceAccount("operator", "Service", tuple(AccountToken(f"t{n}", end) for n, end in enumerate(ends)))


def test_the_account_is_named_as_far_as_phase_tells() -> None:
    identity = Identity("id-1", "acme")

    assert account(identity, service_account()).text == '"operator", id id-1, role Service, organisation acme'
    assert account(identity, None).text == "id id-1, organisation acme"
    assert account(identity, DENIED).text == "id id-1, organisation acme"
    assert account(Identity(), None).level is Level.NOTE


@pytest.mark.parametrize(
    ("ends", "level", "text"),
    [
        pytest.param([None], Level.OK, "never", id="never"),
        pytest.param([NOW + 365 * DAY], Level.OK, "2028-01-15T08:00:00Z", id="in a year"),
        pytest.param([NOW + DAY], Level.NOTE, "2027-01-16T08:00:00Z", id="tomorrow"),
        pytest.param([NOW - DAY, None], Level.OK, "never", id="one that is over is not this one"),
        pytest.param([], Level.NOTE, "unknown, Phase lists no token of the account", id="none"),
        pytest.param(
            [None, NOW + DAY],
            Level.NOTE,
            "Phase does not tell which of the account's 2 tokens this is; "
            'the first to expire is "t1" on 2027-01-16T08:00:00Z',
            id="several",
        ),
    ],
)
def test_the_expiry_is_the_earliest_that_may_be_meant(ends: list[float | None], level: Level, text: str) -> None:
    found = expiry(service_account(*ends), NOW)

    assert (found.level, found.text) == (level, text)


def test_an_expiry_that_phase_does_not_tell_is_unknown_and_not_well() -> None:
    assert expiry(None, NOW).level is Level.NOTE
    assert "ServiceAccounts: read" in expiry(DENIED, NOW).text


def test_an_app_is_told_with_its_mode_and_environments() -> None:
    found = [(each.level, each.text) for each in apps([VAULT, SHOP], has_keys=True)]

    assert found == [
        (Level.OK, 'shop: SSE, environments "Production", "Staging"'),
        (Level.OK, 'vault: end-to-end encrypted, environments "Production"'),
    ]


def test_an_encrypted_app_is_missing_only_if_there_is_no_other() -> None:
    both, alone = list(apps([SHOP, VAULT], has_keys=False)), list(apps([VAULT], has_keys=False))

    assert [each.level for each in both] == [Level.OK, Level.NOTE]
    assert not is_missing(both)
    assert is_missing(alone)


def test_no_app_at_all_is_missing() -> None:
    assert is_missing(list(apps([], has_keys=True)))


def test_thousands_of_apps_are_a_few_lines() -> None:
    found = list(apps([AppAccess(str(n), f"app {n}", False, None) for n in range(5_000)], has_keys=True))

    assert len(found) == 51
    assert found[-1].text == "and 4950 more apps"


def test_the_permission_to_list_environments_is_told() -> None:
    assert probing(None, is_asked=True).level is Level.OK
    assert "every interval" in probing(DENIED, is_asked=True).text
    assert probing(None, is_asked=False).level is Level.NOTE


def test_a_persons_token_and_a_token_without_keys_are_told() -> None:
    assert form("User", has_keys=True).level is Level.NOTE
    assert (
        form("ServiceAccount", has_keys=False).text
        == "a service account's token; without keys: for apps with SSE alone"
    )


def test_names_of_others_are_safe_to_print() -> None:
    hostile = AppAccess("1", "a\x1b[2J\nCHECK ok", False, ["e\r\nf"])

    assert all(each.text.isprintable() for each in apps([hostile], has_keys=True))

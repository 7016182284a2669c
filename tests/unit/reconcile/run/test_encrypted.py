"""The mode of an app and the form of a token change while targets stand: nothing is written, read again or restarted.

End-to-end encrypted or not, the same entries at the same revision are the same targets with the same seals.
"""

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Waiting
from support.builders import TOKEN, entry, secret_ref
from support.fakes import FULL_TOKEN, FakePhase
from support.lying import LyingPhase, PersistentWorld

SHOP = secret_ref()
UNDECRYPTABLE = Waiting(Reason.DECRYPTION_FAILED, "shop/Production: these entries cannot be decrypted: /A")


class Home(PersistentWorld):
    """A world with an encrypted app, and either form of the token."""

    def __init__(self, *, full: bool = True, is_encrypted: bool = True) -> None:
        super().__init__({}, phase=LyingPhase())
        self.phase.is_honest(entry("A", "1"), entry("B", "2"))
        self.phase.is_encrypted = is_encrypted
        self.cluster.tokens[TOKEN] = _token(full=full)

    async def take_token(self, *, full: bool) -> None:
        """Store the token in another form, as a user does."""
        assert self.loop is not None
        self.cluster.tokens[TOKEN] = _token(full=full)
        self.loop.tokens.changed(TOKEN)
        await self.rest()

    async def rest(self, seconds: int = 150) -> None:
        """Let two intervals pass, and half of one."""
        for _ in range(seconds // 15):
            await self.pass_time(15)

    @property
    def work(self) -> tuple[int, int, int]:
        """How many reads were answered, and how many targets and statuses were written."""
        return len(self.phase.reads), len(self.cluster.applied), len(self.cluster.status_writes)


def _token(*, full: bool) -> str:
    return f"{FULL_TOKEN}v2:token" if full else "token"


async def started(*, full: bool = True, is_encrypted: bool = True) -> Home:
    home = Home(full=full, is_encrypted=is_encrypted)
    await home.start()
    await home.rest()
    return home


@pytest.mark.parametrize("is_encrypted", [True, False])
async def test_a_full_token_reads_either_kind_of_app(is_encrypted: bool) -> None:
    home = await started(is_encrypted=is_encrypted)

    assert home.reason == Reason.SYNCED
    assert home.cluster.secret(SHOP) == {"A": "1", "B": "2"}
    assert len(home.phase.reads) == 1
    assert bool(home.phase.keyrings) is is_encrypted
    await home.stop()


async def test_a_rest_token_is_told_what_it_lacks_and_the_full_one_heals_it_without_writing() -> None:
    home = await started(full=False, is_encrypted=False)
    home.phase.is_encrypted = True
    await home.rest()
    assert home.reason == Reason.APP_ENCRYPTED
    assert home.cluster.secret(SHOP) == {"A": "1", "B": "2"}
    written = len(home.cluster.applied)

    await home.take_token(full=True)

    assert home.reason == Reason.SYNCED
    assert len(home.cluster.applied) == written
    await home.stop()


async def test_a_rest_token_heals_when_the_server_can_read_the_app() -> None:
    home = await started(full=False)
    assert home.reason == Reason.APP_ENCRYPTED
    assert SHOP not in home.cluster.objects
    home.phase.is_encrypted = False

    await home.rest(60)

    assert home.reason == Reason.SYNCED
    assert home.cluster.secret(SHOP) == {"A": "1", "B": "2"}
    await home.stop()


async def test_server_side_encryption_turned_on_reads_and_writes_nothing() -> None:
    home = await started()
    before = home.work
    home.phase.is_encrypted = False

    await home.rest(600)

    assert home.work == before
    assert home.reason == Reason.SYNCED
    keyrings = home.phase.keyrings
    await home.rest()
    assert home.phase.keyrings == keyrings
    await home.stop()


@pytest.mark.parametrize("then", [True, False])
async def test_a_restart_in_the_other_mode_reads_and_writes_nothing(then: bool) -> None:
    home = await started(is_encrypted=not then)
    home.phase.is_encrypted = then
    before = home.work

    await home.start()
    await home.rest()

    assert home.work == before
    assert home.reason == Reason.SYNCED
    await home.stop()


async def test_the_token_in_its_other_form_reads_and_writes_nothing() -> None:
    home = await started(is_encrypted=False)
    before = home.work

    await home.take_token(full=False)
    await home.take_token(full=True)

    assert home.work == before
    assert home.reason == Reason.SYNCED
    await home.stop()


async def test_an_entry_that_cannot_be_decrypted_keeps_the_target() -> None:
    home = await started()
    home.phase.is_honest(entry("A", "3"), entry("B", "2"))
    home.phase.fails(UNDECRYPTABLE, "entries")
    await home.rest()
    assert home.reason == Reason.DECRYPTION_FAILED
    assert home.cluster.secret(SHOP) == {"A": "1", "B": "2"}

    home.phase.works()
    home.phase.is_honest(entry("A", "3"), entry("B", "2"))
    await home.rest()

    assert home.reason == Reason.SYNCED
    assert home.cluster.secret(SHOP) == {"A": "3", "B": "2"}
    await home.stop()


async def test_a_change_of_the_app_arrives_by_the_keyring() -> None:
    home = await started()
    home.phase.is_honest(entry("A", "9"), entry("B", "2"))

    await home.rest(75)

    assert home.cluster.secret(SHOP) == {"A": "9", "B": "2"}
    assert home.phase.reads == [("production", None, ())] * 2
    await home.stop()


def test_the_fake_tells_the_forms_of_tokens_apart() -> None:
    assert isinstance(LyingPhase(), FakePhase)
    assert _token(full=True).startswith(FULL_TOKEN)
    assert not _token(full=False).startswith(FULL_TOKEN)

"""Whatever is torn, mixed, cut or forged is refused by one exception, and no key is ever seen."""

import base64
import copy
import gc
import pickle
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl import bindings

from phase_operator.core.source.keyring import Keys
from phase_operator.phase.crypto import (
    AccountKey,
    DecryptionError,
    EnvironmentKey,
    TokenKeys,
    WrappedKeys,
    WrappedShare,
    decrypt,
    open_account,
    open_environment,
)
from support.canary import Canary
from support.sealing import SealedAccount, SealedEnvironment, lock, seal

ACCOUNT, OTHER = SealedAccount(), SealedAccount()
PLACE, ELSEWHERE = SealedEnvironment(), SealedEnvironment()
SEALED = seal("plain text", PLACE.public)
_, _, EPHEMERAL, DATA = SEALED.split(":")
BLOB = base64.b64decode(DATA)


def token(account: SealedAccount = ACCOUNT, **parts: bytes) -> TokenKeys:
    fields = {"public": account.public, "share": account.share, "unwrap": account.unwrap} | parts
    return TokenKeys(*(fields[name].hex() for name in ("public", "share", "unwrap")))


def opened(account: SealedAccount = ACCOUNT) -> AccountKey:
    return open_account(token(account), WrappedShare(account.wrapped_share))


def wrapped(place: SealedEnvironment = PLACE, account: SealedAccount = ACCOUNT, **fields: Any) -> WrappedKeys:
    key = place.key(account, **fields)
    return WrappedKeys(key["identity_key"], key["wrapped_seed"])


def environment_key() -> EnvironmentKey:
    return open_environment(opened(), wrapped())


KEY = environment_key()


@pytest.mark.parametrize(
    ("keys", "share"),
    [
        pytest.param(token(share=OTHER.share), ACCOUNT.wrapped_share, id="the share of another token"),
        pytest.param(token(unwrap=OTHER.unwrap), ACCOUNT.wrapped_share, id="the unwrap key of another token"),
        pytest.param(token(public=OTHER.public), ACCOUNT.wrapped_share, id="the public key of another account"),
        pytest.param(token(), OTHER.wrapped_share, id="the wrapped share of another account"),
        pytest.param(token(share=bytes(32)), ACCOUNT.wrapped_share, id="a share of zeros"),
        pytest.param(token(), lock(b"ab" * 32, OTHER.unwrap).hex(), id="sealed with another key"),
        pytest.param(token(), lock(b"xy" * 32, ACCOUNT.unwrap).hex(), id="no hex digits inside"),
        pytest.param(token(), lock(b"\xff" * 64, ACCOUNT.unwrap).hex(), id="no text inside"),
        pytest.param(token(), lock(b" " + b"ab" * 31 + b" ", ACCOUNT.unwrap).hex(), id="blanks inside"),
        pytest.param(token(), "00" * 104, id="zeros"),
    ],
)
def test_an_account_is_opened_by_its_own_parts_alone(keys: TokenKeys, share: str) -> None:
    with pytest.raises(DecryptionError):
        open_account(keys, WrappedShare(share))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00" * 103,
        "00" * 105,
        "00" * 103 + "0",
        "zz" * 104,
        "00" * 104 + "\n",
        " " + "00" * 104,
        "\N{ARABIC-INDIC DIGIT ZERO}" * 208,
    ],
    ids=["empty", "short", "long", "half a byte", "no digits", "a line end", "a space", "foreign digits"],
)
def test_a_wrapped_share_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(DecryptionError):
        WrappedShare(text)


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param(wrapped(account=OTHER), id="sealed for another account"),
        pytest.param(
            wrapped(wrapped_seed=seal(ELSEWHERE.seed.hex(), ACCOUNT.public)), id="the seed of another environment"
        ),
        pytest.param(wrapped(identity_key=ELSEWHERE.public.hex()), id="the public key of another environment"),
        pytest.param(wrapped(identity_key=""), id="no public key"),
        pytest.param(wrapped(wrapped_seed=""), id="no seed"),
        pytest.param(wrapped(wrapped_seed=seal(PLACE.seed, ACCOUNT.public)), id="a seed in bytes"),
        pytest.param(wrapped(wrapped_seed=seal(PLACE.seed.hex()[:-2], ACCOUNT.public)), id="a short seed"),
        pytest.param(wrapped(wrapped_seed=seal("é" * 32, ACCOUNT.public)), id="a seed of other letters"),
        pytest.param(wrapped(wrapped_seed="ph:v1::::::" + ":" * 100_000), id="colons"),
    ],
)
def test_an_environment_is_opened_by_its_own_seed_alone(keys: WrappedKeys) -> None:
    account = opened()

    with pytest.raises(DecryptionError):
        open_environment(account, keys)


def test_the_server_cannot_have_another_key_used() -> None:
    """With the seed of a key that the server made, its public key would fit, but not open what clients sealed."""
    evil = SealedEnvironment()
    forged = WrappedKeys(PLACE.public.hex(), seal(evil.seed.hex(), ACCOUNT.public))

    with pytest.raises(DecryptionError):
        open_environment(opened(), forged)


FORGED = {
    "empty": "",
    "no ciphertext": "plain text",
    "another scheme": SEALED.replace("ph:", "hp:"),
    "another version": SEALED.replace(":v1:", ":v2:"),
    "a version that looks like it": SEALED.replace(":v1:", ":v\N{FULLWIDTH DIGIT ONE}:"),
    "three parts": f"ph:v1:{EPHEMERAL}",
    "five parts": f"{SEALED}:",
    "very many parts": ":" * 1_000_000,
    "a short ephemeral key": SEALED.replace(EPHEMERAL, EPHEMERAL[:-1]),
    "a long ephemeral key": SEALED.replace(EPHEMERAL, EPHEMERAL + "0"),
    "an ephemeral key with a blank": SEALED.replace(EPHEMERAL, " " + EPHEMERAL[:-1]),
    "another ephemeral key": SEALED.replace(EPHEMERAL, OTHER.public.hex()),
    "a low-order point": SEALED.replace(EPHEMERAL, "00" * 32),
    "a low-order point of order two": SEALED.replace(EPHEMERAL, "01" + "00" * 31),
    "cut": SEALED[:-4],
    "cut to nothing": f"ph:v1:{EPHEMERAL}:",
    "only a nonce": f"ph:v1:{EPHEMERAL}:{base64.b64encode(BLOB[-24:]).decode()}",
    "one byte too few for an empty text": f"ph:v1:{EPHEMERAL}:{base64.b64encode(BLOB[-39:]).decode()}",
    "the nonce first": f"ph:v1:{EPHEMERAL}:{base64.b64encode(BLOB[-24:] + BLOB[:-24]).decode()}",
    "without padding": SEALED.rstrip("=") if DATA.endswith("=") else SEALED[:-1],
    "newline at the end": f"{SEALED}\n",
    "newline within": f"{SEALED[:-8]}\n{SEALED[-8:]}",
    "blank in front": f" {SEALED}",
    "data behind": f"{SEALED}AAAA",
    "more padding": f"{SEALED}=",
    "more bytes in the blob": f"ph:v1:{EPHEMERAL}:{base64.b64encode(BLOB + b'x').decode()}",
    "junk in base64": f"{SEALED[:-8]}****{SEALED[-4:]}",
    "base64 for URLs": SEALED[:-8] + "-_-_" + SEALED[-4:],
    "letters of another script": SEALED[:-1] + "\N{FULLWIDTH LATIN CAPITAL LETTER A}",
    "a lone surrogate": SEALED[:-1] + "\ud800",
    "NUL": SEALED[:-1] + "\x00",
    "for somebody else": seal("plain text", ELSEWHERE.public),
    "no UTF-8": seal(b"\xff\xfe", PLACE.public),
    "an encoded surrogate": seal(b"\xed\xa0\x80", PLACE.public),
    "an overlong letter": seal(b"\xc0\x80", PLACE.public),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_text_that_was_not_sealed_for_this_environment_is_refused(name: str) -> None:
    with pytest.raises(DecryptionError):
        decrypt(KEY, FORGED[name])


@given(st.integers(0, len(BLOB) - 1), st.integers(1, 255))
def test_no_bit_can_be_changed(at: int, by: int) -> None:
    changed = bytearray(BLOB)
    changed[at] ^= by

    with pytest.raises(DecryptionError):
        decrypt(KEY, f"ph:v1:{EPHEMERAL}:{base64.b64encode(changed).decode()}")


@given(st.one_of(st.text(), st.builds("ph:v1:{}:{}".format, st.text(), st.text())))
def test_any_text_is_refused_by_the_one_exception(text: str) -> None:
    with pytest.raises(DecryptionError):
        decrypt(KEY, text)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_sealed_text_is_decrypted_to_the_letter(text: str) -> None:
    assert decrypt(KEY, seal(text, PLACE.public)) == text


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_every_account_and_environment_is_opened(private: bytes, share: bytes, seed: bytes) -> None:
    account, place = SealedAccount(private=private, share=share), SealedEnvironment(seed=seed)

    key = open_environment(opened(account), wrapped(place, account))

    assert decrypt(key, seal("x", place.public)) == "x"


def held(root: object, secrets: frozenset[bytes]) -> list[str]:
    """Return the secrets that can be reached from an object, through whatever it refers to."""
    seen, stack, found = set[int](), [root], []
    while stack:
        each = stack.pop()
        if id(each) in seen or isinstance(each, type) or callable(each):
            continue
        seen.add(id(each))
        if isinstance(each, bytes | str):
            text = each if isinstance(each, bytes) else each.encode(errors="replace")
            found += [secret.hex()[:4] for secret in secrets if secret in text or secret.hex().encode() in text]
        elif isinstance(each, FrameType):
            # Frames of tests and of pytest itself have all of it.
            if "phase_operator" in each.f_code.co_filename:
                stack.extend(each.f_locals.values())
        elif not hasattr(each, "__name__"):
            stack.extend(gc.get_referents(each))
    return found


FAILING: dict[str, Callable[[], object]] = {
    "an account": lambda: open_account(token(share=OTHER.share), WrappedShare(ACCOUNT.wrapped_share)),
    "an environment": lambda: open_environment(opened(), wrapped(identity_key=ELSEWHERE.public.hex())),
    "a text": lambda: decrypt(KEY, seal(b"\xff secret \xff", PLACE.public)),
    "a share": lambda: WrappedShare(ACCOUNT.wrapped_share + "0"),
}


@pytest.mark.parametrize("name", FAILING)
def test_a_failure_holds_no_key_and_no_text_in_causes_or_frames(name: str, canary: Canary) -> None:
    with pytest.raises(DecryptionError) as caught:
        FAILING[name]()

    error = caught.value
    assert (error.__cause__, error.__context__) == (None, None)
    derived = {ACCOUNT.private, ACCOUNT.other_share, PLACE.seed, PLACE.private, b"\xff secret \xff"}
    frames = [
        frame for frame, _ in traceback.walk_tb(error.__traceback__) if "phase_operator" in frame.f_code.co_filename
    ]
    assert frames
    for frame in frames:
        plain = [each for each in frame.f_locals.values() if not isinstance(each, Keys)]
        assert held(plain, frozenset(derived)) == []
        for secret in derived | {ACCOUNT.share, ACCOUNT.unwrap}:
            canary.token(secret.hex())
        canary.see("locals", repr(frame.f_locals))
        canary.see("error", "".join(traceback.TracebackException.from_exception(error, capture_locals=False).format()))


ALL: dict[str, Keys] = {
    "token": token(),
    "share": WrappedShare(ACCOUNT.wrapped_share),
    "wrapped": wrapped(),
    "account": opened(),
    "environment": KEY,
}


@pytest.mark.parametrize("name", ALL)
def test_keys_print_as_nothing_and_do_not_leave_the_process(name: str) -> None:
    keys = ALL[name]
    plain = f"{type(keys).__name__}(***)"

    assert {repr(keys), str(keys), f"{keys}", f"{keys:>200}".strip(), "%s" % keys, repr([keys])[1:-1]} == {plain}  # noqa: UP031
    assert not hasattr(keys, "__dict__")
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            copied(keys)


def test_pynacl_has_the_primitives_of_phase() -> None:
    """A wheel built without one of them would fail here, not at the first read."""
    assert bindings.crypto_kx_SEED_BYTES == bindings.crypto_kx_SESSION_KEY_BYTES == 32
    assert bindings.crypto_aead_xchacha20poly1305_ietf_NPUBBYTES == 24

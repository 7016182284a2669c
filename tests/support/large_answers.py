"""Answers that are larger than anybody needs: packed, endless, or of very many parts."""

import gzip
import json
import struct
import zlib
from collections.abc import Iterator
from functools import cache
from random import Random

MIB = 1024 * 1024


def row(number: int, **fields: object) -> bytes:
    """Return one entry as Phase sends it."""
    return json.dumps({"id": f"id-{number}", "key": f"KEY_{number}", "value": "x", "path": "/"} | fields).encode()


def rows(count: int, **fields: object) -> Iterator[bytes]:
    """Yield an answer of so many entries."""
    yield b"["
    for number in range(0, count, 1000):
        many = b",".join(row(each, **fields) for each in range(number, min(number + 1000, count)))
        yield many + (b"," if number + 1000 < count else b"")
    yield b"]"


def tagged(entries: int, tags: int) -> Iterator[bytes]:
    """Yield entries, each with so many tags that no other has."""
    yield b"["
    for number in range(entries):
        yield row(number, tags=[f"{number}.{tag}" for tag in range(tags)]) + b","
    yield b"]"


def apps(names: list[str]) -> Iterator[bytes]:
    """Yield a list of apps."""
    yield b'{"data":['
    yield b",".join(json.dumps({"id": f"id-{number}", "name": name}).encode() for number, name in enumerate(names))
    yield b"]}"


def keys(count: int, **fields: object) -> Iterator[bytes]:
    """Yield a list of keys of so many environments, all in one app."""
    key = {"environment": {"id": "e", "name": "n"}, "identity_key": "ab" * 32, "wrapped_seed": "x" * 200} | fields
    yield f'{{"wrapped_key_share":"{"00" * 104}","apps":[{{"id":"a","name":"a","environment_keys":['.encode()
    yield b",".join([json.dumps(key).encode()] * count)
    yield b"]}]}"


@cache
def bomb(part: bytes, times: int) -> tuple[bytes, ...]:
    """Return something so many times, packed; each part of it comes as soon as the next can.

    A full flush forgets what came before, so each part is packed to the same bytes: it is packed once.
    """
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(part) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = 0
    for _ in range(times):
        checksum = zlib.crc32(part, checksum)
    head, end = b"\x1f\x8b\x08" + bytes(7), packer.flush()
    return head, *[packed] * times, end + struct.pack("<II", checksum, len(part) * times % 2**32)


def twice(part: bytes, times: int) -> Iterator[bytes]:
    """Yield that packed once more: a kilobyte for a gigabyte."""
    yield gzip.compress(b"".join(bomb(part, times)))


def chunked(body: bytes) -> Iterator[bytes]:
    """Send every byte as a chunk of its own, thousands of them at once."""
    for start in range(0, len(body), 10_000):
        yield b"".join(b"1\r\n%c\r\n" % each for each in body[start : start + 10_000])
    yield b"0\r\n\r\n"


def permutations(count: int, length: int = 199) -> list[str]:
    """Return names that difflib compares for as long as it can: the same two letters in other orders."""
    letters = list(("AB" * length)[:length])
    dice = Random(7)
    names = []
    for _ in range(count):
        dice.shuffle(letters)
        names.append("".join(letters))
    return names

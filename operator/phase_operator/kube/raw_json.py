"""JSON of the API server: whoever may write an object decides how long and how deep it is.

Rule: it does not keep the event loop. Long lists are parsed item by item, and long texts are searched in a thread.
"""

import asyncio
import json
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise
from typing import Any

from phase_operator.core.json_access import loaded

NO_JSON = "an answer that is no JSON"
# Objects of Kubernetes are nested a few dozen deep. Python's parser ends at about a thousand.
_DEEPEST = 200
# So many bytes take the event loop a millisecond.
_SHORT = 64 * 1024
_MANAGED_FIELDS = b'"managedFields":'
_EACH_MANAGED_FIELDS = re.compile(_MANAGED_FIELDS)
_TEXT = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[^"\[\]{}]++'
# What holds no brackets but pairs of them with none in between: nearly all that is wide, in few steps. Both repeats are
# bounded, since each round that could be taken back is remembered. They cannot be possessive: before 3.11.5, Python
# matches too much where what is repeated so has alternatives (https://github.com/python/cpython/issues/106052).
_PASSED = re.compile(rb"(?:%b|[\[{](?:%b){0,1000}[\]}]){0,1000}" % (_TEXT, _TEXT), re.DOTALL)
# The beginning of a list of objects, up to the first one.
_LIST = re.compile(r'\{(?:"(?:kind|apiVersion)":"[^"\\]*",|"metadata":\{[^{}]*\},)*"items":\[')
_decode = json.JSONDecoder().raw_decode


class JsonReader:
    """Reads JSON of any size and depth, with turns of the event loop in between.

    It has a thread of its own, started with the first long text: what a watch shows must not wait for tenants' work.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="json")

    async def object(self, raw: bytes, *, has_managers: bool = True) -> dict[str, Any] | None:
        """Return what `json_object` returns; unless it `has_managers`, large objects have no managedFields."""
        if len(raw) <= _SHORT:
            return json_object(raw)
        try:
            if not has_managers and _has_large_objects(raw):
                raw = await self._searched(raw, _MANAGED_FIELDS)
            try:
                return _if_object(await _parsed(raw.decode()))
            except RecursionError:
                return _if_object(await _parsed((await self._searched(raw)).decode()))
        except (ValueError, RecursionError):
            return None

    async def parsable(self, raw: bytes) -> bytes:
        """Return JSON that others can parse at once: without what is very deep and, if it is long, managedFields."""
        if raw.count(b"{") + raw.count(b"[") < _DEEPEST:
            return raw
        if len(raw) > _SHORT:
            return await self._searched(raw, _MANAGED_FIELDS)
        with suppress(ValueError):
            try:
                loaded(raw)
            except RecursionError:
                return shallow(raw)
        return raw

    async def _searched(self, raw: bytes, left_out: bytes = b"") -> bytes:
        return await asyncio.get_running_loop().run_in_executor(self._thread, shallow, raw, left_out)


def _has_large_objects(raw: bytes) -> bool:
    """Return whether objects may be so large that one takes the event loop long; each names its managedFields."""
    places = [0, *(found.start() for found in _EACH_MANAGED_FIELDS.finditer(raw)), len(raw)]
    return any(after - before > _SHORT for before, after in pairwise(places))


async def _parsed(text: str) -> object:
    """Parse JSON; give way between the items of a list. Raises ValueError and RecursionError."""
    head = _LIST.match(text)
    if head is None:
        return json.loads(text)
    items: list[object] = []
    at = began = head.end()
    is_next = text.startswith("{", at)
    while is_next:
        item, at = _decode(text, at)
        items.append(item)
        is_next = text.startswith(",{", at)
        at += is_next
        if at - began > _SHORT:
            began = at
            await asyncio.sleep(0)
    if not text.startswith("]", at):
        # No list as the API server writes it.
        return json.loads(text)
    return json.loads(text[: head.end()] + text[at:]) | {"items": items}


def json_object(raw: bytes) -> dict[str, Any] | None:
    """Return a JSON object, or None if `raw` is no JSON or no object; what is nested very deeply is left out of it."""
    try:
        try:
            return _if_object(loaded(raw))
        except RecursionError:
            return _if_object(loaded(shallow(raw)))
    except (ValueError, RecursionError):
        return None


def object_at(raw: bytes, start: int) -> dict[str, Any] | None:
    """Return the JSON object that begins at a place of a text, or None if none does; the rest is not parsed."""
    try:
        return _if_object(_decode(raw[start:].decode())[0])
    except (ValueError, RecursionError):
        return None


def _if_object(found: object) -> dict[str, Any] | None:
    return found if isinstance(found, dict) else None


def shallow(raw: bytes, left_out: bytes = b"") -> bytes:
    """Return JSON with empty objects and lists in place of what is nested too deeply.

    `left_out` names a field, with a colon as the API server writes it: its objects and lists are emptied, too.
    """
    parts: list[bytes] = []
    # `emptied` is the depth of what is being left out.
    depth = kept = emptied = 0
    at = _end_of_passed(raw, 0)
    while at < len(raw):
        sign = raw[at]
        if sign in b"{[":
            depth += 1
            if not emptied and (depth == _DEEPEST or (left_out and raw.endswith(left_out, 0, at))):
                emptied = depth
                parts.append(raw[kept : at + 1])
        elif sign in b"}]":
            if depth == emptied:
                kept, emptied = at, 0
            depth -= 1
        at = _end_of_passed(raw, at + 1)
    return b"".join((*parts, raw[kept:]))


def _end_of_passed(raw: bytes, start: int) -> int:
    """Return the place of the next bracket that is to be looked at; the end if there is none."""
    while (found := _PASSED.match(raw, start)) and found.end() > start:
        start = found.end()
    return start

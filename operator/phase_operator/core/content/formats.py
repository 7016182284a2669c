r"""Write entries into one file instead of a key each.

Rule: a file reads back as exactly the text that Phase holds, or it is not written and the error names the keys. No text
is changed to make it fit. Equal entries make equal bytes.

Most formats have one grammar; `dotenv` has as many as it has readers. Two readers are decisive: a POSIX shell
(`. file`) and python-dotenv without interpolation. The first row that fits a text says how it is written; both read
every row correctly.

| the text holds                                       | is spelled | node reads it right if it holds no |
|------------------------------------------------------|------------|------------------------------------|
| letters, digits, `_ . / : @ % + , - =` and no more   | text       |                                    |
| no `'`, no `\\`, no `\` at its end                   | 'text'     | carriage return                    |
| no `$`, no backtick                                  | "text"     | carriage return, `"`, `\`          |
| none of these: a `'`, say, together with a `$`       | refused    |                                    |

docs/formats.md lists what other readers may change when they read a correct file.
"""

import base64
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from operator import not_
from typing import NamedTuple, TypeVar

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import Format
from phase_operator.core.errors import Waiting
from phase_operator.core.text import listing

_FILE_KEYS = {
    Format.DOTENV: ".env",
    Format.JSON: "entries.json",
    Format.YAML: "entries.yaml",
    Format.PROPERTIES: "entries.properties",
    Format.TOML: "entries.toml",
    # Kubernetes: the one key that a Secret of type kubernetes.io/dockerconfigjson must have.
    Format.DOCKERCONFIGJSON: ".dockerconfigjson",
}

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# A shell leaves these unchanged (except zsh, a '=' that comes first), and readers without quotes accept them too.
_BARE = re.compile(r"([-A-Za-z0-9_./:@%+,][-A-Za-z0-9_./:@%+,=]*)?")
# In single quotes a shell takes a backslash as it is; python-dotenv lets it escape a quote or another backslash.
_NOT_IN_SINGLE_QUOTES = re.compile(r"'|\\\\|\\\Z")
# In double quotes a shell needs a backslash before these; python-dotenv would keep that backslash.
_NOT_IN_DOUBLE_QUOTES = re.compile(r"[$`]")

_LOGIN_PART = re.compile(r"(?:(?P<login>.+)[-._])?(?P<part>registry|username|user|password|email)", re.IGNORECASE)
T = TypeVar("T")
_NUL = re.compile("\0")
_REQUIRED = frozenset({"registry", "username", "password"})
_NOT_IN_REGISTRY = re.compile(r"[\s\x00-\x1f\x7f]")
# RFC 7617: the first colon of "auth" ends the username, which holds no control characters.
_NOT_IN_USERNAME = re.compile(r"[:\x00-\x1f\x7f]")


class _LoginPart(NamedTuple):
    """Which part of which login a key holds; the part is "" if the key names none."""

    login: str
    part: str


def default_file_key(form: Format) -> str:
    """Return the target's default key for the file of this format."""
    if form is Format.KEY_PER_ENTRY:
        raise ValueError("KeyPerEntry makes no file")
    return _FILE_KEYS[form]


def file_of(form: Format, values: Mapping[str, bytes]) -> bytes:
    """Return the file that holds these values under their target keys; raise if the format cannot hold a value."""
    if form is Format.KEY_PER_ENTRY:
        raise ValueError("KeyPerEntry makes no file")
    return _WRITERS[form](_texts(form, values)).encode()


def _texts(form: Format, values: Mapping[str, bytes]) -> dict[str, str]:
    texts: dict[str, str] = {}
    binary: list[str] = []
    for key, value in sorted(values.items()):
        try:
            texts[key] = value.decode()
        except UnicodeDecodeError:
            binary.append(key)
    # Raised outside the `except` block: the cause would hold the value.
    _refuse(form, binary, "holds text in UTF-8 only; leave other values out or use format KeyPerEntry")
    return texts


def _refuse(form: Format, keys: Iterable[str], why: str) -> None:
    if refused := sorted(keys):
        raise Waiting(Reason.VALUE_INVALID, f"format {form} {why}; refused: {listing(refused)}")


def _dotenv(texts: Mapping[str, str]) -> str:
    form = Format.DOTENV
    _refuse(
        form,
        (key for key in texts if not _VARIABLE.fullmatch(key)),
        "takes names of variables only: letters, digits and '_', no digit first; "
        "choose another nameTransformer or set processors.<key>.asName",
    )
    _refuse(form, _keys_where(texts, _NUL.search), "cannot hold a NUL character")
    spelled = {key: _spelling(text) for key, text in texts.items()}
    _refuse(
        form,
        _keys_where(spelled, lambda spelling: spelling is None),
        "knows no spelling that shells and python-dotenv read alike for a ' or a doubled or last \\ together with "
        "a $ or a backtick; leave the key out with keys.exclude, give it a target of its own, change the value, or "
        "use format json, yaml, toml or properties",
    )
    return "".join(f"{key}={spelling}\n" for key, spelling in spelled.items())


def _spelling(text: str) -> str | None:
    if _BARE.fullmatch(text):
        return text
    if not _NOT_IN_SINGLE_QUOTES.search(text):
        return f"'{text}'"
    if not _NOT_IN_DOUBLE_QUOTES.search(text):
        return '"' + text.replace("\\", r"\\").replace('"', r"\"") + '"'
    return None


# Each function imports the library that it needs, so that unused formats take no memory. JSON, YAML and properties are
# written in ASCII: they read the same in every encoding that a program may assume.


def _json(texts: Mapping[str, str]) -> str:
    return json.dumps(texts, indent=2, ensure_ascii=True) + "\n"


def _yaml(texts: Mapping[str, str]) -> str:
    import yaml

    # Both write the same bytes. The one in C writes a MiB in milliseconds, but may be missing.
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    # All values are quoted: plain text for PyYAML (1e3, 0o17) is a number for readers of YAML 1.2. The width keeps a
    # value on one line. The keys are sorted already.
    text: str = yaml.dump(dict(texts), Dumper=dumper, default_style='"', width=2**31 - 1, sort_keys=False)
    return text


# The libraries define how a character is escaped, and Python's `translate` applies it: the libraries take seconds for a
# MiB of special characters, and would block the whole operator. A test compares the two.


def _properties(texts: Mapping[str, str]) -> str:
    import javaproperties

    # A blank is escaped everywhere in a key, but in a value only at its start.
    escapes = {ord(sign): javaproperties.escape(sign) for sign in set("".join(texts.values())) - {" "}}
    lines = []
    for key, text in texts.items():
        first = "\\" if text.startswith(" ") else ""
        lines.append(f"{javaproperties.escape(key)}={first}{text.translate(escapes)}\n")
    return "".join(lines)


def _toml(texts: Mapping[str, str]) -> str:
    import tomli_w

    opening, closing = 'k = "', '"\n'
    signs = [*map(chr, range(32)), '"', "\\", "\x7f"]
    escapes = {ord(sign): tomli_w.dumps({"k": sign})[len(opening) : -len(closing)] for sign in signs}
    # The library writes the key too, in front of an empty text.
    return "".join(
        tomli_w.dumps({key: ""})[: -len(closing)] + text.translate(escapes) + closing for key, text in texts.items()
    )


def _dockerconfigjson(texts: Mapping[str, str]) -> str:
    form = Format.DOCKERCONFIGJSON
    logins = _logins(texts)
    registries, usernames, passwords = (
        {keys[part]: texts[keys[part]] for keys in logins} for part in ("registry", "username", "password")
    )
    empty = _keys_where(registries | usernames | passwords, not_)
    blank = _keys_where(registries, _NOT_IN_REGISTRY.search)
    split = _keys_where(usernames, _NOT_IN_USERNAME.search)
    cut = _keys_where(passwords, _NUL.search)
    uses = Counter(registries.values())
    twice = _keys_where(registries, lambda text: uses[text] > 1)
    _refuse(form, empty, "takes no empty registry, username or password")
    _refuse(form, blank, "takes no blank, line break or control character in a registry")
    _refuse(form, split, "takes no colon, line break or control character in a username")
    _refuse(form, cut, "takes no NUL character in a password")
    _refuse(form, twice, "takes one login for a registry")
    auths = {texts[keys["registry"]]: _auth({part: texts[key] for part, key in keys.items()}) for keys in logins}
    return json.dumps({"auths": auths}, sort_keys=True, ensure_ascii=True)


def _keys_where(found: Mapping[str, T], is_bad: Callable[[T], object]) -> list[str]:
    return [key for key, each in found.items() if is_bad(each)]


def _auth(login: Mapping[str, str]) -> dict[str, str]:
    # The kubelet uses "auth"; other readers use username and password.
    both = f"{login['username']}:{login['password']}"
    shown = {part: login[part] for part in ("username", "password", "email") if part in login}
    return shown | {"auth": base64.b64encode(both.encode()).decode()}


def _logins(keys: Iterable[str]) -> list[dict[str, str]]:
    """Group keys into logins by their prefix: HUB_REGISTRY and HUB_PASSWORD belong to one login."""
    form = Format.DOCKERCONFIGJSON
    places = {key: _login_part(key) for key in keys}
    uses = Counter(places.values())
    unknown = _keys_where(places, lambda place: not place.part)
    doubled = _keys_where(places, lambda place: uses[place] > 1)
    _refuse(form, unknown, "takes keys whose last word is REGISTRY, USERNAME (or USER), PASSWORD or EMAIL")
    _refuse(form, doubled, "takes each part of a login once")
    logins: dict[str, dict[str, str]] = {}
    for key, place in places.items():
        logins.setdefault(place.login, {})[place.part] = key
    partial = (key for parts in logins.values() if not parts.keys() >= _REQUIRED for key in parts.values())
    _refuse(form, partial, "takes REGISTRY, USERNAME and PASSWORD together, with the same text before each")
    return list(logins.values())


def _login_part(key: str) -> _LoginPart:
    match = _LOGIN_PART.fullmatch(key)
    if match is None:
        return _LoginPart("", "")
    word = match["part"].lower()
    return _LoginPart((match["login"] or "").lower(), "username" if word == "user" else word)


_WRITERS: Mapping[Format, Callable[[Mapping[str, str]], str]] = {
    Format.DOTENV: _dotenv,
    Format.JSON: _json,
    Format.YAML: _yaml,
    Format.PROPERTIES: _properties,
    Format.TOML: _toml,
    Format.DOCKERCONFIGJSON: _dockerconfigjson,
}

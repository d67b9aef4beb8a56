"""What each function of the rules language computes.

Law 1: strings are one character a byte. Case is ASCII's only, and lengths and offsets count bytes.
Law 2: whatever a client sent, a function returns a value or None (missing); it raises nothing but Undecided.
Law 3: time is linear in what came in, also for decoding that repeats until nothing changes; what is dear counts what it costs
before it begins, and nothing makes a value that is longer than any may be (`meter`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

from holdfast._native import transform
from holdfast.rules.literals import INT_MAX, INT_MIN, bytes_of
from holdfast.rules.meter import refuse_too_long, spend, spend_on
from holdfast.rules.patterns import Pattern, Wildcard
from holdfast.rules.percent_decoding import decoded_fully, decoded_with_unicode
from holdfast.rules.value_types import Address

Template = tuple[str | int, ...]

# A reference is one digit, so that `${12}` is no question.
MAX_REFERENCES = 8
# RFC 9562 §4: a UUID is 16 bytes.
_SEED_BYTES = 16
# Base64 of 32 bytes of HMAC-SHA256, without padding.
_MIN_MAC_CHARS = 43
_TIMESTAMP_DIGITS = 10
_URL_DECODE = ("urldecode",)


def template_of(text: str) -> Template:
    """A replacement: texts, and numbers of the groups that `${1}` to `${8}` refer to. `$$` is a "$".

    Raises ValueError for another use of "$".
    """
    parts: list[str | int] = []
    first, *rest = text.split("$")
    parts.append(first)
    while rest:
        piece = rest.pop(0)
        if not piece and rest:
            parts.append("$" + rest.pop(0))
        elif len(piece) >= 3 and piece[0] == "{" and piece[2] == "}" and piece[1] in "12345678":
            parts += [int(piece[1]), piece[3:]]
        else:
            raise ValueError(f"expected ${{1}} to ${{{MAX_REFERENCES}}} or $$ in a replacement")
    return tuple(parts)


def _filled(template: Template, groups: Sequence[str]) -> str:
    """A replacement with what the groups matched; a group that is not there is empty. `groups[0]` is group 1."""
    parts = [part if isinstance(part, str) else groups[part - 1] if part <= len(groups) else "" for part in template]
    refuse_too_long(sum(map(len, parts)))
    return "".join(parts)


def regex_replace(source: str, pattern: Pattern, template: Template) -> str:
    """`source` with the first match of `pattern` replaced."""
    found = pattern.first_match(source)
    if found is None:
        return source
    start, end, groups = found
    return source[:start] + _filled(template, groups[1:]) + source[end:]


def wildcard_replace(source: str, wildcard: Wildcard, template: Template) -> str:
    """The replacement if `wildcard` covers all of `source`, else `source`."""
    groups = wildcard.captures(source)
    return source if groups is None else _filled(template, groups)


def url_decode(source: str, flags: str) -> str:
    """`%XX` and "+" decoded; with "u" also `%uXXXX` (to UTF-8), with "r" until nothing is left to decode."""
    if "%" not in source:
        return source.replace("+", " ")
    # What decodes with flags is Python's.
    if "r" in flags:
        spend(30 * len(source) + 60 * source.count("%"))
        return decoded_fully(source, unicode="u" in flags)
    if "u" in flags:
        spend(4 * len(source) + 200 * source.count("%"))
        return decoded_with_unicode(source.replace("+", " "))
    # What decodes for SecLang means the same, and takes a hundredth of the time where escapes are wrong.
    return transform(_URL_DECODE, source.encode("latin-1")).decode("latin-1")


def substring(source: str, start: int, end: int | None) -> str:
    """Bytes `start` to `end` (not included; None: to the end). Negative ones count from the end."""
    return source[start:end]


def remove_bytes(source: str, unwanted: str) -> str:
    """`source` without any of the bytes in `unwanted`."""
    return source.encode("latin-1").translate(None, unwanted.encode("latin-1")).decode("latin-1")


def remove_query_args(query: str, *names: str) -> str:
    """A query string without the parameters of these names; the order of the others stays."""
    spend(50 + 30 * query.count("&") + (len(query) >> 2))
    return "&".join(part for part in query.split("&") if part.partition("=")[0] not in names)


def to_string(value: bool | int | Address) -> str:
    """An integer in decimal, a truth as `true` or `false`, an address as it is written."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else address_text(value)


def address_text(value: Address) -> str:
    """An address as it is written."""
    family, number = value
    return str(IPv4Address(number) if family == 4 else IPv6Address(number))


def lookup_json_string(source: str, *keys: str | int) -> str | None:
    """The string at the end of a path of keys and indexes in JSON."""
    found = _json_at(source, keys)
    return bytes_of(found) if isinstance(found, str) and _is_encodable(found) else None


def _is_encodable(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


def lookup_json_integer(source: str, *keys: str | int) -> int | None:
    """The integer (of 64 bits) at the end of a path of keys and indexes in JSON."""
    found = _json_at(source, keys)
    if not isinstance(found, int) or isinstance(found, bool):
        return None
    return found if INT_MIN <= found <= INT_MAX else None


# The last one is known: many rules ask of the same value. It counts for each of them, so that it changes nothing but time.
@lru_cache(maxsize=1)
def _json_of(source: str) -> object:
    try:
        value: object = json.loads(source.encode("latin-1").decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return value


def _json_at(source: str, keys: Sequence[str | int]) -> object:
    spend_on(source, each=400, sixteenths=120)
    value = _json_of(source)
    for key in keys:
        if isinstance(value, dict) and isinstance(key, str):
            value = value.get(key.encode("latin-1").decode("utf-8", "replace"))
        elif isinstance(value, list) and isinstance(key, int) and 0 <= key < len(value):
            value = value[key]
        else:
            return None
    return value


def sha256(source: str) -> str:
    """The 32 bytes of SHA-256."""
    spend_on(source, each=150, sixteenths=16)
    return hashlib.sha256(source.encode("latin-1")).digest().decode("latin-1")


def sha512(source: str) -> str:
    """The 64 bytes of SHA-512."""
    spend_on(source, each=150, sixteenths=16)
    return hashlib.sha512(source.encode("latin-1")).digest().decode("latin-1")


def encode_base64(source: str, flags: str) -> str:
    """Base64 without padding; with "u" in the alphabet for URLs, with "p" padded (RFC 4648 §4, §5)."""
    spend_on(source, each=150, sixteenths=8)
    refuse_too_long(len(source) * 4 // 3)
    data = source.encode("latin-1")
    encoded = base64.urlsafe_b64encode(data) if "u" in flags else base64.b64encode(data)
    return (encoded if "p" in flags else encoded.rstrip(b"=")).decode("ascii")


def decode_base64(source: str) -> str | None:
    """What base64 of either alphabet, padded or not, encodes; missing if it is no base64."""
    data = _from_base64(source)
    return None if data is None else data.decode("latin-1")


def _from_base64(source: str) -> bytes | None:
    spend_on(source, each=150, sixteenths=16)
    text = source.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def cidr(address: Address, bits_of_ipv4: int, bits_of_ipv6: int) -> Address:
    """The first address of the network that `address` is in."""
    family, number = address
    dropped = 32 - bits_of_ipv4 if family == 4 else 128 - bits_of_ipv6
    return family, number >> dropped << dropped


def cidr6(address: Address, bits: int) -> Address:
    """The same for IPv6; an IPv4 address stays what it is."""
    return cidr(address, 32, bits)


def concat(parts: Sequence[str]) -> str:
    """The texts one after another."""
    refuse_too_long(sum(map(len, parts)))
    return "".join(parts)


def concat_of_there(parts: Sequence[str | None]) -> str | None:
    """The same of those that are not missing; None if all are."""
    there = [part for part in parts if part is not None]
    return concat(there) if there else None


def join(items: Sequence[str], separator: str) -> str:
    """The items with `separator` between them."""
    refuse_too_long(sum(map(len, items)) + len(separator) * len(items))
    return separator.join(items)


def split(source: str, separator: str, limit: int) -> list[str]:
    """At most `limit` parts; the last one keeps what was not split."""
    return source.split(separator, limit - 1)


def has_key(items: Mapping[str, object], key: str) -> bool:
    """Whether the map has the key."""
    return key in items


def has_value(items: Sequence[str], value: str) -> bool:
    """Whether one of the items is `value`."""
    return value in items


def uuidv4(seed: str) -> str | None:
    """A random UUID (RFC 9562 §5.4) made of the first 16 bytes of `seed`; missing if there are fewer."""
    if len(seed) < _SEED_BYTES:
        return None
    return str(uuid.UUID(bytes=seed[:_SEED_BYTES].encode("latin-1"), version=4))


def is_timed_hmac_valid(key: str, signed: str, ttl: int, now: int, separator_length: int, flags: str) -> bool:  # noqa: PLR0917
    """Whether `signed` is a message, a separator, the Unix time of signing, "-" and the right HMAC, not older than `ttl`.

    The HMAC-SHA256 is over message and time, in base64: with the flag "s" in the alphabet for URLs, else percent-encoded.
    """
    spend(800 + 48 * signed.count("-") + len(signed))
    dash = _dash_before_mac(signed)
    if dash is None:
        return False
    timestamp = signed[dash - _TIMESTAMP_DIGITS : dash]
    message = signed[: max(0, dash - _TIMESTAMP_DIGITS - separator_length)]
    mac_text = signed[dash + 1 :]
    given = _from_base64(mac_text if "s" in flags else url_decode(mac_text.replace("+", "%2B"), ""))
    expected = hmac.digest(key.encode("latin-1"), (message + timestamp).encode("latin-1"), "sha256")
    return bool(message) and given is not None and hmac.compare_digest(given, expected) and now - int(timestamp) <= ttl


def _dash_before_mac(signed: str) -> int | None:
    """Where the last "-" stands that has ten digits before it and room for an HMAC after it."""
    dash = signed.rfind("-", 0, max(0, len(signed) - _MIN_MAC_CHARS))
    while dash > _TIMESTAMP_DIGITS:
        digits = signed[dash - _TIMESTAMP_DIGITS : dash]
        if digits.isascii() and digits.isdigit():
            return dash
        dash = signed.rfind("-", 0, dash)
    return None

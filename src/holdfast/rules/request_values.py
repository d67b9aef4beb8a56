"""Values that take some computing, from a request: its headers as a map, its arguments, its cookies, its address.

Law 1: every value is exactly what the client sent, in its order and case; decoded only where a function says so. (Paths that rules see
       otherwise are given to the functions that read them, by `scheme`.) A target
       with letters beyond ASCII comes as text (the core has seen that it is UTF-8) and is made bytes again.
Law 2: whatever the client sent, each function returns; a header that makes no sense gives an empty value.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter

from holdfast.model.request import Request
from holdfast.rules.literals import bytes_of, parse_address
from holdfast.rules.patterns import ascii_lower
from holdfast.rules.percent_decoding import decoded
from holdfast.rules.value_types import Address

ArrayMap = dict[str, list[str]]

# The suites of the edge by the names that `cf.tls_cipher` has for them (OpenSSL's, and "AEAD-" for those of TLS 1.3).
_CIPHERS = {
    "TLS13_AES_128_GCM_SHA256": "AEAD-AES128-GCM-SHA256",
    "TLS13_AES_256_GCM_SHA384": "AEAD-AES256-GCM-SHA384",
    "TLS13_CHACHA20_POLY1305_SHA256": "AEAD-CHACHA20-POLY1305-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
}

_BETWEEN_NAMES = "\u0100"

_first, _second = itemgetter(0), itemgetter(1)
_OCTETS = {str(number): number for number in range(256)}


def ray_id(request: Request) -> str:
    """The request's ray as logs have it: without the place that the CF-Ray header adds."""
    return request.ray.partition("-")[0]


def header_map(request: Request) -> ArrayMap:
    """Lower-case names to values, both in the order in which they came."""
    headers = request.headers
    groups = {name.lower(): [value] for name, value in headers}
    if len(groups) == len(headers):
        return groups
    groups = {}
    for line_name, value in headers:
        name = line_name.lower()
        if name in groups:
            groups[name].append(value)
        else:
            groups[name] = [value]
    return groups


def lines_of(request: Request, name: str) -> list[str] | None:
    """What the map has for one header (`name` in lower case), without making it."""
    chars, lines = len(name), None
    for written, value in request.headers:
        if len(written) == chars and written.lower() == name:
            if lines is None:
                lines = [value]
            else:
                lines.append(value)
    return lines


def header_names(request: Request) -> list[str]:
    """The name of every line, in its own case."""
    return list(map(_first, request.headers))


def header_values(request: Request) -> list[str]:
    """The value of every line."""
    return list(map(_second, request.headers))


def header(headers: ArrayMap, name: str) -> str:
    """A header (`name` in lower case) as one text, "" if it was not sent. Several lines are one list (RFC 9110 §5.3)."""
    values = headers.get(name)
    return "" if values is None else values[0] if len(values) == 1 else ", ".join(values)


def cookie(headers: ArrayMap) -> str:
    """The Cookie header; several lines are one (RFC 6265 §5.4)."""
    return "; ".join(headers.get("cookie", ()))


def cookie_map(headers: ArrayMap) -> ArrayMap:
    """Cookies by name, the names percent-decoded, the values as they came."""
    groups: ArrayMap = {}
    pairs: list[tuple[str, str]] = []
    text = cookie(headers)
    for part in text.split(";"):
        name, equals, value = part.strip(" \t").partition("=")
        if name or equals:
            pairs.append((name, value))
    for name, value in _with_names_decoded(pairs) if "%" in text else pairs:
        if name in groups:
            groups[name].append(value)
        else:
            groups[name] = [value]
    return groups


def _with_names_decoded(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    # All at once: a client can send thousands. No name has what stands between them, for a character is a byte.
    joined = _BETWEEN_NAMES.join(map(_first, pairs))
    if "%" not in joined:
        return pairs
    return list(zip(decoded(joined).split(_BETWEEN_NAMES), map(_second, pairs), strict=True))


def host(request: Request) -> str:
    """The host name."""
    return bytes_of(request.host)


def query(request: Request) -> str:
    """The query of the target, without its "?"."""
    return bytes_of(request.query)


def uri(request: Request, path: str) -> str:
    """Path and query. `path` is the request's, as it was sent or as it was normalised; so below."""
    return f"{path}?{query(request)}" if request.query else path


def full_uri(request: Request, path: str) -> str:
    """Scheme, host, path and query."""
    return f"{request.scheme}://{host(request)}{uri(request, path)}"


def extension(_: Request, path: str) -> str:
    """What follows the last "." of the path's last segment, in lower case. "" if nothing does, and for `/.hidden`."""
    name, _dot, found = path.rpartition("/")[2].rpartition(".")
    return ascii_lower(found) if name else ""


def arguments(request: Request) -> list[tuple[str, str]]:
    """The arguments of the query in order, as they came. One without "=" has the value ""."""
    pairs = (part.partition("=") for part in query(request).split("&") if part)
    return [(name, value) for name, _, value in pairs]


def argument_map(request: Request) -> ArrayMap:
    """Arguments by name."""
    groups: ArrayMap = {}
    for part in query(request).split("&"):
        if part:
            name, _, value = part.partition("=")
            if name in groups:
                groups[name].append(value)
            else:
                groups[name] = [value]
    return groups


def argument_names(request: Request) -> list[str]:
    """The name of every argument."""
    return [name for name, _ in arguments(request)]


def argument_values(request: Request) -> list[str]:
    """The value of every argument."""
    return [value for _, value in arguments(request)]


def accepted_languages(headers: ArrayMap) -> list[str]:
    """The languages of Accept-Language, the most wanted first (RFC 9110 §12.5.4)."""
    weighted: list[tuple[float, str]] = []
    for part in header(headers, "accept-language").split(","):
        tag, semicolon, parameters = part.partition(";")
        if tag := tag.strip(" \t"):
            weighted.append((_weight(parameters.split(";")) if semicolon else 1.0, tag))
    # The sort is stable, also in reverse.
    weighted.sort(key=itemgetter(0), reverse=True)
    return [tag for weight, tag in weighted if weight > 0]


def _weight(parameters: Iterable[str]) -> float:
    """The "q" of a language: 1 if there is none, 0 if it is no number from 0 to 1."""
    for parameter in parameters:
        name, _, value = parameter.strip(" \t").partition("=")
        if name in {"q", "Q"}:
            try:
                weight = float(value)
            except ValueError:
                return 0.0
            return weight if 0 <= weight <= 1 else 0.0
    return 1.0


def client_address(request: Request) -> Address | None:
    """The client's address."""
    text = request.client_ip
    if ":" in text:
        return parse_address(text)
    try:
        # A quarter of the time of `ipaddress`, which is for texts that people write; the core wrote this one.
        one, two, three, four = text.split(".")
        return 4, _OCTETS[one] << 24 | _OCTETS[two] << 16 | _OCTETS[three] << 8 | _OCTETS[four]
    except (ValueError, KeyError):
        return None


def tls_version(request: Request) -> str:
    """The version of TLS, "" without TLS."""
    return request.tls.version if request.tls else ""


def tls_cipher(request: Request) -> str:
    """The suite by the name that the field has for it, "" without TLS."""
    return _CIPHERS.get(request.tls.cipher, request.tls.cipher) if request.tls else ""

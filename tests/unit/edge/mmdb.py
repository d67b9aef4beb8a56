"""A writer of small MaxMind DB files, by the specification: what a test says of addresses, as an operator's file has it.

Source: MaxMind, "MaxMind DB file format" 2.0: a binary search tree of 24-bit records, 16 zero bytes, a data section, metadata.
"""

import ipaddress
import struct
from typing import Any

_MARKER = b"\xab\xcd\xefMaxMind.com"
_RECORD_BITS = 24


def database(networks: dict[str, Any], *, kind: str = "GeoLite2-Country") -> bytes:
    """A database of IPv6 (IPv4 in ::/96) with this data for each network; the networks must not overlap."""
    data, offsets = b"", {}
    for network, value in networks.items():
        offsets[network] = len(data)
        data += _encoded(value)
    nodes: list[list[Any]] = [[None, None]]
    for network in networks:
        _insert(nodes, network)
    tree = b"".join(_pointer(side, len(nodes), offsets) for node in nodes for side in node)
    metadata = {
        "node_count": len(nodes),
        "record_size": _RECORD_BITS,
        "ip_version": 6,
        "database_type": kind,
        "languages": ["en"],
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "build_epoch": 1_700_000_000,
        "description": {"en": "of a test"},
    }
    members = b"".join(_encoded(name) + _metadatum(name, value) for name, value in metadata.items())
    return tree + bytes(16) + data + _MARKER + _control(7, len(metadata)) + members


def _metadatum(name: str, value: Any) -> bytes:
    """The specification gives each number of the metadata its own width."""
    if not isinstance(value, int):
        return _encoded(value)
    if name == "build_epoch":
        return _encoded(value)
    encoded = value.to_bytes(4, "big").lstrip(b"\0")
    return _control(6 if name == "node_count" else 5, len(encoded)) + encoded


def _insert(nodes: list[list[Any]], network: str) -> None:
    parsed = ipaddress.ip_network(network)
    bits, length = int(parsed.network_address), parsed.prefixlen + (96 if parsed.version == 4 else 0)
    at = 0
    for depth in range(length):
        side = bits >> (127 - depth) & 1
        if depth == length - 1:
            nodes[at][side] = network
        else:
            if nodes[at][side] is None:
                nodes.append([None, None])
                nodes[at][side] = len(nodes) - 1
            at = nodes[at][side]


def _pointer(side: Any, count: int, offsets: dict[str, int]) -> bytes:
    value = count if side is None else side if isinstance(side, int) else count + 16 + offsets[side]
    return value.to_bytes(_RECORD_BITS // 8, "big")


def _encoded(value: Any) -> bytes:
    """One value of the data section: type and size in the control byte, extended types in one more."""
    if isinstance(value, bool):
        return bytes([int(value), 14 - 7])
    if isinstance(value, str):
        encoded = value.encode()
        return _control(2, len(encoded)) + encoded
    if isinstance(value, float):
        return _control(3, 8) + struct.pack(">d", value)
    if isinstance(value, int):
        encoded = value.to_bytes(8, "big").lstrip(b"\0")
        return bytes([len(encoded), 9 - 7]) + encoded
    if isinstance(value, list):
        return bytes([len(value), 11 - 7]) + b"".join(map(_encoded, value))
    assert isinstance(value, dict)
    return _control(7, len(value)) + b"".join(_encoded(key) + _encoded(inner) for key, inner in value.items())


def _control(kind: int, size: int) -> bytes:
    assert size < 29 + 256
    return bytes([kind << 5 | size]) if size < 29 else bytes([kind << 5 | 29, size - 29])

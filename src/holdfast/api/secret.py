"""Secrets of tokens: made here, shown once, kept as a hash.

Law: 240 bits of chance from the system, so that guessing one is out of the question; a checksum lets a scanner that finds
one in a public place know it for ours.

The shape is Cloudflare's of 2026: a prefix for the kind, 40 characters, a checksum. The prefixes are ours.
"""

from __future__ import annotations

import binascii
import secrets

_PREFIXES = {"user": "hfut_", "account": "hfat_"}


def new_secret(owner_kind: str) -> str:
    """A new secret for a token of a "user" or an "account"."""
    body = _PREFIXES[owner_kind] + secrets.token_urlsafe(30)
    return f"{body}{binascii.crc32(body.encode()):08x}"

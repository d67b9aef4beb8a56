"""The options of `holdfast connect`, each spelled once (`holdfast.model.option`)."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from holdfast.client.target import Target
from holdfast.errors import UsageError
from holdfast.model.data_dir import default_data_dir
from holdfast.model.option import Given, parsed_fields, spelled, switch

# RFC 9110 §5.6.2 and §5.5
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")

# Fields that are the handshake's own (RFC 6455 §4.1): a second one could only break it.
_HANDSHAKE_FIELDS = frozenset({"connection", "upgrade"})
_PLACE = "a host name or an address, with a port or without, such as 127.0.0.1 or [::1]:8080"


def _target(text: str, flag: str) -> Target:
    return Target.parse(text, field=flag)


def _header(text: str, flag: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    value = value.strip(" \t")
    if not (colon and _TOKEN.fullmatch(name) and _FIELD_VALUE.fullmatch(value)):
        raise UsageError(flag, text, "a header field, such as 'Authorization: Bearer abc'")
    if name.lower() == "host":
        raise UsageError(flag, text, "the host name in the URL, and with --connect-to the address to find it at")
    if name.lower() in _HANDSHAKE_FIELDS or name.lower().startswith("sec-websocket-"):
        raise UsageError(
            flag, text, "a field that is not the handshake's own (for subprotocols there is --subprotocol)"
        )
    return name, value


def _place(text: str, flag: str) -> Target:
    if not text or any(char in text for char in "/?#@"):
        raise UsageError(flag, text, _PLACE)
    try:
        return Target.parse(f"ws://{text}", field=flag)
    except UsageError:
        raise UsageError(flag, text, _PLACE) from None


def _subprotocol(text: str, flag: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise UsageError(flag, text, "the name of a subprotocol, such as graphql-ws")
    return text


def _path(text: str, _flag: str) -> Path:
    return Path(text).expanduser()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectOptions:
    """What `holdfast connect` was asked to do."""

    target: Target = dataclasses.field(
        metadata=spelled(
            "URL", "URL", "Where to connect: ws:// or wss:// (http, https, or no scheme at all, do too).", _target
        )
    )
    connect_to: Target | None = dataclasses.field(
        default=None,
        metadata=spelled(
            "--connect-to",
            "HOST[:PORT]",
            "Connect to this address instead of the URL's host, which stays what is asked for: for names without DNS.",
            _place,
        ),
    )
    headers: tuple[tuple[str, str], ...] = dataclasses.field(
        default=(),
        metadata=spelled(
            "--header",
            "NAME:VALUE",
            "A header field to send with the handshake. Repeatable.",
            _header,
            short="-H",
            is_many=True,
        ),
    )
    subprotocols: tuple[str, ...] = dataclasses.field(
        default=(),
        metadata=spelled(
            "--subprotocol", "NAME", "A subprotocol to offer. Repeatable, best first.", _subprotocol, is_many=True
        ),
    )
    ca_file: Path | None = dataclasses.field(
        default=None,
        metadata=spelled("--cacert", "FILE", "Trust these authorities (PEM), not the system's.", _path),
    )
    insecure: bool = dataclasses.field(
        default=False, metadata=switch("--insecure", "Accept any certificate. For tests only.")
    )
    data_dir: Path = dataclasses.field(
        default_factory=lambda: default_data_dir(os.environ, Path.home()),
        metadata=spelled(
            "--data",
            "DIR",
            "Where Holdfast keeps its files: its local authority is trusted for hosts of this machine.",
            _path,
            default="$XDG_DATA_HOME/holdfast",
        ),
    )

    @classmethod
    def parse(cls, given: Mapping[str, Given]) -> ConnectOptions:
        """Options from what was given, by field name. Raises UsageError, naming the flag, for the first that is wrong."""
        return cls(**parsed_fields(cls, given))

    def __post_init__(self) -> None:
        if len(set(self.subprotocols)) != len(self.subprotocols):
            # RFC 6455 §4.1: the values offered must all be different.
            raise UsageError("--subprotocol", ", ".join(self.subprotocols), "each subprotocol once")
        if self.insecure and self.ca_file:
            raise UsageError("--cacert", str(self.ca_file), "no authorities together with --insecure")

"""Where the API is and who asks: the options that every verb over the API has.

Law 1: a token is never shown: not by `repr`, not in an error, not in help.
Law 2: an `ApiUrl` can be asked as it stands: http or https, and the path that the API's own paths follow.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from holdfast.errors import UsageError
from holdfast.model.option import Given, parsed_fields, spelled, switch
from holdfast.model.origin_url import OriginUrl

DEFAULT_API = "http://127.0.0.1:7070/client/v4"
_DEFAULT_PATH = "/client/v4"

# Long enough for every format in use (a prefix, 40 characters and a checksum), and nothing a header field cannot hold.
_TOKEN = re.compile(r"[A-Za-z0-9_.~+/=-]{1,400}")


@dataclass(frozen=True, slots=True)
class ApiUrl:
    """The base URL of the API, without a slash at its end. `is_local`: its host is this machine, by name or address."""

    text: str
    is_local: bool

    @classmethod
    def parse(cls, text: str, *, field: str = "--api") -> ApiUrl:
        """Parse what a person wrote; without a path it is `/client/v4`. Raises UsageError, naming `field`."""
        if not text.lower().startswith(("http://", "https://")):
            raise UsageError(field, text, f"the base URL of the API, such as {DEFAULT_API}")
        url = OriginUrl.parse(text, field=field)
        return cls(str(url) if url.base_path else f"{url}{_DEFAULT_PATH}", _is_this_machine(url.host))


def _is_this_machine(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class ApiToken:
    """An API token. Its `repr` hides it."""

    value: str = dataclasses.field(repr=False)

    @classmethod
    def parse(cls, text: str, *, field: str = "--token") -> ApiToken:
        """Parse what a person gave. Raises UsageError, which does not repeat it."""
        token = text.strip()
        if not _TOKEN.fullmatch(token):
            raise UsageError(field, "***", "an API token: letters, digits, '-' and '_'")
        return cls(token)


def _api(text: str, flag: str) -> ApiUrl:
    return ApiUrl.parse(text, field=flag)


def _token(text: str, flag: str) -> ApiToken:
    return ApiToken.parse(text, field=flag)


def _path(text: str, flag: str) -> Path:
    if not text or "\0" in text:
        raise UsageError(flag, text, "the path of a file")
    return Path(text).expanduser()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiOptions:
    """What every verb over the API was given. A verb's own options are a subclass."""

    api: ApiUrl = dataclasses.field(
        default_factory=lambda: ApiUrl.parse(DEFAULT_API),
        metadata=spelled("--api", "URL", "The base URL of the API.", _api, default=DEFAULT_API),
    )
    token: ApiToken | None = dataclasses.field(
        default=None,
        metadata=spelled(
            "--token", "TOKEN", "The API token. Better in the environment, where other users do not see it.", _token
        ),
    )
    ca_file: Path | None = dataclasses.field(
        default=None,
        metadata=spelled("--cacert", "FILE", "Trust these authorities (PEM) for an https API.", _path),
    )
    as_json: bool = dataclasses.field(
        default=False, metadata=switch("--json", "Print the API's result as JSON, and nothing else on stdout.")
    )

    @classmethod
    def parse(cls, given: Mapping[str, Given]) -> Self:
        """Options from what was given, by field name. Raises UsageError, naming the flag, for the first that is wrong."""
        return cls(**parsed_fields(cls, given))


# Fields that the environment may give: what is the same for every verb.
FROM_ENVIRONMENT = frozenset({"api", "token", "ca_file"})

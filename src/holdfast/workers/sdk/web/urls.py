"""`URL` of the web platform.

Law: a URL and its `searchParams` are one thing: what changes in the one is seen in the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from holdfast.workers.sdk.proxied import Proxied
from holdfast.workers.sdk.web import url_parsing
from holdfast.workers.sdk.web.search_params import URLSearchParams
from holdfast.workers.sdk.web.url_parsing import DEFAULT_PORTS, USERINFO, UrlError, UrlRecord, percent_encode


class URL(Proxied):
    """A URL, read and written by its parts. TypeError for what is none."""

    def __init__(self, url: str | URL, base: str | URL | None = None) -> None:
        self._record = url_parsing.parse(str(url), None if base is None else url_parsing.parse(str(base)))
        self._params: URLSearchParams | None = None

    @classmethod
    def new(cls, url: str | URL, base: str | URL | None = None) -> URL:
        """As `js.URL.new("/path", "https://example.com")`."""
        return cls(url, base)

    @classmethod
    def canParse(cls, url: str | URL, base: str | URL | None = None) -> bool:  # noqa: N802 - JavaScript's name
        """Whether it is a URL."""
        return cls.parse(url, base) is not None

    @classmethod
    def parse(cls, url: str | URL, base: str | URL | None = None) -> URL | None:
        """It, or None for what is none."""
        try:
            return cls(url, base)
        except UrlError:
            return None

    @property
    def record(self) -> UrlRecord:
        """Its parts as they are now, frozen."""
        return self._record

    @property
    def href(self) -> str:
        """The whole of it."""
        return str(self._record)

    @href.setter
    def href(self, text: str) -> None:
        self._change(url_parsing.parse(text))

    @property
    def origin(self) -> str:
        """Scheme, host and port; "null" where the scheme has no such thing."""
        record = self._record
        if not record.is_special or record.scheme == "file":
            return "null"
        return f"{record.scheme}://{record.authority()}"

    @property
    def protocol(self) -> str:
        """The scheme and its colon."""
        return f"{self._record.scheme}:"

    @protocol.setter
    def protocol(self, text: str) -> None:
        scheme = text.partition(":")[0].lower()
        is_word = scheme.isascii() and scheme[:1].isalpha() and scheme.replace("+", "").replace("-", "").isalnum()
        if is_word and (scheme in DEFAULT_PORTS) == self._record.is_special:
            port = None if DEFAULT_PORTS.get(scheme) == self._record.port else self._record.port
            self._change(replace(self._record, scheme=scheme, port=port))

    @property
    def username(self) -> str:
        """Percent-encoded."""
        return self._record.username

    @username.setter
    def username(self, text: str) -> None:
        self._change(replace(self._record, username=percent_encode(text, USERINFO)))

    @property
    def password(self) -> str:
        """Percent-encoded."""
        return self._record.password

    @password.setter
    def password(self, text: str) -> None:
        self._change(replace(self._record, password=percent_encode(text, USERINFO)))

    @property
    def host(self) -> str:
        """`host:port`, the port where it is not the scheme's own."""
        return self._record.authority()

    @host.setter
    def host(self, text: str) -> None:
        self._change_address(text)

    @property
    def hostname(self) -> str:
        """The host."""
        return self._record.host or ""

    @hostname.setter
    def hostname(self, text: str) -> None:
        if ":" not in text or text.startswith("["):
            self._change_address(text)

    @property
    def port(self) -> str:
        """The port; "" where it is the scheme's own."""
        return "" if self._record.port is None else str(self._record.port)

    @port.setter
    def port(self, text: str | int) -> None:
        self._try(lambda: replace(self._record, port=url_parsing.parse_port(str(text), self._record.scheme)))

    @property
    def pathname(self) -> str:
        """The path, percent-encoded."""
        return self._record.path

    @pathname.setter
    def pathname(self, text: str) -> None:
        if not self._record.is_opaque:
            self._change(url_parsing.with_path(self._record, text.replace("?", "%3F").replace("#", "%23")))

    @property
    def search(self) -> str:
        """The query with its "?"; "" where it is empty."""
        return f"?{self._record.query}" if self._record.query else ""

    @search.setter
    def search(self, text: str) -> None:
        query = text.removeprefix("?").replace("#", "%23")
        self._change(url_parsing.with_query(self._record, query or None))

    @property
    def hash(self) -> str:
        """The fragment with its "#"; "" where it is empty."""
        return f"#{self._record.fragment}" if self._record.fragment else ""

    @hash.setter  # noqa: A003 - the property of this class is meant
    def hash(self, text: str) -> None:
        self._change(url_parsing.with_fragment(self._record, text.removeprefix("#") or None))

    @property
    def searchParams(self) -> URLSearchParams:  # noqa: N802 - JavaScript's name
        """The query's names and values."""
        if self._params is None:
            self._params = URLSearchParams(self._record.query or "")
            self._params.attach(self._set_query)
        return self._params

    search_params = searchParams

    def toString(self) -> str:  # noqa: N802 - JavaScript's name
        """The whole of it."""
        return self.href

    toJSON = toString  # noqa: N815 - JavaScript's name
    __str__ = toString

    def __repr__(self) -> str:
        return f"URL({self.href!r})"

    def _set_query(self, query: str) -> None:
        self._record = replace(self._record, query=query or None)

    def _change(self, record: UrlRecord) -> None:
        self._record = record
        if self._params is not None:
            self._params.reread(record.query or "")

    def _change_address(self, text: str) -> None:
        # A setter that is given nonsense changes nothing (URL §6.1).
        record = self._record
        self._try(lambda: _with_address(record, text))

    def _try(self, make: Callable[[], UrlRecord]) -> None:
        try:
            self._change(make())
        except UrlError:
            return


def _with_address(record: UrlRecord, text: str) -> UrlRecord:
    given: Any = url_parsing.parse(f"{record.scheme}://{text}/")
    return replace(record, host=given.host, port=record.port if given.port is None else given.port)

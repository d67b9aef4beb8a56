"""Ask the API over HTTP: one call, one answer; every wait has a limit and every answer a size.

Law 1: a call returns a JSON value or raises a HoldfastError: a sentence that begins with what could not be done.
Law 2: the token goes to the API's own address and nowhere else: redirects are not followed.
Law 3: nothing is repeated by itself. Where a write was sent and no answer came, the sentence says that it may be done.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from typing import Self

import httpx

from holdfast import __version__
from holdfast.client.api.answer import (
    Answer,
    ApiFailed,
    JsonObject,
    as_objects,
    envelope_of,
    notes_of,
)
from holdfast.client.api.options import ApiOptions
from holdfast.client.printable import printable
from holdfast.client.worker_upload import Part
from holdfast.errors import HoldfastError, UsageError

# How long the API may take to accept the connection, and to answer in all. It waits for its edges for less than a second.
CONNECT_TIMEOUT_S = 10.0
CALL_TIMEOUT_S = 60.0
# Longest answer read. A page of 50 zones is about 100 KB, of 1,000 records 500 KB.
MAX_ANSWER_BYTES = 32 * 1024 * 1024
# Most items a list is followed to, at most a page each: beyond it, the list has to be asked for in parts.
MAX_ITEMS = 200_000
MAX_PAGES = 10_000


class Api:
    """The API, for the length of a `with`. `call_timeout_s` bounds one call, from the first packet to the last byte."""

    def __init__(
        self,
        options: ApiOptions,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        call_timeout_s: float = CALL_TIMEOUT_S,
    ) -> None:
        """Raises UsageError where there is no token, or the authorities to trust cannot be read."""
        if options.token is None:
            raise UsageError("--token", None, "an API token, best in the environment as HOLDFAST_TOKEN")
        self._url = options.api.text
        self._call_timeout_s = call_timeout_s
        self._client = httpx.AsyncClient(
            headers={
                "Authorization": f"Bearer {options.token.value}",
                "User-Agent": f"holdfast/{__version__}",
                "Accept": "application/json",
                # What is not compressed cannot grow beyond its limit while it is unpacked.
                "Accept-Encoding": "identity",
            },
            # Without TLS there is nothing to verify; reading the system's authorities would cost more than the call.
            verify=tls_context(options) if options.api.text.startswith("https:") else False,
            timeout=httpx.Timeout(call_timeout_s, connect=CONNECT_TIMEOUT_S),
            follow_redirects=False,
            # A proxy of the environment is for the world outside; this machine is nearer than that.
            trust_env=not options.api.is_local,
            transport=transport,
        )
        self._runner = asyncio.Runner()
        # What the API said beside the results of writes (`messages`), in order.
        self.notes: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._runner.run(self._client.aclose())
        finally:
            self._runner.close()

    def get(self, path: str, *, what: str, query: Mapping[str, str] | None = None) -> object:
        """The `result` of a GET. `path` begins with "/"; `what` is asked, as in "show the zone example.com"."""
        return self.envelope("GET", path, what=what, query=query).get("result")

    def send(self, method: str, path: str, *, what: str, body: object = None) -> object:
        """The `result` of a write, with `body` as JSON (None: without a body)."""
        envelope = self.envelope(method, path, what=what, body=body)
        self.notes += notes_of(envelope)
        return envelope.get("result")

    def upload(self, method: str, path: str, *, what: str, form: Sequence[Part]) -> object:
        """The `result` of a write, with a form of parts."""
        envelope = self.envelope(method, path, what=what, form=form)
        self.notes += notes_of(envelope)
        return envelope.get("result")

    def everything(
        self, path: str, *, what: str, query: Mapping[str, str] | None = None, per_page: int
    ) -> list[JsonObject]:
        """Every item of a list: the pages one after another, until one is empty. Raises ApiFailed beyond MAX_ITEMS."""
        found: list[JsonObject] = []
        for items in self._pages(path, what=what, query={**(query or {}), "per_page": str(per_page)}):
            if found and items == found[-len(items) :]:
                raise ApiFailed(f"cannot {what}: the API answers the same page again and again")
            found += items
            if len(found) > MAX_ITEMS:
                raise ApiFailed(f"cannot {what}: there are more than {MAX_ITEMS:,}")
        return found

    def _pages(self, path: str, *, what: str, query: Mapping[str, str]) -> Iterator[list[JsonObject]]:
        for page in range(1, MAX_PAGES + 1):
            envelope = self.envelope("GET", path, what=what, query={**query, "page": str(page)})
            items = as_objects(envelope.get("result"), what=what)
            if not items:
                return
            yield items
            info = envelope.get("result_info")
            if not (isinstance(info, dict) and "page" in info):
                # A list without pages: it is whole.
                return

    def envelope(
        self,
        method: str,
        path: str,
        *,
        what: str,
        query: Mapping[str, str] | None = None,
        body: object = None,
        form: Sequence[Part] = (),
    ) -> JsonObject:
        """The envelope of a success. Raises ApiRefused or ApiFailed."""
        content = None if body is None else json.dumps(body).encode("ascii")
        request = self._client.build_request(
            method,
            f"{self._url}{path}",
            params=query,
            content=content,
            files=[(one.name, (one.filename, one.content, one.content_type)) for one in form] or None,
            headers={"Content-Type": "application/json"} if content is not None else None,
        )
        answer = self._runner.run(self._answer(request, what))
        return envelope_of(answer, what=what)

    async def _answer(self, request: httpx.Request, what: str) -> Answer:
        is_write = request.method != "GET"
        try:
            async with asyncio.timeout(self._call_timeout_s):
                response = await self._client.send(request, stream=True)
                try:
                    return await self._read(response, what)
                finally:
                    await response.aclose()
        except TimeoutError:
            raise self._silent(what, is_write=is_write) from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise self._fault(error, what, is_write=is_write) from error

    async def _read(self, response: httpx.Response, what: str) -> Answer:
        encoding = response.headers.get("content-encoding", "identity")
        if encoding.lower() != "identity":
            raise ApiFailed(f"cannot {what}: {self._url} sent an answer packed as {printable(encoding, limit=40)}")
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                raise ApiFailed(
                    f"cannot {what}: the answer of {self._url} is longer than {MAX_ANSWER_BYTES // 1024 // 1024} MiB"
                )
        return Answer(
            status=response.status_code,
            body=bytes(body),
            url=self._url,
            content_type=response.headers.get("content-type", ""),
            retry_after=response.headers.get("retry-after", ""),
            location=response.headers.get("location", ""),
        )

    def _fault(self, error: Exception, what: str, *, is_write: bool) -> HoldfastError:
        if isinstance(error, httpx.ConnectTimeout):
            return ApiFailed(f"cannot {what}: {self._url} did not accept the connection in time (HOLDFAST_API)")
        if isinstance(error, httpx.TimeoutException):
            return self._silent(what, is_write=is_write)
        if isinstance(error, httpx.ProxyError):
            return ApiFailed(f"cannot {what}: the proxy of this environment is in the way: {_reason(error)}")
        if isinstance(error, httpx.ConnectError):
            return ApiFailed(f"cannot {what}: {_not_connected(error, self._url)}")
        return ApiFailed(
            f"cannot {what}: the connection to {self._url} failed: {_reason(error)}{_doubt(is_write=is_write)}",
            may_be_done=is_write,
        )

    def _silent(self, what: str, *, is_write: bool) -> HoldfastError:
        return ApiFailed(
            f"cannot {what}: no whole answer of {self._url} in {self._call_timeout_s:g} s{_doubt(is_write=is_write)}",
            may_be_done=is_write,
        )


def _doubt(*, is_write: bool) -> str:
    return "; whether it was done is not known" if is_write else ""


def _not_connected(error: BaseException, url: str) -> str:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the certificate of {url} is not trusted: {printable(cause.verify_message, limit=200)} (--cacert)"
        if isinstance(cause, ssl.SSLError):
            reason = getattr(cause, "reason", None) or str(cause)
            return f"TLS with {url} failed: {printable(reason, limit=200)} (is it http?)"
        if isinstance(cause, socket.gaierror):
            return f"the host of {url} does not resolve (HOLDFAST_API)"
    return f"no Holdfast API at {url}: is `holdfast run` running? (HOLDFAST_API)"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen = 0
    while error is not None and seen < 20:
        yield error
        error, seen = error.__cause__ or error.__context__, seen + 1


def _reason(error: Exception) -> str:
    return printable(str(error) or type(error).__name__, limit=200)


def tls_context(options: ApiOptions) -> ssl.SSLContext:
    """What is trusted of an https API. Raises UsageError."""
    try:
        return ssl.create_default_context(cafile=str(options.ca_file) if options.ca_file else None)
    except OSError as error:
        raise UsageError("--cacert", str(options.ca_file), "a readable file of certificates in PEM") from error

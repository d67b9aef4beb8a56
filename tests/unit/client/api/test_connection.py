"""Asking the API: paged, bounded in time and size, and every fault one sentence."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from holdfast.client.api import connection
from holdfast.client.api.answer import ApiFailed, ApiRefused
from holdfast.client.api.connection import Api
from holdfast.client.api.options import ApiOptions, ApiToken, ApiUrl
from holdfast.errors import UsageError
from tests.unit.client.verbs.fake_api import FakeApi, opened

URL = "http://127.0.0.1:7070/client/v4"


def _page(items: list[object], **info: object) -> httpx.Response:
    envelope: dict[str, object] = {"success": True, "errors": [], "messages": [], "result": items}
    return httpx.Response(200, json=envelope | ({"result_info": info} if info else {}))


def test_a_call_carries_the_token_and_says_who_asks() -> None:
    fake = FakeApi({"GET /user": {"id": "x"}})
    with opened(fake) as api:
        assert api.get("/user", what="ask") == {"id": "x"}
    assert fake.headers[0]["authorization"] == "Bearer the-token"
    assert fake.headers[0]["user-agent"].startswith("holdfast/")
    assert fake.headers[0]["accept-encoding"] == "identity"


def test_a_write_has_json_and_leaves_the_notes_of_the_api() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["content-type"] == "application/json"
        envelope = {"success": True, "result": None, "messages": [{"code": 1008, "message": "the value is kept"}]}
        return httpx.Response(200, json=envelope)

    with opened(answer) as api:
        assert api.send("PATCH", "/x", what="ask", body={"value": "é"}) is None
        assert api.notes == ["the value is kept"]


def test_pages_are_followed_until_one_is_empty_whatever_the_totals_say() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        page = int(request.url.params["page"])
        asked.append(str(request.url.query, "ascii"))
        items: list[object] = [{"id": f"{page}-{item}"} for item in range(2)] if page <= 3 else []
        return _page(items, page=page, total_pages=1)

    with opened(answer) as api:
        found = api.everything("/zones", what="list", query={"name": "contains:x y"}, per_page=2)
    assert [item["id"] for item in found] == ["1-0", "1-1", "2-0", "2-1", "3-0", "3-1"]
    assert asked[0] == "name=contains%3Ax+y&per_page=2&page=1"
    assert len(asked) == 4


def test_a_list_without_pages_is_asked_for_once() -> None:
    with opened(lambda _: _page([{"id": "a"}])) as api:
        assert api.everything("/zones", what="list", per_page=2) == [{"id": "a"}]


def test_a_list_that_repeats_itself_ends() -> None:
    with (
        opened(lambda _: _page([{"id": "a"}], page=1)) as api,
        pytest.raises(ApiFailed, match="cannot list: the API answers the same page again and again"),
    ):
        api.everything("/zones", what="list", per_page=2)


def test_a_list_without_end_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MAX_ITEMS", 5)
    numbers = iter(range(100))
    with (
        opened(lambda _: _page([{"id": str(next(numbers))}], page=1)) as api,
        pytest.raises(ApiFailed, match="cannot list: there are more than 5"),
    ):
        api.everything("/zones", what="list", per_page=2)


def test_a_redirect_is_not_followed() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(302, headers={"Location": "http://elsewhere.example/"})

    with opened(answer) as api, pytest.raises(ApiFailed, match=r"a redirect to http://elsewhere\.example/"):
        api.get("/zones", what="ask")
    assert asked == ["127.0.0.1"]


class _Endless(httpx.AsyncByteStream):
    """A body of blanks that never ends; `sent` counts its bytes."""

    sent = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            self.sent += 65_536
            yield b" " * 65_536


def test_an_answer_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MAX_ANSWER_BYTES", 1024 * 1024)
    body = _Endless()
    with (
        opened(lambda _: httpx.Response(200, stream=body)) as api,
        pytest.raises(ApiFailed, match=r"cannot ask: the answer of \S+ is longer than 1 MiB"),
    ):
        api.get("/zones", what="ask")
    assert body.sent <= 2 * 1024 * 1024


def test_an_answer_that_is_packed_is_not_unpacked() -> None:
    answer = httpx.Response(200, headers={"Content-Encoding": "zstd"}, stream=_Endless())
    with opened(lambda _: answer) as api, pytest.raises(ApiFailed, match="packed as zstd"):
        api.get("/zones", what="ask")


class _Silent(httpx.AsyncByteStream):
    """A body that begins and then says nothing."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()


@pytest.mark.parametrize(("method", "doubt"), [("GET", ""), ("POST", "; whether it was done is not known")])
def test_an_answer_that_never_ends_in_time_is_given_up(method: str, doubt: str) -> None:
    with (
        opened(lambda _: httpx.Response(200, stream=_Silent()), call_timeout_s=0.05) as api,
        pytest.raises(ApiFailed) as caught,
    ):
        api.send(method, "/zones", what="ask")
    assert str(caught.value) == f"cannot ask: no whole answer of {URL} in 0.05 s{doubt}"
    assert caught.value.may_be_done is (method == "POST")


def _caused(error: httpx.TransportError, cause: BaseException) -> httpx.TransportError:
    error.__cause__ = cause
    return error


_UNTRUSTED = ssl.SSLCertVerificationError(1, "certificate verify failed")
_UNTRUSTED.verify_message = "self-signed certificate"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            _caused(httpx.ConnectError("x"), ConnectionRefusedError(111, "Connection refused")),
            f"no Holdfast API at {URL}: is `holdfast run` running? (HOLDFAST_API)",
        ),
        (
            _caused(httpx.ConnectError("x"), socket.gaierror(-2, "Name or service not known")),
            f"the host of {URL} does not resolve (HOLDFAST_API)",
        ),
        (
            _caused(httpx.ConnectError("x"), _UNTRUSTED),
            f"the certificate of {URL} is not trusted: self-signed certificate (--cacert)",
        ),
        (
            _caused(httpx.ConnectError("x"), ssl.SSLError(1, "WRONG_VERSION_NUMBER")),
            f"TLS with {URL} failed: WRONG_VERSION_NUMBER (is it http?)",
        ),
        (httpx.ConnectTimeout("x"), f"{URL} did not accept the connection in time (HOLDFAST_API)"),
        (httpx.ProxyError("403 Forbidden"), "the proxy of this environment is in the way: 403 Forbidden"),
        (
            httpx.RemoteProtocolError("Server disconnected\x1b"),
            f"the connection to {URL} failed: Server disconnected\\x1b; whether it was done is not known",
        ),
        (httpx.ReadTimeout("x"), f"no whole answer of {URL} in 5 s; whether it was done is not known"),
    ],
)
def test_what_went_wrong_before_an_answer_is_one_sentence(error: httpx.TransportError, sentence: str) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise error

    with opened(fail) as api, pytest.raises(ApiFailed) as caught:
        api.send("POST", "/zones", what="create the zone", body={})
    assert str(caught.value) == f"cannot create the zone: {sentence}"
    assert caught.value.exit_status == 1


def test_nobody_asks_without_a_token() -> None:
    with pytest.raises(UsageError, match="--token: expected an API token, best in the environment as HOLDFAST_TOKEN"):
        Api(ApiOptions())


@pytest.mark.parametrize("make", [lambda _: None, lambda file: file.write_text("no certificate")])
def test_authorities_that_cannot_be_read_are_named(tmp_path: Path, make: Callable[[Path], object]) -> None:
    file = tmp_path / "ca.pem"
    make(file)
    with pytest.raises(UsageError, match="--cacert: expected a readable file of certificates in PEM"):
        Api(ApiOptions(api=ApiUrl.parse("https://h"), token=ApiToken("t"), ca_file=file))


async def _hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


@pytest.mark.parametrize("port_is_open", [True, False])
def test_a_real_connection_that_is_refused_or_cut_is_told_apart(port_is_open: bool) -> None:
    async def cut() -> str:
        # Where nobody listens on it, it is nobody else's either.
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            port = bound.getsockname()[1]
            server = await asyncio.start_server(_hang_up, sock=bound) if port_is_open else None
            try:
                return await asyncio.to_thread(_said, port)
            finally:
                if server is not None:
                    server.close()

    said = asyncio.run(cut())
    assert ("is `holdfast run` running?" in said) is not port_is_open
    assert ("disconnected" in said) is port_is_open


def _said(port: int) -> str:
    options = ApiOptions(api=ApiUrl.parse(f"http://127.0.0.1:{port}"), token=ApiToken("t"))
    with Api(options) as api, pytest.raises(ApiFailed) as caught:
        api.get("/zones", what="ask")
    return str(caught.value)


def test_a_refusal_keeps_status_and_codes() -> None:
    with opened(FakeApi({})) as api, pytest.raises(ApiRefused) as caught:
        api.get("/nowhere", what="ask")
    assert (caught.value.status, caught.value.codes) == (404, (7003,))

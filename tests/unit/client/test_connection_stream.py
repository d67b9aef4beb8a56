"""The stream is followed over restarts of the API, and ends with its reason where it may not go on."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from holdfast.client import connection_stream
from holdfast.client.api.answer import ApiFailed, ApiRefused
from holdfast.client.api.options import ApiOptions, ApiToken, ApiUrl
from holdfast.client.connection_stream import follow
from holdfast.errors import UsageError

PATH = "/zones/z/websocket_connections/stream"
Handler = Callable[[ServerConnection, int], None]


@pytest.fixture(autouse=True)
def _eager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_stream, "FIRST_RETRY_S", 0.01)


class Api:
    """An API whose stream does what `handler` does with the n-th client; and what it was asked."""

    def __init__(
        self, handler: Handler, refusal: Callable[[ServerConnection, Request], Response | None] | None
    ) -> None:
        self.asked: list[tuple[str, str]] = []
        self._handler = handler
        self._server = serve(self._serve, "127.0.0.1", 0, process_request=refusal)
        port = self._server.socket.getsockname()[1]
        self.options = ApiOptions(api=ApiUrl.parse(f"http://127.0.0.1:{port}"), token=ApiToken("the-token"))
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.asked.append((connection.request.path, connection.request.headers["Authorization"]))
        self._handler(connection, len(self.asked))

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()


@contextmanager
def served(
    handler: Handler = lambda *_: None,
    refusal: Callable[[ServerConnection, Request], Response | None] | None = None,
) -> Iterator[Api]:
    api = Api(handler, refusal)
    try:
        yield api
    finally:
        api.stop()


def test_messages_come_as_they_are_sent_and_the_token_goes_in_the_header() -> None:
    def handler(connection: ServerConnection, _: int) -> None:
        connection.send('{"type": "lost", "count": 1}')
        connection.send("[]")
        connection.send('{"type": "lost", "count": 2}')

    with served(handler) as api:
        messages = follow(api.options, PATH, {"host": "a b"}, what="follow", notice=lambda _: None)
        assert [next(messages)["count"] for _ in range(2)] == [1, 2]
    assert api.asked[0] == (f"/client/v4{PATH}?host=a+b", "Bearer the-token")


@pytest.mark.parametrize("code", [1001, 1011, 1012, 1013])
def test_a_stream_that_may_go_on_is_opened_again_and_that_is_said(code: int) -> None:
    def handler(connection: ServerConnection, number: int) -> None:
        connection.send(f'{{"count": {number}}}')
        connection.close(code, "why")

    said: list[str] = []
    with served(handler) as api:
        messages = follow(api.options, PATH, {}, what="follow", notice=said.append)
        assert [next(messages)["count"] for _ in range(3)] == [1, 2, 3]
    assert f'the stream has ended: {code} "why"' in said[0]
    assert said[1] == "the stream goes on; what happened meanwhile is not known"


def test_a_stream_that_is_opened_again_may_be_asked_for_something_else() -> None:
    def handler(connection: ServerConnection, number: int) -> None:
        connection.send(f'{{"count": {number}}}')
        connection.close(1012, "why")

    with served(handler) as api:
        messages = follow(
            api.options,
            PATH,
            {"a": "1"},
            what="follow",
            notice=lambda _: None,
            again=lambda: {"b": str(len(api.asked))},
        )
        assert [next(messages)["count"] for _ in range(3)] == [1, 2, 3]
    assert [path.rpartition("?")[2] for path, _ in api.asked[:3]] == ["a=1", "b=1", "b=2"]


def test_an_end_without_a_close_is_one_of_those() -> None:
    def handler(connection: ServerConnection, number: int) -> None:
        connection.send(f'{{"count": {number}}}')
        connection.socket.close()

    said: list[str] = []
    with served(handler) as api:
        messages = follow(api.options, PATH, {}, what="follow", notice=said.append)
        assert [next(messages)["count"] for _ in range(2)] == [1, 2]
    assert "1006" in said[0]


def test_a_stream_that_may_not_go_on_is_an_error_with_its_reason() -> None:
    said = r'cannot follow: the stream was ended: 1008 "the token may not"'
    with (
        served(lambda connection, _: connection.close(1008, "the token may not")) as api,
        pytest.raises(ApiRefused, match=said),
    ):
        next(follow(api.options, PATH, {}, what="follow", notice=lambda _: None))


def test_what_is_no_json_is_an_error() -> None:
    def handler(connection: ServerConnection, _: int) -> None:
        connection.send("\x1b[2J")

    with served(handler) as api, pytest.raises(ApiFailed, match="sent what is no JSON"):
        next(follow(api.options, PATH, {}, what="follow", notice=lambda _: None))


def test_a_handshake_that_is_refused_is_told_in_the_words_of_the_api() -> None:
    body = '{"success": false, "errors": [{"code": 10000, "message": "Authentication error"}], "messages": [], "result": null}'

    def refuse(connection: ServerConnection, _: Request) -> Response:
        answer = connection.respond(401, body)
        answer.headers["Content-Type"] = "application/json"
        return answer

    with served(refusal=refuse) as api, pytest.raises(ApiRefused, match="code 10000: Authentication error"):
        next(follow(api.options, PATH, {}, what="follow", notice=lambda _: None))


def test_what_is_no_api_is_said_to_be_none() -> None:
    with (
        served(refusal=lambda connection, _: connection.respond(502, "Bad")) as api,
        pytest.raises(ApiFailed, match="answered 502"),
    ):
        next(follow(api.options, PATH, {}, what="follow", notice=lambda _: None))


def test_where_nobody_listens_the_sentence_names_the_variable() -> None:
    options = ApiOptions(api=ApiUrl.parse("http://127.0.0.1:1"), token=ApiToken("t"))
    with pytest.raises(ApiFailed, match=r"no stream at http://127.0.0.1:1/client/v4: .*HOLDFAST_API"):
        next(follow(options, PATH, {}, what="follow", notice=lambda _: None))


def test_a_token_is_needed() -> None:
    with pytest.raises(UsageError, match="--token"):
        next(follow(ApiOptions(), PATH, {}, what="follow", notice=lambda _: None))

"""Every case of `tests/wire`: fed whole, byte by byte, and with another request behind it.

A refused request must not reach the origin, not even in part; what stands behind it must not be read as a request.
"""

import pytest

from tests.integration import wire
from tests.integration.edge import Edge
from tests.integration.origin import Origin
from tests.integration.wire_cases import REFUSALS, Case, load, parse, unescape

CASES = load()
BEHIND = b"GET /smuggled?%s-behind HTTP/1.1\r\nHost: example.test\r\n\r\n"


@pytest.mark.parametrize("feed", ["whole", "byte by byte", "with a request behind it"])
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_edge_answers_as_the_case_says(edge: Edge, origin: Origin, token: str, case: Case, feed: str) -> None:
    data = case.data(token)
    with wire.connect(edge.plain) as client:
        # Behind a 101 come frames, which other tests send.
        is_followed = feed == "with a request behind it" and case.statuses != {101}
        if feed == "byte by byte":
            client.send_byte_by_byte(data)
        else:
            client.send(data + (BEHIND % token.encode() if is_followed else b""))
        answer = client.read_answer()
        assert answer.status in case.statuses
        body = (
            b"" if answer.status == 101 else client.read_body(answer, method=data.split(b" ", 1)[0].decode("latin-1"))
        )
        check_answer(case, answer, body)
        check_connection(client, case, answer, is_followed=is_followed)
    check_origin(edge, origin, token, case, answer.status)


def check_answer(case: Case, answer: wire.Answer, body: bytes) -> None:
    for name, value in case.headers.items():
        assert answer.values(name) == [value]
    if case.reason is not None:
        assert case.reason.lower() in body.decode().lower()
    if answer.status in REFUSALS:
        assert body.strip(), "a refusal says why"
        assert "close" in answer.value("Connection").lower() or not case.is_closed


def check_connection(client: wire.Wire, case: Case, answer: wire.Answer, *, is_followed: bool) -> None:
    if case.is_closed:
        assert client.read_to_end() == b"", "bytes after the answer to a refused request"
    elif answer.status == 200 and case.is_closed is None:
        if is_followed:
            assert client.read_answer().status == 200, "the request behind it was not answered"
        else:
            assert client.request(wire.request("GET", "/status/200"))[0].status == 200


def check_origin(edge: Edge, origin: Origin, token: str, case: Case, status: int) -> None:
    # A request after it, through all of the edge: what the edge had for the origin before, it has sent by now.
    with wire.connect(edge.plain) as client:
        assert client.request(wire.request("GET", "/status/200"))[0].status == 200
    if status in REFUSALS:
        assert not origin.received_anywhere(f"{token}-behind".encode()), "what stood behind it was sent on"
    match case.origin:
        case "nothing":
            assert not origin.received_anywhere(token.encode())
        case "incomplete":
            if (seen := origin.look_up(token)) is not None:
                seen.until(lambda seen: seen.ended, what="the edge leaving the incomplete request")
                body = bytes(seen.received).rpartition(token.encode())[2].partition(b"\r\n\r\n")[2]
                assert b"0\r\n\r\n" not in body
        case bytes(text):
            assert text.replace(b"{token}", token.encode()) in origin.head(token).raw
        case _:
            pass


def test_a_case_is_read_as_the_readme_says() -> None:
    case = parse(
        "file", "it is so\nGET / HTTP/1.1\nX: {ab*3}\\t\\x41\\+\n!\n# a comment\n\n---\nstatus 400\nreason why\n"
    )
    assert case.data("") == b"GET / HTTP/1.1\r\nX: ababab\tA!\r\n\r\n"
    assert case.statuses == {400}
    assert (case.is_closed, case.origin, case.reason) == (True, "nothing", "why")
    assert unescape("a\\\\b\\0") == b"a\\b\0\r\n"


@pytest.mark.parametrize(
    "text", ["no line of dashes\nGET\n", "a slip\nGET\n---\nstatsu 400\n", "nothing expected\nGET\n---\n"]
)
def test_a_case_with_a_slip_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="file: "):
        parse("file", text)

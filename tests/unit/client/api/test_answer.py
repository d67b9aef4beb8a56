"""What an answer means: a result, or one printable sentence and whose fault it is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.client.api.answer import (
    Answer,
    ApiFailed,
    ApiRefused,
    as_object,
    as_objects,
    id_of,
    notes_of,
    result_of,
    text_of,
    texts_of,
)
from holdfast.errors import HoldfastError

URL = "http://127.0.0.1:7070/client/v4"


def _answer(status: int, value: object, **more: str) -> Answer:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Answer(status=status, body=body, url=URL, **{"content_type": "application/json", **more})


def _failed(*errors: object) -> dict[str, object]:
    return {"success": False, "errors": list(errors), "messages": [], "result": None}


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (_answer(200, {"success": True, "errors": [], "messages": [], "result": {"id": "x"}}), {"id": "x"}),
        (_answer(200, {"success": True, "result": None}), None),
        (_answer(204, b""), None),
        (_answer(200, b" \n"), None),
    ],
)
def test_a_success_is_its_result(answer: Answer, result: object) -> None:
    assert result_of(answer, what="ask") == result


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            _answer(400, _failed({"code": 1049, "message": "name: bad.", "source": {"pointer": "/name"}})),
            "cannot ask: code 1049: name: bad (at /name) (HTTP 400)",
        ),
        (
            _answer(409, _failed({"code": 1, "message": "a"}, {"code": 2, "message": "b"})),
            "cannot ask: code 1: a; code 2: b (HTTP 409)",
        ),
        (
            _answer(
                403,
                _failed(
                    {
                        "code": 10000,
                        "message": "Authentication error",
                        "error_chain": [{"code": 9109, "message": "the token lacks the permission 'DNS Write' here"}],
                    }
                ),
            ),
            (
                "cannot ask: code 10000: Authentication error [code 9109: the token lacks the permission 'DNS Write' here]"
                " (HTTP 403)"
            ),
        ),
        (
            _answer(403, _failed({"code": 9109, "message": "Unauthorized to access requested resource"})),
            (
                "cannot ask: code 9109: Unauthorized to access requested resource (HTTP 403); the token may not do this:"
                " `holdfast token show TOKEN` says what it may"
            ),
        ),
        (
            _answer(401, _failed({"code": 10000, "message": "Authentication error"})),
            (
                "cannot ask: code 10000: Authentication error (HTTP 401); is HOLDFAST_TOKEN a token of this API, active and"
                " not expired?"
            ),
        ),
        (_answer(404, _failed()), "cannot ask: it gave no reason (HTTP 404)"),
        (_answer(404, {"errors": "x"}), "cannot ask: it gave no reason (HTTP 404)"),
        (
            _answer(400, _failed(*({"code": n, "message": "m"} for n in range(7)))),
            "cannot ask: code 0: m; code 1: m; code 2: m; code 3: m; code 4: m; and 2 more (HTTP 400)",
        ),
    ],
)
def test_a_refusal_says_the_code_and_where_and_is_the_askers_to_change(answer: Answer, sentence: str) -> None:
    with pytest.raises(ApiRefused) as caught:
        result_of(answer, what="ask")
    assert str(caught.value) == sentence
    assert (caught.value.exit_status, caught.value.status) == (2, answer.status)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            _answer(503, _failed({"code": 10503, "message": "The database is not available"}), retry_after="2"),
            "cannot ask: code 10503: The database is not available (HTTP 503); try again in 2 s",
        ),
        (
            _answer(429, _failed({"code": 10013, "message": "Rate limited"}), retry_after="270"),
            "cannot ask: code 10013: Rate limited (HTTP 429); try again in 270 s",
        ),
        (_answer(502, b"<html>bad gateway</html>", content_type="text/html"), f"cannot ask: {URL} answered 502"),
        (
            _answer(200, b"<html>hello</html>", content_type="text/html; charset=utf-8"),
            (
                f"cannot ask: what answered at {URL} is not the API: status 200, text/html, no JSON of the API's form"
                " (HOLDFAST_API)"
            ),
        ),
        (
            _answer(404, b"not found", content_type=""),
            (
                f"cannot ask: what answered at {URL} is not the API: status 404, no content type, no JSON of the API's form"
                " (HOLDFAST_API)"
            ),
        ),
        (
            _answer(307, b"", location="https://elsewhere/\x1b[2J"),
            f"cannot ask: {URL} answered 307, a redirect to https://elsewhere/\\x1b[2J; name the API itself (HOLDFAST_API)",
        ),
        (_answer(200, _failed({"code": 1, "message": "m"})), "cannot ask: code 1: m (HTTP 200)"),
    ],
)
def test_what_the_world_must_change_is_status_1(answer: Answer, sentence: str) -> None:
    with pytest.raises(ApiFailed) as caught:
        result_of(answer, what="ask")
    assert str(caught.value) == sentence
    assert caught.value.exit_status == 1


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"success": NaN}', b'{"success": 1', b"\xff\xfe", b"3", b"null"])
def test_json_that_is_none_or_too_deep_is_not_the_api(body: bytes) -> None:
    with pytest.raises(ApiFailed, match="is not the API"):
        result_of(_answer(200, body), what="ask")


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["code", "message", "source", "pointer", "error_chain", "errors"]), inner)
    ),
    max_leaves=10,
)


@given(
    status=st.integers(200, 599),
    value=st.binary(max_size=50)
    | st.dictionaries(st.sampled_from(["success", "errors", "result", "messages", "result_info"]), _json),
    header=st.text(max_size=20),
)
def test_whatever_comes_is_a_result_or_one_printable_line(status: int, value: object, header: str) -> None:
    try:
        result_of(_answer(status, value, content_type=header, location=header, retry_after=header), what="ask")
    except HoldfastError as error:
        said = str(error)
        assert said.startswith("cannot ask: ")
        assert len(said.splitlines()) == 1
        assert "\x1b" not in said
        assert len(said) < 10_000


def test_a_long_message_is_cut() -> None:
    with pytest.raises(ApiRefused) as caught:
        result_of(_answer(400, _failed({"code": 1, "message": "x" * 100_000})), what="ask")
    assert len(str(caught.value)) < 1000


def test_notes_are_the_texts_of_messages_printable() -> None:
    assert notes_of({"messages": [{"code": 1008, "message": "kept\x1b."}, "x", {}]}) == ["kept\\x1b", "no message"]
    assert notes_of({}) == []


@pytest.mark.parametrize("value", [None, "x", 3, []])
def test_a_result_of_another_form_is_a_sentence(value: object) -> None:
    with pytest.raises(ApiFailed, match="cannot ask: the API answered a result of another form"):
        as_object(value, what="ask")
    with pytest.raises(ApiFailed, match="cannot ask: "):
        as_objects([value] if value != [] else {}, what="ask")


@pytest.mark.parametrize("given_id", [None, 3, "", "../../zones", "a/b", "a\n", "x" * 65])
def test_an_id_that_could_leave_its_place_in_a_path_is_refused(given_id: object) -> None:
    with pytest.raises(ApiFailed, match="without a usable id"):
        id_of({"id": given_id}, what="ask")


def test_texts_are_read_without_trusting_the_form() -> None:
    assert text_of({"plan": {"legacy_id": "free"}}, "plan", "legacy_id") == "free"
    assert text_of({"plan": "free"}, "plan", "legacy_id") == ""
    assert text_of({"plan": 3}, "plan") == ""
    assert texts_of(["a", 3, "b"]) == ["a", "b"]
    assert texts_of("ab") == []


def test_a_traceback_is_no_part_of_the_sentence_and_is_kept_as_it_is() -> None:
    trace = 'File "a.py", line 8\n    class Default\n                 ^\nSyntaxError: \x1b[2Jexpected'
    told = {"code": 10021, "message": "SyntaxError: expected", "error_chain": [{"code": 10021, "message": trace}]}
    with pytest.raises(ApiRefused) as caught:
        result_of(_answer(400, _failed(told)), what="deploy")
    assert str(caught.value) == "cannot deploy: code 10021: SyntaxError: expected (HTTP 400)"
    assert caught.value.detail == trace.replace("\x1b", "\\x1b")

"""An API that answers from a table, in the shapes of the v4 API, and remembers what it was asked."""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx

from holdfast.client.api.connection import Api
from holdfast.client.api.options import ApiOptions, ApiToken
from holdfast.client.verbs.group import Verb
from holdfast.client.verbs.output import Output
from holdfast.model.option import Given

ZONE_ID = "023e105f4ecef8ad9ca31a8372d0c353"
ACCOUNT_ID = "9a7806061c88ada191ed06f989cc3dac"
RECORD_ID = "372e67954025e0ba6aaa6d586b9e0b59"
TOKEN_ID = "ed17574386854bf78a67040be0a770b0"
ZONE: dict[str, object] = {
    "id": ZONE_ID,
    "name": "example.com",
    "status": "active",
    "paused": False,
    "account": {"id": ACCOUNT_ID, "name": "Main"},
    "plan": {"id": "0" * 32, "legacy_id": "free", "name": "Free Website"},
    "created_on": "2026-04-23T10:11:12.345678Z",
    "modified_on": "2026-04-23T10:11:12.345678Z",
}
IN_ZONE = f"/zones/{ZONE_ID}"


@dataclass(frozen=True)
class Failure:
    """An answer that is not success."""

    status: int
    code: int
    message: str
    pointer: str | None = None

    def envelope(self) -> dict[str, object]:
        error: dict[str, object] = {"code": self.code, "message": self.message}
        if self.pointer:
            error["source"] = {"pointer": self.pointer}
        return {"success": False, "errors": [error], "messages": [], "result": None}


@dataclass
class FakeApi:
    """`answers` maps "GET /zones" to a result, a Failure, an HTTP response, or a function of the request's body.

    A result that is a list comes in pages where pages are asked for. What is not in the table is 404, as in the API.
    """

    answers: Mapping[str, object]
    asked: list[str] = field(default_factory=list)
    bodies: list[object] = field(default_factory=list)
    headers: list[httpx.Headers] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode().removeprefix("/client/v4").partition("?")[0]
        key = f"{request.method} {path}"
        query = dict(request.url.params)
        page = query.pop("page", None)
        query.pop("per_page", None)
        is_form = request.headers.get("content-type", "").startswith("multipart/")
        body = request.content if is_form else json.loads(request.content) if request.content else None
        if page in (None, "1"):
            self.asked.append(
                key + ("?" + "&".join(f"{name}={value}" for name, value in query.items()) if query else "")
            )
        self.bodies.append(body)
        self.headers.append(request.headers)
        answer = self.answers.get(key, Failure(404, 7003, f"Could not route to {path}"))
        return _response(answer(body) if callable(answer) else answer, page)

    def written(self) -> list[tuple[str, object]]:
        """The writes, with their bodies, in order."""
        return [
            (key, body)
            for key, body in zip(self.asked, self._first_bodies(), strict=True)
            if not key.startswith("GET ")
        ]

    def _first_bodies(self) -> list[object]:
        # A list is asked for twice, without a body each time; only writes have one.
        bodies = iter([body for body in self.bodies if body is not None])
        return [next(bodies) if _has_body(key) else None for key in self.asked]


def _has_body(key: str) -> bool:
    return key.split(" ", maxsplit=1)[0] in ("POST", "PUT", "PATCH")


def _response(answer: object, page: str | None) -> httpx.Response:
    if isinstance(answer, httpx.Response):
        return answer
    if isinstance(answer, Failure):
        return httpx.Response(answer.status, json=answer.envelope())
    envelope: dict[str, object] = {"success": True, "errors": [], "messages": [], "result": answer}
    if isinstance(answer, list) and page is not None:
        envelope["result"] = answer if page == "1" else []
        envelope["result_info"] = {"page": int(page), "per_page": 50, "count": len(answer), "total_count": len(answer)}
    return httpx.Response(200, json=envelope)


def opened(handler: Callable[[httpx.Request], httpx.Response], *, call_timeout_s: float = 5) -> Api:
    """An Api that asks `handler`."""
    options = ApiOptions(token=ApiToken("the-token"))
    return Api(options, transport=httpx.MockTransport(handler), call_timeout_s=call_timeout_s)


def run(fake: FakeApi, verb: Verb, **given: Given) -> tuple[str, str]:
    """Run a verb as the command does; what it said on stdout and on stderr."""
    out, notices = io.StringIO(), io.StringIO()
    options = verb.options.parse(given)
    output = Output(out, notices, as_json=options.as_json, is_terminal=False)
    with opened(fake) as api:
        verb.run(options, api, output)
    return out.getvalue(), notices.getvalue()

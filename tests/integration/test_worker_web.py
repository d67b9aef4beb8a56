"""What a Worker has of the web platform beyond requests, through a real edge: pages rewritten, answers cached, tokens checked, packages and
the errors that its author is told.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator

import httpx
import pytest

from holdfast.model.worker_host_messages import Done, Refused
from tests.integration.worker_up import ServedWorker, worker_up

LIMIT_S = 30.0
CODE = """
import js
from js import HTMLRewriter, Object, caches, crypto
from pyodide.ffi import create_proxy, to_js
from workers import DurableObject, Response, WorkerEntrypoint
import greeting_package

PAGE = '<!doctype html><html><head><title>t</title><meta property="og:title" content="old"></head><body>x</body></html>'
made = 0

class Remover:
    def element(self, element):
        element.remove()

class Injector:
    async def element(self, element):
        element.prepend('<meta property="og:title" content="new">', html=True)

class Room(DurableObject):
    async def fetch(self, request):
        return "no response"

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        global made
        match js.URL.new(request.url).pathname:
            case "/page":
                answer = Response(PAGE, headers={"content-type": "text/html"})
                rewriter = HTMLRewriter.new()
                rewriter.on('meta[property^="og:"]', create_proxy(Remover())).on("head", create_proxy(Injector()))
                return rewriter.transform(answer.js_object)
            case "/cached":
                key = js.Request.new(request.url, request.js_object)
                if (found := await caches.default.match(key)) is not None:
                    return found
                made += 1
                answer = js.Response.new(f"made {made}", to_js({"headers": {"Cache-Control": "s-maxage=60"}}))
                self.ctx.waitUntil(create_proxy(caches.default.put(key, answer.clone())))
                return answer
            case "/token":
                head, _, signature = request.headers["Authorization"].removeprefix("Bearer ").rpartition(".")
                algorithm = to_js({"name": "HMAC", "hash": "SHA-256"}, dict_converter=Object.fromEntries)
                key = await crypto.subtle.importKey("raw", js.TextEncoder.new().encode("k3y"), algorithm, False, to_js(["verify"]))
                raw = js.atob(signature.replace("-", "+").replace("_", "/") + "=" * (-len(signature) % 4)).encode("latin-1")
                is_right = await crypto.subtle.verify("HMAC", key, raw, head.encode())
                return Response.json({"right": is_right}, status=200 if is_right else 401)
            case "/package":
                return Response(to_js(greeting_package.hello().encode()).buffer)
            case "/nothing":
                return None
            case "/object":
                return await self.env.ROOM.getByName("a").fetch(request)
"""


@pytest.fixture(scope="module")
def served() -> Iterator[ServedWorker]:
    with worker_up() as running:
        package = running.project / "python_modules" / "greeting_package"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("def hello():\n    return 'hello from a package'\n", encoding="utf-8")
        assert isinstance(running.deploy("v1", CODE), Done)
        yield running


def asked(served: ServedWorker, path: str, **headers: str) -> httpx.Response:
    return httpx.get(f"http://{served.address}{path}", headers=headers, timeout=LIMIT_S, trust_env=False)


def test_a_page_is_rewritten_as_it_goes_by(served: ServedWorker) -> None:
    answer = asked(served, "/page")
    assert answer.headers["content-type"] == "text/html"
    assert answer.text == (
        '<!doctype html><html><head><meta property="og:title" content="new"><title>t</title></head><body>x</body></html>'
    )


def test_an_answer_that_was_put_into_the_cache_is_found_there(served: ServedWorker) -> None:
    first, second = asked(served, "/cached?a"), asked(served, "/cached?a")
    assert (first.text, second.text) == ("made 1", "made 1")
    assert ("cf-cache-status" in first.headers, second.headers["cf-cache-status"]) == (False, "HIT")
    assert asked(served, "/cached?b").text == "made 2"


def test_a_token_is_checked(served: ServedWorker) -> None:
    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    head = f"{part(json.dumps({'alg': 'HS256'}).encode())}.{part(json.dumps({'sub': 'ann'}).encode())}"
    for key, status in ((b"k3y", 200), (b"another", 401)):
        signature = part(hmac.new(key, head.encode(), hashlib.sha256).digest())
        answer = asked(served, "/token", authorization=f"Bearer {head}.{signature}")
        assert (answer.status_code, answer.json()) == (status, {"right": status == 200})


def test_a_package_beside_the_configuration_goes_along(served: ServedWorker) -> None:
    assert asked(served, "/package").text == "hello from a package"


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/nothing", "got NoneType (by Default.fetch, worker.py, line "),
        ("/object", "got str (by Room.fetch, worker.py, line "),
    ],
)
def test_who_returned_no_answer_is_in_the_log(served: ServedWorker, path: str, told: str) -> None:
    assert asked(served, path).status_code == 500
    served.command.record(lambda record: record["event"] == "worker_log" and told in record["message"])


def test_a_package_that_is_missing_is_told_with_what_to_do(served: ServedWorker) -> None:
    answer = served.deploy("v2", "import package_that_nobody_has\n")
    assert isinstance(answer, Refused)
    assert "pip install --target python_modules NAME" in answer.error
    assert asked(served, "/package").text == "hello from a package"

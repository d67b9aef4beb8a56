"""Two scripts that call each other by their bindings, through a real edge."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from websockets.sync.client import connect

from holdfast.edge.worker_calls import TOO_DEEP
from holdfast.model.data_dir import local_home, worker_caller_file, worker_key, workers_egress_socket
from holdfast.model.worker_egress import BoundCall, Called, Egress, RequestContext, field_of
from holdfast.workers.durable.ids import IdSpace
from tests.integration.waiting import PATIENT, poll
from tests.integration.worker_pair import STORE_CODE, WorkerPair, worker_pair

LIMIT_S = 30.0
LOST = {"text": "Network connection lost.", "retryable": True, "remote": False, "overloaded": False}


@pytest.fixture(scope="module")
def pair() -> Iterator[WorkerPair]:
    with worker_pair() as both:
        yield both


def told(pair: WorkerPair, path: str) -> dict[str, Any]:
    """The exception that the Worker answers with."""
    answer = pair.get(path)
    assert answer.status_code == 500, answer.text
    content: dict[str, Any] = answer.json()
    return content


def test_a_service_gets_the_request_and_gives_the_answer(pair: WorkerPair) -> None:
    answer = pair.get("/forward?x=1", method="POST", content=b"hello", headers={"X-A": "b"})
    _, method, url, body, seen = answer.json()
    assert (answer.status_code, method, url, body) == (203, "POST", f"http://{pair.address}/forward?x=1", "hello")
    assert seen["x-a"] == "b"
    assert "x-holdfast-called" not in answer.headers
    assert not [name for name in seen if name.startswith("holdfast-")]


def test_methods_of_entrypoints_are_called_and_properties_read(pair: WorkerPair) -> None:
    assert pair.get("/methods").json() == [3, 7, "admin", "hello me"]


def test_objects_of_the_other_script_are_the_same_objects(pair: WorkerPair) -> None:
    digits = str(IdSpace("store-Shelf").from_name("a"))
    assert pair.get("/ids?a").json() == [digits, [digits, "a"]]
    assert [pair.get("/inc?counted").json() for _ in range(3)] == [1, 2, 3]
    answer = pair.get("/shelf?a", method="POST", content=b"body")
    assert answer.text.split()[::2] == ["a", "body"]
    assert "x-holdfast-called" not in answer.headers


@pytest.mark.parametrize("path", ["/shelf?ws", "/forward"])
def test_a_websocket_lives_in_the_object_that_accepted_it_and_outlives_both_deployments(
    pair: WorkerPair, path: str
) -> None:
    with connect(f"ws://{pair.address}{path}", proxy=None, **PATIENT) as client:
        client.send("one")
        first = client.recv(timeout=LIMIT_S)
        pair.deploy("store", "v1")
        pair.deploy("chat", "v1", (pair.data / "chat" / "worker.py").read_text(encoding="utf-8") + "\n# again\n")
        client.send("two")
        second = client.recv(timeout=LIMIT_S)
    pair.deploy("store", "v0")
    assert (str(first).split()[1], str(second).split()[:2]) == ("one", ["v1", "two"])
    assert int(str(second).split()[2]) == int(str(first).split()[2]) + 1


def test_an_exception_has_its_class_its_text_and_its_properties(pair: WorkerPair) -> None:
    for path, text in (("/fails?x", "'x'"), ("/fails_on_fetch", "'no such page'")):
        found = told(pair, path)
        assert (found["bases"][:3], found["text"], found["code"], found["remote"]) == (
            ["NotFound", "KeyError", "LookupError"], text, 5, True,
        )  # fmt: skip


def test_functions_go_along_and_run_where_they_live(pair: WorkerPair) -> None:
    assert pair.get("/callbacks?5").json() == [20, [0, 1, 2, 3, 4]]
    found = told(pair, "/callbacks?12")
    assert (found["bases"][0], found["text"], found["remote"]) == ("ValueError", "not nine", True)
    assert pair.get("/function_back").json() == [3, 7]
    assert "does not support serialization" in told(pair, "/function_refused")["text"]


def test_a_function_may_be_kept_for_later(pair: WorkerPair) -> None:
    assert pair.get("/listens").json() == [["heard a"], ["heard b"], ["a", "b"]]


def test_what_is_not_there_is_named(pair: WorkerPair) -> None:
    assert (
        'the Worker "gone" is not deployed, which the binding "GONE" of the Worker "chat" names'
        in told(pair, "/gone")["text"]
    )
    assert told(pair, "/nope")["text"] == 'This Worker has no entrypoint "Nope"; expected one of: Admin, Default'


def test_objects_that_call_each_other_in_a_circle_come_to_an_end(pair: WorkerPair) -> None:
    assert pair.get("/circle?6").json() == 6
    assert pair.get("/circles?40").json() == [6] * 40
    found = told(pair, "/circle?100")
    assert (found["text"], found["remote"]) == (TOO_DEEP, True)
    assert pair.get("/circle?3").json() == 3


def test_what_is_called_may_be_large_and_no_larger_than_it_may_be(pair: WorkerPair) -> None:
    assert pair.get(f"/echo?{20 * 1024 * 1024}").json() is True
    assert "limited to 32MiB" in told(pair, f"/echo?{33 * 1024 * 1024}")["text"]
    body = b"x" * 5_000_000
    assert pair.get("/forward", method="POST", content=iter([body[:100], body[100:]])).json()[3] == body.decode()


@pytest.mark.parametrize("path", ["/dies", "/dies_on_fetch"])
def test_a_call_whose_process_dies_is_lost_and_the_next_one_works(pair: WorkerPair, path: str) -> None:
    before = pair.status("store")
    found = told(pair, path)
    assert {name: found[name] for name in LOST} == LOST
    pair.until_restarted("store", before)
    assert pair.get("/methods").json()[0] == 3


def test_a_process_that_is_killed_takes_the_calls_along_that_it_has_begun(pair: WorkerPair) -> None:
    before = pair.status("store")
    answers: list[Any] = []
    asking = threading.Thread(target=lambda: answers.append(told(pair, "/hangs")))
    code = (pair.data / "chat" / "worker.py").read_text(encoding="utf-8")
    hanging = "\n    async def hangs(self, request, rest):\n        return await self.env.STORE.hangs()\n"
    pair.deploy("chat", "v2", code + hanging)
    pair.deploy(
        "store",
        "v0",
        STORE_CODE + "\n    async def hangs(self):\n        print('hanging')\n        await asyncio.Event().wait()\n",
    )
    before = pair.status("store")
    asking.start()
    pair.command.changes.until(
        lambda: any('"message":"hanging"' in text for text in list(pair.command.log_lines)),
        what="a call that hangs",
        limit_s=LIMIT_S,
    )
    assert before.pid
    os.kill(before.pid, signal.SIGKILL)
    asking.join(LIMIT_S)
    pair.deploy("store", "v0")
    assert {name: answers[0][name] for name in LOST} == LOST


def test_deployments_under_load_lose_no_call(pair: WorkerPair) -> None:
    failures: list[str] = []
    counts: list[int] = []
    stop = threading.Event()

    def load(name: str) -> None:
        while not stop.is_set():
            for path in (f"/inc?{name}", "/methods", f"/shelf?{name}", "/forward", "/slow"):
                answer = pair.get(path)
                if answer.status_code not in {200, 203}:
                    failures.append(f"{path}: {answer.text[:300]}")
                elif path.startswith("/inc"):
                    counts.append(answer.json())

    threads = [threading.Thread(target=load, args=(f"load{number}",)) for number in range(2)]
    for thread in threads:
        thread.start()
    for version in range(5):
        pair.deploy("store", f"load-{version}")
    # On a busy machine the calls may be slower than the deployments.
    poll(lambda: len(counts) > 5 or failures, what="more calls than deployments")
    stop.set()
    for thread in threads:
        thread.join(LIMIT_S)
    pair.deploy("store", "v0")
    assert failures == []
    assert len(counts) > 5


def test_a_client_cannot_say_what_only_the_edge_says(pair: WorkerPair) -> None:
    called = Called(caller="chat", entrypoint="Admin", is_rpc=True)
    forged = {
        "Holdfast-Context": field_of(RequestContext(ray="x", script="0" * 12, called=called)),
        "Holdfast-Egress": field_of(Egress(scheme="http", script="0" * 12, call=BoundCall(binding="STORE", proof="x"))),
        "X-Holdfast-Called": "exception",
    }
    answer = pair.get("/forward", headers=forged)
    assert (answer.status_code, answer.json()[2]) == (203, f"http://{pair.address}/forward")
    assert not [name for name in answer.json()[4] if name.startswith("holdfast-")]


def asked_raw(pair: WorkerPair, caller: str, call: BoundCall) -> bytes:
    """What the edge answers a process that writes what it likes."""
    said = field_of(Egress(scheme="http", script=worker_key("", caller), call=call))
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(LIMIT_S)
        asking.connect(str(workers_egress_socket(local_home(pair.data))))
        asking.sendall(
            f"GET http://inner/ HTTP/1.1\r\nHost: inner\r\nConnection: close\r\nHoldfast-Egress: {said}\r\n\r\n".encode()
        )
        received = b""
        with suppress(ConnectionError):
            while more := asking.recv(65_536):
                received += more
    return received


def test_a_process_reaches_nothing_but_what_its_script_has_bindings_for(pair: WorkerPair) -> None:
    home = local_home(pair.data)
    proofs = {
        name: worker_caller_file(home, worker_key("", name)).read_text(encoding="ascii").strip()
        for name in ("chat", "store")
    }
    digits = str(IdSpace("store-Shelf").from_name("a"))
    assert b" 203 " in asked_raw(pair, "chat", BoundCall(binding="STORE", proof=proofs["chat"]))
    for caller, call in (
        ("chat", BoundCall(binding="STORE", proof=proofs["store"])),
        ("chat", BoundCall(binding="STORE", proof="")),
        ("chat", BoundCall(binding="SHELVES", proof=proofs["chat"], object_id=digits)),
        ("chat", BoundCall(binding="SHELF", proof=proofs["chat"])),
        ("store", BoundCall(binding="STORE", proof=proofs["store"])),
        ("store", BoundCall(binding="SHELF", proof=proofs["store"], object_id=digits)),
    ):
        answer = asked_raw(pair, caller, call)
        assert answer.startswith(b"HTTP/1.1 403 "), (caller, call)
        assert b"x-holdfast-called: unbound" in answer.lower()


def test_a_start_says_what_is_bound_and_not_served(pair: WorkerPair) -> None:
    pair.command.changes.until(
        lambda: any("names the Worker 'gone', which is not served here" in text for text in pair.command.log_lines),
        what="what is bound and not served",
    )

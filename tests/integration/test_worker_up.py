"""A Worker of the command line: the times at which it runs by itself, and what is recorded of it."""

import httpx

from tests.integration.worker_up import ROOM, worker_up

RUNNING = """
from workers import DurableObject, Response, WorkerEntrypoint

class Room(DurableObject):
    pass

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response(str(1 / 0))

    async def scheduled(self, controller, env, ctx):
        print("ran at", controller.cron, controller.scheduledTime % 60_000)
"""
# Due in every minute; the minute of the start is one.
CRONS = '[triggers]\ncrons = ["* * * * *"]'


def test_a_worker_of_the_command_line_runs_at_the_times_of_its_project() -> None:
    with worker_up(code=RUNNING, more=CRONS) as served:
        ran = served.command.record(lambda one: one["event"] == "worker_log" and "ran at" in one["message"])
        assert ran["message"] == "ran at * * * * * 0"


def test_what_a_worker_of_the_command_line_logs_is_recorded_with_the_ray_of_the_request() -> None:
    with worker_up(code=RUNNING) as served:
        answer = served.get("/fail")
        told = served.command.record(lambda one: one["event"] == "worker_log" and "division" in one["message"])
    assert answer.status_code == 500
    assert (told["level"], told["ray_id"], told["entrypoint"]) == ("error", answer.headers["cf-ray"], "Default")


def test_a_worker_that_is_edited_and_not_served_is_said_not_to_be_and_is_when_it_has_been_mended() -> None:
    with worker_up("--watch", code="import nothing_of_that_name\n") as served:
        served.printed("not served: room: ModuleNotFoundError: No module named 'nothing_of_that_name'")
        served.write("v1", ROOM)
        assert served.get("/version").text == "v1"


def test_a_worker_that_is_edited_runs_at_the_times_of_its_project() -> None:
    with worker_up("--watch", code=RUNNING, more=CRONS) as served:
        served.printed("[log] ran at * * * * * 0")


def test_a_run_of_a_worker_that_is_edited_may_be_asked_for() -> None:
    with worker_up("--watch", code=RUNNING) as served:
        answer = served.get("/cdn-cgi/handler/scheduled?cron=0+0+*+*+*&time=120007")
        assert (answer.status_code, answer.text) == (200, "ok")
        served.printed("[log] ran at 0 0 * * * 7")
        assert served.get("/__scheduled").text == "Ran scheduled event"
    with worker_up(code=RUNNING) as served:
        assert served.get("/__scheduled").text != "Ran scheduled event"


PRINTING = """
from workers import DurableObject, Response, WorkerEntrypoint

class Room(DurableObject):
    pass

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        print(await request.text())
        return Response("ok")
"""


def test_what_a_client_has_a_worker_print_is_no_word_to_the_terminal_and_no_line_of_ours() -> None:
    with worker_up("--watch", code=PRINTING) as served:
        hostile = "\x1b[2J\x9b31m\u202ered\n[error] forged\rover"
        posted = httpx.post(f"http://{served.address}/", content=hostile.encode(), timeout=30, trust_env=False)
        assert posted.text == "ok"
        served.printed("[log] \\x1b[2J\\x9b31m\\u202ered")
        served.printed("  [error] forged\\rover")

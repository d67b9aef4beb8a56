"""A Worker of the command line that runs by itself, at the times that its project says."""

from tests.integration.worker_up import worker_up

RUNNING = """
from workers import DurableObject, Response, WorkerEntrypoint

class Room(DurableObject):
    pass

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response("hello")

    async def scheduled(self, controller, env, ctx):
        print("ran at", controller.cron, controller.scheduledTime % 60_000)
"""
# Due in every minute; the minute of the start is one.
CRONS = '[triggers]\ncrons = ["* * * * *"]'


def test_a_worker_of_the_command_line_runs_at_the_times_of_its_project() -> None:
    with worker_up(code=RUNNING, more=CRONS) as served:
        ran = served.command.record(lambda one: one["event"] == "worker_log" and "ran at" in one["message"])
        assert ran["message"] == "ran at * * * * * 0"


def test_a_worker_that_is_edited_runs_at_the_times_of_its_project() -> None:
    with worker_up("--watch", code=RUNNING, more=CRONS) as served:
        served.printed("[log] ran at * * * * * 0")

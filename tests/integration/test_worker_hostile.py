"""What user code may do to itself: its client is told, its log says why, everybody else goes on, and the Worker comes back by itself."""

import asyncio
import json
from collections.abc import Iterator

import httpx
import pytest

from holdfast.model.worker_host_messages import Done
from tests.integration.hostile import CODE, client, code_of, heard, logged
from tests.integration.waiting import poll
from tests.integration.worker_up import ServedWorker, worker_up

LIMITS = """
[limits]
cpu_ms = 500
memory_mb = 220
"""
RECOVERY_S = 50.0


@pytest.fixture(scope="module")
def served() -> Iterator[ServedWorker]:
    """One whose process nobody ends."""
    with worker_up(code=CODE, more=LIMITS) as one:
        yield one


@pytest.fixture(scope="module")
def fragile() -> Iterator[ServedWorker]:
    """One whose process ends now and then."""
    with worker_up(code=CODE, more=LIMITS) as one:
        yield one


async def do(served: ServedWorker, code: str) -> str | bytes:
    """Have an object run this in `webSocketMessage`, with a neighbour that talks meanwhile. What the client hears next: the answer, or the
    echo of what it said after it."""
    async with client(served, "actor") as actor, client(served, "neighbour") as neighbour:
        for one in (actor, neighbour):
            await one.send("echo before")
            assert await heard(one) == "echo before"
        await actor.send(code_of(code))
        await neighbour.send("echo meanwhile")
        await actor.send("echo after")
        first = said = await heard(actor, limit_s=RECOVERY_S)
        while said != "echo after":
            said = await heard(actor, limit_s=RECOVERY_S)
        assert await heard(neighbour, limit_s=RECOVERY_S) == "echo meanwhile"
        return first


# What is raised in the handler and logged with its ray; the process stays.
RAISES = [
    pytest.param("raise ValueError('a mistake')", "ValueError: a mistake", id="an exception"),
    pytest.param("raise SystemExit(3)", "SystemExit: 3", id="SystemExit"),
    pytest.param("sys.exit(33)", "SystemExit: 33", id="sys.exit"),
    pytest.param("raise KeyboardInterrupt", "KeyboardInterrupt", id="KeyboardInterrupt"),
    pytest.param("raise GeneratorExit", "GeneratorExit", id="GeneratorExit"),
    pytest.param("raise BaseException('bare')", "BaseException: bare", id="BaseException"),
    pytest.param("def deeper(): deeper()\ndeeper()", "RecursionError", id="recursion"),
    pytest.param("bytes(10 ** 10)", "MemoryError", id="10 GB at once"),
    pytest.param("os.fork()", "os.fork: a Worker cannot start other programs", id="fork"),
    pytest.param("subprocess.run(['true'])", "a Worker cannot start other programs", id="a program"),
    pytest.param("os.system('true')", "os.system: a Worker cannot start other programs", id="a shell"),
    pytest.param(
        "import multiprocessing\nmultiprocessing.Process(target=print).start()",
        "a Worker cannot start other programs",
        id="multiprocessing",
    ),
    pytest.param(
        "asyncio.run(asyncio.sleep(0))", "cannot be called from a running event loop", id="a loop in the loop"
    ),
    pytest.param("ws.serializeAttachment('x' * 20_000)", "cannot be larger than 16384 bytes", id="a big attachment"),
]


@pytest.mark.parametrize(("code", "said"), RAISES)
async def test_what_a_handler_raises_is_logged_with_its_ray_and_harms_nobody(
    served: ServedWorker, code: str, said: str
) -> None:
    before = served.status().pid
    assert await do(served, code) == "echo after"
    line = await asyncio.to_thread(logged, served, said)
    assert line.ray.endswith("-LOC")
    assert line.kind == "exception"
    assert served.status().pid == before, [one["reason"] for one in served.command.records("worker_crashed")]


# Exceptions that are hard to pass on: to whoever called the object, and to the log.
ODD = [
    pytest.param("error = ValueError('round')\nerror.itself = error\nraise error", id="with itself in it"),
    pytest.param("error = ValueError('lock')\nerror.lock = threading.Lock()\nraise error", id="with a lock in it"),
    pytest.param("raise ValueError('x' * 20_000_000)", id="of 20 MB"),
    pytest.param("raise ExceptionGroup('many', [ValueError(n) for n in range(2_000)])", id="of 2,000 others"),
    pytest.param(
        "error = ValueError('deep')\nfor n in range(2_000):\n    other = ValueError(n)\n    other.__cause__ = error\n    error = other\n"
        "raise error",
        id="after 2,000 others",
    ),
    pytest.param("class Odd(Exception):\n    def __str__(self): raise KeyError\n    __repr__ = __str__\nraise Odd", id="without text"),
    pytest.param("class Odd(Exception):\n    def __str__(self): raise SystemExit(4)\n    __repr__ = __str__\nraise Odd", id="whose text exits"),
    pytest.param("class Odd(Exception):\n    def __setattr__(self, *_): raise KeyError\nraise Odd", id="that takes nothing"),
    pytest.param("class Odd(Exception):\n    def __getattribute__(self, _): raise KeyError\nraise Odd", id="that shows nothing"),
    pytest.param("class Odd(Exception):\n    def __init__(self, a, b): pass\nraise Odd(1, 2)", id="that cannot be made again"),
]  # fmt: skip


@pytest.mark.parametrize("code", ODD)
async def test_whatever_an_object_raises_its_caller_is_answered_and_its_sockets_go_on(
    served: ServedWorker, code: str
) -> None:
    async with httpx.AsyncClient(timeout=RECOVERY_S, trust_env=False) as asking:
        called = f"return await self.env.ROOM.getByName('odd').call({code_of(code)!r})"
        answer = await asking.post(f"http://{served.address}/entry", content=called)
        assert answer.status_code == 500
        assert "The Worker has failed" in answer.text
        caught = f"try:\n    {called[7:]}\nexcept Exception as error:\n    return error.remote"
        assert (await asking.post(f"http://{served.address}/entry", content=caught)).text == "True"
    assert await do(served, code) == "echo after"


# What ends the process: what the host says of it, and how often it is tried.
ENDS = [
    pytest.param("while True: pass", "limits.cpu_ms is 500", 1, id="an endless loop"),
    pytest.param("self.kept = b'x' * (500 * 1024 * 1024)", "limits.memory_mb is 220", 1, id="too much memory"),
    pytest.param("os._exit(0)", "it ended with status 0", 2, id="_exit"),
    pytest.param("os.abort()", "SIGABRT", 2, id="abort"),
    pytest.param("ctypes.string_at(0)", "SIGSEGV", 2, id="a null pointer"),
    pytest.param("os.closerange(3, 300)", "it ended with status 1", 2, id="all descriptors closed"),
    pytest.param(
        "asyncio.get_running_loop().call_soon(os._exit, 7)\nawait asyncio.sleep(60)",
        "it ended with status 7",
        2,
        id="what it left behind ends it",
    ),
]


@pytest.mark.parametrize(("code", "said", "times"), ENDS)
def test_a_handler_that_ends_its_process_is_passed_over_and_no_other_event_with_it(
    code: str, said: str, times: int
) -> None:
    # One of its own: who crashes often is started again later and later.
    with worker_up(code=CODE, more=LIMITS) as served:
        # Memory is looked at now and then: its handler may have ended before.
        assert asyncio.run(do(served, code)) in ({"echo after", "None"} if "memory" in said else {"echo after"})
        logged(served, said)
        # Where an event only comes near such a death it may take one more, until it is known which one it was.
        assert times <= served.status().restarts <= times + 1


LATER = "await asyncio.to_thread(lambda: (time.sleep(0.05), os._exit(8)))"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        pytest.param("os._exit(6)", "it ended with status 6", id="_exit"),
        pytest.param(LATER, "it ended with status 8", id="_exit, later"),
        pytest.param("while True: pass", "limits.cpu_ms is 500", id="an endless loop"),
    ],
)
def test_an_end_of_a_socket_whose_handler_ends_its_process_is_passed_over_and_the_socket_is_gone(
    code: str, said: str
) -> None:
    async def scenario(served: ServedWorker) -> None:
        async with client(served, "left") as leaving:
            await leaving.send("echo before")
            assert await heard(leaving) == "echo before"
            await leaving.close(4000, code)
        await asyncio.to_thread(logged, served, said)
        async with asyncio.timeout(RECOVERY_S):
            while await run(served, "left", "return len(ctx.getWebSockets())") != "0":
                assert await run(served, "another", "return 2") in {"2", "500"}

    with worker_up(code=CODE, more=LIMITS) as served:
        asyncio.run(scenario(served))
        assert served.status().restarts <= 2


def test_a_handler_that_ends_its_process_later_is_found_among_others_and_none_of_them_is_lost() -> None:
    async def scenario(served: ServedWorker) -> None:
        async with client(served, "bad") as bad, client(served, "busy") as busy:
            await bad.send(LATER)
            for number in range(500):
                await busy.send(f"echo {number}")
                assert await heard(busy, limit_s=RECOVERY_S) == f"echo {number}"
            await bad.send("echo after")
            assert await heard(bad, limit_s=RECOVERY_S) == "echo after"

    with worker_up(code=CODE, more=LIMITS) as served:
        asyncio.run(scenario(served))
        logged(served, "it ended with status 8")
        # Two where nobody else came to have the loop in between, which the next process waits the longer for (0.1 s, 0.4 s, 1.6 s …).
        assert served.status().restarts <= 6


# What a process gets over without anybody noticing.
HARMLESS = [
    pytest.param("threading.Thread(target=threading.Event().wait).start()", id="a thread that never ends"),
    pytest.param(
        "os.write(1, os.urandom(5_000) + b'\\n')\nprint('x' * 3_000_000)", id="binary garbage, and a long line"
    ),
    pytest.param("setTimeout(lambda: 1 / 0, 0)", id="a timer that raises"),
    pytest.param("async def late(): raise ValueError\nself.ctx.waitUntil(late())", id="waitUntil that raises"),
    pytest.param("threading.Thread(target=lambda: 1 / 0).start()", id="a thread that raises"),
    pytest.param("for _ in range(20_000): ws.serializeAttachment('x' * 1_000)", id="attachments without end"),
]


@pytest.mark.parametrize("code", HARMLESS)
async def test_what_is_odd_and_no_more_disturbs_nobody(served: ServedWorker, code: str) -> None:
    before = served.status().restarts
    assert await do(served, code) == "None"
    assert served.status().restarts == before, [one["reason"] for one in served.command.records("worker_crashed")]


# What stays in the process, and makes no difference to what is ours.
LASTING = [
    pytest.param("signal.signal(signal.SIGTERM, signal.SIG_IGN)", id="a signal handler"),
    pytest.param("import json\njson.loads = json.dumps = None", id="json without functions"),
    pytest.param("asyncio.create_task = asyncio.sleep = asyncio.gather = None", id="asyncio without functions"),
]


@pytest.mark.parametrize("code", LASTING)
def test_what_is_changed_for_good_disturbs_nobody(code: str) -> None:
    with worker_up(code=CODE, more=LIMITS) as served:
        for said in ("None", "None"):
            assert asyncio.run(do(served, code)) == said
        assert served.status().restarts == 0


def test_a_task_that_exits_ends_itself_alone() -> None:
    code = "async def late(): raise SystemExit(9)\nself.kept = asyncio.ensure_future(late())"
    with worker_up(code=CODE, more=LIMITS) as served:
        assert asyncio.run(do(served, code)) == "None"
        assert asyncio.run(run(served, "another", "return 2")) == "2"
        assert served.status().restarts == 0


@pytest.mark.parametrize(
    "code", ["for _ in range(50_000): print('line')", "for _ in range(50_000): console.log('line')"]
)
def test_a_log_that_is_flooded_is_cut_and_says_so(code: str) -> None:
    with worker_up(code=CODE, more="[limits]\ncpu_ms = 10000") as served:
        assert asyncio.run(do(served, code)) == "None"
        logged(served, "lines are left out")
        assert served.status().restarts == 0


# In `fetch` of the Worker: the code, the status that the client sees, the line in the log.
REQUESTS = [
    pytest.param("raise ValueError('of fetch')", 500, "ValueError: of fetch", id="an exception"),
    pytest.param("raise SystemExit(21)", 500, "SystemExit: 21", id="SystemExit"),
    pytest.param("raise asyncio.CancelledError('of fetch')", 500, "CancelledError: of fetch", id="CancelledError"),
    pytest.param("while True: pass", 500, "limits.cpu_ms is 500", id="an endless loop"),
    pytest.param("os._exit(5)", 500, "it ended with status 5", id="_exit"),
    pytest.param("return Response('x' * 400_000_000)", 500, "limits.memory_mb is 220", id="a body beyond memory"),
    pytest.param("return await self.env.ROOM.getByName('a').call('1 / 0')", 500, "ZeroDivisionError", id="by RPC"),
]


@pytest.mark.parametrize(("code", "status", "said"), REQUESTS)
async def test_a_request_whose_handler_fails_is_answered_and_the_next_one_served(
    fragile: ServedWorker, code: str, status: int, said: str
) -> None:
    async with httpx.AsyncClient(timeout=RECOVERY_S, trust_env=False) as asking:
        answer = await asking.post(f"http://{fragile.address}/entry", content=code)
        assert answer.status_code == status
        assert answer.headers["cf-ray"]
        assert "The Worker has failed" in answer.text
        await asyncio.to_thread(logged, fragile, said)
        again = await asking.post(f"http://{fragile.address}/entry", content="return 1 + 1")
        assert (again.status_code, again.text) == (200, "2")


async def run(served: ServedWorker, name: str, code: str) -> str:
    """What an object answers that runs this in `fetch`, or "<status>"."""
    async with httpx.AsyncClient(timeout=RECOVERY_S, trust_env=False) as asking:
        answer = await asking.post(f"http://{served.address}/{name}", content=code_of(code))
        return answer.text if answer.status_code == 200 else str(answer.status_code)


@pytest.mark.parametrize(
    ("birth", "said"),
    [
        pytest.param("raise ValueError('at birth')", "ValueError: at birth", id="raises"),
        pytest.param("raise SystemExit(9)", "SystemExit: 9", id="exits"),
        pytest.param("while True: pass", "limits.cpu_ms is 500", id="loops"),
    ],
)
async def test_an_object_that_cannot_be_made_fails_alone_and_can_be_made_again(
    fragile: ServedWorker, birth: str, said: str
) -> None:
    name = f"unborn{said[:5].strip()}"
    # It mends itself as soon as it is asked a second time: what is stored of it is out of the way before.
    code = f"ctx.storage.kv.put('at birth', {json.dumps(birth)})\nawait ctx.storage.sync()\nreturn 'kept'"
    assert await run(fragile, name, code) == "'kept'"
    assert await run(fragile, name, "self.ctx.abort('to be made anew')") == "500"
    assert await run(fragile, name, "return 1") == "500"
    await asyncio.to_thread(logged, fragile, said)
    assert await run(fragile, "another", "return 2") == "2"


def test_a_process_that_has_lost_all_its_descriptors_is_replaced_when_somebody_comes() -> None:
    with worker_up(code=CODE, more="[limits]\ncpu_ms = 10000") as served:
        assert asyncio.run(do(served, "while True: os.dup(1)")) == "echo after"
        assert logged(served, "Too many open files").kind == "exception"
        assert asyncio.run(run(served, "another", "return 2")) == "2"
        logged(served, "it has no descriptor left to accept with, and ends")
        assert served.status().restarts == 1


AT_ALARM = """
runs = (self.ctx.storage.kv.get("runs") or 0) + 1
self.ctx.storage.kv.put("runs", runs)
await self.ctx.storage.sync()
if runs == 1:
    raise ValueError("at the first alarm")
while runs == 2:
    pass
"""


def test_an_alarm_that_fails_and_one_that_loops_are_tried_again_and_harm_nobody() -> None:
    async def scenario(served: ServedWorker) -> None:
        code = f"ctx.storage.kv.put('at alarm', {AT_ALARM!r})\nawait ctx.storage.setAlarm(int(time.time() * 1000))"
        assert await run(served, "alarmed", code) == "None"
        await asyncio.to_thread(logged, served, "ValueError: at the first alarm")
        async with asyncio.timeout(RECOVERY_S):
            while await run(served, "alarmed", "return ctx.storage.kv.get('runs')") != "3":
                assert await run(served, "another", "return 2") in {"2", "500"}
        crashed = served.command.record(lambda record: record["event"] == "worker_crashed")
        assert "limits.cpu_ms is 500" in crashed["reason"]

    with worker_up(code=CODE, more=LIMITS) as served:
        asyncio.run(scenario(served))


# The second one is due while the first one keeps the loop.
END_AT_ALARM = {"looping": (300, "while True: pass"), "exiting": (350, "os._exit(3)")}


def test_alarms_of_two_objects_that_end_the_process_wait_between_their_tries_and_let_others_be_served() -> None:
    async def scenario(served: ServedWorker) -> None:
        calls = ["now = int(time.time() * 1000)"]
        for name, (in_ms, ends) in END_AT_ALARM.items():
            code = f"ctx.storage.kv.put('at alarm', {ends!r})\nawait ctx.storage.setAlarm(NOW + {in_ms})"
            calls.append(f"await self.env.ROOM.getByName('{name}').call({code!r}.replace('NOW', str(now)))")
        assert await run(served, "entry", "\n".join(calls)) == "None"
        await asyncio.to_thread(poll, lambda: served.status().restarts > 0, what="an alarm that ends the process")
        async with asyncio.timeout(2 * RECOVERY_S):
            for name in END_AT_ALARM:
                while await run(served, name, "ctx.storage.kv.put('at alarm', 'pass')\nreturn 1") != "1":
                    assert await run(served, "another", "return 2") in {"2", "500"}

    with worker_up(code=CODE, more=LIMITS) as served:
        asyncio.run(scenario(served))


async def test_objects_that_call_each_other_in_a_circle_are_answered(served: ServedWorker) -> None:
    inner = "return await self.env.ROOM.getByName('one').call('return 8')"
    circle = f"return await self.env.ROOM.getByName('two').call({inner!r})"
    assert await run(served, "one", circle) == "8"
    assert await run(served, "one", "return await self.env.ROOM.getByName('one').call('return 7')") == "7"


async def test_fetches_whose_answers_are_never_read_come_to_an_end(served: ServedWorker) -> None:
    code = "return len(await asyncio.gather(*[fetch('http://127.0.0.1:9/') for _ in range(300)]))"
    assert await run(served, "fetcher", code) == "300"


def test_what_waits_in_place_is_ended_when_another_version_is_to_serve_and_does_not_block_that() -> None:
    async def scenario(served: ServedWorker) -> None:
        async with client(served, "blocked") as blocked:
            await blocked.send("echo before")
            assert await heard(blocked) == "echo before"
            await blocked.send("time.sleep(3600)")
            assert await asyncio.to_thread(served.deploy, "v1") == Done()
            await blocked.send("echo after")
            assert await heard(blocked, limit_s=RECOVERY_S) == "echo after"

    with worker_up(code=CODE, more=LIMITS) as served:
        asyncio.run(scenario(served))

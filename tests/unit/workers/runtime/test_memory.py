"""What lies free after a rush goes back to the system, what is still there stays as it was, and nothing grows from time to time."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from holdfast.workers.runtime.memory import whole_pools

POOL, HEAD, BLOCK, BLOCKS = 16 * 1024, 48, 512, 31

# Four rushes, each of which leaves one object of forty; how much the process has to itself before and after what follows, in KiB.
PROGRAM = """
import json
from holdfast.workers.runtime.memory import FreePools

def private():
    lines = open("/proc/self/smaps_rollup").read().splitlines()[1:]
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private"))

pools, kept, told = FreePools(), [], []
for _ in range(4):
    rush = [(bytes(40 + number % 300), {1: number}, str(number) * 20) for number in range(20_000)]
    kept.append([text for _, _, text in rush[::40]])
    del rush
    before = private()
    steps = sum(1 for _ in pools.giving_back())
    told.append([before, private(), pools.given_bytes // 1024, steps])
assert all(texts == [str(number) * 20 for number in range(0, 20_000, 40)] for texts in kept)
print(json.dumps(told))
"""


def _told(**environment: str) -> list[list[int]]:
    command = [sys.executable, "-P", "-c", PROGRAM]
    result = subprocess.run(command, check=True, capture_output=True, timeout=60, env={**os.environ, **environment})
    told: list[list[int]] = json.loads(result.stdout)
    return told


def test_what_a_rush_has_left_free_goes_back_each_time_and_what_stays_is_whole() -> None:
    told = _told()
    assert told[0][0] - told[0][1] > 2_000
    assert all(given > 2_000 for *_, given, _ in told)
    # What stays of a rush is a tenth of a megabyte, with what is around it in its pools.
    assert told[-1][1] - told[0][1] < 8_000
    assert all(steps > 1 for *_, steps in told)


@pytest.mark.parametrize("allocator", ["malloc", "pymalloc_debug"])
def test_with_another_allocator_nothing_is_given_back_and_nothing_breaks(allocator: str) -> None:
    assert all(given == 0 for _, _, given, _ in _told(PYTHONMALLOC=allocator))


def _pool(number: int) -> list[int]:
    return [number * POOL + HEAD + place * BLOCK for place in range(BLOCKS)]


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ([], []),
        (_pool(7), [7 * POOL]),
        ([*_pool(9), *reversed(_pool(7))], [9 * POOL, 7 * POOL]),
        # One block is somebody else's.
        (_pool(7)[1:], []),
        (_pool(7)[:-1], []),
        ([*_pool(7)[:12], *_pool(7)[13:]], []),
        # Another layout.
        ([one + 16 for one in _pool(7)], []),
    ],
)
def test_a_pool_is_whole_where_all_of_its_blocks_are_ours(blocks: list[int], expected: list[Any]) -> None:
    assert list(whole_pools(blocks)) == expected

"""What a script's process does before it runs anything: limits, and an end with its host."""

import os
import select
import signal
import subprocess
import sys

from holdfast.workers.host.launch import DATA_FACTOR, DATA_MARGIN_MB, MAX_FILES

LIMITED = """
import resource, sys
from holdfast.workers.host import launch
launch.limit(64)
kinds = resource.RLIMIT_CORE, resource.RLIMIT_DATA, resource.RLIMIT_NOFILE
print(*(number for kind in kinds for number in resource.getrlimit(kind)))
try:
    bytearray(64 * 2**30)
except MemoryError:
    print("refused")
"""

# A host that starts a process, hears that it has bound itself, and is gone.
HOST = """
import os, sys
reading, writing = os.pipe()
process = os.fork()
if not process:
    from holdfast.workers.host import launch
    launch.end_with({parent})
    os.write(writing, b".")
    import signal
    signal.pause()
print(process, flush=True)
os.read(reading, 1)
"""


def test_limits_are_hard_and_an_allocation_beyond_them_fails() -> None:
    said = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, check=True, text=True, timeout=60)
    numbers, refused = said.stdout.splitlines()
    core, core_hard, data, data_hard, files, files_hard = (int(number) for number in numbers.split())
    assert core == core_hard == 0
    assert data == data_hard == (64 * DATA_FACTOR + DATA_MARGIN_MB) * 1024 * 1024
    assert files == files_hard <= MAX_FILES
    assert refused == "refused"


def test_a_process_ends_with_its_host() -> None:
    host = HOST.format(parent="os.getppid()")
    said = subprocess.run([sys.executable, "-c", host], capture_output=True, check=True, text=True, timeout=60)
    try:
        pidfd = os.pidfd_open(int(said.stdout))
    except ProcessLookupError:
        return  # and is reaped
    ended = select.poll()
    ended.register(pidfd, select.POLLIN)
    try:
        assert ended.poll(30_000), "it lives on"
    finally:
        os.close(pidfd)


def test_a_process_whose_host_is_gone_already_ends_at_once() -> None:
    code = "from holdfast.workers.host import launch; launch.end_with(1); print('it lives')"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, text=True, timeout=60)
    assert (said.returncode, said.stdout) == (-signal.SIGKILL, "")

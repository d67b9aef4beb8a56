"""What a script's process is started with."""

from pathlib import Path

from holdfast.workers.host.process import PROGRAM, environment


def test_a_script_sees_nothing_of_the_hosts_environment_but_what_everybody_may() -> None:
    host = {
        "PATH": "/bin",
        "TZ": "UTC",
        "HOLDFAST_SECRET_KEY": "k",
        "AWS_SECRET": "s",
        "PYTHONPATH": "/x",
        "HOME": "/home/me",
    }
    assert environment(host, link=7, run_dir=Path("/r")) == {
        "PATH": "/bin",
        "TZ": "UTC",
        "HOME": "/r",
        "TMPDIR": "/r",
        "PYTHONUTF8": "1",
        "HOLDFAST_WORKER_FD": "7",
    }


def test_the_working_directory_is_not_on_its_path() -> None:
    assert PROGRAM[1:] == ("-P", "-m", "holdfast.workers.host.launch")

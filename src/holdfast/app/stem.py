"""`python -m holdfast.app.stem DESCRIPTOR up|run ROLE...`: the supervisor as a program of its own, and the process that its first children are forked from.

The command line's parser has taken as much memory as a supervisor needs by the time it knows what is asked. So `holdfast up` and `holdfast run`
become this program, with what they have parsed: the same process, without the parser.

Law 1: spares are forked before what this process was given is read: until then it knows no option, no secret, and nothing of its environment but what
Python needs to start. It has loaded what they run (`shared`); what it does itself needs little of that.
Law 2: what cannot be done this way (no room for another file, no such program) is done in the process that parsed.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

import msgspec

from holdfast import spare
from holdfast.app import shared
from holdfast.app.descriptors import hold_standard_descriptors
from holdfast.config.run import Config
from holdfast.config.sources import Effective
from holdfast.config.texts import Texts, texts_of
from holdfast.config.up import UpOptions
from holdfast.errors import HoldfastError, SetupError

_INTERRUPTED = 130
# What of its environment this program is started with: what Python, its packages and the loader look at.
_KEPT = ("PATH", "HOME", "TMPDIR", "LANG", "LC_", "TZ", "PYTHON", "LD_", "VIRTUAL_ENV", "SSL_CERT_", "COVERAGE_")
_UP, _RUN = "up", "run"
_EDGE, _WORKERS = "edge", "workers"


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What this program is given: the environment, and options of `up` or (with warnings about them) of `run` as texts."""

    environment: dict[str, str]
    options: Texts
    is_up: bool
    warnings: tuple[str, ...] = ()
    # What was closed then is the null device by now.
    has_stdout: bool = True


def become_up(options: UpOptions) -> int:
    """`holdfast up` from here on, in this process. Returns as `run_up` where that could not be a program of its own."""
    roles = (_EDGE, _WORKERS) if options.worker else (_EDGE,)
    _become(Told(environment=dict(os.environ), options=texts_of(options), is_up=True), roles)
    from holdfast.app.up import run_up  # noqa: PLC0415  Law 2

    return run_up(options)


def become_run(found: Effective) -> int:
    """`holdfast run`, likewise."""
    told = Told(
        environment=dict(os.environ), options=texts_of(found.config), is_up=False, warnings=tuple(found.warnings)
    )
    _become(told, (_EDGE, _WORKERS))
    from holdfast.app.run import run_run  # noqa: PLC0415  Law 2

    return run_run(found)


def _become(told: Told, roles: Sequence[str]) -> None:
    hold_standard_descriptors()
    if sys.stdout is None:  # closed before Python started
        told = msgspec.structs.replace(told, has_stdout=False)
    else:
        sys.stdout.flush()
    # Until it can say so in a sentence, nobody can interrupt it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    with suppress(OSError):
        descriptor = os.memfd_create("holdfast-told", 0)  # inherited
        os.pwrite(descriptor, msgspec.msgpack.encode(told), 0)
        environment = {name: value for name, value in os.environ.items() if name.startswith(_KEPT)}
        argv = (sys.executable, "-P", "-m", "holdfast.app.stem", str(descriptor), _UP if told.is_up else _RUN, *roles)
        os.execve(sys.executable, argv, environment)  # noqa: S606  ourselves
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def main() -> int:
    """Be the supervisor; the exit status."""
    descriptor, command, *roles = sys.argv[1:]
    spares = _forked(command, roles)
    told = _read(int(descriptor))
    os.environ.clear()
    os.environ.update(told.environment)
    if not told.has_stdout:
        sys.stdout = None
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        return _supervise(told, spares)
    except HoldfastError as error:
        sentence = " ".join(str(error).split()).rstrip(".")
        sys.stderr.write(f"holdfast {command}: {sentence}\n")
        return error.exit_status
    except KeyboardInterrupt:
        return _INTERRUPTED
    finally:
        for one in spares.values():
            one.close()


def _forked(command: str, roles: Sequence[str]) -> dict[str, spare.Spare]:
    of_up = shared.UP_WITH_WORKERS if _WORKERS in roles else shared.UP
    shared.load(of_up if command == _UP else shared.RUN, roles)
    # The host of scripts has one for the first of those.
    return {role: spare.forked(has_one_of_its_own=role == _WORKERS) for role in roles}


def _read(descriptor: int) -> Told:
    with os.fdopen(descriptor, "rb") as given:
        given.seek(0)
        try:
            return msgspec.msgpack.decode(given.read(), type=Told)
        except msgspec.DecodeError as error:
            raise SetupError(f"expected what `holdfast up` or `holdfast run` gives: {error}") from error


def _supervise(told: Told, spares: Mapping[str, spare.Spare]) -> int:
    if told.is_up:
        from holdfast.app.up import run_up  # noqa: PLC0415  not before spares are forked

        return run_up(UpOptions.parse(told.options), spares=spares)
    from holdfast.app.run import run_run  # noqa: PLC0415  as above

    effective = Effective(config=Config.parse(told.options), origins={}, warnings=told.warnings)
    return run_run(effective, spares=spares)


if __name__ == "__main__":
    sys.exit(main())

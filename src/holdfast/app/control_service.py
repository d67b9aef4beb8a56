"""Control as this installation has it: the facts of its configuration handed to `holdfast.control`, and what it says first.

Law 1: a document that no edge could serve is found out here, by compiling it as an edge does.
Law 2: a database server that is away is no fault of the configuration: the process ends with status 1, and is started again.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import Any

from holdfast.api.context import Limits
from holdfast.app.control_role import ready_line, serve
from holdfast.app.data_lock import LIMIT_S, data_lock, holder_of
from holdfast.app.descriptors import log_descriptor, raise_descriptor_limit
from holdfast.app.published_traces import PublishedTraces
from holdfast.app.python_log import take_over_logging
from holdfast.app.surroundings import Surroundings
from holdfast.config.run import Config
from holdfast.control.event_retention import EventLimits
from holdfast.control.first_start import FirstStart, another_token, ensure_owner, refuse_to_begin_anew
from holdfast.control.key_check import claim_key, refuse_to_make_a_key
from holdfast.control.service import Control, ControlFacts, microseconds
from holdfast.control.worker_hosting import WorkerHosting
from holdfast.edge.compilation import check_document
from holdfast.edge.managed_rulesets import always_there
from holdfast.errors import SetupError, UnavailableError, reason_of
from holdfast.event_log import EventLog
from holdfast.listeners import BoundAddress
from holdfast.model.data_dir import control_socket, edge_journal, figures_file
from holdfast.sealing import SealingKey, load_key, load_or_create_key
from holdfast.store.database import Database, StoreUnavailable
from holdfast.store.upgrade import upgrade

# How long a predecessor may take to end: its stop is bounded by the supervisor, with SIGKILL after 10 s.
SUCCESSOR_LIMIT_S = 30.0


def serve_control(config: Config, bound: Sequence[BoundAddress], around: Surroundings) -> int:
    """Serve the API on the sockets of `bound` until told to end; then the exit status, 0. Raises HoldfastError."""
    raise_descriptor_limit()
    # All is loaded: who serves until now is told to end only by this, and has as long as it may take.
    around.prepared()
    limit_s = SUCCESSOR_LIMIT_S if around.is_successor else LIMIT_S
    with log_descriptor(config.log_file) as log_fd, data_lock(config.data_dir, "control", limit_s=limit_s):
        log = EventLog(log_fd)
        take_over_logging(log)
        prepare_database(config)
        control = Control(_facts(config, asyncio.run(_sealing_key(config)), log))
        return serve(_ControlService(control, config, bound), config, bound, around, log=log)


def prepare_database(config: Config) -> None:
    """Make the directory of a SQLite file, which only its owner may read. Raises SetupError.

    Where the file has been lost, none is made that could stand in the way of the one that is put back: UnavailableError.
    """
    file = config.database.sqlite_file
    if file is None:
        return
    if not file.exists():
        refuse_to_begin_anew(edge_journal(config.data_dir))
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # SQLite gives its journals the mode of the file.
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise SetupError(f"database_url: the file {file} cannot be used: {reason_of(error)}") from error


def init(config: Config, *, new_token: bool = False) -> FirstStart | None:
    """Make the database, and in it account, owner and token. Where they are there already, None, or with `new_token`
    another token of the owner's. Raises HoldfastError."""
    prepare_database(config)
    return asyncio.run(_init(config, new_token=new_token))


async def _sealing_key(config: Config) -> SealingKey:
    """The installation's key, which the first start of a database makes. Raises HoldfastError."""
    key = load_key(config.data_dir, os.environ)
    if key is not None:
        return key
    database = Database(config.database.text)
    try:
        await upgrade(database)
        await refuse_to_make_a_key(database)
    except StoreUnavailable as error:
        raise _unavailable(config, error) from error
    finally:
        await database.close()
    return load_or_create_key(config.data_dir, os.environ)


async def _init(config: Config, *, new_token: bool) -> FirstStart | None:
    key = await _sealing_key(config)
    database = Database(config.database.text)
    try:
        await upgrade(database)
        await claim_key(database, key)
        first = await ensure_owner(database, now=microseconds(), journal=edge_journal(config.data_dir))
        return await another_token(database, now=microseconds()) if first is None and new_token else first
    except StoreUnavailable as error:
        raise _unavailable(config, error) from error
    finally:
        await database.close()


def first_start_lines(first: FirstStart) -> list[str]:
    """What is said once, to whoever starts an installation for the first time."""
    return [
        f"account: {first.account_id}",
        f"token: {first.token}",
        "This token may do everything, and is not shown again: export HOLDFAST_TOKEN to use it.",
    ]


class _ControlService:
    """`Control` as `control_role` takes it."""

    def __init__(self, control: Control, config: Config, bound: Sequence[BoundAddress]) -> None:
        self._control = control
        self._config = config
        self._bound = bound

    @property
    def application(self) -> Any:  # noqa: ANN401  ASGI applications have no common type
        return self._control.application

    async def start(self) -> Sequence[str]:
        try:
            first = await self._control.start()
        except SetupError as error:
            if isinstance(error.__cause__, StoreUnavailable):
                raise _unavailable(self._config, error.__cause__) from error
            raise
        return [*map(ready_line, self._bound), *(first_start_lines(first) if first else [])]

    async def stop(self) -> None:
        await self._control.stop()

    def drain(self) -> None:
        self._control.is_draining = True


def _unavailable(config: Config, error: StoreUnavailable) -> UnavailableError | SetupError:
    # A server comes back, and so does a file that was good: a disk is full only until somebody makes room. Until then edges
    # serve what they served last. A file from which nothing was served yet is named wrongly, more likely than not.
    may_come_back = config.database.sqlite_file is None or edge_journal(config.data_dir).exists()
    kind = UnavailableError if may_come_back else SetupError
    return kind(f"database_url: {config.database}: {error}")


def _facts(config: Config, key: SealingKey, log: EventLog) -> ControlFacts:
    hosting = WorkerHosting(config.data_dir)
    return ControlFacts(
        database_url=config.database.text,
        link_path=control_socket(config.data_dir),
        figures_file=figures_file(config.data_dir),
        key=key,
        check=lambda document: check_document(document, key),
        managed=always_there,
        tracer=PublishedTraces(key=key, data_dir=config.data_dir, geoip_database=config.geoip_database, log=log.write),
        limits=Limits(
            requests_per_5_minutes=config.control_rate_limit,
            requests_per_second_and_address=config.control_ip_rate_limit,
        ),
        log=log.write,
        event_limits=EventLimits(days=config.control_event_days, rows=config.control_event_rows),
        journal=edge_journal(config.data_dir),
        living_edge=lambda: holder_of(config.data_dir, "edge"),
        workers=hosting,
        script_statuses=hosting.statuses,
    )

"""A control with an API, in the process of the test, and who asks it.

Law 1: what a test asks goes through the whole application: middleware, access, handler, database, publisher.
Law 2: time is the test's: `clock.now` moves when a test moves it, and the wall clock is read by nobody.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
from cloudflare import AsyncCloudflare

from holdfast.api.context import Limits, NoWorkers, Workers
from holdfast.api.secret import new_secret
from holdfast.app.published_traces import PublishedTraces
from holdfast.control.publisher import Check
from holdfast.control.service import Control, ControlFacts
from holdfast.model.permission import BY_NAME, Policy
from holdfast.rules.managed import HOLDFAST_RULESET_ID, holdfast_ruleset
from holdfast.sealing import SealingKey
from holdfast.store import identities, tokens
from holdfast.store.identities import Account, User
from holdfast.store.schema import AUDIT, INSTALLATION
from holdfast.store.tokens import Token

BASE = "http://holdfast.test/client/v4"
SECOND = 1_000_000
# Wednesday, 25 November 2026, 08:00 UTC.
START = 1_795_593_600 * SECOND
NO_LIMITS = Limits(requests_per_5_minutes=0, requests_per_second_and_address=0)
ABSENT = "0" * 32

ACCOUNT = "com.cloudflare.api.account"
ZONE = "com.cloudflare.api.account.zone"
USER = "com.cloudflare.api.user"


@dataclass(slots=True)
class Clock:
    """The time, in microseconds. Each look is a microsecond later, so that what follows is later too."""

    now: int = START

    def __call__(self) -> int:
        self.now += 1
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += int(seconds * SECOND)


def allow(*groups: str, on: Mapping[str, str | dict[str, str]], effect: str = "allow") -> Policy:
    """A policy that allows permission groups (by name) on resources."""
    ids = tuple(BY_NAME[group].id for group in groups)
    return Policy(id=secrets.token_hex(16), effect=effect, permission_groups=ids, resources=dict(on))


def deny(*groups: str, on: Mapping[str, str | dict[str, str]]) -> Policy:
    """A policy that denies them."""
    return allow(*groups, on=on, effect="deny")


def on_zone(zone_id: str) -> dict[str, str | dict[str, str]]:
    """Resources: one zone."""
    return {f"{ZONE}.{zone_id}": "*"}


def on_account(account_id: str) -> dict[str, str | dict[str, str]]:
    """Resources: an account and all in it."""
    return {f"{ACCOUNT}.{account_id}": "*"}


def on_user(user_id: str) -> dict[str, str | dict[str, str]]:
    """Resources: a user."""
    return {f"{USER}.{user_id}": "*"}


@dataclass(slots=True)
class Api:
    """One control and the owner of its first account, who may do everything.

    `log` is what control logged, `published` the ids of zones it published.
    """

    control: Control
    clock: Clock
    secret: str
    account_id: str
    user_id: str
    log: list[tuple[str, dict[str, Any]]]
    _clients: list[httpx.AsyncClient] = field(default_factory=list)

    def client(self, secret: str | None = None, *, address: str = "127.0.0.1") -> httpx.AsyncClient:
        """A client that asks with `secret` (the owner's if None, none at all if "") from `address`."""
        transport = httpx.ASGITransport(self.control.application, raise_app_exceptions=False, client=(address, 40000))
        given = self.secret if secret is None else secret
        headers = {"authorization": f"Bearer {given}"} if given else {}
        client = httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers)
        self._clients.append(client)
        return client

    async def ask(self, method: str, path: str, *, secret: str | None = None, **options: Any) -> httpx.Response:
        """One request, checked to be answered in the envelope, and to be in the audit log if it wrote anything."""
        address = options.pop("address", "127.0.0.1")
        before = await self._written() if method != "GET" else (0, 0)
        async with self.client(secret, address=address) as client:
            answer = await client.request(method, path, **options)
        check_envelope(answer)
        after = await self._written() if method != "GET" else (0, 0)
        assert after[0] == before[0] or after[1] > before[1], f"{method} {path} wrote, and left no audit entry"
        return answer

    async def _written(self) -> tuple[int, int]:
        """How often the database was written to, and how many audit entries there are."""
        async with self.control.database.look() as connection:
            revision = await connection.scalar(sa.select(INSTALLATION.c.revision))
            entries = await connection.scalar(sa.select(sa.func.count()).select_from(AUDIT))
        return revision or 0, entries or 0

    async def entries(self, **options: Any) -> list[dict[str, Any]]:
        """The audit log of the account, the newest first."""
        found: list[dict[str, Any]] = await self.result("GET", f"/accounts/{self.account_id}/audit_logs", **options)
        return found

    async def result(self, method: str, path: str, **options: Any) -> Any:
        """The result of a request that must succeed."""
        answer = await self.ask(method, path, **options)
        assert answer.status_code in {200, 201}, answer.text
        return answer.json()["result"]

    async def zone(self, name: str = "example.com", **members: Any) -> str:
        """The id of a new zone."""
        made = await self.result("POST", "/zones", json={"name": name, "account": {"id": self.account_id}, **members})
        zone_id: str = made["id"]
        return zone_id

    async def plan(self, zone_id: str, plan: str) -> None:
        """Put a zone on a plan."""
        await self.result("PUT", f"/zones/{zone_id}/subscription", json={"rate_plan": {"id": plan}})

    async def token(self, *policies: Policy, owner: str = "user", owner_id: str = "", **members: Any) -> str:
        """The secret of a new token, written into the database: for tests that are not about making tokens."""
        secret, now = new_secret(owner), self.clock()
        facts: dict[str, Any] = {
            "id": secrets.token_hex(16),
            "owner_kind": owner,
            "owner_id": owner_id or (self.user_id if owner == "user" else self.account_id),
            "name": "of a test",
            "status": "active",
            "policies": tuple(policies),
            "condition": {},
            "issued_on": now,
            "modified_on": now,
            "last_used_on": None,
            "not_before": None,
            "expires_on": None,
        }
        async with self.control.database.write() as connection:
            await tokens.insert(connection, Token(**{**facts, **members}), tokens.secret_hash(secret))
        return secret

    async def account(self, name: str = "Other") -> tuple[str, str]:
        """The ids of another account and of its owner, strangers to the first."""
        now = self.clock()
        account = Account(id=secrets.token_hex(16), name=name, created_on=now)
        user_id = secrets.token_hex(16)
        user = User(
            id=user_id,
            email=f"{user_id[:8]}@example.com",
            first_name=None,
            last_name=None,
            created_on=now,
            modified_on=now,
        )
        async with self.control.database.write() as connection:
            await identities.insert_account(connection, account)
            await identities.insert_user(connection, user)
            await identities.insert_member(connection, account.id, user_id)
        return account.id, user_id

    async def close(self) -> None:
        """End control and all clients."""
        for client in self._clients:
            await client.aclose()
        await self.control.stop()


async def start(
    database_url: str,
    directory: Path,
    *,
    limits: Limits = NO_LIMITS,
    check: Check = lambda _: None,
    workers: Workers | None = None,
) -> Api:
    """A control over a database with today's tables. `check` compiles what is published, `workers` runs scripts. The caller
    closes it."""
    clock, log = Clock(), []
    control = Control(
        ControlFacts(
            database_url=database_url,
            link_path=directory / "control.sock",
            key=SealingKey(bytes(32)),
            check=check,
            limits=limits,
            log=lambda event, fields: log.append((event, dict(fields))),
            clock=clock,
            workers=workers or NoWorkers(),
            managed=lambda: {HOLDFAST_RULESET_ID: holdfast_ruleset()},
            tracer=PublishedTraces(
                key=None, data_dir=directory, geoip_database=None, log=lambda *_: None, clock=lambda: clock.now / SECOND
            ),
        )
    )
    first = await control.start()
    assert first is not None
    async with control.database.read() as connection:
        bearer = await tokens.find_bearer(connection, tokens.secret_hash(first.token))
    assert bearer is not None
    return Api(control, clock, first.token, first.account_id, bearer.token.owner_id, log)


def strict_sdk(api: Api, secret: str | None = None) -> AsyncCloudflare:
    """The official SDK, which refuses whatever is not as its types say."""
    return AsyncCloudflare(
        api_token=secret or api.secret,
        base_url="http://holdfast.test/client/v4",
        http_client=api.client(secret),
        _strict_response_validation=True,
        max_retries=0,
    )


def check_envelope(answer: httpx.Response) -> None:
    """Fail unless an answer is in the envelope, and its status and `success` agree."""
    if answer.status_code == 204 or answer.request.method in {"HEAD", "OPTIONS"}:
        return
    assert answer.headers["content-type"] == "application/json", answer.text
    body = answer.json()
    assert body["success"] is (answer.status_code < 400), body
    assert isinstance(body["messages"], list), body
    if answer.status_code >= 400:
        assert body["result"] is None, body
        assert body["errors"], body
        assert all(error["code"] >= 1000 and error["message"] for error in body["errors"]), body
    else:
        assert body["errors"] == [], body


def codes(answer: httpx.Response) -> list[int]:
    """The codes of an answer's errors."""
    return [error["code"] for error in answer.json()["errors"]]

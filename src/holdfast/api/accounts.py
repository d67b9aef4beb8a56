"""Accounts: list, create, show, rename.

Law: who makes an account belongs to it, and their tokens for "all accounts" reach it at once; other tokens do not.
"""

from __future__ import annotations

import dataclasses
import secrets
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from holdfast.api.access import Access, account_access, any_access
from holdfast.api.envelope import Envelope, PageEnvelope, View, page_of, success
from holdfast.api.faults import fault, invalid, not_found, not_permitted
from holdfast.api.paging import Page, paged
from holdfast.api.undoing import Undone, writing
from holdfast.model.moment import written
from holdfast.model.permission import Resource, Scope, may
from holdfast.store import identities
from holdfast.store.identities import Account, AccountQuery

router = APIRouter(prefix="/accounts", tags=["Accounts"])

READ, WRITE = "Account Settings Read", "Account Settings Write"
ReadAccess = Annotated[Access, Depends(account_access(READ))]
WriteAccess = Annotated[Access, Depends(account_access(WRITE))]
AccountPage = paged(largest=50, default=20)

MAX_ACCOUNTS = 500
TOO_MANY_ACCOUNTS = 1011


class SettingsView(View):
    """Settings of an account: fixed here."""

    abuse_contact_email: str | None
    enforce_twofactor: bool


class AccountView(View):
    """One account."""

    id: str
    name: str
    type: Literal["standard"]
    created_on: str
    settings: SettingsView


class AccountSettings(BaseModel):
    """Settings of an account."""

    model_config = ConfigDict(extra="ignore")
    abuse_contact_email: str | None = None
    enforce_twofactor: StrictBool | None = None


class AccountCreate(BaseModel):
    """A new account."""

    model_config = ConfigDict(extra="ignore")
    name: str = Field(min_length=1, max_length=100)
    type: Literal["standard", "enterprise"] = "standard"


class AccountUpdate(AccountCreate):
    """All of an account."""

    settings: AccountSettings | None = None


@router.get("", response_model=PageEnvelope[list[AccountView]])
async def list_accounts(
    access: Annotated[Access, Depends(any_access(READ))],
    page: AccountPage,  # type: ignore[valid-type]  # made by a function
    name: Annotated[str | None, Query(max_length=100)] = None,
    direction: Literal["asc", "desc"] = "asc",
) -> Response:
    """The accounts the token may read, one page of them. `name` is what their names contain."""
    principal = access.principal
    visible = frozenset(
        one for one in principal.accounts if may(principal.policies, READ, Resource(Scope.ACCOUNT, one, one))
    )
    return await _page(access, AccountQuery(ids=visible, name=name or None, descending=direction == "desc"), page)


async def _page(access: Access, query: AccountQuery, page: Page) -> Response:
    asked = msgspec.structs.replace(query, offset=page.offset, limit=page.size)
    async with access.context.database.read() as connection:
        found, total = await identities.select_accounts(connection, asked)
    return page_of([account_view(account) for account in found], page, total)


@router.post("", response_model=Envelope[AccountView])
async def create_account(body: AccountCreate, access: Annotated[Access, Depends(any_access(WRITE))]) -> Response:
    """Make an account. Its owner is the user whose token asks, which must be one for all of their accounts."""
    token, now = access.principal.token, access.context.clock()
    _check_type(body)
    if token.owner_kind != "user" or not may(token.policies, WRITE, Resource(Scope.ACCOUNT, "*", "*")):
        raise not_permitted(WRITE)
    if len(access.principal.accounts) >= MAX_ACCOUNTS:
        raise fault(400, TOO_MANY_ACCOUNTS, f"A user has at most {MAX_ACCOUNTS} accounts")
    account = Account(id=secrets.token_hex(16), name=body.name, created_on=now)
    view = account_view(account)
    async with access.context.database.write() as connection:
        await identities.insert_account(connection, account)
        await identities.insert_member(connection, account.id, token.owner_id)
        of_account = dataclasses.replace(access, account_id=account.id)
        await of_account.record(connection, "create", "account", account.id, new=view)
    return success(view)


@router.get("/{account_id}", response_model=Envelope[AccountView])
async def show_account(access: ReadAccess) -> Response:
    """One account."""
    async with access.context.database.read() as connection:
        account = await identities.find_account(connection, access.account_id)
    if account is None:
        raise not_found("account")
    return success(account_view(account))


@router.put("/{account_id}", response_model=Envelope[AccountView])
async def update_account(body: AccountUpdate, access: WriteAccess) -> Response:
    """Rename an account."""
    _check_type(body)
    if body.settings and (body.settings.abuse_contact_email or body.settings.enforce_twofactor):
        raise invalid("/settings", "settings: expected the ones that the account has, since none can be changed here")
    async with writing(access.context.database) as connection:
        old = await identities.find_account(connection, access.account_id, lock=True)
        if old is not None and old.name == body.name:
            raise Undone
        if old is None or not await identities.rename_account(connection, access.account_id, body.name):
            raise not_found("account")
        await access.record(connection, "update", "account", old.id, old={"name": old.name}, new={"name": body.name})
    return success(account_view(Account(id=old.id, name=body.name, created_on=old.created_on)))


def _check_type(body: AccountCreate) -> None:
    if body.type != "standard":
        raise invalid("/type", f"type: expected 'standard', the only type here, got {body.type!r}")


def account_view(account: Account) -> dict[str, Any]:
    """An account as the API shows it."""
    return {
        "id": account.id,
        "name": account.name,
        "type": "standard",
        "created_on": written(account.created_on),
        "settings": {"abuse_contact_email": None, "enforce_twofactor": False},
    }

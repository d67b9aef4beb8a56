"""The accounts that the user behind a token belongs to, as memberships. Read only: they are made with accounts.

Source: Cloudflare API v4, "User's account memberships".
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Response

from holdfast.api.access import Access, user_access
from holdfast.api.accounts import AccountView, account_view
from holdfast.api.envelope import Envelope, PageEnvelope, View, page_of, success
from holdfast.api.faults import not_found
from holdfast.api.identifiers import path_id
from holdfast.api.members import ROLE, GrantView
from holdfast.api.paging import Page, paged
from holdfast.store import identities
from holdfast.store.identities import Account

router = APIRouter(prefix="/memberships", tags=["Memberships"])

ReadAccess = Annotated[Access, Depends(user_access("User Details Read"))]
MembershipPage = paged(largest=50, default=20)
MembershipId = path_id("membership_id")


class MembershipView(View):
    """That the user belongs to an account."""

    id: str
    status: Literal["accepted"]
    account: AccountView
    api_access_enabled: bool
    permissions: dict[str, GrantView]
    roles: list[str]


@router.get("", response_model=PageEnvelope[list[MembershipView]])
async def list_memberships(
    access: ReadAccess,
    page: MembershipPage,  # type: ignore[valid-type]  # made by a function
    status: Literal["accepted", "pending", "rejected"] | None = None,
) -> Response:
    """The memberships of the user, one page of them, by the account's name."""
    if status not in (None, "accepted"):
        return page_of([], page, 0)
    return _page(await _memberships(access), page)


def _page(found: list[dict[str, Any]], page: Page) -> Response:
    return page_of(found[page.offset : page.offset + page.size], page, len(found))


@router.get("/{membership_id}", response_model=Envelope[MembershipView])
async def show_membership(access: ReadAccess, membership_id: MembershipId) -> Response:  # type: ignore[valid-type]  # made by a function
    """One membership."""
    for one in await _memberships(access):
        if one["id"] == membership_id:
            return success(one)
    raise not_found("membership")


async def _memberships(access: Access) -> list[dict[str, Any]]:
    principal = access.principal
    async with access.context.database.read() as connection:
        accounts = await identities.accounts_named(connection, principal.accounts)
    return [_view(principal.token.owner_id, one) for one in accounts]


def _view(user_id: str, account: Account) -> dict[str, Any]:
    return {
        # It has no row of its own.
        "id": hashlib.sha256(f"{account.id} {user_id}".encode()).hexdigest()[:32],
        "status": "accepted",
        "account": account_view(account),
        "api_access_enabled": True,
        "permissions": ROLE["permissions"],
        "roles": [ROLE["name"]],
    }

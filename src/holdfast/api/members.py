"""Members and roles of an account. Read only: there is one role, and who makes an account has it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Response

from holdfast.api.access import Access, account_access
from holdfast.api.envelope import Envelope, PageEnvelope, View, page_of, success
from holdfast.api.faults import not_found
from holdfast.api.identifiers import path_id
from holdfast.api.paging import Page, paged
from holdfast.store import identities
from holdfast.store.identities import User

router = APIRouter(prefix="/accounts/{account_id}", tags=["Account members and roles"])

ReadAccess = Annotated[Access, Depends(account_access("Account Settings Read"))]
MemberPage = paged(largest=50, default=20)
MemberId = path_id("member_id")
RoleId = path_id("role_id")

# The id is Cloudflare's of the role of this name.
ROLE: dict[str, Any] = {
    "id": "33666b9c79b9a5273fc7344ff42f953d",
    "name": "Super Administrator - All Privileges",
    "description": "Can do everything in this account",
    "permissions": {
        name: {"read": True, "write": True}
        for name in (
            "analytics",
            "billing",
            "dns",
            "dns_records",
            "logs",
            "organization",
            "ssl",
            "zone_settings",
            "zones",
        )
    },
}


class GrantView(View):
    """Whether one may read and write."""

    read: bool
    write: bool


class RoleView(View):
    """What members with the role may do."""

    id: str
    name: str
    description: str
    permissions: dict[str, GrantView]


class MemberUserView(View):
    """The user behind a membership."""

    id: str
    email: str
    first_name: str | None
    last_name: str | None
    two_factor_authentication_enabled: bool


class MemberView(View):
    """A user that belongs to an account. The id is the user's."""

    id: str
    email: str
    status: Literal["accepted"]
    user: MemberUserView
    roles: list[RoleView]
    policies: list[Any]


@router.get("/members", response_model=PageEnvelope[list[MemberView]])
async def list_members(
    access: ReadAccess,
    page: MemberPage,  # type: ignore[valid-type]  # made by a function
    status: Literal["accepted", "pending", "rejected"] | None = None,
) -> Response:
    """Who belongs to the account, one page of them, by address."""
    if status not in (None, "accepted"):
        return page_of([], page, 0)
    return await _members(access, page)


async def _members(access: Access, page: Page) -> Response:
    async with access.context.database.read() as connection:
        found, total = await identities.members(connection, access.account_id, offset=page.offset, limit=page.size)
    return page_of([_member_view(user) for user in found], page, total)


@router.get("/members/{member_id}", response_model=Envelope[MemberView])
async def show_member(access: ReadAccess, member_id: MemberId) -> Response:  # type: ignore[valid-type]  # made by a function
    """One member."""
    async with access.context.database.read() as connection:
        user = await identities.member(connection, access.account_id, member_id)
    if user is None:
        raise not_found("member")
    return success(_member_view(user))


@router.get("/roles", response_model=PageEnvelope[list[RoleView]])
async def list_roles(access: ReadAccess, page: MemberPage) -> Response:  # type: ignore[valid-type]  # made by a function
    """The roles there are."""
    del access  # it has let the request in
    return _roles(page)


def _roles(page: Page) -> Response:
    return page_of([ROLE][page.offset : page.offset + page.size], page, 1)


@router.get("/roles/{role_id}", response_model=Envelope[RoleView])
async def show_role(access: ReadAccess, role_id: RoleId) -> Response:  # type: ignore[valid-type]  # made by a function
    """One role."""
    del access  # it has let the request in
    if role_id != ROLE["id"]:
        raise not_found("role")
    return success(ROLE)


def _member_view(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "email": user.email,
        "status": "accepted",
        "user": {
            "id": user.id,
            "email": user.email,
            "first_name": user.first_name,
            "last_name": user.last_name,
            "two_factor_authentication_enabled": False,
        },
        "roles": [ROLE],
        "policies": [],
    }

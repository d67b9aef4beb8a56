"""The user behind the token: show, edit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from holdfast.api.access import Access, user_access
from holdfast.api.envelope import Envelope, View, success
from holdfast.api.faults import invalid, not_found
from holdfast.api.undoing import Undone, writing
from holdfast.model.moment import written
from holdfast.store import identities
from holdfast.store.identities import Account, User

router = APIRouter(prefix="/user", tags=["User"])

# Of a person we keep a name and an address of mail. What else the original keeps is refused, and not forgotten quietly.
_NOT_KEPT = ("country", "telephone", "zipcode")


class OrganizationView(View):
    """An account that the user belongs to."""

    id: str
    name: str
    status: str
    permissions: list[str]
    roles: list[str]


class UserView(View):
    """The user."""

    id: str
    email: str
    first_name: str | None
    last_name: str | None
    country: str | None
    telephone: str | None
    zipcode: str | None
    suspended: bool
    two_factor_authentication_enabled: bool
    two_factor_authentication_locked: bool
    has_pro_zones: bool
    has_business_zones: bool
    has_enterprise_zones: bool
    betas: list[str]
    organizations: list[OrganizationView]
    created_on: str
    modified_on: str


class UserEdit(BaseModel):
    """What can be changed of a user; what is not given stays."""

    model_config = ConfigDict(extra="ignore")
    first_name: str | None = Field(default=None, max_length=60)
    last_name: str | None = Field(default=None, max_length=60)
    country: str | None = Field(default=None, max_length=30, description="Refused unless null: it is not kept.")
    telephone: str | None = Field(default=None, max_length=20, description="Refused unless null: it is not kept.")
    zipcode: str | None = Field(default=None, max_length=20, description="Refused unless null: it is not kept.")


@router.get("", response_model=Envelope[UserView])
async def show_user(access: Annotated[Access, Depends(user_access("User Details Read"))]) -> Response:
    """The user behind the token."""
    async with access.context.database.read() as connection:
        user = await identities.find_user(connection, access.principal.token.owner_id)
        accounts = await identities.accounts_named(connection, access.principal.accounts)
    if user is None:
        raise not_found("user")
    return success(_user_view(user, accounts))


@router.patch("", response_model=Envelope[UserView])
async def edit_user(body: UserEdit, access: Annotated[Access, Depends(user_access("User Details Write"))]) -> Response:
    """Change the user's name."""
    for name in _NOT_KEPT:
        if getattr(body, name) is not None:
            raise invalid(f"/{name}", f"{name}: expected null, since it is not kept here")
    given = {name: getattr(body, name) for name in body.model_fields_set if name not in _NOT_KEPT}
    if not given:
        return await show_user(access)
    now, user_id = access.context.clock(), access.principal.token.owner_id
    async with writing(access.context.database) as connection:
        user = await identities.find_user(connection, user_id, lock=True)
        if user is None:
            raise not_found("user")
        accounts = await identities.accounts_named(connection, access.principal.accounts)
        changes = {name: value for name, value in given.items() if value != getattr(user, name)}
        if not changes:
            raise Undone
        await identities.edit_user(connection, user_id, changes, now=now)
        old = {name: getattr(user, name) for name in changes}
        await access.record(connection, "update", "user", user_id, old=old, new=changes)
    after = msgspec.structs.replace(user, **changes, modified_on=now) if changes else user
    return success(_user_view(after, accounts))


def _user_view(user: User, accounts: Sequence[Account]) -> dict[str, Any]:
    return {
        "id": user.id,
        "email": user.email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "country": None,
        "telephone": None,
        "zipcode": None,
        "suspended": False,
        "two_factor_authentication_enabled": False,
        "two_factor_authentication_locked": False,
        "has_pro_zones": False,
        "has_business_zones": False,
        "has_enterprise_zones": False,
        "betas": [],
        "organizations": [
            {"id": one.id, "name": one.name, "status": "member", "permissions": [], "roles": []} for one in accounts
        ],
        "created_on": written(user.created_on),
        "modified_on": written(user.modified_on),
    }

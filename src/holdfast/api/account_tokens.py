"""Tokens that an account owns: they outlive whoever made them."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response

from holdfast.api import token_work
from holdfast.api.access import Access, AccountId, account_access, own_token_access
from holdfast.api.envelope import Envelope, Identifier, PageEnvelope
from holdfast.api.identifiers import path_id
from holdfast.api.paging import paged
from holdfast.api.token_shapes import CreatedTokenView, GroupView, TokenCreate, TokenUpdate, TokenView, VerifiedView
from holdfast.model.granting import Owner

router = APIRouter(prefix="/accounts/{account_id}/tokens", tags=["Account API tokens"])

ReadAccess = Annotated[Access, Depends(account_access("Account API Tokens Read"))]
WriteAccess = Annotated[Access, Depends(account_access("Account API Tokens Write"))]
TokenPage = paged(largest=50, default=20)
TokenId = path_id("token_id")


@router.get("/verify", response_model=Envelope[VerifiedView])
async def verify(access: Annotated[Access, Depends(own_token_access("account"))], account_id: AccountId) -> Response:  # noqa: ARG001  the access has looked at it
    """Whether the token that asks is valid."""
    return token_work.verified(access)


@router.get("/permission_groups", response_model=Envelope[list[GroupView]])
async def list_permission_groups(
    access: ReadAccess,
    name: Annotated[str | None, Query(max_length=200)] = None,
    scope: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """The permission groups that policies can name."""
    return token_work.permission_groups(access, token_work.any_scope("account"), name=name, scope=scope)


@router.get("", response_model=PageEnvelope[list[TokenView]])
async def list_tokens(
    access: ReadAccess,
    page: TokenPage,  # type: ignore[valid-type]  # made by a function
    direction: Literal["asc", "desc"] = "desc",
    include_expired: bool = True,
) -> Response:
    """The account's tokens, one page of them, the newest first."""
    return await token_work.list_tokens(
        access, _owner(access), page, ascending=direction == "asc", include_expired=include_expired
    )


@router.post("", response_model=Envelope[CreatedTokenView])
async def create_token(body: TokenCreate, access: WriteAccess) -> Response:
    """Make a token. Its secret, `value`, is shown this once."""
    return await token_work.create_token(access, _owner(access), body)


@router.get("/{token_id}", response_model=Envelope[TokenView])
async def show_token(access: ReadAccess, token_id: TokenId) -> Response:  # type: ignore[valid-type]  # made by a function
    """One token."""
    return await token_work.show_token(access, _owner(access), token_id)


@router.put("/{token_id}", response_model=Envelope[TokenView])
async def update_token(
    body: TokenUpdate,
    access: WriteAccess,
    token_id: TokenId,  # type: ignore[valid-type]  # made by a function
) -> Response:
    """Write all of a token but its secret."""
    return await token_work.update_token(access, _owner(access), token_id, body)


@router.delete("/{token_id}", response_model=Envelope[Identifier])
async def delete_token(access: WriteAccess, token_id: TokenId) -> Response:  # type: ignore[valid-type]  # made by a function
    """Remove a token."""
    return await token_work.delete_token(access, _owner(access), token_id)


@router.put("/{token_id}/value", response_model=Envelope[str])
async def roll_token(access: WriteAccess, token_id: TokenId) -> Response:  # type: ignore[valid-type]  # made by a function
    """Give a token another secret, which is the result."""
    return await token_work.roll_token(access, _owner(access), token_id)


def _owner(access: Access) -> Owner:
    """The account of the path: the new token reaches it, and no other."""
    return Owner(kind="account", id=access.account_id, accounts=frozenset({access.account_id}))

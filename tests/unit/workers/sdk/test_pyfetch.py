"""`pyodide.http`: the same `fetch()` by Pyodide's names."""

import pytest

from holdfast.workers.sdk.pyfetch import AbortError, BodyUsedError, FetchResponse, HttpStatusError, pyfetch
from holdfast.workers.sdk.request import Request
from holdfast.workers.sdk.response import Response


async def test_it_asks_as_fetch_does() -> None:
    async def fetcher(request: Request) -> Response:
        return Response(await request.text(), 404)

    answer = await pyfetch("https://a.test/", method="POST", body="x", fetcher=fetcher)
    assert isinstance(answer, FetchResponse)
    assert (answer.ok, await answer.string()) == (False, "x")
    with pytest.raises(BodyUsedError):
        await answer.text()
    with pytest.raises(HttpStatusError):
        answer.raise_for_status()
    assert issubclass(AbortError, Exception)

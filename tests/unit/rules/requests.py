"""Requests for Hypothesis: with anything in them that the core may hand over."""

from hypothesis import strategies as st

from holdfast.model.request import Request

# Any text in a target, any byte in any other text; both often what expressions here look for.
TEXT = st.text(max_size=20) | st.text("/aAbx.é=&%6\\", max_size=8)
BYTE_TEXT = st.text(st.characters(max_codepoint=0xFF), max_size=20) | st.text("aAbBcx=;", max_size=4)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """Requests with anything in them."""
    return Request(
        "ray",
        draw(BYTE_TEXT),
        draw(st.sampled_from(("http", "https"))),
        draw(TEXT | st.sampled_from(("example.com", "www.example.com"))),
        draw(TEXT),
        draw(TEXT),
        "HTTP/1.1",
        tuple(
            draw(
                st.lists(
                    st.tuples(st.sampled_from(("X", "x", "y", "Cookie", "Accept-Language", "User-Agent")), BYTE_TEXT),
                    max_size=4,
                )
            )
        ),
        draw(st.sampled_from(("203.0.113.7", "10.0.0.5", "::1", "2001:db8::7", "nonsense"))),
        1,
        draw(st.integers(0, 65535)),
        None,
        False,  # noqa: FBT003
    )

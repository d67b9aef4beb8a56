"""How much a writer can send to a reader who does not read, with an edge between them, before it must notice."""

from pathlib import Path


def largest_buffer(name: str) -> int:
    """What the kernel lets one socket buffer grow to (tcp(7), tcp_rmem and tcp_wmem)."""
    return int(Path(f"/proc/sys/net/ipv4/{name}").read_text().split()[2])


# Two connections' buffers, and what the fake origin and an edge hold themselves. The limits are of the kernel's memory and
# not of what is in it: on a busy machine a sixth more than they say has been seen to fit.
MOST_IN_KERNEL = 3 * (largest_buffer("tcp_rmem") + largest_buffer("tcp_wmem")) + (1 << 20)

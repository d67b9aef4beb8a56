"""How much a writer can send to a reader who does not read, with an edge between them, before it must notice."""

from pathlib import Path


def largest_buffer(name: str) -> int:
    """What the kernel lets one socket buffer grow to (tcp(7), tcp_rmem and tcp_wmem)."""
    return int(Path(f"/proc/sys/net/ipv4/{name}").read_text().split()[2])


# Two connections' buffers, and what the fake origin and an edge hold themselves.
MOST_IN_KERNEL = 2 * (largest_buffer("tcp_rmem") + largest_buffer("tcp_wmem")) + (1 << 20)

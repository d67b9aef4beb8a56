"""Many WebSockets from one process: `python -m tests.integration.many_clients PORT COUNT PATH`.

Opens COUNT of them and prints `open N`; then for each line on standard input sends a message on every one, reads its echo
and prints `echoed N`; at the end of its input it sends a Close on each, reads the answer, and prints `closed N`.
"""

import resource
import socket
import sys

from tests.integration.frames import CLOSE, PING, PONG, TEXT, Frame, close
from tests.integration.wire import Wire, upgrade

PATIENCE_S = 60.0


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def heard(client: Wire) -> Frame:
    """What comes next that is no ping of the edge, which sends some where all of this takes long."""
    while (frame := client.read_frame()).opcode == PING:
        client.send_frame(Frame(PONG, frame.payload))
    return frame


def main() -> None:
    """As the module's text says."""
    port, count, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    clients: list[Wire] = []
    for _ in range(count):
        client = Wire(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S))
        # Longer than the edge and the kernel take to give something up: what is slow is told from what is lost.
        client.sock.settimeout(PATIENCE_S)
        client.send(upgrade(path))
        status = client.read_answer().status
        assert status == 101, f"status {status} after {len(clients)} connections"
        clients.append(client)
    say(f"open {len(clients)}")
    for line in sys.stdin:
        message = Frame(TEXT, line.strip().encode())
        for client in clients:
            client.send_frame(message)
        say(f"echoed {sum(heard(client) == message for client in clients)}")
    for client in clients:
        client.send_frame(close(1000))
    closed = 0
    for client in clients:
        closed += heard(client).opcode == CLOSE
        client.sock.close()
    say(f"closed {closed}")


if __name__ == "__main__":
    main()

"""The pair of sockets in which a host's sockets outlive it."""

import os
import socket

from holdfast.app.kept_pair import kept_pair


def test_what_is_on_its_way_in_the_pair_outlives_who_sent_it() -> None:
    with kept_pair() as (sending, receiving):
        with socket.socket(fileno=os.dup(sending)) as host, socket.socket(socket.AF_INET) as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            address = listener.getsockname()
            socket.send_fds(host, [b"one"], [listener.fileno()])
            socket.send_fds(host, [b"two"], [listener.fileno()])
        with socket.create_connection(address), socket.socket(fileno=os.dup(receiving)) as host:
            text, (descriptor,), *_ = socket.recv_fds(host, 100, 2)
            # Messages keep their bounds.
            assert text == b"one"
            with socket.socket(fileno=descriptor) as listener:
                listener.accept()[0].close()


def test_nothing_that_is_started_meanwhile_inherits_it_unless_it_is_given() -> None:
    with kept_pair() as pair:
        assert not any(map(os.get_inheritable, pair))

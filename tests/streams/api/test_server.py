"""The server as a process: what holds for its sockets."""

import socket

from streams.serve.server import is_loopback, send_at_once


def test_a_connection_does_not_wait_with_a_body_until_the_head_is_acknowledged() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        send_at_once(listening)
        with socket.create_connection(listening.getsockname()):
            accepted, _ = listening.accept()
            with accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


def test_a_server_that_others_can_reach_is_not_taken_for_one_of_this_machine_alone() -> None:
    reached = {}
    for host in ("127.0.0.1", "0.0.0.0"):
        with socket.create_server((host, 0)) as listening:
            reached[host] = not is_loopback(listening)
    assert reached == {"127.0.0.1": False, "0.0.0.0": True}

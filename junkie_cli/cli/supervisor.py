"""Tells a supervisor such as systemd how a service does (sd_notify(3)), where one asked for it."""

import os
import socket


def notify(state: str) -> None:
    """Send a state such as READY=1 to NOTIFY_SOCKET; does nothing where there is none."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        # An abstract socket's name begins with a NUL.
        sender.connect("\0" + address[1:] if address.startswith("@") else address)
        sender.sendall(state.encode())

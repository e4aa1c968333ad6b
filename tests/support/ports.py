"""Free ports of this machine, for servers that are told where to listen.

They are held until the run ends, by a socket that is bound and does not listen: nobody else is given such a port. A
server may still listen on it, as both have set SO_REUSEADDR; until then a connection is refused.
"""

import socket
import sys


def free_ports(count: int) -> list[int]:
    """Return ports that are ours for the whole run."""
    return [_hold(0) for _ in range(count)]


def free_port() -> int:
    """Return one port."""
    return _hold(0)


def free_cluster_port() -> int:
    """Return a port that is free together with the one 10000 above it, where a node of a Redis Cluster listens too."""
    while True:
        port = _hold(0)
        if port > 55_000:
            continue
        try:
            _hold(port + 10_000)
        except OSError:
            continue
        return port


def _hold(port: int) -> int:
    held = socket.socket()
    # Not yet while binding: then port 0 and a port by number mean one that nobody else has.
    try:
        held.bind(("127.0.0.1", port))
    except OSError:
        held.close()
        raise
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found: int = held.getsockname()[1]
    if sys.platform == "linux":
        held.detach()  # open until this process ends
    else:
        held.close()  # BSD's kernels do not let a second one bind there
    return found

"""A long way: forwards TCP connections so that every byte arrives half a round trip later.

    python benchmarks/peers/forwarder.py PORT TO_PORT ROUND_TRIP_SECONDS

A new connection waits one round trip more before its first byte moves, as TCP's handshake makes it.
"""

import asyncio
import contextlib
import sys


async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter, seconds: float, first: float) -> None:
    """Write what comes from `source` into `target`, `seconds` after it came; nothing sooner than `first` from now."""
    loop = asyncio.get_running_loop()
    opens = loop.time() + first
    on_its_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def deliver() -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                due, data = await on_its_way.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                if not data:
                    target.close()
                    return
                target.write(data)
                await target.drain()

    delivery = asyncio.create_task(deliver())
    data = b"-"
    while data:
        try:
            data = await source.read(64 * 1024)
        except ConnectionError:
            data = b""
        on_its_way.put_nowait((max(loop.time(), opens) + seconds, data))
    await delivery


async def main() -> None:
    port, to_port, round_trip = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", to_port)
        there = carry(reader, far_writer, round_trip / 2, round_trip)
        back = carry(far_reader, writer, round_trip / 2, 0)
        await asyncio.gather(there, back)

    server = await asyncio.start_server(forward, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())

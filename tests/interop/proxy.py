"""A loopback proxy that adds a token, for tests of clients that cannot send one.

Usage: proxy.py UPSTREAM TOKEN. Prints its own address. Host and Origin that name the proxy become the server's, all else
passes as it is, so that the server's own checks are what a test sees. One request for each connection.
"""

import asyncio
import sys

UPSTREAM, TOKEN = sys.argv[1], sys.argv[2]


async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass  # one side is gone; closing tells the other


async def serve(reader, writer, own):
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")[:-2]
        port = own.rsplit(":", 1)[1]
        theirs = UPSTREAM.rsplit(":", 1)[1]
        kept = []
        for line in lines[1:]:
            name = line.split(":", 1)[0].lower()
            if name in ("host", "origin"):
                for host in ("localhost", "127.0.0.1"):
                    line = line.replace(f"{host}:{port}", f"{host}:{theirs}")
            if name != "connection":
                kept.append(line)
        kept += [f"Authorization: Bearer {TOKEN}", "Connection: close"]
        up_reader, up_writer = await asyncio.open_connection(*UPSTREAM.rsplit(":", 1))
        up_writer.write("\r\n".join([lines[0], *kept, "", ""]).encode("latin-1"))
        upward = asyncio.create_task(pump(reader, up_writer))
        downward = asyncio.create_task(pump(up_reader, writer))
        # A client that leaves must be seen leaving by the server.
        await asyncio.wait([upward, downward], return_when=asyncio.FIRST_COMPLETED)
        if upward.done() and not downward.done() and not reader.at_eof():
            await downward
        for task in (upward, downward):
            task.cancel()
        up_writer.close()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # the client left before it said anything
    finally:
        writer.close()


async def main():
    own = None
    server = await asyncio.start_server(lambda r, w: serve(r, w, own), "127.0.0.1", 0, limit=1 << 20)
    own = "127.0.0.1:%d" % server.sockets[0].getsockname()[1]
    print(own, flush=True)
    async with server:
        await server.serve_forever()


asyncio.run(main())

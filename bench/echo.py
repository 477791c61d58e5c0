"""The least that can be done with a message: picows gives it, and it is sent back. What the wire alone costs.

python -m bench.echo --core 0
"""

import argparse

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

from bench.measure import pin


class Echo(WSListener):
    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.TEXT:
            transport.send(WSMsgType.TEXT, frame.get_payload_as_bytes())


def listener(_request: WSUpgradeRequest) -> Echo:
    return Echo()


async def serve() -> None:
    server = await ws_create_server(listener, "127.0.0.1", 0, read_buffer_init_size=2048, backlog=4096)
    print(f"listening ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ocpp", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--core", type=int, default=0)
    pin(parser.parse_args().core)
    uvloop.run(serve())

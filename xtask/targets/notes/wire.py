"""HTTP and WebSockets as far as small services need them: Python's standard library has no server of both."""
import asyncio, base64, hashlib, json, sys

async def request(reader):
    """The next request: method, path, headers by their names in lower case, body."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return method, path, headers, await reader.readexactly(int(headers.get("content-length", 0)))

def respond(writer, status, said, more=""):
    said = (said if isinstance(said, str) else json.dumps(said)).encode()
    writer.write(f"HTTP/1.1 {status} x\r\n{more}Content-Length: {len(said)}\r\n\r\n".encode() + said)

def accept(writer, headers):
    """The answer to an upgrade."""
    key = hashlib.sha1((headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
    writer.write(b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + base64.b64encode(key) + b"\r\n\r\n")

async def frames(reader, writer):
    while True:
        first, second = await reader.readexactly(2)
        length = second & 127
        if length > 125:
            length = int.from_bytes(await reader.readexactly(2 if length == 126 else 8), "big")
        mask, data = await reader.readexactly(4), await reader.readexactly(length)
        data = bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
        if first & 15 == 8:
            send(writer, data, 8)
            return
        if first & 15 == 1:
            yield json.loads(data)
        if first & 15 == 2:
            yield data

def send(writer, data, opcode=1):
    size = bytes([len(data)]) if len(data) < 126 else b"\x7e" + len(data).to_bytes(2, "big") if len(data) < 65536 else b"\x7f" + len(data).to_bytes(8, "big")
    writer.write(bytes([128 | opcode]) + size + data)

async def main(serve, **options):
    async def connected(reader, writer):
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
    server = await asyncio.start_server(connected, "127.0.0.1", int(sys.argv[1]), **options)
    await server.serve_forever()

"""A tiny service to try target profiles on: users keep notes of their own. Standard library only; LEAKY=1 forgets whose a note is."""
import asyncio, base64, hashlib, json, os, secrets, sys, uuid

users, tokens, notes = {}, {}, {}  # name: (id, password); token: user id; note id: (owner, title, lines)
LEAKY = os.environ.get("LEAKY") == "1"

def http(method, path, body, token):
    if (method, path) == ("POST", "/users") and body["name"] not in users:
        users[body["name"]] = (str(uuid.uuid4()), body["password"])
        return 201, {"id": users[body["name"]][0]}
    if path == "/users-or-login" and body["name"] not in users:
        http("POST", "/users", body, None)
    if path in ("/login", "/users-or-login") and users.get(body["name"], ("", None))[1] == body["password"]:
        token = secrets.token_hex(24)
        tokens[token] = users[body["name"]][0]
        return 200, {"token": token, "id": tokens[token]}
    if path in ("/me", "/logout"):
        user = tokens.pop(token, None) if path == "/logout" else tokens.get(token)
        return (200, {"id": user}) if user else (401, {"error": "unauthorized"})
    return (200, {"ok": True}) if path == "/health" else (400, {"error": "refused"})

def caller(token):
    return tokens.get(token)

def answer(user, ask):
    mine = lambda note: note in notes and (LEAKY or notes[note][0] == user)
    if ask["op"] == "who":
        return {"id": user}
    if ask["op"] == "new":
        note = str(uuid.uuid4())
        notes[note] = (user, ask["title"], [])
        return {"id": note}
    if ask["op"] == "list":
        return [{"id": note, "title": title} for note, (owner, title, _) in notes.items() if owner == user]
    if ask["op"] == "read" and mine(ask["note"]):
        return {"lines": notes[ask["note"]][2]}
    if ask["op"] == "write" and mine(ask["note"]) and ask["text"]:
        notes[ask["note"]][2].append(ask["text"])
        return {"note": ask["note"], "text": ask["text"]}
    raise KeyError("no such note")

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

def send(writer, data, opcode=1):
    size = bytes([len(data)]) if len(data) < 126 else b"\x7e" + len(data).to_bytes(2, "big") if len(data) < 65536 else b"\x7f" + len(data).to_bytes(8, "big")
    writer.write(bytes([128 | opcode]) + size + data)

async def serve(reader, writer):
    try:
        while head := (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n"):
            method, path, _ = head[0].split(" ")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            token = headers.get("authorization", "").removeprefix("Bearer ")
            if path == "/ws" and caller(token):
                accept = hashlib.sha1((headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
                writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + base64.b64encode(accept) + b"\r\n\r\n")
                async for ask in frames(reader, writer):
                    if not caller(token):
                        return send(writer, (4401).to_bytes(2, "big"), 8)
                    try:
                        reply = {"rid": ask["cid"], "data": answer(caller(token), ask)}
                    except (KeyError, TypeError) as error:
                        reply = {"rid": ask.get("cid"), "error": str(error)}
                    send(writer, json.dumps(reply).encode())
                return
            status, said = (401, {"error": "unauthorized"}) if path == "/ws" else http(method, path, json.loads(body or b"{}"), token)
            said = json.dumps(said).encode()
            writer.write(f"HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {len(said)}\r\n\r\n".encode() + said)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()

if __name__ == "__main__":
    asyncio.run(main())

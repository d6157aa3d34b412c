"""Rooms, each a connection of its own, made over HTTP: whoever is in one is told all that is said there. Whoever may not be in a room is
turned away as MANNER says, LEAKY=1 forgets who may."""
import asyncio, json, os, secrets, sys, uuid

sys.dont_write_bytecode = True
sys.path.insert(0, os.environ["NOTES"])
from wire import accept, frames, main, request, respond, send

LEAKY, MANNER = os.environ.get("LEAKY") == "1", os.environ["MANNER"]
passwords, tokens, rooms = {}, {}, {}  # name: password; token: name; room: (owner, lines, who is in it by which token)

def http(method, path, body, user, token):
    if (method, path) == ("POST", "/users"):
        passwords[body["name"]], rooms[body["name"]] = body["password"], (body["name"], [], {})
        return 201, {}
    if (method, path) == ("POST", "/session") and passwords.get(body["name"]) == body["password"]:
        tokens[token := secrets.token_hex(24)] = body["name"]
        return 201, {"token": token}
    if user and (method, path) == ("POST", "/rooms"):
        rooms[room := str(uuid.uuid4())] = (user, [], {})
        return 201, {"room": room}
    if user and path == "/session":
        return 200, {"name": tokens.pop(token) if method == "DELETE" else user}
    return (200, {}) if path == "/health" else (401, {})

def may(user, room):
    return user and room in rooms and (rooms[room][0] == user or LEAKY)

async def converse(reader, writer, token, room):
    user, shut_out = tokens.get(token), (4403).to_bytes(2, "big")
    tell = lambda to, what: send(to, json.dumps(what).encode())
    if not may(user, room):
        if MANNER == "a word":
            tell(writer, {"type": "denied"})
        elif MANNER == "silence" and user:
            async for _ in frames(reader, writer):
                pass
            return
        return send(writer, shut_out, 8)
    owner, lines, within = rooms[room]
    if MANNER == "a word":
        tell(writer, {"type": "welcome", "you": user})
    within[writer] = token
    try:
        async for ask in frames(reader, writer):
            if token not in tokens:
                return send(writer, shut_out, 8)
            if ask["type"] == "history":
                tell(writer, {"type": "history", "lines": lines})
            else:
                lines.append(ask["text"])
                for other in [other for other, whose in within.items() if whose in tokens]:
                    tell(other, {"type": "said", "text": ask["text"]})
    finally:
        del within[writer]

async def serve(reader, writer):
    while True:
        method, path, headers, body = await request(reader)
        token = headers.get("authorization", "").removeprefix("Bearer ")
        user, room = tokens.get(token), path.removeprefix("/ws/rooms/")
        if room == path:
            respond(writer, *http(method, path, json.loads(body or b"{}"), user, token))
        elif MANNER == "the upgrade" and not may(user, room):
            respond(writer, 403, {})
        else:
            accept(writer, headers)
            return await converse(reader, writer, token, room)

asyncio.run(main(serve))

"""A chat as many are: a ticket for each connection, whoever has no token let in and shut out again, an array of events a message, content
that is JSON within a text, channels that one joins with a grant for this very connection, and no ids: everybody in a channel is told what
was said, its author too. LEAKY=1 grants whatever is asked for."""
import asyncio, base64, hashlib, json, os, secrets, sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.environ["NOTES"])
from wire import accept, frames, main, request, respond, send

LEAKY = os.environ.get("LEAKY") == "1"
KEY = secrets.token_hex(16)
users, tokens, tickets, channels, joined = {}, {}, set(), {}, {}

def grant(conn, channel):
    return hashlib.sha256(f"{KEY} {conn} {channel}".encode()).hexdigest()

def http(method, path, headers, body):
    """Status and body."""
    kind, _, given = headers.get("authorization", "").partition(" ")
    if (method, path) == ("GET", "/health"):
        return 200, {}
    if (method, path) == ("POST", "/users"):
        users[json.loads(body)["name"]] = json.loads(body)["password"]
        return 201, {}
    if (method, path) == ("POST", "/tickets"):
        ticket = secrets.token_hex(8)
        tickets.add(ticket)
        return 201, {"ticket": ticket}
    if (method, path) == ("POST", "/session"):
        name, _, password = base64.b64decode(given).decode().partition(":")
        if kind != "Basic" or users.get(name) != password:
            return 401, {}
        token = secrets.token_hex(24)
        tokens[token] = name
        return 201, {"token": token}
    user = tokens.get(given)
    if user is None:
        return 401, {}
    if (method, path) == ("DELETE", "/session"):
        del tokens[given]
        return 200, {}
    if (method, path) == ("POST", "/channels"):
        channel = f"/u/{user}/{len(channels)}"
        channels[channel] = user
        return 201, {"channel": channel}
    if (method, path) == ("POST", "/grants"):
        asked = json.loads(body)
        if channels.get(asked["channel"]) != user and not LEAKY:
            return 403, {"error": "not yours: " + asked["channel"]}
        return 201, {"grant": grant(asked["conn"], asked["channel"])}
    return 404, {}

def tell(writer, event, data, **more):
    send(writer, json.dumps([{"event": event, "data": json.dumps(data), **more}]).encode())

async def converse(reader, writer, token):
    conn = secrets.token_hex(4)
    if token not in tokens:
        return send(writer, (4401).to_bytes(2, "big"), 8)
    tell(writer, "hello", {"conn": conn, "you": tokens[token]})
    async for ask in frames(reader, writer):
        if token not in tokens:
            return send(writer, (4401).to_bytes(2, "big"), 8)
        channel, heard = ask["channel"], joined.setdefault(ask["channel"], {})
        if ask["event"] == "join" and ask["grant"] == grant(conn, channel):
            heard[writer] = token
            tell(writer, "joined", {}, channel=channel)
        elif ask["event"] == "say" and writer in heard and ask["conn"] == conn:
            for other in [other for other, whose in heard.items() if whose in tokens]:
                tell(other, "said", {"text": ask["text"]}, channel=channel, author=tokens[token])
        else:
            tell(writer, "error", {"text": "not yours: " + channel})

async def serve(reader, writer):
    try:
        while True:
            method, path, headers, body = await request(reader)
            if path.startswith("/ws/"):
                ticket, token = path.removeprefix("/ws/").split("/")
                accept(writer, headers)
                good = ticket in tickets
                tickets.discard(ticket)
                return await converse(reader, writer, token if good else None)
            respond(writer, *http(method, path, headers, body))
    finally:
        for heard in joined.values():
            heard.pop(writer, None)

asyncio.run(main(serve))

"""A tiny service to try target profiles on: users keep notes of their own. LEAKY=1 forgets whose a note is."""
import asyncio, json, os, secrets, sys, uuid

sys.dont_write_bytecode = True
from wire import accept, frames, main, request, respond, send

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

async def serve(reader, writer):
    while True:
        method, path, headers, body = await request(reader)
        token = headers.get("authorization", "").removeprefix("Bearer ")
        if path != "/ws":
            respond(writer, *http(method, path, json.loads(body or b"{}"), token))
        elif not caller(token):
            respond(writer, 401, {"error": "unauthorized"})
        else:
            break
    accept(writer, headers)
    async for ask in frames(reader, writer):
        if not caller(token):
            return send(writer, (4401).to_bytes(2, "big"), 8)
        try:
            reply = {"rid": ask["cid"], "data": answer(caller(token), ask)}
        except (KeyError, TypeError) as error:
            reply = {"rid": ask.get("cid"), "error": str(error)}
        send(writer, json.dumps(reply).encode())

if __name__ == "__main__":
    asyncio.run(main(serve))

"""Notes behind a portal: forms, a CSRF token and a cookie to log in, HTTP to write and read, a WebSocket on which one is told. An
administrator makes the accounts. LEAKY=1 forgets whose a note is when it is read."""
import asyncio, json, os, secrets, sys, uuid
from datetime import datetime
from urllib.parse import parse_qs

sys.dont_write_bytecode = True
sys.path.insert(0, os.environ["NOTES"])
from wire import accept, frames, main, request, respond, send

LEAKY = os.environ.get("LEAKY") == "1"
ADMIN = secrets.token_hex(16)
users, sessions, forms, notes, listeners = {}, {}, {}, {}, {}

def form(body):
    return {name: values[0] for name, values in parse_qs(body.decode()).items()}

def http(method, path, headers, body):
    """Status, headers, body."""
    cookies = dict(pair.split("=", 1) for pair in headers.get("cookie", "").split("; ") if "=" in pair)
    user = sessions.get(cookies.get("sid"))
    if (method, path) == ("GET", "/health"):
        return 200, {}, {"ok": True}
    if (method, path) == ("POST", "/admin/session"):
        return (200, {}, {"token": ADMIN}) if form(body).get("password") == "root" else (401, {}, {})
    if (method, path) == ("PUT", "/admin/users"):
        if headers.get("authorization") != "Bearer " + ADMIN:
            return 403, {}, {}
        asked = json.loads(body)
        users[asked["name"]] = (str(uuid.uuid4()), asked["password"])
        return 201, {}, {"id": users[asked["name"]][0]}
    if (method, path) == ("GET", "/login"):
        visit, csrf = secrets.token_hex(8), secrets.token_hex(8)
        forms[visit] = csrf
        return 200, {"Set-Cookie": f"visit={visit}; Path=/"}, f'<form><input name="csrf" value="{csrf}"></form>'
    if (method, path) == ("POST", "/login"):
        asked = form(body)
        good = forms.get(cookies.get("visit")) == asked.get("csrf") and users.get(asked.get("user"), ("", None))[1] == asked.get("password")
        if not good:
            return 200, {}, "<p>try again</p>"
        sid = secrets.token_hex(24)
        sessions[sid] = users[asked["user"]][0]
        return 302, {"Set-Cookie": f"sid={sid}; Path=/; HttpOnly", "Location": "/"}, ""
    if user is None:  # it says so with a status of success
        return 200, {}, {"ok": False, "error": "log in first"}
    if (method, path) == ("GET", "/me"):
        return 200, {}, {"ok": True, "id": user}
    if (method, path) == ("DELETE", "/session"):
        del sessions[cookies["sid"]]
        return 200, {}, {"ok": True}
    if (method, path) == ("POST", "/notes"):
        note = str(uuid.uuid4())
        notes[note] = (user, [])
        return 200, {}, {"ok": True, "id": note}
    note = path.removeprefix("/notes/")
    if note not in notes or (notes[note][0] != user and not LEAKY):
        return 404, {}, {"ok": False, "error": "no such note"}
    if method == "PATCH":
        asked = json.loads(body)
        text, _ = asked["text"], (uuid.UUID(asked["message"]), datetime.fromisoformat(asked["at"].replace("Z", "+00:00")))
        notes[note][1].append(text)
        for writer in listeners.get(note, []):
            send(writer, json.dumps({"event": "line", "note": note, "text": text}).encode())
        return 200, {}, {"ok": True, "text": text}
    return 200, {}, {"ok": True, "lines": notes[note][1]}

async def converse(reader, writer, sid):
    async for ask in frames(reader, writer):
        user = sessions.get(sid)
        if user is None:
            return send(writer, (4401).to_bytes(2, "big"), 8)
        if ask["op"] == "who":
            said = {"rid": ask["cid"], "data": {"id": user}}
        elif notes.get(ask["note"], (None,))[0] == user:
            listeners.setdefault(ask["note"], set()).add(writer)
            said = {"rid": ask["cid"], "data": {}}
        else:
            said = {"rid": ask["cid"], "error": "no such note"}
        send(writer, json.dumps(said).encode())

async def serve(reader, writer):
    try:
        while True:
            method, path, headers, body = await request(reader)
            sid = headers.get("cookie", "").removeprefix("sid=")
            if path == "/ws" and sid in sessions:
                accept(writer, headers)
                return await converse(reader, writer, sid)
            status, more, said = (401, {}, {}) if path == "/ws" else http(method, path, headers, body)
            respond(writer, status, said, "".join(f"{name}: {value}\r\n" for name, value in more.items()))
    finally:
        for writers in listeners.values():
            writers.discard(writer)

asyncio.run(main(serve))

"""The notes service over a protocol of bytes: the length of what follows (two bytes), a kind, a request's id (two bytes), and what the kind
has. Answers come in pieces, behind pings that want an answer. LEAKY=1 forgets whose a note is; LEAKY=2 tells everybody the last line that
was written, in a field that has no name."""
import asyncio, json, os, sys, uuid

sys.dont_write_bytecode = True
sys.path.insert(0, os.environ["NOTES"])
import notes
from wire import accept, frames, main, request, respond, send

WHO, NEW, LIST, READ, WRITE, PING, PONG, ERROR = 1, 2, 3, 4, 5, 16, 17, 255
TELLS = os.environ.get("LEAKY") == "2"
last = b""

def framed(kind, rid, body=b""):
    frame = bytes([kind]) + rid.to_bytes(2, "big") + body
    return len(frame).to_bytes(2, "big") + frame

def asked(kind, body):
    """A request as the notes service has it."""
    if kind == NEW:
        return {"op": "new", "title": body.decode()}
    if kind in (READ, WRITE):
        return {"op": "read" if kind == READ else "write", "note": str(uuid.UUID(bytes=body[:16])), "text": body[16:].decode()}
    return {"op": "who" if kind == WHO else "list"}

def told(kind, said):
    """Its answer in bytes."""
    if kind in (WHO, NEW):
        return uuid.UUID(said["id"]).bytes
    if kind == WRITE:
        return uuid.UUID(said["note"]).bytes + said["text"].encode()
    return json.dumps(said).encode()

def reply(user, kind, rid, body):
    global last
    try:
        said = told(kind, notes.answer(user, asked(kind, body)))
    except (KeyError, ValueError) as error:
        return framed(ERROR, rid, str(error).encode() + b"\0")
    aside = last if TELLS else b""
    last = body[16:] if kind == WRITE else last
    return framed(128 | kind, rid, bytes([len(aside)]) + aside + said)

async def serve(reader, writer):
    while True:
        method, path, headers, body = await request(reader)
        token = headers.get("authorization", "").removeprefix("Bearer ")
        if path != "/ws":
            respond(writer, *notes.http(method, path, json.loads(body or b"{}"), token))
        elif not notes.caller(token):
            respond(writer, 401, {"error": "unauthorized"})
        else:
            break
    accept(writer, headers)
    pings, pongs, begun = 0, 0, b""
    async for piece in frames(reader, writer):
        begun += piece
        while len(begun) >= 2 and len(begun) >= (end := 2 + int.from_bytes(begun[:2], "big")):
            kind, rid, body, begun = begun[2], int.from_bytes(begun[3:5], "big"), begun[5:end], begun[end:]
            # whoever lets pings go unanswered is no client
            if not notes.caller(token) or pings > pongs + 100:
                return send(writer, (4401).to_bytes(2, "big"), 8)
            if kind == PONG:
                pongs += 1
                continue
            pings += 1
            said = framed(PING, 0) + reply(notes.caller(token), kind, rid, body)
            cut = len(said) * 2 // 3
            send(writer, said[:cut], 2)
            send(writer, said[cut:], 2)

asyncio.run(main(serve))

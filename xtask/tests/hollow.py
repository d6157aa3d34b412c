"""The notes service with something gone: MANNER says what."""
import asyncio, json, os, sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.environ["NOTES"])
import notes

manner = os.environ["MANNER"]
http, answer, caller = notes.http, notes.answer, notes.caller

if manner == "everybody is let in":  # under whatever name the token is, or none
    notes.caller = lambda token: caller(token) or token or "nobody"
if manner == "strangers are guests":  # a token that it does not know makes one a guest, like all others
    notes.caller = lambda token: caller(token) or "guest"
if manner == "whoever has no token is let in, and told nothing":
    def known(user, ask):
        if user == "nobody":
            raise KeyError("log in first")
        return answer(user, ask)
    notes.answer = known
    notes.caller = lambda token: caller(token) or (None if token else "nobody")
if manner == "every answer is an error":
    def refuse(user, ask):
        raise KeyError("not now")
    notes.answer = refuse
if manner == "all are one":
    def one(method, path, body, token):
        status, said = http(method, path, body, token)
        if status == 200 and path == "/login":
            notes.tokens[said["token"]] = said["id"] = next(iter(notes.users.values()))[0]
        return status, said
    notes.http = one
if manner == "each user's ids count from 1":
    own = {}
    def numbered(user, ask):
        mine = own.setdefault(user, [])
        if "note" in ask:
            ask = {**ask, "note": dict(enumerate(mine, 1))[int(ask["note"])]}
        said = answer(user, ask)
        if ask["op"] == "new":
            mine.append(said["id"])
        if ask["op"] == "list":
            return [{**note, "id": str(mine.index(note["id"]) + 1)} for note in said]
        return {**said, "id": str(len(mine))} if ask["op"] == "new" else {**said, "note": "1"} if "note" in ask else said
    notes.answer = numbered

if manner == "errors repeat what was asked":
    def repeat(user, ask):
        try:
            return answer(user, ask)
        except KeyError:
            raise KeyError(f"you asked for {json.dumps(ask)}")
    notes.answer = repeat

if manner == "all lines are told in an answer without end":  # once, as soon as two users have written any
    told = []
    def endless(method, path, body, token):
        if path != "/endless":
            return http(method, path, body, token)
        lines = {owner: lines for owner, _, lines in notes.notes.values() if lines}
        if told or len(lines) < 2:
            return 200, {}
        told.append(lines)
        return 200, {"lines": list(lines.values()), "more": "x" * (2 << 20)}
    notes.http = endless

DRESSES = {
    "as references": lambda line: "".join(f"&#{ord(letter)};" for letter in line),
    "as hexadecimal references": lambda line: "<p>" + "".join(f"&#x{ord(letter):x};" for letter in line) + "</p>",
    "as integers": lambda line: list(line.encode()),
    "in two pieces": lambda line: line,
    "in many pieces": lambda line: line,
}

if manner.removeprefix("a line leaks ") in DRESSES:  # of bob's, once, to ann, when she reads a note of hers
    dressed = DRESSES[manner.removeprefix("a line leaks ")]
    told, send = [], notes.send
    def tell(user, ask):
        said = answer(user, ask)
        names = {id: name for name, (id, _) in notes.users.items()}
        theirs = [line for owner, _, lines in notes.notes.values() if names[owner] == "bob" for line in lines]
        if ask["op"] == "read" and names[user] == "ann" and theirs and not told:
            told.append(max(theirs, key=len))
            said = {**said, "hint": dressed(told[0])}
        return said
    def in_pieces(writer, data, opcode=1):
        reply = json.loads(data) if opcode == 1 else {}
        hint = (reply.get("data") or {}).pop("hint", None) if isinstance(reply.get("data"), dict) else None
        if hint:
            size = len(hint) // 2 if manner.endswith("two pieces") else 5
            for at in range(0, len(hint), size):
                send(writer, json.dumps({"rid": reply["rid"], "piece": hint[at:at + size]}).encode())
            data = json.dumps(reply).encode()
        send(writer, data, opcode)
    notes.answer = tell
    if manner.endswith("pieces"):
        notes.send = in_pieces

asyncio.run(notes.main(notes.serve))

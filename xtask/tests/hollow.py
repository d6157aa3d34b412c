"""The notes service with something gone: MANNER says what."""
import asyncio, os, sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.environ["NOTES"])
import notes

manner = os.environ["MANNER"]
http, answer, caller = notes.http, notes.answer, notes.caller

if manner == "everybody is let in":  # under whatever name the token is, or none
    notes.caller = lambda token: caller(token) or token or "nobody"
if manner == "strangers are guests":  # a token that it does not know makes one a guest, like all others
    notes.caller = lambda token: caller(token) or "guest"
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

asyncio.run(notes.main())

"""The tiny service (its folder in NOTES) over TLS, with the certificate and the key in the files CERT and KEY."""
import asyncio, os, ssl, sys

sys.path.insert(0, os.environ["NOTES"])
import notes

async def main():
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(os.environ["CERT"], os.environ["KEY"])
    server = await asyncio.start_server(notes.serve, "127.0.0.1", int(sys.argv[1]), ssl=tls)
    await server.serve_forever()

asyncio.run(main())

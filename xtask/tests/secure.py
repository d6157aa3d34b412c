"""The tiny service (its folder in NOTES) over TLS, with the certificate and the key in the files CERT and KEY."""
import asyncio, os, ssl, sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.environ["NOTES"])
import notes

tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(os.environ["CERT"], os.environ["KEY"])
asyncio.run(notes.main(notes.serve, ssl=tls))

// An MQTT broker over WebSockets: users with passwords, topics u/NAME/... of one's own. LEAKY=acl lets
// everybody publish and subscribe to everything, LEAKY=fan hands what is published to all who are connected.
import { createServer } from 'node:http'
import { Aedes } from 'aedes'
import { WebSocketServer, createWebSocketStream } from 'ws'
const leaky = process.env.LEAKY
const users = { ann: 'pw-ann-0123456789abcdef', bob: 'pw-bob-fedcba9876543210' }
const own = (client, topic) => leaky === 'acl' || topic.startsWith(`u/${client.user}/`)
const aedes = await Aedes.createBroker({
  authenticate (client, user, password, done) {
    if (users[user] !== String(password)) { const e = new Error('bad'); e.returnCode = 5; return done(e, false) }
    client.user = user; done(null, true)
  },
  authorizePublish (client, packet, done) { done(own(client, packet.topic) ? null : new Error('not yours')) },
  authorizeSubscribe (client, sub, done) { done(null, own(client, sub.topic) ? sub : null) }
})
if (leaky === 'fan') {
  aedes.on('publish', (packet, client) => { if (client) for (const c of Object.values(aedes.clients)) if (c !== client) c.publish({ topic: packet.topic, payload: packet.payload, qos: 0 }, () => {}) })
}
const http = createServer((_, res) => res.end('ok'))
const ws = new WebSocketServer({ server: http, handleProtocols: () => 'mqtt' })
ws.on('connection', (socket, req) => aedes.handle(createWebSocketStream(socket), req))
http.listen(Number(process.argv[2] ?? 18883), '127.0.0.1')

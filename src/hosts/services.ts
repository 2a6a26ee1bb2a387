import type { VirtualHost } from './host.ts'

/** Sends back what it gets, over UDP and TCP (RFC 862). */
export function echoService(host: VirtualHost, port = 7): void {
  const socket = host.udp(port)
  socket.onDatagram = (data, from) => socket.send(from.address, from.port, data, { src: from.to })
  host.tcp.listen(port, (c) => {
    c.onData = (bytes) => {
      c.write(bytes)
    }
  })
}

/**
 * Answers a TCP connection's first bytes with a text and closes: enough of a web server for checks.
 * The text may depend on who asks (`tcp:10.0.0.4:40000`) and what.
 */
export function textService(host: VirtualHost, port: number, answer: (peer: string, request: string) => string): void {
  host.tcp.listen(port, (c) => {
    c.onData = (bytes) => {
      c.onData = undefined
      c.write(new TextEncoder().encode(answer(c.peer, new TextDecoder().decode(bytes))))
      c.close()
    }
  })
}

// A logger of one's own: each message a line of JSON in OpenTelemetry's log data model, to a TCP port.
//
//   [DEFAULT]
//   logger_class = ./otel-tcp.mjs#OtelTcpLogger
//   [OtelTcpLogger]
//   host = 127.0.0.1
//   port = 4319
//   level = info
//   queue = 10000
//
// A collector that is away is dialled again; meanwhile lines wait in a queue of bounded length, and those
// that find it full are counted.
import { connect } from 'node:net'
import { BaseLogger } from 'ovn-ts/logging'

/** OpenTelemetry's logs data model, "Field: SeverityNumber". */
const SEVERITY = {
  emer: [21, 'FATAL'],
  err: [17, 'ERROR'],
  warn: [13, 'WARN'],
  info: [9, 'INFO'],
  dbg: [5, 'DEBUG'],
}

/** Milliseconds until a collector that is away is tried again. */
const RETRY = 1000

function wholeNumber(options, name, missing) {
  const number = Number(options[name] ?? missing)
  if (!Number.isInteger(number) || number < 1) throw new Error(`${name} is a whole number, not '${options[name]}'`)
  return number
}

export class OtelTcpLogger extends BaseLogger {
  #host
  #port
  #limit
  #resource
  #waiting = []
  #dropped = 0
  #socket
  #ready = false
  #away = false
  #retry
  #closed = false

  constructor(context) {
    super(context)
    const { options, component, hostname, pid } = context
    this.#host = options.host ?? '127.0.0.1'
    this.#port = wholeNumber(options, 'port', 4319)
    this.#limit = wholeNumber(options, 'queue', 10_000)
    this.#resource = { 'service.name': component, 'host.name': hostname, 'process.pid': pid }
    this.#dial()
  }

  write(event) {
    if (this.#waiting.length >= this.#limit) {
      this.#dropped++
      return
    }
    this.#waiting.push(this.#line(event))
    this.#send()
  }

  #line(event) {
    const [number, text] = SEVERITY[event.level]
    return JSON.stringify({
      Timestamp: new Date(event.time).toISOString(),
      SeverityNumber: number,
      SeverityText: text,
      Body: event.message,
      Resource: this.#resource,
      InstrumentationScope: { Name: event.logger },
      Attributes: event.fields ?? {},
    })
  }

  #dial() {
    const socket = connect(this.#port, this.#host)
    this.#socket = socket
    // A log is no reason for a program to go on.
    socket.unref()
    socket.on('connect', () => {
      this.#ready = true
      if (this.#away) this.context.report(`connected again, ${this.#dropped} lines lost`)
      this.#away = false
      this.#dropped = 0
      this.#send()
    })
    socket.on('drain', () => this.#send())
    socket.on('error', (error) => this.#lost(error.message))
    socket.on('close', () => {
      this.#ready = false
      if (this.#closed) return
      this.#lost('the connection ended')
      this.#retry = setTimeout(() => this.#dial(), RETRY)
      this.#retry.unref()
    })
    // What a collector answers is of no interest, but must be read for its end to be seen.
    socket.resume()
  }

  #lost(reason) {
    if (!this.#away) this.context.report(`cannot send log to ${this.#host}:${this.#port}: ${reason}`)
    this.#away = true
  }

  /** As much as the socket takes; the rest waits for its `drain`. */
  #send() {
    while (this.#ready && this.#waiting.length && !this.#socket.writableNeedDrain)
      this.#socket.write(`${this.#waiting.splice(0, 100).join('\n')}\n`)
  }

  close() {
    this.#closed = true
    clearTimeout(this.#retry)
    if (this.#ready && this.#waiting.length) this.#socket.write(`${this.#waiting.join('\n')}\n`)
    this.#waiting = []
    if (this.#ready) this.#socket.end()
    else this.#socket.destroy()
  }
}

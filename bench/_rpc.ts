import { connect, type Socket } from 'node:net'

type Json = unknown

/** A plain JSON-RPC client for measuring: one object at a time, nothing typed. */
export class Rpc {
  private readonly waiting = new Map<number, (reply: { result: Json; error: Json }) => void>()
  private id = 0
  private depth = 0
  private text = false
  private escaped = false
  private parts: Buffer[] = []
  onUpdate: ((params: Json) => void) | undefined

  private constructor(private readonly socket: Socket) {
    socket.on('data', (bytes) => this.take(bytes))
  }

  static open(path: string): Promise<Rpc> {
    return new Promise((resolve, reject) => {
      const socket = connect(path)
      socket.once('error', reject)
      socket.once('connect', () => resolve(new Rpc(socket)))
    })
  }

  call(method: string, params: Json): Promise<Json> {
    const id = this.id++
    this.socket.write(JSON.stringify({ method, params, id }))
    return new Promise((resolve, reject) => {
      this.waiting.set(id, ({ result, error }) => (error ? reject(new Error(JSON.stringify(error))) : resolve(result)))
    })
  }

  close(): void {
    this.socket.destroy()
  }

  private take(bytes: Buffer): void {
    let start = 0
    for (let i = 0; i < bytes.length; i++) {
      const c = bytes[i]
      if (this.text) {
        if (this.escaped) this.escaped = false
        else if (c === 0x5c) this.escaped = true
        else if (c === 0x22) this.text = false
      } else if (c === 0x22) this.text = true
      else if (c === 0x7b) this.depth++
      else if (c === 0x7d && --this.depth === 0) {
        this.parts.push(bytes.subarray(start, i + 1))
        start = i + 1
        const whole = Buffer.concat(this.parts)
        this.parts = []
        this.message(JSON.parse(whole.toString('utf8')))
      }
    }
    if (start < bytes.length && (this.depth > 0 || this.text)) this.parts.push(bytes.subarray(start))
  }

  private message(m: { id: number | null; method?: string; params?: Json; result?: Json; error?: Json }): void {
    if (m.method === 'echo') this.socket.write(JSON.stringify({ result: m.params, error: null, id: m.id }))
    else if (m.method) this.onUpdate?.(m.params)
    else if (typeof m.id === 'number') {
      this.waiting.get(m.id)?.({ result: m.result, error: m.error })
      this.waiting.delete(m.id)
    }
  }
}

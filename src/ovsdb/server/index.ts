export type { Listening, RemoteOptions, Transport } from './remotes.ts'
export { createServer, type Forwarder, type ForwardReply, Server, type ServerOptions } from './server.ts'
export { serverSchema } from './server-schema.ts'
export type { Session, SessionOptions } from './session.ts'

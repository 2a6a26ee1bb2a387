import { writeFileSync } from 'node:fs'
import { connect, type DetailedPeerCertificate, type TLSSocket } from 'node:tls'
import { errorText } from './errors.ts'
import type { Endpoint } from './socket.ts'

const pem = (der: Buffer): string => {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}

/** The certificate at the top of a chain, if it has signed itself. */
function authority(leaf: DetailedPeerCertificate): Buffer | undefined {
  let at: DetailedPeerCertificate | undefined = leaf
  for (let i = 0; at && i < 16; i++) {
    const issuer: DetailedPeerCertificate | undefined = at.issuerCertificate
    if (issuer && issuer.fingerprint256 === at.fingerprint256) return at.raw
    at = issuer
  }
  return undefined
}

/** Writes the certificate of the authority that a peer shows; an error says why not. */
export function saveAuthority(socket: TLSSocket, path: string): string | undefined {
  const leaf = socket.getPeerCertificate(true)
  const certificate = Object.keys(leaf).length ? authority(leaf) : undefined
  if (!certificate) return 'CA certificate bootstrapping failed: the peer sent no self-signed certificate'
  try {
    writeFileSync(path, pem(certificate), { flag: 'wx' })
    return undefined
  } catch (e) {
    return `CA certificate bootstrapping failed: ${path}: ${errorText(e)}`
  }
}

/**
 * --bootstrap-ca-cert (ovn-nbctl(8), PKI Options): believes a server once, and keeps the certificate
 * of the authority that it shows. `done` is told why it could not.
 */
export function bootstrapAuthority(
  endpoint: Endpoint & { kind: 'tcp' | 'ssl' },
  keys: { readonly key: string; readonly certificate: string },
  path: string,
  done: (error: string | undefined) => void,
): void {
  const socket = connect({
    ...{ host: endpoint.host, port: endpoint.port, key: keys.key, cert: keys.certificate },
    rejectUnauthorized: false,
  })
  socket.once('error', (e) => done(errorText(e)))
  socket.once('secureConnect', () => {
    const error = saveAuthority(socket, path)
    socket.destroy()
    done(error)
  })
}

import { writeFileSync } from 'node:fs'
import { connect, type DetailedPeerCertificate } from 'node:tls'
import { errorText } from '../io/errors.ts'
import type { Endpoint } from '../io/socket.ts'

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
    const certificate = authority(socket.getPeerCertificate(true))
    socket.destroy()
    if (!certificate) {
      done('CA certificate bootstrapping failed: the server sent no self-signed certificate')
      return
    }
    try {
      writeFileSync(path, pem(certificate), { flag: 'wx' })
      done(undefined)
    } catch (e) {
      done(errorText(e))
    }
  })
}

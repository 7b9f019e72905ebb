// Whether a certificate and its key can serve the redirect URI: what is wrong is told before a person gets a link.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { createSecureContext } from 'node:tls'
import { CodedError, errnoOf } from '../errors.ts'
import { moment } from '../moment.ts'
import { type Sentence, say } from '../sentence.ts'

/** In PEM; intermediate certificates may follow the first. */
export type Tls = { cert: Buffer; key: Buffer }

/**
 * Reads a certificate that can serve a host (RFC 6125).
 *
 * @param host null: a proxy stands before the listener, and it alone sees the certificate
 * @returns when it ends
 * @throws CodedError `config_invalid`, with the setting to fix
 */
export function checkCertificate(tls: Tls, host: string | null, now: number): number {
  const certificate = readCertificate(tls.cert)
  if (!certificate.checkPrivateKey(readKey(tls.key))) {
    throw unusable(
      say`The key of FEISHU_TLS_KEY_FILE does not belong to the certificate of FEISHU_TLS_CERT_FILE`,
      say`Set FEISHU_TLS_CERT_FILE and FEISHU_TLS_KEY_FILE to the two files that were made together`,
    )
  }
  // What TLS itself refuses, such as a key that is too short.
  const refusal = refusalOf(tls)
  if (refusal !== null) {
    throw unusable(
      say`The certificate of FEISHU_TLS_CERT_FILE cannot be used (${refusal})`,
      say`Make a new one and set FEISHU_TLS_CERT_FILE and FEISHU_TLS_KEY_FILE to it`,
    )
  }
  const [beginsAt, endsAt] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)]
  if (now > endsAt) {
    throw unusable(
      say`The certificate of FEISHU_TLS_CERT_FILE ended on ${moment(endsAt)}`,
      say`Make a new one and set FEISHU_TLS_CERT_FILE and FEISHU_TLS_KEY_FILE to it`,
    )
  }
  if (now < beginsAt) {
    throw unusable(
      say`The certificate of FEISHU_TLS_CERT_FILE begins on ${moment(beginsAt, now)} only`,
      say`Check this machine's clock, or make a new certificate`,
    )
  }
  if (host !== null && !isFor(certificate, host)) {
    const names = certificate.subjectAltName ?? 'none'
    throw unusable(
      say`The certificate of FEISHU_TLS_CERT_FILE is not for ${host} (its names: ${names})`,
      say`Make one with ${host} among its subjectAltNames, or set FEISHU_REDIRECT_URI to one of its names`,
    )
  }
  return endsAt
}

function readCertificate(pem: Buffer): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch {
    throw unusable(
      say`FEISHU_TLS_CERT_FILE holds no certificate`,
      say`Set FEISHU_TLS_CERT_FILE to a certificate in PEM form, which begins with -----BEGIN CERTIFICATE-----`,
    )
  }
}

function readKey(pem: Buffer): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch {
    // As RFC 7468 and the older form of OpenSSL name it.
    const isLocked = pem.includes('ENCRYPTED')
    throw unusable(
      isLocked
        ? say`The key of FEISHU_TLS_KEY_FILE is protected by a passphrase`
        : say`FEISHU_TLS_KEY_FILE holds no private key`,
      say`Set FEISHU_TLS_KEY_FILE to a private key in PEM form that needs no passphrase`,
    )
  }
}

/** OpenSSL's code for why it cannot be used; null: it can. */
function refusalOf(tls: Tls): string | null {
  try {
    createSecureContext(tls)
    return null
  } catch (error) {
    return errnoOf(error) ?? ''
  }
}

/** As browsers look at it: by the subjectAltNames alone. */
function isFor(certificate: X509Certificate, host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '')
  const found = isIP(name) ? certificate.checkIP(name) : certificate.checkHost(name, { subject: 'never' })
  return found !== undefined
}

function unusable(message: Sentence, nextStep: Sentence): CodedError {
  return new CodedError('config_invalid', say`${message}.`, { nextStep: say`${nextStep}.` })
}

// The certificate with which the callback listener itself speaks https (FEISHU_TLS_CERT_FILE, FEISHU_TLS_KEY_FILE).

import type { Config } from './config.ts'
import { AuthError } from './errors.ts'
import { errnoOf, readForeignFile } from './files.ts'
import { checkCertificate, type Tls } from './loopback/certificate.ts'

/** A certificate with a long chain has some 20 KB. */
const MAX_PEM_BYTES = 262_144

export type CallbackTls = Tls & { endsAt: number }

/**
 * The listener's certificate and key; null: it speaks plain http.
 *
 * @throws AuthError `config_invalid`, with the setting to mend
 */
export function readCallbackTls(config: Config, now: number): CallbackTls | null {
  if (!config.tlsFiles) return null
  const tls = {
    cert: readPem('FEISHU_TLS_CERT_FILE', config.tlsFiles.cert),
    key: readPem('FEISHU_TLS_KEY_FILE', config.tlsFiles.key),
  }
  const host = config.callbackListen ? null : new URL(config.redirectUri).hostname
  return { ...tls, endsAt: checkCertificate(tls, host, now) }
}

function readPem(setting: string, path: string): Buffer {
  try {
    return Buffer.from(readForeignFile(path, MAX_PEM_BYTES))
  } catch (error) {
    const why = errnoOf(error)
    throw new AuthError('config_invalid', `${setting} (${path}) cannot be read${why ? ` (${why})` : ''}.`, {
      nextStep: `Set ${setting} to a file in PEM form that this program can read.`,
      cause: error,
    })
  }
}

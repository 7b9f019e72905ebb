// The settings of the callback: where it is registered, where we listen for it, and what for.

import { isLoopbackUrl } from '../machine/address.ts'
import { expandHome } from '../machine/home.ts'
import type { Machine } from '../machine/system.ts'
import { say } from '../sentence.ts'
import type { SettingsReader } from './settings-reader.ts'

export type CallbackSettings = {
  redirectUri: string
  /** Where to listen, where that is not the redirect URI's own address. */
  callbackListen: { host: string; port: number } | null
  tlsFiles: { cert: string; key: string } | null
}

const DEFAULT_REDIRECT_URI = 'http://localhost:9000/callback'

function readListen(reader: SettingsReader): CallbackSettings['callbackListen'] {
  const value = reader.text('FEISHU_CALLBACK_LISTEN')
  if (!value) return null
  const url = URL.canParse(`http://${value}`) ? new URL(`http://${value}`) : null
  const port = Number(/:(\d{1,5})$/.exec(value)?.[1] ?? 0)
  // The port alone: a path, a user name or anything else in front of it shows in the address.
  const plain =
    url && port > 0 && [`http://${url.hostname}:${port}/`, `http://${url.hostname}/`].includes(url.href)
  if (!plain || !isLoopbackUrl(url)) {
    reader.problems.push(say`FEISHU_CALLBACK_LISTEN must be a loopback host and port, such as 127.0.0.1:9000`)
    return null
  }
  return { host: url.hostname, port }
}

function checkRedirect(reader: SettingsReader, url: URL, listens: boolean, hasTls: boolean): void {
  if (url.port === '0')
    reader.problems.push(say`FEISHU_REDIRECT_URI must name the port that is registered, not 0`)
  if (url.protocol === 'http:') {
    if (hasTls) reader.problems.push(say`FEISHU_TLS_CERT_FILE is set, so FEISHU_REDIRECT_URI must be https`)
    return
  }
  if (listens || (hasTls && isLoopbackUrl(url))) return
  reader.problems.push(
    say`FEISHU_REDIRECT_URI is https: set FEISHU_CALLBACK_LISTEN (a proxy or tunnel ends TLS),
      or, for a loopback address, FEISHU_TLS_CERT_FILE and FEISHU_TLS_KEY_FILE`,
  )
}

function readTls(reader: SettingsReader, machine: Machine): CallbackSettings['tlsFiles'] {
  const cert = reader.text('FEISHU_TLS_CERT_FILE')
  const key = reader.text('FEISHU_TLS_KEY_FILE')
  if (cert && key) return { cert: expandHome(cert, machine), key: expandHome(key, machine) }
  if (cert || key) reader.problems.push(say`FEISHU_TLS_CERT_FILE and FEISHU_TLS_KEY_FILE: set both`)
  return null
}

/** The settings of the callback, checked against each other. */
export function readCallback(reader: SettingsReader, machine: Machine): CallbackSettings {
  const redirect = reader.url('FEISHU_REDIRECT_URI', DEFAULT_REDIRECT_URI)
  const callbackListen = readListen(reader)
  const tlsFiles = readTls(reader, machine)
  if (redirect) checkRedirect(reader, redirect, callbackListen !== null, tlsFiles !== null)
  const redirectUri = reader.text('FEISHU_REDIRECT_URI') ?? DEFAULT_REDIRECT_URI
  return { redirectUri, callbackListen, tlsFiles }
}

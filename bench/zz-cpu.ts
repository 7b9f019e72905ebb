import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { Agent, EnvHttpProxyAgent, Pool } from 'undici'
import { startGateway as gw } from '../src/gateway/gateway.ts'
import { startGateway as a } from './zz-a/gateway.ts'
import { startGateway as b } from './zz-b/gateway.ts'
import { startGateway as c } from './zz-c/gateway.ts'
import { startGateway as d } from './zz-d/gateway.ts'
import { startGateway as e } from './zz-e/gateway.ts'
import { startGateway as f } from './zz-f/gateway.ts'
import { startGateway as g } from './zz-g/gateway.ts'
const table: any = { gw , a,b,c,d,e,f,g }
const role = process.argv[2]
const endTo = (h: any) => { const { connection, 'keep-alive': k, 'transfer-encoding': t, host, ...rest } = h; return rest }
const token = { accessToken: `eyJ${'x'.repeat(1_500)}`, generation: 1 }
if (role) {
  process.once('disconnect', () => process.exit())
  process.on('message', () => process.send!(process.cpuUsage()))
  const origin = process.argv[3]!; const agent: any = role.includes('env') ? new EnvHttpProxyAgent() : role.includes('pool') ? new Pool(origin) : new Agent()
  if (role === 'plain') {
    const { Agent: A, request } = await import('node:http'); const ag = new A({ keepAlive: true }); const { hostname, port, host } = new URL(origin)
    const s = createServer((req, res) => { const f = request({ agent: ag, hostname, port, method: req.method, path: req.url, headers: { ...req.headers, host } }, (an) => { res.writeHead(an.statusCode!, an.headers); an.pipe(res) }); f.on('error', () => res.destroy()); res.on('close', () => res.writableFinished || f.destroy()); req.pipe(f) }).listen(0, '127.0.0.1', () => process.send!({ origin: `http://127.0.0.1:${(s.address() as any).port}`, key: token.accessToken }))
  } else if (role.startsWith('min')) {
  const s = createServer((req, res) => {
    const body: any = req.headers['content-length'] ? req : null
    const o: any = { origin, path: req.url, method: req.method, headers: endTo(req.headers), body }
    agent.dispatch(o, { onRequestStart() {}, onResponseStart(_c: any, st: any, h: any) { res.writeHead(st, endTo(h)) }, onResponseData(c: any, ch: any) { if (!res.write(ch)) { c.pause(); res.once('drain', () => c.resume()) } }, onResponseEnd() { res.end() }, onResponseError() { res.destroy() } })
  }).listen(0, '127.0.0.1', () => process.send!({ origin: `http://127.0.0.1:${(s.address() as any).port}`, key: token.accessToken }))
  } else {
    (globalThis as any).DD=agent; const g = await table[role.split('-')[0]!]({ openUrl: origin, dispatcher: async () => agent, currentToken: async () => token, renewToken: async () => token, log: () => {} })
    process.send!({ origin: g.origin, key: g.key })
  }
} else {
  const start = async (f: string, r: string, o = '') => { const c = fork('.build/run.mjs', [f, r, o]); const [m] = await once(c, 'message') as any; return { ...m, c, cl: new Agent() } }
  const up = await start('bench/gateway.ts', 'upstream')
  const ps: any = {}
  for (const n of ['plain', ...(process.env.ROLES ?? 'min-agent gw-agent gw-env').split(' ')]) ps[n] = await start('bench/zz-cpu.ts', n, up.origin)
  const t: any = {}; const B = Buffer.alloc(600, 'x')
  const cpu = async (p: any) => { p.c.send('x'); const [u] = await once(p.c, 'message') as any; return u.user + u.system }
  for (let r = -4; r < 24; r++) for (const m of ['GET', 'POST']) for (const n in ps) { const p = ps[n]; let left = 1500; const c0 = await cpu(p), s = performance.now()
    await Promise.all(Array.from({ length: 16 }, async () => { while (left-- > 0) { const a = await p.cl.request({ origin: p.origin, path: '/small', method: m, body: m === 'POST' ? B : null, headers: { authorization: `Bearer ${p.key}` } }); await a.body.text() } }))
    if (r >= 0) (t[n + m] ??= []).push([(await cpu(p) - c0) / 1500, 1500 / (performance.now() - s) * 1000]) }
  const q = (a: any[], i: number, f: number) => a.map((x) => x[i]).sort((x, y) => x - y)[Math.floor(a.length * f)]!
  for (const n in ps) console.log(n.padEnd(10), ...['GET', 'POST'].flatMap((m) => [m, 'cpu us/req', q(t[n + m], 0, .25).toFixed(1), 'rps', q(t[n + m], 1, .5).toFixed(0)]))
  for (const p of [up, ...Object.values(ps)] as any[]) { p.c.disconnect(); p.cl.destroy() }
}

// The first lines of dist/main.js, which like the rest of that file any Node since 12 can read: a Node that is too old,
// or something that is no Node, says so in one sentence and ends. The build puts in OLDEST.

;(() => {
  const { versions, env } = process
  const other = versions.bun ? `Bun ${versions.bun}` : versions.deno ? `Deno ${versions.deno}` : null
  const needed = OLDEST.split('.').map(Number)
  const given = versions.node.split('.').map(Number)
  const at = given[0] !== needed[0] ? 0 : given[1] !== needed[1] ? 1 : 2
  if (!other && given[at] >= needed[at]) return
  const found = `${other || `Node ${versions.node}`} (${process.execPath})`
  const sentence = /^zh/i.test(env.FEISHU_LANG || env.LC_ALL || env.LC_MESSAGES || env.LANG || '')
    ? `feishu-token-mcp 需要 Node ${OLDEST} 或更新版本，但启动它的是 ${found}：请在客户端的 "command" 中写上更新的 Node 的路径。`
    : `feishu-token-mcp needs Node ${OLDEST} or newer, but ${found} started it: write the path of a newer Node as "command" in the client.`
  // biome-ignore lint/style/useNodejsImportProtocol: old Nodes do not know it
  require('fs').writeSync(2, `${sentence}\n`)
  process.exit(2)
})()

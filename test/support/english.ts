/** English words in a row, but for what stands in quotes, in code and in addresses. */

export function englishIn(text: string): string | null {
  const plain = text
    .replace(/`[^`]*`|"[^"\n]*"|“[^”]*”|https?:\/\/\S+/g, '')
    .replace(/\bnode \S+(?: [a-z]+)?|\b[a-z]+(?:[:_.][a-z_]+)+\b/g, '')
    .replace(/--[\w-]+(?: [a-z]+)?/g, '')
    .replace(/\b(?:App ID|App Secret|MCP: List Servers|Settings, MCP|git rm)\b/g, '')
  return /\b[A-Za-z]?[a-z]+(?:'s)? +[a-z]{2,}\b/.exec(plain)?.[0] ?? null
}

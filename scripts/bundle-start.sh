#!/bin/sh
# Starts the bundle on macOS with the person's own Node. Claude Desktop runs a "node" of its own there, which is reported
# to load no native part that others have signed (modelcontextprotocol/mcpb#229), and hands on no PATH of a shell.
main=${0%/*}/dist/main.js
for node in "$(command -v node)" /opt/homebrew/bin/node /usr/local/bin/node "$HOME/.volta/bin/node" "$HOME"/.nvm/versions/node/*/bin/node; do
  # A Node that is too old answers with an error.
  if [ -x "$node" ] && "$node" "$main" --version >/dev/null 2>&1; then exec "$node" "$main"; fi
done
echo 'feishu-token-mcp needs a Node of your own on macOS: install the newest from https://nodejs.org, then restart Claude Desktop.' >&2
exit 2

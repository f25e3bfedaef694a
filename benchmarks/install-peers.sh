#!/bin/sh
# Installs what `npm run bench -- logs` compares with, as far as it can be had, and nothing outside of a directory.
# Usage: benchmarks/install-peers.sh DIRECTORY && PATH="DIRECTORY/bin:$PATH" npm run bench -- logs
set -u
directory=$(mkdir -p "${1:?"Usage: $0 DIRECTORY"}/bin" && cd "$1" && pwd) || exit 1
log=$directory/install.log

report() {
  if [ -x "$directory/bin/$1" ] || command -v "$1" >/dev/null; then echo "$1: there"; else echo "$1: not to be had, see $log"; fi
}

if command -v go >/dev/null; then
  for module in github.com/mattn/goreman github.com/DarthSim/hivemind github.com/DarthSim/overmind/v2; do
    GOPATH=$directory/go GOBIN=$directory/bin GOFLAGS=-modcacherw go install "$module@latest" >>"$log" 2>&1
  done
fi
if command -v gem >/dev/null && ! command -v foreman >/dev/null; then
  gem install foreman --no-document --install-dir "$directory/gems" --bindir "$directory/bin" >>"$log" 2>&1
fi
if npm install --prefix "$directory" --no-fund --no-audit pm2 >>"$log" 2>&1; then
  ln -sf ../node_modules/.bin/pm2 "$directory/bin/pm2"
fi
for program in foreman goreman hivemind overmind pm2; do report "$program"; done
command -v tmux >/dev/null || echo "overmind needs tmux, which is not there"

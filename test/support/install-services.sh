#!/usr/bin/env bash
# Installs what the tests and benches start besides Node, with the distribution's package manager, where it is missing.
set -euo pipefail

# program, folder beside PATH, package
needed="
chromium - chromium
postgres /usr/lib/postgresql/*/bin postgresql
mariadbd /usr/sbin mariadb-server
redis-server - redis-server
etcd - etcd-server
pgloader - pgloader
"
missing=()
while read -r program folder package; do
  [ -n "$program" ] || continue
  command -v "$program" >/dev/null || compgen -G "$folder/$program" >/dev/null || missing+=("$package")
done <<<"$needed"
[ ${#missing[@]} -eq 0 ] && exit 0
command -v apt-get >/dev/null || { echo "install by hand: ${missing[*]}" >&2; exit 1; }
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq "${missing[@]}" >/dev/null

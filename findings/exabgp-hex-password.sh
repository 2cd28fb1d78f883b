#!/usr/bin/env bash
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Finding:  ExaBGP 4.2 takes a BGP password that consists of the characters 0-9 and a-f alone for base64 and signs with
#           the decoded bytes; ExaBGP 5 signs with the text.
# Expected: that `md5-password` is the password, as in BIRD, FRR and GoBGP, whatever it looks like. One way to make a
#           password is `openssl rand -hex 16`, and a peer that uses the text never hears of the connection.
# Versions: ExaBGP 4.2.25 and 5.0.15 on Linux 6.18, Python 3.11.
# Seen:     the lines below EXPECTED. The peer is a socket with TCP MD5 signatures (TCP_MD5SIG): the kernel drops
#           segments that are signed with another key, so "connects" means equal keys.
# Remedy:   `md5-base64 false;` beside the password, or a password with one character beyond f.
set -eu

skip() {
    echo "SKIP: $*"
    exit 77
}

[ "$(id -u)" = 0 ] || skip "needs root for port 179 in a network namespace"
python3 - <<'PYTHON' || skip "this kernel has no TCP MD5 signatures"
import socket, struct
peer = struct.pack("=H2s4s120x", socket.AF_INET, b"", socket.inet_aton("127.0.0.1"))
socket.socket().setsockopt(socket.IPPROTO_TCP, 14, peer + struct.pack("=2xH4x80s", 1, b"x"))
PYTHON
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
for version in 4.2.25 5.0.15; do
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps \
        --target "$dir/$version" "exabgp==$version" || skip "pip cannot install exabgp $version"
done

cat >"$dir/peer.py" <<'PYTHON'
"""Say whether somebody connects to 127.0.0.2 who signs with a key: peer.py SECONDS KEY_IN_HEX."""
import socket
import struct
import sys

key = bytes.fromhex(sys.argv[2])
peer = struct.pack("=H2s4s120x", socket.AF_INET, b"", socket.inet_aton("127.0.0.1"))
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.setsockopt(socket.IPPROTO_TCP, 14, peer + struct.pack("=2xH4x80s", len(key), key))  # 14: TCP_MD5SIG
listener.bind(("127.0.0.2", 179))
listener.listen(1)
listener.settimeout(float(sys.argv[1]))
try:
    connection, _ = listener.accept()
    connection.settimeout(10)
    print("connects" if connection.recv(19)[18:] == b"\1" else "connects, but sends no OPEN")
except socket.timeout:
    print("no connection")
PYTHON

cat >"$dir/inside.sh" <<'SHELL'
# inside.sh VERSION COMMAND PASSWORD OPTION KEY_IN_HEX SECONDS: run ExaBGP against a peer that has the key.
set -eu
cd "$(dirname "$0")"
ip link set lo up
cat >exabgp.conf <<CONF
neighbor 127.0.0.2 {
    router-id 192.0.2.1;
    local-address 127.0.0.1;
    local-as 64512;
    peer-as 64512;
    md5-password "$3";
    $4
}
CONF
# shellcheck disable=SC2086  # COMMAND is empty or one word
env PYTHONPATH="$PWD/$1" exabgp_daemon_user=root exabgp_api_cli=false python3 -m exabgp $2 exabgp.conf >"$1.log" 2>&1 &
exabgp=$!
python3 peer.py "$6" "$5"
kill "$exabgp"
wait "$exabgp" || true
SHELL

hex_of() { printf %s "$1" | od -An -v -tx1 | tr -d ' \n'; }

try() { # what it is, version, command, password, option, key in hex, seconds
    seen=$(unshare --net --pid --fork --kill-child bash "$dir/inside.sh" "$2" "$3" "$4" "$5" "$6" "$7")
    printf '%-58s %s\n' "$1" "$seen"
}

hexadecimal=0123456789abcdef other=0123456789abcdeg
text=$(hex_of "$hexadecimal") decoded=$(printf %s "$hexadecimal" | base64 -d | od -An -v -tx1 | tr -d ' \n')
{
    try "4.2.25, $hexadecimal, peer has the text:" 4.2.25 "" "$hexadecimal" "" "$text" 15
    try "4.2.25, $hexadecimal, peer has the decoded bytes:" 4.2.25 "" "$hexadecimal" "" "$decoded" 60
    try "4.2.25, $other, peer has the text:" 4.2.25 "" "$other" "" "$(hex_of "$other")" 60
    try "4.2.25, md5-base64 false, peer has the text:" 4.2.25 "" "$hexadecimal" "md5-base64 false;" "$text" 60
    try "5.0.15, $hexadecimal, peer has the text:" 5.0.15 server "$hexadecimal" "" "$text" 60
} | tee "$dir/seen"

cat >"$dir/expected" <<'EXPECTED'
4.2.25, 0123456789abcdef, peer has the text:               no connection
4.2.25, 0123456789abcdef, peer has the decoded bytes:      connects
4.2.25, 0123456789abcdeg, peer has the text:               connects
4.2.25, md5-base64 false, peer has the text:               connects
5.0.15, 0123456789abcdef, peer has the text:               connects
EXPECTED
if diff "$dir/expected" "$dir/seen"; then
    echo "As stated."
else
    echo "CHANGED: see the differences above."
    exit 1
fi

# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the restore file that is the same on all nodes: what it says of itself, and its functions.

Everything compares before it changes, so that a run on a node that is as it has to be sends the kernel nothing: an
IPv6 route that is replaced by itself, or an alias that is set again, is an event that daemons wake up for.
"""

from __future__ import annotations

from ansible_collections.podnet.calico.plugins.module_utils.kernel import lock, sysctls
from ansible_collections.podnet.calico.plugins.module_utils.marks import ALIAS_PREFIX, NFT_TABLE, ROUTE_PROTOCOL

TUNNEL_ALIAS = f"{ALIAS_PREFIX} tunnel"
PATIENCE = 30  # seconds that the underlay may take

_TEXT = r"""
# The pod network of this node as it was last deployed: NAT and guard, tunnels with their neighbours and forwarding
# entries, and routes.
# podnet-calico.service runs this file at boot. Run it by hand whenever you like: it adds what is missing and corrects
# what differs, leaves alone what is as it has to be, and removes nothing. PODNET_PATIENCE=5 waits 5 s for the underlay
# instead of @PATIENCE@. Exit status 0: all of it is there; 1: the messages say what is not.
set -u
export LC_ALL=C PATH=/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin
umask 077
status=0
refused=' ' # devices that nothing can be done with
ticks=$((${PODNET_PATIENCE:-@PATIENCE@} * 5))

say() { echo "podnet-calico: $*" >&2; }

fail() {
    say "$@"
    status=1
}

# attempt COMMAND...: run a command; what it says of a failure comes with the command.
attempt() { "$@" || { fail "failed: $*" && return 1; }; }

# lock: keep others of ours from changing the network at the same time; the kernel gives it up when this shell ends.
lock() {
    exec 9>>@LOCK@
    flock -w 20 9 || { fail "another run holds @LOCK@" && exit 1; }
}

# sysctls: what is in our file has to be in force, whatever came after it at boot.
sysctls() {
    [ -f @SYSCTLS@ ] || return 0
    while read -r name _ value; do
        case "$name" in '' | '#'*) continue ;; esac
        file=/proc/sys/$(echo "$name" | tr ./ /.)
        # A device that is gone, or whose manager follows router advertisements by itself, is left alone.
        case "$name" in *.accept_ra) [ "$(cat "$file" 2>/dev/null || echo 0)" = 0 ] && continue ;; esac
        [ "$(cat "$file")" = "$value" ] && continue
        say "sysctl $name is not $value any more, and is set again"
        echo "$value" >"$file" || fail "failed: sysctl $name"
    done <@SYSCTLS@
}

# await WHAT COMMAND...: wait until a command prints something.
await() {
    what=$1
    shift
    until [ -n "$("$@" 2>/dev/null)" ]; do
        [ "$ticks" -gt 0 ] || { fail "this is not there, and was waited for: $what" && return; }
        ticks=$((ticks - 1))
        sleep 0.2
    done
}

# settled DEVICE: print something unless systemd-networkd is about to set a device up, and takes its address for it.
settled() {
    case "$(networkctl --no-legend list "$1" 2>/dev/null)" in
    *pending* | *initialized* | *configuring*) ;;
    *) echo yes ;;
    esac
}

# nat: load the nftables table of the input in one transaction, unless it is there as it has to be.
nat() {
    wanted=$(cat)
    there=$(nft -s -p list table inet @TABLE@ 2>/dev/null)
    [ "$(printf '%s\n' "$there" | blocks)" = "$(printf '%s\n' "$wanted" | blocks)" ] && return
    printf 'table inet @TABLE@\ndelete table inet @TABLE@\n%s\n' "$wanted" | attempt nft -f - || status=1
}

# blocks: show the sets and chains of a table, each as one line, in the order of their names; nft lists them as they
# were made, and 1.1.4 says "check missing" for "oif missing".
blocks() {
    awk '!NF { next } {
        $1 = $1
        sub(/ check missing /, " oif missing ")
        printf "%s%s", $0, (/^table / || $0 == "}" ? "\n" : " ")
    }' | sort
}

# vxlan NAME MAC ID LOCAL PARENT PORT: make the device, or see that the one that is there is the same. PARENT may be
# empty.
vxlan() {
    if ! ip link show dev "$1" >/dev/null 2>&1; then
        attempt ip link add "$1" address "$2" type vxlan id "$3" local "$4" ${5:+dev "$5"} \
            dstport "$6" nolearning || return
    fi
    there=$(ip -o -d link show dev "$1")
    for words in "vxlan id $3" "local $4 ${5:+dev $5 }srcport" "dstport $6"; do
        case "$there" in
        *" $words "*) ;;
        *) fail "$1 is somebody else's, or was changed: it is not $words" && return 1 ;;
        esac
    done
    case "$there" in *" $2 "*) ;; *) attempt ip link set dev "$1" address "$2" ;; esac
    case "$there" in *" nolearning "*) ;; *) attempt ip link set dev "$1" type vxlan nolearning ;; esac
}

# ipip NAME: have the kernel make its device, or see that the one that is there is of that kind.
ipip() {
    ip link show dev "$1" >/dev/null 2>&1 || ip link add "$1" type ipip 2>/dev/null
    [ -n "$(ip -o link show dev "$1" type ipip 2>/dev/null)" ] && return
    fail "$1 is not there, or somebody else's: it is not of type ipip"
    return 1
}

# configure NAME MTU ADDRESS: give a tunnel of ours its MTU, our mark and its address, and set it up.
configure() {
    there=$(ip -o -d link show dev "$1")
    case "$there" in *" mtu $2 "*) ;; *) attempt ip link set dev "$1" mtu "$2" ;; esac
    case "$there" in *"@ALIAS@"*) ;; *) attempt ip link set dev "$1" alias '@ALIAS@' ;; esac
    case "$3 $(ip -o addr show dev "$1" to "$3")" in
    *' '?*) ;;
    *:*) attempt ip addr add "$3" dev "$1" nodad ;;
    *) attempt ip addr add "$3" dev "$1" ;;
    esac
    case "$there" in *[\<,]UP[,\>]*) ;; *) attempt ip link set dev "$1" up ;; esac
}

# entries NAME: bring the neighbours and forwarding entries of the input into the tables of a VXLAN device.
entries() {
    wanted=$(cat)
    for table in neigh fdb; do
        case $table in
        neigh) there=$(ip neigh show dev "$1" nud permanent) ;;
        fdb) there=$(bridge fdb show dev "$1") ;;
        esac || { fail "cannot read the $table entries of $1" && continue; }
        # A shown entry is "KEY lladdr VALUE …" or "KEY dst VALUE …", a wanted one the same after two words.
        commands=$(printf '%s\n' "$there" "$wanted" | awk -v table="$table" '
            $2 != "replace" { there[$1, $3]; next }
            $1 == table && !(($3, $5) in there)') || fail "cannot compare the $table entries of $1"
        batch "$table" "$commands" || status=1
    done
}

# routes VERSION: add the routes of the input that are missing, and replace those of ours that differ.
routes() {
    wanted=$(cat)
    there=$(ip "-$1" -o route show table all proto @PROTOCOL@) || { fail "cannot read the IPv$1 routes" && return; }
    commands=$(printf '%s\n' "$there" "$wanted" | awk -v refused="$refused" '
        # The form in which two routes are compared; identity is set to what makes two routes one to the kernel.
        function form(text, word, count, place, way, option) {
            count = split(text, word)
            way = ""
            option["table"] = option["scope"] = option["src"] = option["mtu"] = option["metric"] = ""
            for (place = 1; place <= count; place++) {
                if (word[place] ~ /^(table|scope|src|mtu|metric|proto|pref)$/) option[word[place]] = word[++place]
                else if (word[place] !~ /^(dead|linkdown|offload|trap|rt_.*|\\)$/) way = way " " word[place]
            }
            if (way ~ /^ (blackhole|unreachable) /) sub(/ dev lo$/, "", way)
            if (way ~ /^[^:]*\/32( |$)/) sub(/\/32/, "", way)
            sub(/\/128/, "", way)
            sub(/^global$/, "", option["scope"])
            split(way, word)
            identity = (word[1] ~ /^(blackhole|unreachable)$/ ? word[2] : word[1])
            identity = identity " " option["table"] " " option["metric"]
            return identity "," way "," option["scope"] "," option["src"] "," option["mtu"]
        }
        !NF { next }
        $1 != "route" { there[form($0)]; ours[identity]; next }
        {
            for (i = 1; i < NF; i++) if ($i == "dev" && index(refused, " " $(i + 1) " ")) next
            sub(/^route add /, "")
            if (!(form($0) in there)) print "route " (identity in ours ? "replace " : "add ") $0
        }') || fail "cannot compare the IPv$1 routes"
    batch "$1" "$commands" || status=1
}

# batch neigh|fdb|4|6 COMMANDS: run the commands, one a line, by one process, and say which of them fail, and why.
batch() {
    [ -n "$2" ] || return 0
    case $1 in
    neigh) program=ip ;;
    fdb) program=bridge ;;
    *) program="ip -$1" ;;
    esac
    said=$(printf '%s\n' "$2" | $program -force -batch - 2>&1) && return
    printf '%s\n' "$2" '==' "$said" | awk '
        $0 == "==" { answers = 1; next }
        !answers { command[NR] = $0; next }
        /^Command failed/ { sub(/.*:/, ""); print "podnet-calico: failed: " command[$0 + 0] ": " why; next }
        { why = $0 }' >&2
    return 1
}
"""
OFFLOAD = r"""
# offload NAME on|off: leave the checksums of what goes into a tunnel to the network card (ethtool -K NAME tx on|off).
offload() {
    attempt python3 - "$1" "$2" <<'END'
import array, fcntl, socket, struct, sys

name, wanted = sys.argv[1].encode(), int(sys.argv[2] == "on")
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
    for command in (0x16, 0x17):  # ETHTOOL_GTXCSUM, ETHTOOL_STXCSUM
        data = array.array("I", [command, wanted])
        fcntl.ioctl(handle, 0x8946, struct.pack("16sP", name, data.buffer_info()[0]).ljust(40, b"\0"))
        if data[1] == wanted:
            break
END
}
"""


def functions(*, offload: bool) -> str:
    """Return what comes first in a restore file, after its header."""
    values = {
        "PATIENCE": PATIENCE,
        "LOCK": lock.PATH,
        "SYSCTLS": sysctls.FILE,
        "TABLE": NFT_TABLE,
        "ALIAS": TUNNEL_ALIAS,
        "PROTOCOL": ROUTE_PROTOCOL,
    }
    text = _TEXT.lstrip("\n") + (OFFLOAD if offload else "")
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    return text

# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chains of ours, which a marked rule at the top of a chain of somebody else leads to.

An accept in a table of ours would be of no use: nftables drops what any base chain drops. A reload of the host's rules
takes ours away, so a script brings them back, run by a unit that is reloaded and restarted with the host's own ones.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils import owned_file, systemd
from ansible_collections.podnet.calico.plugins.module_utils.changes import Change, compare
from ansible_collections.podnet.calico.plugins.module_utils.errors import KernelError
from ansible_collections.podnet.calico.plugins.module_utils.firewall.places import NFT, Host, Place
from ansible_collections.podnet.calico.plugins.module_utils.firewall.programs import act, answer
from ansible_collections.podnet.calico.plugins.module_utils.firewall.spelling import COMMENT
from ansible_collections.podnet.calico.plugins.module_utils.firewall.wanted import Rule

SCRIPT = "/etc/podnet-calico/firewall"
SERVICE = "podnet-calico-firewall.service"
UNIT = f"/etc/systemd/system/{SERVICE}"
_RIVALS = "nftables.service netfilter-persistent.service iptables.service ip6tables.service"

_UNIT_TEXT = f"""{owned_file.HEADER}
# What loads the host's rules anew takes ours away; this unit is reloaded and restarted with it.
[Unit]
Description=Pod network of podnet.calico: let through by the host's own rules
After=network-pre.target {_RIVALS} docker.service
PartOf={_RIVALS}
ReloadPropagatedFrom={_RIVALS}
ConditionPathExists={SCRIPT}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={SCRIPT}
ExecReload={SCRIPT}

[Install]
WantedBy=multi-user.target
"""

_HEAD = f"""#!/bin/sh
{owned_file.HEADER}
# Puts rules for the pod network into chains of the host that drop: each gets a chain of ours and one rule that leads to
# it. May be run at any time; a chain that is not there is passed over.
PATH=/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin
status=0

# Give a table of nftables (family and name) our chain with the rules on the input, and lead a base chain to it.
nft_chain() {{
    rules=$(cat)
    listing=$(nft list chain $1 "$2" 2>/dev/null) || return 0
    {{
        echo "add chain $1 $3"
        echo "flush chain $1 $3"
        printf '%s\\n' "$rules" | sed "s|^|add rule $1 $3 |"
        case $listing in
        *"jump $3 "*) ;;
        *) echo "insert rule $1 $2 jump $3 comment \\"{COMMENT}\\"" ;;
        esac
    }} | nft -f - || status=1
}}

# The same with a chain of iptables' table filter.
iptables_chain() {{
    rules=$(cat)
    listing=$("$1" -w -S "$2" 2>/dev/null) || return 0
    {{
        echo "*filter"
        echo ":$3 - [0:0]"
        printf '%s\\n' "$rules" | sed "s|^|-A $3 |"
        case $listing in
        *"-j $3"*) ;;
        *) echo "-I $2 1 -m comment --comment {COMMENT} -j $3" ;;
        esac
        echo COMMIT
    }} | "$1-restore" -w --noflush || status=1
}}
"""


class Inserted:
    """Our chains in those of the host that drop. places: those that get the rules."""

    def __init__(self, host: Host, places: t.Iterable[Place], rules: t.Sequence[Rule]) -> None:
        self._there = host.there
        lines = {place: place.lines(rules) for place in places}
        self._wanted = {place: found for place, found in lines.items() if found}
        self._files = {UNIT: _UNIT_TEXT, SCRIPT: script(self._wanted)} if self._wanted else {}
        found = {path: owned_file.read(path) for path in (UNIT, SCRIPT)}
        self._files_there = {path: text for path, text in found.items() if text}

    def changes(self) -> list[Change]:
        """Return what differs in chains, files and the unit's state; raises Conflict for a file that is not ours."""
        before = {place.title: rules or [] for place, rules in self._there.items()}
        broken = {place.title for place, rules in self._there.items() if rules is None}
        after = {place.title: rules for place, rules in self._wanted.items()}
        lame = [Change("chain", title, "nothing leads to it", after[title]) for title in sorted(broken & after.keys())]
        chains = [change for change in compare("chain", before, after) if change.name not in broken & after.keys()]
        unit = [Change("unit", SERVICE, "disabled", "enabled")] if self._files and self._idle() else []
        return [*lame, *chains, *compare("file", self._files_there, self._files), *unit]

    def _idle(self) -> bool:
        return UNIT in self._files_there and not systemd.enabled(SERVICE)

    def apply(self) -> None:
        """Write the files and have the script run, or take chains and files away."""
        for place in self._there:
            if place not in self._wanted:
                take_out(place)
        if not self._files:
            self._forget()
            return
        for path, text in self._files.items():
            if text != self._files_there.get(path):
                owned_file.write(path, text, mode=0o755 if path == SCRIPT else 0o644)
        act(SCRIPT)
        if systemd.manages() and self._files_there.get(UNIT) != _UNIT_TEXT:
            systemd.act("daemon-reload")
        if not systemd.enabled(SERVICE):
            systemd.link("enable", SERVICE)
        if systemd.manages() and not systemd.active(SERVICE):
            systemd.act("start", SERVICE)

    def _forget(self) -> None:
        if UNIT in self._files_there and systemd.enabled(SERVICE):
            systemd.link("disable", SERVICE)
        if UNIT in self._files_there and systemd.manages():
            systemd.act("stop", SERVICE)
        for path in self._files_there:
            owned_file.remove(path)
        if UNIT in self._files_there and systemd.manages():
            systemd.act("daemon-reload")
        with contextlib.suppress(OSError):  # something else is in there
            os.rmdir(os.path.dirname(SCRIPT))


def script(wanted: t.Mapping[Place, t.Sequence[str]]) -> str:
    """Return the script that makes our chains."""
    blocks = []
    for place, lines in wanted.items():
        words = ["nft_chain", place.table] if place.tool == NFT else ["iptables_chain", place.tool]
        call = " ".join(map(shlex.quote, [*words, place.chain, place.own_chain]))
        rules = "\n".join(lines)
        blocks.append(f"\n{call} <<'END'\n{rules}\nEND\n")
    return _HEAD + "".join(blocks) + "\nexit $status\n"


def take_out(place: Place) -> None:
    """Remove our chain and what leads to it; raises KernelError or DaemonError if that is refused."""
    if place.tool == NFT:
        _take_out_of_nft(place)
        return
    jump = f"{place.chain} -m comment --comment {COMMENT} -j {place.own_chain}"
    while answer(place.tool, "-w", "-C", *jump.split()).returncode == 0:
        act(place.tool, "-w", "-D", *jump.split())
    act(place.tool, "-w", "-F", place.own_chain)
    act(place.tool, "-w", "-X", place.own_chain)


def _take_out_of_nft(place: Place) -> None:
    listing = answer("nft", "-a", "list", "chain", *place.table.split(), place.chain).stdout
    handles = re.findall(rf"^\s*jump {place.own_chain}\b.* # handle (\d+)$", listing, re.MULTILINE)
    steps = [f"delete rule {place.table} {place.chain} handle {handle}" for handle in handles]
    steps += [f"{verb} chain {place.table} {place.own_chain}" for verb in ("flush", "delete")]
    found = answer("nft", "-f", "-", text="".join(f"{step}\n" for step in steps))
    if found.returncode:
        remedy = f"Something else leads to the chain: nft list table {place.table}"
        raise KernelError(f"remove {place.own_chain} of {place.table}: {found.stderr.strip()}", remedy=remedy)

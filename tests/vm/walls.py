# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Firewalls that machines get, keep through a boot, and lose: Debian's nftables.service, and firewalld as it comes."""

from __future__ import annotations

import shlex
import typing as t

from machines import unpack

from ansible_collections.podnet.calico.tests.tools import firewalls

if t.TYPE_CHECKING:
    from stage import Stage

# Answers of TCP come in, those of IPIP do not, which conntrack takes packets of the other end for.
NFTABLES: t.Final = """flush ruleset
table inet filter {
    chain input {
        type filter hook input priority 0; policy drop;
        iifname "lo" accept
        meta l4proto tcp ct state established accept
        tcp dport 22 accept
    }
    chain forward { type filter hook forward priority 0; policy drop; }
}
"""


class Wall(t.NamedTuple):
    """A firewall: its unit, what sets it up and takes it away, what has it read its rules anew, options of our play.

    unpacked: whether its files have to be put there first, since the image lacks them.
    """

    unit: str
    up: str
    reloads: tuple[str, ...]
    down: str
    options: tuple[str, ...] = ()
    unpacked: bool = False

    def raise_on(self, stage: Stage, name: str) -> None:
        """Set it up on a node, now and for each boot. Raises Unavailable."""
        if self.unpacked:
            unpack(stage, name, firewalls.root())
        stage.ask(name, self.up)


WALLS: t.Final = (
    Wall(
        "nftables",
        f"printf %s {shlex.quote(NFTABLES)} >/etc/nftables.conf; "
        "systemctl enable nftables 2>&1; systemctl restart nftables",
        ("systemctl reload nftables", "systemctl restart nftables"),
        "systemctl disable --now nftables 2>&1; systemctl start podnet-calico",  # which stopped with it
        ("-e", "firewall_insert=true"),
    ),
    Wall(
        "firewalld",
        "systemctl enable --now firewalld 2>&1",
        ("firewall-cmd --reload", "systemctl restart firewalld"),
        "systemctl disable --now firewalld 2>&1",
        unpacked=True,
    ),
)

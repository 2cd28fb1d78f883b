# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a probe of all pairs has found, put together by pairs of nodes; pure."""

from __future__ import annotations

import ipaddress
import itertools
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.text import natural

Row = t.Dict[str, t.Any]
Pair = t.Tuple[str, str]


class Wire:
    """What was asked and what arrived.

    nodes: name to "address" with prefix length. asked: name to the results of calico_probe with state=asking.
    arrived: name to its arrivals, of state=absent. listening: name to the result of state=listening, where there is
    something to know of it: "busy" UDP ports, and why it has no tunnel of the kernel ("payload").
    """

    def __init__(
        self,
        nodes: t.Mapping[str, str],
        asked: t.Mapping[str, t.Sequence[Row]],
        arrived: t.Mapping[str, t.Sequence[Row]],
        listening: t.Mapping[str, Row] | None = None,
    ) -> None:
        self.names = sorted(nodes, key=natural)
        self._subnets = {name: ipaddress.ip_interface(address).network for name, address in nodes.items()}
        named = {str(ipaddress.ip_interface(address).ip): name for name, address in nodes.items()}
        self.rows = {(source, row["target"]): row for source, rows in asked.items() for row in rows}
        self._arrived = {
            (named[row["node"]], target, row["kind"]): row
            for target, rows in arrived.items()
            for row in rows
            if row["node"] in named
        }
        self._listening = listening or {}
        self.pairs = [pair for pair in itertools.permutations(self.names, 2) if pair in self.rows]

    def within(self, pair: Pair) -> bool:
        """Tell whether both nodes are in one subnet."""
        return self._subnets[pair[0]] == self._subnets[pair[1]]

    def subnets(self, pairs: t.Iterable[Pair]) -> list[str]:
        """Return the subnets of the nodes of some pairs."""
        return sorted({str(self._subnets[name]) for pair in pairs for name in pair})

    def count(self, pair: Pair, kind: str, where: str) -> int:
        """Return how many packets arrived: on the "wire", "let_in" by the firewall, or "damaged"."""
        row = self._arrived.get((*pair, kind))
        return int(row[where]) if row else 0

    def passes(self, pair: Pair, kind: str) -> bool:
        """Tell whether packets of a kind arrive and are let in and whole, and what the kernel makes of them, too.

        Packets to pods are passed on and not let in, and once there is a pod network the way back to them is known.
        """
        if kind == "vxlan" and (self.spoils(pair) or self.stalls(pair)):
            return False
        arrived = self.count(pair, kind, "wire") > 0 and not self.count(pair, kind, "damaged")
        return arrived and (kind == "pod" or self.kept_out(pair, kind) == 0)

    def _payload(self, pair: Pair) -> Row | None:
        """Return what was sent through the kernel's own VXLAN, None where nothing was, or nobody was there."""
        absent = self._listening.get(pair[1], {}).get("payload")
        return None if absent else self.rows[pair].get("payload")

    def spoils(self, pair: Pair) -> bool:
        """Tell whether datagrams that the kernel sends in a VXLAN do not arrive whole."""
        sent = self._payload(pair)
        whole = self.count(pair, "data", "wire") - self.count(pair, "data", "damaged")
        return sent is not None and whole < len(sent["sizes"])

    def is_mended(self, pair: Pair) -> bool:
        """Tell whether they arrive with checksums that the kernel makes itself."""
        sent = self._payload(pair)
        whole = self.count(pair, "data-by-kernel", "wire") - self.count(pair, "data-by-kernel", "damaged")
        return sent is not None and whole == len(sent["sizes"])

    def stalls(self, pair: Pair) -> bool:
        """Tell whether TCP alone does not come through in the kernel's VXLAN."""
        sent, back = self._payload(pair), (pair[1], pair[0])
        if sent is None or sent["tcp"] == "whole" or back not in self.rows or self._payload(back) is None:
            return False
        return not self.spoils(pair) and not self.spoils(back)

    def left_out(self, pair: Pair) -> bool:
        """Tell whether nothing was sent through the kernel's VXLAN though both ends have it, and VXLAN is answered."""
        ready = all(self._listening.get(name, {}).get("payload") == "" for name in pair)
        row = self.rows[pair]
        return ready and row.get("payload") is None and bool(row["kinds"]["vxlan"]["answered"])

    def without_tunnel(self) -> dict[str, list[str]]:
        """Return the nodes that could make no VXLAN for the probe, by the reason."""
        found: dict[str, list[str]] = {}
        for name in self.names:
            reason = self._listening.get(name, {}).get("payload")
            if reason:
                found.setdefault(reason, []).append(name)
        return found

    def is_busy(self, node: str, port: str) -> bool:
        """Tell whether somebody else has a UDP port of a node."""
        return int(port) in self._listening.get(node, {}).get("busy", ())

    def kept_out(self, pair: Pair, kind: str) -> int:
        """Return how many packets arrived and were not let in."""
        return self.count(pair, kind, "wire") - self.count(pair, kind, "let_in")

    def largest(self, pair: Pair, kind: str) -> int | None:
        """Return the largest packet on the underlay in bytes; None where nothing was answered."""
        size: int | None = self.rows[pair]["kinds"]["plain" if kind == "pod" else kind]["largest"]
        return size

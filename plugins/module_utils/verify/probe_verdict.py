# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a probe of all pairs says: which modes work and how large pods' packets may be, what stands in the way; pure."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.calico import OVERHEAD, ways
from ansible_collections.podnet.calico.plugins.module_utils.planner.needs import bird_routes
from ansible_collections.podnet.calico.plugins.module_utils.verify.probe_packets import PORT
from ansible_collections.podnet.calico.plugins.module_utils.verify.probe_wire import Pair, Row, Wire

Found = t.Tuple[Row, bool]

WORDS = {
    "plain": f"UDP {PORT} from a node's address",
    "pod": "a packet whose source is a pod's address",
    "ipip": "IP protocol 4",
    "vxlan": "VXLAN (UDP 4789)",
}
_REMEDIES = {
    "plain": f"Without it nothing can be said of pods' addresses: let UDP {PORT} pass while you probe",
    "pod": (
        "On AWS switch off the check of source and destination, on OpenStack allow the pools as address pairs, "
        "on Google Cloud allow IP forwarding; or take a mode that encapsulates between all nodes"
    ),
    "ipip": "Let IP protocol 4 (not a TCP or UDP port) pass between the nodes; Azure never does",
    "vxlan": "Let UDP 4789 pass between the nodes; VMware's NSX takes packets to this port for its own",
}
_OFFLOADS = "Look at the offloads of network cards and hypervisors on the way (ethtool -k)"
_MODES = ("VXLANCrossSubnet", "IPIPCrossSubnet", "VXLAN", "IPIP", "None")  # in the order of our recommendation
_LISTED = 4


def judge(
    wire: Wire,
    wanted: t.Sequence[str] = (),
    mtu: int = 0,
    *,
    bgp: str = "auto",
    unseen: t.Sequence[str] = (),
) -> dict[str, t.Any]:
    """Return findings, what is known of each mode, the recommended one, whether what is wanted works, and all as lines.

    wanted: modes in use or planned, whose obstacles are errors; those of other modes are for information. mtu: what
    pods get, in bytes, if that is not what the interfaces leave them. bgp: "auto", "enabled" or "disabled", as
    calico_bgp. unseen: nodes that could not be probed.
    """
    modes = {mode: _mode(wire, mode) for mode in _MODES}
    works = [mode for mode in _MODES if modes[mode]["works"] and not modes[mode]["doubt"]]
    recommended = {"encapsulation": works[0], "mtu": modes[works[0]]["mtu"]} if works else None
    fits = bool(mtu) and all(mtu <= (modes[mode]["mtu"] or 0) for mode in wanted)
    needed = _needed(wanted, bgp) | (set() if fits else {"mtu"})
    findings = [
        {**finding, "severity": "error" if finding["kind"] in needed and not harmless else "information"}
        for finding, harmless in (*_lost(wire), *_spoilt(wire), *_narrow(wire), *_closed(wire))
    ]
    broken = [
        f"{mode} does not get through: {'; '.join(modes[mode]['because'])}"
        for mode in wanted
        if not modes[mode]["works"] and wire.pairs
    ]
    alone = len(wire.names) < 2 and not unseen
    broken += [] if wire.pairs or alone else ["no two hosts were probed"]
    of_no_mode = ("mtu", "tcp", "udp")
    broken += [each["what"] for each in findings if each["kind"] in of_no_mode and each["severity"] == "error"]
    broken += [f"{', '.join(unseen)} could not be probed"] if unseen else []
    advice = (
        f"Recommended: {recommended['encapsulation']} with an MTU of {recommended['mtu']}"
        if recommended
        else f"Nothing to probe: {', '.join(wire.names) or 'no host'} is alone in this run"
        if alone
        else "No mode gets through"
    )
    return {
        "ok": not broken,
        "findings": findings,
        "modes": modes,
        "recommended": recommended,
        "unseen": list(unseen),
        "failure": f"{'; '.join(broken)}. {advice}" if broken else "",
        "lines": [advice] if alone else [*table(wire).splitlines(), *_said(findings, modes), advice],
        "packets": max((_of_pair(wire, pair) for pair in wire.pairs), default=0),
    }


def _needed(wanted: t.Sequence[str], bgp: str) -> set[str]:
    """Return the kinds of packets that wanted modes need; UDP ports nobody has tried who does not need them."""
    needed = {kind for mode in wanted for kind in _kinds(mode)} | {"udp"}
    if "pod" in needed:
        needed.add("plain")  # without which nothing is known of the other
    if bird_routes(bgp, wanted):
        needed.add("tcp")
    return needed


def _kinds(mode: str) -> tuple[str, ...]:
    """Return by which kinds of packets a mode goes within a subnet and between subnets."""
    return tuple("pod" if way == "direct" else way for way in ways(mode))


def _said(findings: t.Sequence[Row], modes: t.Mapping[str, Row]) -> t.Iterator[str]:
    """Yield findings with their remedies, errors first, then what is known of the modes."""
    for finding in sorted(findings, key=lambda finding: bool(finding["severity"] != "error")):
        yield f"{finding['severity']}: {finding['what']}. {finding['remedy']}".rstrip()
    for mode, known in modes.items():
        well = f"gets through, MTU {known['mtu']}" + (f"; {known['doubt']}" if known["doubt"] else "")
        yield f"{mode}: " + (well if known["works"] else f"no: {'; '.join(known['because'])}")


def _of_pair(wire: Wire, pair: Pair) -> int:
    back = wire.rows.get((pair[1], pair[0]))
    return int(wire.rows[pair]["packets"]) + (int(back["packets"]) if back else 0)


def _mode(wire: Wire, mode: str) -> dict[str, t.Any]:
    """Return whether a mode works between all pairs, the MTU of its pods in bytes, and what stands in its way."""
    near, far = _kinds(mode)
    overhead = OVERHEAD.get((far, 4), 0)
    between = [pair for pair in wire.pairs if not wire.within(pair)]
    used = [(pair, near if wire.within(pair) else far) for pair in wire.pairs]
    # A mode that encapsulates between subnets is no good for nodes of one if its packets do not even pass there.
    trial = [] if between or far == near else [(pair, far) for pair in wire.pairs]
    blocked = [(pair, kind) for pair, kind in (*used, *trial) if not wire.passes(pair, kind)]
    sizes = [size for pair, kind in (*used, *trial) if (size := wire.largest(pair, kind)) is not None]
    because = [
        f"{WORDS[kind]}: {scope(wire, [pair for pair, name in blocked if name == kind])}"
        for kind in dict.fromkeys(kind for __, kind in blocked)
    ]
    doubt = "between subnets it needs routers that know the blocks of pods, which a probe cannot tell"
    return {
        "works": not because and bool(wire.pairs),
        "mtu": min(sizes) - overhead if sizes else None,
        "because": because,
        "doubt": doubt if mode == "None" and between else "",
    }


def _lost(wire: Wire) -> t.Iterator[Found]:
    """Yield what does not arrive, is damaged, or is kept out by a host's own firewall."""
    for kind, words in WORDS.items():
        absent = [pair for pair in wire.pairs if not wire.count(pair, kind, "wire")]
        if kind == "pod":  # where not even plain ones get through, it is not the source's fault
            absent = [pair for pair in absent if wire.count(pair, "plain", "wire")]
        if absent:
            yield _finding(kind, f"{words} is lost {scope(wire, absent)}", absent, _REMEDIES[kind])
        damaged = [pair for pair in wire.pairs if wire.count(pair, kind, "damaged")]
        if damaged:
            what = f"{words} arrives with other bytes than were sent {scope(wire, damaged)}"
            yield _finding(kind, what, damaged, _OFFLOADS)
        yield from _kept_out(wire, kind)


def _kept_out(wire: Wire, kind: str) -> t.Iterator[Found]:
    """Yield the nodes that drop what has arrived at them."""
    for node in wire.names:
        pairs = [pair for pair in wire.pairs if pair[1] == node and wire.kept_out(pair, kind)]
        if not pairs or (kind == "pod" and any(wire.kept_out(pair, "plain") for pair in pairs)):
            continue
        what = f"{WORDS[kind]} arrives at {node}, but its own firewall or rp_filter drops it"
        if any(wire.count(pair, kind, "let_in") for pair in pairs):
            what += f" until {node} has sent some itself"
        remedy = f"Let it in on {node} from the addresses of the other nodes"
        if kind in ("ipip", "vxlan"):
            remedy += ", as podnet.calico.firewall does"
        if kind == "pod":
            remedy = "So rp_filter does while it knows no way back to pods, which there is after the deployment"
        yield _finding(kind, what, pairs, remedy, harmless=kind == "pod")


def _spoilt(wire: Wire) -> t.Iterator[Found]:
    """Yield where TCP and UDP do not come through the kernel's own VXLAN, while packets of the probe do."""
    what = "TCP and UDP in a VXLAN of the kernel do not arrive whole"
    spoilt = [pair for pair in wire.pairs if wire.spoils(pair) and wire.count(pair, "vxlan", "let_in")]
    mended = [pair for pair in spoilt if wire.is_mended(pair)]
    others = [pair for pair in spoilt if pair not in mended]
    if mended:
        cards = ", ".join(dict.fromkeys(source for source, __ in mended))
        yield _finding(
            "vxlan",
            f"{what} {scope(wire, mended)}, but with checksums that the kernel makes they do",
            mended,
            f"The network card of {cards} damages checksums: set dataplane_checksum_offload: false, or mend its driver",
        )
    if others:
        yield _finding("vxlan", f"{what} {scope(wire, others)}, though packets of the probe do", others, _OFFLOADS)
    stalled = [pair for pair in wire.pairs if wire.stalls(pair)]
    if stalled:
        what = f"TCP in a VXLAN of the kernel stalls {scope(wire, stalled)}, while UDP passes"
        yield _finding("vxlan", what, stalled, _OFFLOADS)
    untried = "TCP and UDP in a VXLAN of the kernel were not tried"
    for reason, names in wire.without_tunnel().items():
        pairs = [pair for pair in wire.pairs if set(pair) & set(names)]
        yield _finding("vxlan", f"{untried} on {', '.join(names)}: {reason}", pairs, "", harmless=True)
    left_out = [pair for pair in wire.pairs if wire.left_out(pair)]
    if left_out:
        what = f"{untried} {scope(wire, left_out)}: little passes there, or listening ended early"
        yield _finding("vxlan", what, left_out, "Mend what else was found, or raise probe_seconds", harmless=True)


def _narrow(wire: Wire) -> t.Iterator[Found]:
    """Yield paths that carry less than the devices at both ends say."""
    for kind in ("plain", "ipip", "vxlan"):
        found: dict[tuple[int, int, bool], list[Pair]] = {}
        for pair in wire.pairs:
            size, mtu = wire.largest(pair, kind), wire.rows[pair]["mtu"]
            if size is not None and size < mtu and (kind == "plain" or size != wire.largest(pair, "plain")):
                found.setdefault((size, mtu, wire.rows[pair]["kinds"][kind]["at_least"]), []).append(pair)
        for (size, mtu, at_least), pairs in sorted(found.items()):
            little = " or little more" if at_least else ""
            what = (
                f"{WORDS[kind]} passes up to {size} bytes{little} only {scope(wire, pairs)}; the interfaces say {mtu}"
            )
            yield _finding("mtu", what, pairs, "Set calico_mtu to what is recommended, or mend the path")


def _closed(wire: Wire) -> t.Iterator[Found]:
    """Yield ports to which connections do not come about, or datagrams do not get; those in use were not probed."""
    found: dict[tuple[str, str, str], list[Pair]] = {}
    for pair in wire.pairs:
        for kind in ("tcp", "udp"):
            for port, state in wire.rows[pair].get(kind, {}).items():
                seen = "in use by others" if kind == "udp" and wire.is_busy(pair[1], port) else state
                if seen != "open":
                    found.setdefault((kind, port, seen), []).append(pair)
    for (kind, port, state), pairs in sorted(found.items()):
        name = f"{kind.upper()} {port}"
        if state.startswith("in use"):
            where = ", ".join(dict.fromkeys(target for __, target in pairs))
            yield _finding(kind, f"{name} is in use on {where} and was not probed there", pairs, "", harmless=True)
        else:
            remedy = f"Let {name} pass between the nodes"
            yield _finding(kind, f"{name} is {state} {scope(wire, pairs)}", pairs, remedy)


def _finding(kind: str, what: str, pairs: t.Sequence[Pair], remedy: str, *, harmless: bool = False) -> Found:
    """Return a finding, and whether it is no error even where its kind is needed."""
    return {"kind": kind, "what": what, "pairs": [" -> ".join(pair) for pair in pairs], "remedy": remedy}, harmless


def scope(wire: Wire, pairs: t.Sequence[Pair]) -> str:
    """Return pairs in words: all, those between subnets, those of one node, or the first few by name."""
    wanted = set(pairs)
    if wanted == set(wire.pairs):
        return "between all nodes"
    between = {pair for pair in wire.pairs if not wire.within(pair)}
    if wanted == between:
        return f"between the subnets {' and '.join(wire.subnets(pairs))}"
    if wanted == set(wire.pairs) - between:
        return "within each subnet"
    for node in wire.names:
        for text, part in (
            ("to", {p for p in wire.pairs if p[1] == node}),
            ("from", {p for p in wire.pairs if p[0] == node}),
        ):
            if wanted == part:
                return f"{text} {node}"
        if wanted == {pair for pair in wire.pairs if node in pair}:
            return f"to and from {node}"
    listed = ", ".join(" -> ".join(pair) for pair in pairs[:_LISTED])
    return f"{listed}{f' and {len(pairs) - _LISTED} more' if len(pairs) > _LISTED else ''}"


def table(wire: Wire) -> str:
    """Return a table of what passes from row to column, and the largest packet in bytes."""
    letters = (("pod", "d"), ("ipip", "i"), ("vxlan", "v"))
    cells = {}
    for pair in wire.pairs:
        passing = "".join(letter if wire.passes(pair, kind) else "-" for kind, letter in letters)
        cells[pair] = f"{passing} {wire.largest(pair, 'plain') or '?'}"
    width = max([len(name) for name in wire.names] + [len(cell) for cell in cells.values()], default=0)
    lines = ["from row to column: d direct, i IPIP, v VXLAN, - lost; bytes of the largest packet"]
    lines.append("  ".join([" " * width, *(name.ljust(width) for name in wire.names)]).rstrip())
    for source in wire.names:
        row = (cells.get((source, target), ".") for target in wire.names)
        lines.append("  ".join([source.ljust(width), *(cell.ljust(width) for cell in row)]).rstrip())
    return "\n".join(lines)

# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a firewall has to let through for the pod network, as rules that every backend can spell; pure."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput, raise_all
from ansible_collections.podnet.calico.plugins.module_utils.ip import joined, read_network

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.ip import Network

_OPENING = re.compile(r"(?:ip protocol (\d{1,3})|(tcp|udp) (\d{1,5}))")
IPIP = "4"


class Opening(t.NamedTuple):
    """A protocol by number or name ("4", "tcp", "udp") and, of the latter two, the port that it is sent to."""

    protocol: str
    port: int = 0


class Peer(t.NamedTuple):
    """A BGP peer that is no node: its address, the TCP port that it listens on, and the one of this host."""

    address: Network
    port: int
    local_port: int


class Wanted(t.NamedTuple):
    """What has to pass: openings from each of the nodes, BGP with peers, and packets of pods. clients: who may talk to
    pods as well.
    """

    openings: list[Opening]
    nodes: list[Network]
    pods: list[Network]
    clients: list[Network]
    peers: t.Sequence[Peer] = ()


class Rule(t.NamedTuple):
    """A packet that is accepted. hook: "input", "output" or "forward"; version: of IP; sources and destinations: any of
    them, all if there are none; protocol: all if empty; established: only within what was let through before; who: what
    the sources are called together, "nodes" or "clients", if they are many.
    """

    hook: str
    version: int
    sources: tuple[str, ...] = ()
    destinations: tuple[str, ...] = ()
    protocol: str = ""
    to_port: int = 0
    from_port: int = 0
    established: bool = False
    who: str = ""


def parse(options: t.Mapping[str, t.Any]) -> Wanted:
    """Return the options open, nodes, pods, clients and peers; raises InvalidInput with all that is wrong with them."""
    problems: list[InvalidInput] = []
    openings = [found for text in dict.fromkeys(options["open"] or []) for found in _opening(text, problems)]
    networks = {name: list(_networks(name, options[name] or [], problems)) for name in ("nodes", "pods", "clients")}
    problems += [
        InvalidInput(f"nodes: {node} is not the address of one node", remedy="Networks of clients go to clients")
        for node in networks["nodes"]
        if node.num_addresses > 1
    ]
    peers = [peer for row in options.get("peers") or [] for peer in _peer(row, problems)]
    raise_all(problems)
    return Wanted(openings, **networks, peers=peers)


def _peer(row: t.Mapping[str, t.Any], problems: list[InvalidInput]) -> t.Iterator[Peer]:
    for network in _networks("peers", [row["address"]], problems):
        ports = row["port"], row["local_port"]
        if network.num_addresses > 1:
            remedy = "Name each peer by its own address"
            problems.append(InvalidInput(f"peers: {network} is not the address of one peer", remedy=remedy))
        elif not all(0 < port < 65536 for port in ports):
            remedy = "TCP's ports are 1 to 65535"
            problems.append(InvalidInput(f"peers: {network} has a port that there is not", remedy=remedy))
        else:
            yield Peer(network, *ports)


def _opening(text: str, problems: list[InvalidInput]) -> t.Iterator[Opening]:
    found = _OPENING.fullmatch(text)
    if found and found[1] and 0 < int(found[1]) < 256:
        yield Opening(found[1])
    elif found and found[2] and 0 < int(found[3]) < 65536:
        yield Opening(found[2], int(found[3]))
    else:
        remedy = 'Write "ip protocol 4", "udp 4789" or "tcp 179"'
        problems.append(InvalidInput(f'open: "{text}" is no protocol that can be let in', remedy=remedy))


def _networks(option: str, texts: t.Sequence[str], problems: list[InvalidInput]) -> t.Iterator[Network]:
    for text in dict.fromkeys(texts):
        try:
            yield read_network(text)
        except ValueError as error:
            remedy = "Write an address, or a network without host bits, as 10.244.0.0/16"
            problems.append(InvalidInput(f'{option}: "{text}" cannot be used: {error}', remedy=remedy))


def rules(wanted: Wanted) -> list[Rule]:
    """Return the rules of both IP versions. IPIP is IPv4's alone."""
    return [rule for version in (4, 6) for rule in _rules(wanted, version)]


def _rules(wanted: Wanted, version: int) -> t.Iterator[Rule]:
    nodes, pods = (_texts(networks, version) for networks in (wanted.nodes, wanted.pods))
    for opening in wanted.openings if nodes else []:
        if opening.protocol == IPIP and version == 6:
            continue
        for hook, sources, destinations in (("input", nodes, ()), ("output", (), nodes)):
            rule = Rule(hook, version, sources, destinations, opening.protocol, who="nodes")
            yield rule._replace(to_port=opening.port)
            if opening.protocol == "tcp":  # the answers, whoever began
                yield rule._replace(from_port=opening.port, established=True)
    for port, local_port in sorted({(peer.port, peer.local_port) for peer in wanted.peers}):
        peers = _texts((peer.address for peer in wanted.peers if peer[1:] == (port, local_port)), version)
        if peers:
            yield Rule("input", version, peers, protocol="tcp", to_port=local_port)
            yield Rule("input", version, peers, protocol="tcp", from_port=port, established=True)
            yield Rule("output", version, (), peers, "tcp", to_port=port)
            yield Rule("output", version, (), peers, "tcp", from_port=local_port, established=True)
    if pods:
        yield Rule("forward", version, sources=pods)
        yield Rule("forward", version, destinations=pods, established=True)
        clients = _texts([*wanted.nodes, *wanted.clients], version)
        if clients:
            yield Rule("forward", version, sources=clients, destinations=pods, who="clients")


def _texts(networks: t.Iterable[Network], version: int) -> tuple[str, ...]:
    """Return networks of one IP version as text, as few as possible: nftables refuses those that overlap."""
    return tuple(map(text_of, joined(network for network in networks if network.version == version)))


def text_of(network: Network) -> str:
    """Return a network; of a single address without its prefix length."""
    return str(network.network_address if network.prefixlen == network.max_prefixlen else network)

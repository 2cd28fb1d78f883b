# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The description of the network for the container runtime: a CNI configuration list, of one of two chains of plugins.

``ptp`` makes a veth pair per pod, and ``host-local`` hands out the addresses of the node's own blocks; a pod gets one
address of each IP version. ``calico`` is Calico's own plugin with ``calico-ipam``. ``portmap`` and ``bandwidth`` serve
the runtime's capabilities in both.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.cni import calico_options, host_local, spec
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput, raise_all
from ansible_collections.podnet.calico.plugins.module_utils.ip import IPV6_MTU, has_ipv6, read_network

CHAINS = ("ptp", "calico")
# Where host-local notes addresses that are in use: gone with a boot, like the containers that have them.
LEASES = "/run/podnet-calico/cni"

_SECRET = re.compile(r"(?i)token|passw|secret|credential|private|psk|(?:client|auth|api|access|encryption)[-_]?key")
_NAMES_A_FILE = re.compile(r"(?i)(?:file|path|dir)$")


class Network(t.NamedTuple):
    """What a network is made from.

    ranges: networks (CIDR) that pods of the node get addresses of. excluded: networks in them whose addresses no pod
    gets. mtu: of pods, in bytes. node: its name. calico: options of the chain calico. extra: further plugins, as
    objects of the list; one of a type that is in the chain replaces it. options: further keys of the list itself.
    kubeconfig: path of the file that is written for the chain calico, or empty.
    """

    name: str
    version: str
    ranges: tuple[str, ...]
    mtu: int
    chain: str = "ptp"
    node: str = ""
    calico: t.Mapping[str, t.Any] = {}
    extra: tuple[t.Mapping[str, t.Any], ...] = ()
    options: t.Mapping[str, t.Any] = {}
    kubeconfig: str = ""
    excluded: tuple[str, ...] = ()


def build(network: Network) -> dict[str, t.Any]:
    """Return the configuration list as data; raises InvalidInput with all that is wrong in what it is made from."""
    problems: list[InvalidInput] = []
    _check_networks("ranges", network.ranges)
    _check_networks("excluded", network.excluded)
    if network.mtu < IPV6_MTU and has_ipv6(network.ranges):
        raise InvalidInput(f"mtu {network.mtu} is too small for pods with IPv6", remedy=f"IPv6 needs {IPV6_MTU}")
    if network.chain == "calico":
        first = _calico(network, problems)
    else:
        first = {"type": "ptp", "mtu": network.mtu, "ipMasq": False, "ipam": _host_local(network)}
    plugins = [
        first,
        {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True},
        {"type": "bandwidth", "capabilities": {"bandwidth": True}},
    ]
    for plugin in network.extra:
        index = [each["type"] for each in plugins].index(plugin.get("type")) if _is_among(plugin, plugins[1:]) else None
        if index is None:
            plugins.append(dict(plugin))
        else:
            plugins[index] = dict(plugin)
    made = {**network.options, "cniVersion": network.version, "name": network.name, "plugins": plugins}
    if "plugins" in network.options or {"cniVersion", "name"} & {*network.options}:
        remedy = "Use cni_spec_version, cni_network_name, cni_extra_plugins"
        problems.append(
            InvalidInput("cni_list_options: cniVersion, name and plugins are given otherwise", remedy=remedy)
        )
    raise_all([*problems, *spec.problems(made)])
    return {key: made[key] for key in ("cniVersion", "name", *sorted(network.options), "plugins")}


def _check_networks(option: str, cidrs: t.Sequence[str]) -> None:
    for cidr in cidrs:
        try:
            read_network(cidr)
        except ValueError as error:
            raise InvalidInput(f"{option}: {error}", remedy="Write networks like 10.244.0.0/26") from error


def _is_among(plugin: t.Mapping[str, t.Any], plugins: t.Sequence[t.Mapping[str, t.Any]]) -> bool:
    return plugin.get("type") in [each.get("type") for each in plugins]


def _calico(network: Network, problems: list[InvalidInput]) -> dict[str, t.Any]:
    made = calico_options.plugin(
        network.calico,
        node=network.node,
        ranges=network.ranges,
        kubeconfig=network.kubeconfig,
        problems=problems,
    )
    if network.version not in ("0.3.1", "0.4.0", calico_options.NEWEST):
        message = f"CNI chain calico: Calico's plugin does not know version {network.version} of the CNI specification"
        problems.append(InvalidInput(message, remedy=f"Set cni_spec_version to {calico_options.NEWEST}"))
    ipam = made.pop("ipam")
    if ipam["type"] == "host-local" and not {"subnet", "ranges"} & {*ipam}:
        ipam = {**_host_local(network), **ipam}
    return {**made, "mtu": network.mtu, "ipam": ipam}


def _host_local(network: Network) -> dict[str, t.Any]:
    excluded = [ipaddress.ip_network(cidr) for cidr in network.excluded]
    families: dict[int, list[dict[str, str]]] = {}
    for cidr in network.ranges:
        found = host_local.ranges(ipaddress.ip_network(cidr), excluded)
        if found:
            families.setdefault(ipaddress.ip_network(cidr).version, []).extend(found)
    routes = [{"dst": {4: "0.0.0.0/0", 6: "::/0"}[version]} for version in sorted(families)]
    rows = [families[version] for version in sorted(families)]
    return {"type": "host-local", "dataDir": LEASES, "ranges": rows, "routes": routes}


def render(network: t.Mapping[str, t.Any]) -> str:
    """Return a configuration list as the text of its file."""
    return json.dumps(network, indent=2) + "\n"


def shown(text: str) -> str:
    """Return the text of a list with a word in place of each secret that plugins of the user have in it."""
    try:
        data = json.loads(text)
    except ValueError:
        return text
    return render(_hidden(data)) if has_secrets(data) else text


def has_secrets(value: t.Any) -> bool:
    """Tell whether a list holds something that not everybody on the host may read."""
    return bool(json.dumps(_hidden(value)) != json.dumps(value))


def secrets(value: t.Any) -> t.Iterator[str]:
    """Yield the secrets in options of the user: texts and numbers below a key that is named like one."""
    return _secrets(value, below=False)


def _secrets(value: t.Any, *, below: bool) -> t.Iterator[str]:
    if isinstance(value, t.Mapping):
        for key, item in value.items():
            yield from _secrets(item, below=below or _names_a_secret(key))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _secrets(item, below=below)
    elif below and _can_be_secret(value):
        yield str(value)


def _names_a_secret(key: t.Any) -> bool:
    return bool(_SECRET.search(str(key))) and not _NAMES_A_FILE.search(str(key))


def _can_be_secret(value: t.Any) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool) and value != ""


def _hidden(value: t.Any, *, below: bool = False) -> t.Any:
    if isinstance(value, t.Mapping):
        return {key: _hidden(item, below=below or _names_a_secret(key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_hidden(item, below=below) for item in value]
    return "(hidden)" if below and _can_be_secret(value) else value


class Agreement(t.NamedTuple):
    """What has to be the same on all nodes: the MTU, and the list without what is a node's own.

    parts: the list's values as JSON by their place, such as "ptp.ipMasq", without secrets. digest: of all of it.
    """

    mtu: int
    digest: str
    parts: dict[str, str]


def agreement(network: t.Mapping[str, t.Any]) -> Agreement:
    """Return what has to be the same on all nodes; a node's own are the ranges of its blocks, and its name."""
    first, *others = network["plugins"]
    ipam = {key: value for key, value in first["ipam"].items() if key not in ("ranges", "routes", "subnet")}
    kubernetes = {key: value for key, value in first.get("kubernetes", {}).items() if key != "node_name"}
    own = {"mtu", "nodename", "ipam", "kubernetes"}
    rest = {key: value for key, value in first.items() if key not in own}
    common = {**network, "plugins": [{**rest, "kubernetes": kubernetes, "ipam": ipam}, *others]}
    text = json.dumps(common, sort_keys=True)
    return Agreement(first["mtu"], hashlib.sha256(text.encode()).hexdigest()[:16], dict(_parts(_hidden(common), "")))


def _parts(value: t.Any, place: str) -> t.Iterator[tuple[str, str]]:
    """Yield place and JSON of each value that is no mapping; plugins have the place of their type."""
    if isinstance(value, t.Mapping):
        for key, item in value.items():
            if key == "plugins" and not place:
                yield "plugins", ", ".join(str(plugin["type"]) for plugin in item)
                for plugin in item:
                    yield from _parts(plugin, str(plugin["type"]))
            else:
                yield from _parts(item, f"{place}.{key}" if place else str(key))
    else:
        yield place, json.dumps(value, sort_keys=True)


def disagreements(seen: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[str]:
    """Return what is not the same on all hosts, as lines with values and hosts; seen: Agreement as data by host."""
    if len({(each["mtu"], each["digest"]) for each in seen.values()}) < 2:
        return []
    values: dict[str, dict[str, list[str]]] = {}
    for host, each in seen.items():
        for place, value in {**each["parts"], "mtu": str(each["mtu"])}.items():
            values.setdefault(place, {}).setdefault(value, []).append(host)
    for by_value in values.values():
        missing = [host for host in seen if not any(host in hosts for hosts in by_value.values())]
        if missing:
            by_value["nothing"] = missing
    lines = [
        f"{place}: {'; '.join(f'{value} on {_named(hosts)}' for value, hosts in sorted(by_value.items()))}"
        for place, by_value in sorted(values.items())
        if len(by_value) > 1
    ]
    return lines or ["a secret in the list"]


def _named(hosts: t.Sequence[str]) -> str:
    return ", ".join(hosts) if len(hosts) < 6 else f"{', '.join(hosts[:4])} and {len(hosts) - 4} more"


def lowered(network: t.Any, mtu: int) -> t.Any:
    """Return a configuration list whose plugins give links no larger MTU (bytes), and which is the same in all else."""
    if not isinstance(network, t.Mapping) or not isinstance(network.get("plugins"), list):
        return network
    return {**network, "plugins": [_lowered(plugin, mtu) for plugin in network["plugins"]]}


def _lowered(plugin: t.Any, mtu: int) -> t.Any:
    present = plugin.get("mtu") if isinstance(plugin, t.Mapping) else None
    return {**plugin, "mtu": mtu} if isinstance(present, int) and present > mtu else plugin


def programs(network: t.Mapping[str, t.Any]) -> list[str]:
    """Return the programs that a runtime calls for a list: its plugins, theirs for addresses, and loopback."""
    plugins = network["plugins"]
    ipam = [
        plugin["ipam"]["type"] for plugin in plugins if isinstance(plugin.get("ipam"), t.Mapping) and plugin["ipam"]
    ]
    return list(dict.fromkeys([*(str(plugin["type"]) for plugin in plugins), *map(str, ipam), "loopback"]))

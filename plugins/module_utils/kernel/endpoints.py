# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pod endpoints: a veth pair each, as Calico's CNI plugin makes it.

The host's end has the MAC ee:ee:ee:ee:ee:ee, answers ARP for the pods' gateway 169.254.1.1 (proxy ARP) and has a /32
route to the pod; in the pod a default route leads through that gateway. A permanent neighbour entry in the pod makes
it work on a host without a default route as well, where proxy ARP stays silent (projectcalico/calico#3270).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import ipaddress
import os
import socket
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.changes import Change, Outcome, compare
from ansible_collections.podnet.calico.plugins.module_utils.errors import (
    Conflict,
    InvalidInput,
    KernelError,
    refuse_twice,
)
from ansible_collections.podnet.calico.plugins.module_utils.ip import host_prefix
from ansible_collections.podnet.calico.plugins.module_utils.kernel import sysctls
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import (
    ALIAS_PREFIX,
    NETNS_DIRECTORY,
    NetlinkError,
    canonical_mac,
    explained,
    is_ours,
    link_info,
    links,
    namespace,
    namespace_path,
    netns_library,
    open_netlink,
)
from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import ROUTE_PROTOCOL

Entry = t.Dict[str, t.Any]

HOST_MAC = "ee:ee:ee:ee:ee:ee"
HOST_LINK_LOCAL = "fe80::ecee:eeff:feee:eeee"  # what EUI-64 makes of HOST_MAC (RFC 4291, appendix A)
GATEWAY = "169.254.1.1"
ALIAS = f"{ALIAS_PREFIX} endpoint"
NUD_PERMANENT = 0x80
SCOPE_LINK = 253
PROTOCOL_BOOT = 3  # the pod's own routes, as Calico's CNI plugin leaves them: ip(8) shows no protocol for them
# Host side of a pod's link, IPv4 and IPv6, in the order in which Calico's CNI plugin and Felix set them.
HOST_SYSCTLS = {
    4: {
        "conf.{0}.route_localnet": "1",
        "neigh.{0}.proxy_delay": "0",
        "conf.{0}.proxy_arp": "1",
        "conf.{0}.forwarding": "1",
    },
    6: {"conf.{0}.proxy_ndp": "1", "conf.{0}.forwarding": "1", "conf.{0}.accept_ra": "0"},
}


def interface_name(workload: str) -> str:
    """Return the name of a pod's link on the host: cali and 11 hex digits of SHA-1 of "namespace.pod" (Calico)."""
    return "cali" + hashlib.sha1(workload.encode()).hexdigest()[:11]  # noqa: S324 (an identifier, not a secret)


def normalise(entry: t.Mapping[str, t.Any]) -> Entry:
    """Return an endpoint in canonical form.

    entry: name (of the workload, "namespace.pod"), netns (name or path), addresses (without or with /32, /128),
    mtu (bytes), interface (in the pod), host_interface and mac (both optional). Raises InvalidInput.
    """
    addresses = []
    for text in entry.get("addresses") or []:
        try:
            address = ipaddress.ip_interface(text)
        except ValueError as error:
            raise InvalidInput(f'endpoint {entry["name"]}: "{text}" is not an address') from error
        if address.network.prefixlen != address.max_prefixlen:
            raise InvalidInput(
                f'endpoint {entry["name"]}: address "{text}" has a prefix length of its own',
                remedy=f"A pod's address stands alone: write {host_prefix(address.ip)}",
            )
        addresses.append(host_prefix(address.ip))
    result: Entry = {
        "workload": entry["name"],
        "netns": entry.get("netns") or entry["name"],
        "addresses": sorted(addresses),
        "mtu": entry.get("mtu") or 1500,
        "interface": entry.get("interface") or "eth0",
    }
    if entry.get("mac"):
        try:
            result["mac"] = canonical_mac(entry["mac"])
        except ValueError as error:
            raise InvalidInput(f'endpoint {entry["name"]}: mac "{entry["mac"]}" is not a MAC') from error
    return result


def host_interface(entry: t.Mapping[str, t.Any]) -> str:
    """Return the name of the host's end: the given one, else Calico's."""
    name = entry.get("host_interface") or interface_name(entry["name"])
    if len(name) > 15:
        raise InvalidInput(f'endpoint {entry["name"]}: host_interface "{name}" is longer than 15 characters')
    return str(name)


def read(ipr: t.Any, wanted: t.Mapping[str, Entry]) -> dict[str, Entry]:
    """Return the endpoints of ours, and foreign links under a wanted name, by the name of the host's end."""
    found: dict[str, Entry] = {}
    routes: dict[int, list[str]] = {}
    everything = links(ipr)
    mine = {name: link for name, link in everything.items() if name in wanted or _is_endpoint(link)}
    if not mine:
        return {}
    for family in (socket.AF_INET, socket.AF_INET6):
        for message in ipr.get_routes(family=family, table=254):
            if message["proto"] == ROUTE_PROTOCOL and message.get_attr("RTA_DST"):
                target = f"{message.get_attr('RTA_DST')}/{message['dst_len']}"
                routes.setdefault(message.get_attr("RTA_OIF"), []).append(target)
    for name, link in mine.items():
        if not _is_endpoint(link):
            found[name] = {"foreign": link_info(link)[0] or "device"}
            continue
        workload, __, netns = link.get_attr("IFLA_IFALIAS")[len(ALIAS) + 1 :].partition(" ")
        found[name] = {"workload": workload, "netns": netns, "mtu": link.get_attr("IFLA_MTU")}
        found[name].update(_read_host(name, link, sorted(routes.get(link["index"], []))))
        found[name].update(_read_pod(netns, wanted.get(name, {}).get("interface", "eth0"), link["index"]))
    return found


def _is_endpoint(link: t.Any) -> bool:
    return is_ours(link) and (link.get_attr("IFLA_IFALIAS") or "").startswith(ALIAS)


def _read_host(name: str, link: t.Any, routes: list[str]) -> Entry:
    """Return what is wrong on the host's side, under the key "host"; nothing if all is as it should be."""
    wrong = {}
    if (link.get_attr("IFLA_ADDRESS") or "").lower() != HOST_MAC:
        wrong["mac"] = link.get_attr("IFLA_ADDRESS")
    if not link["flags"] & 1:
        wrong["state"] = "down"
    values = host_sysctls(name, routes)
    actual = sysctls.read(values)
    wrong.update({key: actual.get(key) for key, value in values.items() if actual.get(key) != value})
    return {"routes": routes, **({"host": wrong} if wrong else {})}


def _read_pod(netns: str, interface: str, host_index: int) -> Entry:
    try:
        with namespace(netns), open_netlink() as ipr:
            link = links(ipr).get(interface)
            if link is None or link.get_attr("IFLA_LINK") != host_index:
                return {"pod": f"no {interface}"}
            addresses = [
                f"{message.get_attr('IFA_ADDRESS')}/{message['prefixlen']}"
                for message in ipr.get_addr(index=link["index"])
                if message["index"] == link["index"] and message["scope"] != SCOPE_LINK
            ]
            gateways = {
                message.get_attr("RTA_GATEWAY")
                for family in (socket.AF_INET, socket.AF_INET6)
                for message in ipr.get_routes(family=family, table=254)
                if message["dst_len"] == 0 and message.get_attr("RTA_OIF") == link["index"]
            }
            mac = link.get_attr("IFLA_ADDRESS").lower()
    except (KernelError, OSError) as error:
        return {"pod": str(error)}
    wanted = {_gateway(address) for address in addresses}
    return {"addresses": sorted(addresses), "interface": interface, "mac": mac} | (
        {} if wanted <= gateways else {"pod": "no default route"}
    )


def _gateway(address: str) -> str:
    return HOST_LINK_LOCAL if ":" in address else GATEWAY


def host_sysctls(name: str, addresses: t.Iterable[str]) -> dict[str, str]:
    """Return the sysctls of the host's end for the IP versions of its addresses."""
    versions = {6 if ":" in address else 4 for address in addresses}
    escaped = name.replace(".", "/")
    values = {
        f"net.ipv{version}.{key.format(escaped)}": value
        for version in sorted(versions)
        for key, value in HOST_SYSCTLS[version].items()
    }
    if 4 in versions:
        values[f"net.ipv4.conf.{escaped}.rp_filter"] = sysctls.read(["net.ipv4.conf.default.rp_filter"])[
            "net.ipv4.conf.default.rp_filter"
        ]
    return values


def plan(
    actual: t.Mapping[str, Entry], wanted: t.Mapping[str, Entry], *, present: bool = True, exclusive: bool = False
) -> list[Change]:
    """Return the changes that make the wanted endpoints exist (or not); exclusive removes others of ours.

    A link of somebody else under a wanted name is a Conflict. An endpoint that differs is made anew.
    """
    for name, entry in wanted.items():
        if present and "foreign" in actual.get(name, {}):
            raise Conflict(
                f"create endpoint {entry['workload']}: {name} exists and is not ours ({actual[name]['foreign']})",
                remedy="Remove it, or give the endpoint another host_interface",
            )
    ours = {name: entry for name, entry in actual.items() if "foreign" not in entry}
    if not present:
        after = {name: entry for name, entry in ours.items() if name not in wanted}
    else:
        after = {
            **({} if exclusive else ours),
            **{name: _expected(entry, ours.get(name)) for name, entry in wanted.items()},
        }
    return sorted(compare("endpoint", ours, after), key=lambda change: change.action == "delete")


def _expected(entry: Entry, actual: Entry | None) -> Entry:
    """Return how a wanted endpoint reads back; a MAC that was not asked for may be any."""
    expected = {**entry, "routes": entry["addresses"]}
    if "mac" not in entry and actual and "mac" in actual:
        expected["mac"] = actual["mac"]
    return expected


def apply(ipr: t.Any, changes: t.Iterable[Change], wanted: t.Mapping[str, Entry]) -> None:
    """Make the changes; an endpoint that cannot be finished is removed again, so that none is left half-made."""
    for change in changes:
        if change.before is not None:
            kept = change.after is not None and change.after["netns"] == change.before["netns"]
            remove(ipr, change.name, change.before["netns"], not kept)
        if change.after is not None:
            entry = wanted[change.name]
            with explained(f"create endpoint {entry['workload']}"):
                _create(ipr, change.name, entry)


def remove(ipr: t.Any, name: str, netns: str, with_namespace: bool) -> None:
    """Delete both ends, and with them their routes; also a named namespace that was made for the endpoint."""
    link = links(ipr).get(name)
    if link is not None:
        with explained(f"delete endpoint {name}"):
            ipr.link("del", index=link["index"])
    if with_namespace:
        _remove_namespace(netns)


def _marker(netns: str) -> str:
    """Return the file that says that a namespace is ours: it was made for an endpoint and goes with it."""
    return f"/run/podnet.calico/netns/{netns}" if "/" not in netns else "/nonexistent"


def _create(ipr: t.Any, name: str, entry: Entry) -> None:
    _make_namespace(entry["netns"])
    try:
        _create_pair(ipr, name, entry)
    except BaseException:
        _remove_namespace(entry["netns"])
        raise
    try:
        _configure(ipr, name, entry)
    except BaseException:
        remove(ipr, name, entry["netns"], True)
        raise


def _create_pair(ipr: t.Any, name: str, entry: Entry) -> None:
    """Make both ends in one message, with their MACs: a MAC that is set later is a MAC that udev may overwrite."""
    peer: Entry = {"ifname": entry["interface"], "mtu": entry["mtu"], "net_ns_fd": namespace_path(entry["netns"])}
    if entry.get("mac"):
        peer["address"] = entry["mac"]
    ipr.link("add", ifname=name, kind="veth", address=HOST_MAC, mtu=entry["mtu"], peer=peer)


def _configure(ipr: t.Any, name: str, entry: Entry) -> None:
    index = links(ipr)[name]["index"]
    ipr.link("set", index=index, IFLA_IFALIAS=f"{ALIAS} {entry['workload']} {entry['netns']}")
    sysctls.write(host_sysctls(name, entry["addresses"]))
    ipr.link("set", index=index, state="up")
    with namespace(entry["netns"]), open_netlink() as inner:
        _configure_pod(inner, entry)
    for address in entry["addresses"]:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        ipr.route("add", family=family, dst=address, oif=index, scope=SCOPE_LINK, proto=ROUTE_PROTOCOL)


def _make_namespace(netns: str) -> None:
    """Make a named network namespace that does not exist yet, and note that it is ours."""
    if "/" in netns or os.path.exists(f"{NETNS_DIRECTORY}/{netns}"):
        return
    os.makedirs(os.path.dirname(_marker(netns)), exist_ok=True)
    with open(_marker(netns), "w"):
        pass
    netns_library.create(netns)


def _remove_namespace(netns: str) -> None:
    if os.path.exists(_marker(netns)):
        os.unlink(_marker(netns))
        with contextlib.suppress(OSError):  # others are left
            os.removedirs(os.path.dirname(_marker(netns)))
        with explained(f"delete network namespace {netns}"):
            netns_library.remove(netns)


def _configure_pod(ipr: t.Any, entry: Entry) -> None:
    """Bring the pod's end up, with its addresses, the route to the gateway and the default route behind it."""
    everything = links(ipr)
    index = everything[entry["interface"]]["index"]
    if any(":" in address for address in entry["addresses"]):
        sysctls.write({f"net.ipv6.conf.{entry['interface'].replace('.', '/')}.accept_dad": "0"})
    ipr.link("set", index=everything["lo"]["index"], state="up")
    ipr.link("set", index=index, state="up")
    for address in entry["addresses"]:
        interface = ipaddress.ip_interface(address)
        ipr.addr("add", index=index, address=str(interface.ip), prefixlen=interface.max_prefixlen)
    for version in sorted({6 if ":" in address else 4 for address in entry["addresses"]}):
        family, gateway = (socket.AF_INET, GATEWAY) if version == 4 else (socket.AF_INET6, HOST_LINK_LOCAL)
        if version == 4:
            ipr.route("add", family=family, dst=f"{gateway}/32", oif=index, scope=SCOPE_LINK, proto=PROTOCOL_BOOT)
        ipr.neigh("replace", family=family, ifindex=index, dst=gateway, lladdr=HOST_MAC, state=NUD_PERMANENT)
        try:
            everything_else = "0.0.0.0/0" if version == 4 else "::/0"
            ipr.route("add", family=family, dst=everything_else, gateway=gateway, oif=index, proto=PROTOCOL_BOOT)
        except NetlinkError as error:
            if error.code != errno.EEXIST:
                raise


def ensure(endpoints: t.Sequence[t.Mapping[str, t.Any]], *, state: str, exclusive: bool, check_mode: bool) -> Outcome:
    """Bring the endpoints of ours in line with a list; all input is checked before anything is touched."""
    refuse_twice("endpoints", (host_interface(entry) for entry in endpoints))
    wanted = {host_interface(entry): normalise(entry) for entry in endpoints}
    with open_netlink() as ipr:
        changes = plan(read(ipr, wanted), wanted, present=state == "present", exclusive=exclusive)
        if not check_mode:
            apply(ipr, changes, wanted)
    names = [{"name": entry["workload"], "host_interface": name} for name, entry in wanted.items()]
    return Outcome(changes, {"endpoints": names})

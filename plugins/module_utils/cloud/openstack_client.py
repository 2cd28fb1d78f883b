# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""openstacksdk's client of Neutron, and what its errors mean."""

from __future__ import annotations

import contextlib
import traceback
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.cloud.needs import Machine, Step
from ansible_collections.podnet.calico.plugins.module_utils.cloud.openstack_plan import Port, Rule, spelling
from ansible_collections.podnet.calico.plugins.module_utils.errors import CloudError, MissingLibrary

SDK_ERROR: str | None = None
try:
    import openstack
    from keystoneauth1.exceptions import ClientException
    from openstack.exceptions import SDKException
except ImportError:
    SDK_ERROR = traceback.format_exc()

    class ClientException(Exception):  # type: ignore[no-redef]
        """Stands in for keystoneauth1's error so that this file imports without it; never raised."""

    class SDKException(Exception):  # type: ignore[no-redef]
        """Stands in for openstacksdk's error so that this file imports without it; never raised."""


_PART = 50  # how many values one filter has, for URLs have no more than a few thousand characters
_SECONDS = 30
_OWN = (
    "Give openstacksdk credentials: name a cloud of clouds.yaml (cloud_openstack_cloud), or set OS_AUTH_URL and so on"
)
_REMEDIES = {
    401: f"The credentials are wrong or have expired. {_OWN}",
    403: "These credentials are not allowed to do that; use those of a member of the project, or of an administrator",
    409: "Look at the project's quota of rules of security groups, or at what else Neutron says",
    412: "Somebody else has changed the port in this moment; run it again",
}


_FOREIGN = (
    "On a network of another project only its owner or an administrator changes address pairs; use their credentials, "
    "or take a mode that encapsulates between all nodes"
)


class Account(t.NamedTuple):
    """How OpenStack is reached; what is "" is left to openstacksdk's own places."""

    cloud: str
    region: str


class Neutron:
    """The calls of Neutron that are needed here."""

    def __init__(self, account: Account) -> None:
        if SDK_ERROR is not None:
            message = (
                "talk to OpenStack: Python's openstacksdk is not installed where the module runs. Install it "
                "(Debian: python3-openstacksdk), or delegate to a host that has it (cloud_host)"
            )
            raise MissingLibrary(message, SDK_ERROR)
        with _explained("connect to OpenStack"):
            connection = openstack.connect(
                cloud=account.cloud or None, region_name=account.region or None, api_timeout=_SECONDS
            )
            self._network = connection.network

    def ports(self, servers: t.Sequence[Machine]) -> list[Port]:
        """Return the ports of servers, by their ids, or by an address where there is no id."""
        named = [("device_id", server.id) for server in servers if server.id]
        named += [
            ("fixed_ips", f"ip_address={each}") for server in servers if not server.id for each in server.addresses
        ]
        found: dict[str, Port] = {}
        for key in ("device_id", "fixed_ips"):
            values = [value for name, value in named if name == key]
            for start in range(0, len(values), _PART):
                with _explained("read the nodes' ports"):
                    for port in self._network.ports(**{key: values[start : start + _PART]}):
                        found[port.id] = _port(port)
        return list(found.values())

    def rules(self, groups: t.Iterable[str]) -> list[Rule]:
        """Return the rules of security groups for what comes in."""
        found: list[Rule] = []
        for group in groups:
            with _explained(f"read the rules of security group {group}"):
                asked = self._network.security_group_rules(security_group_id=group, direction="ingress")
                found += map(_rule, asked)
        return found

    def make(self, step: Step) -> None:
        """Make a step."""
        own = {403: _FOREIGN} if step.method == "change_pairs" else {}
        with _explained(f"{step.change.action} {step.change.kind} {step.change.name}", own):
            getattr(self, f"_{step.method}")(**step.arguments)

    def _change_tags(self, port: str, tag: str, add: bool) -> None:
        """Add or delete a tag by itself: who writes the list as a whole loses what somebody else adds in between."""
        found = self._network.get_port(port)
        if add:
            found.add_tag(self._network, tag)
        elif tag in found.tags:
            found.remove_tag(self._network, tag)

    def _change_pairs(self, port: str, pool: str, mac: str, add: bool) -> None:
        """Change the list of pairs, which is written as a whole, unless somebody changes the port after it was read."""
        found = self._network.get_port(port)
        others = [pair for pair in found.allowed_address_pairs if _pair(pair, found.mac_address) != (pool, mac)]
        pairs = [*others, *([{"ip_address": pool, "mac_address": mac}] if add else [])]
        self._network.update_port(port, if_revision=found.revision_number, allowed_address_pairs=pairs)

    def _add_rule(self, **arguments: t.Any) -> None:
        try:
            self._network.create_security_group_rule(**arguments)
        except SDKException as error:
            # What two runs do at once, the second finds done; a quota is a conflict as well.
            if getattr(error, "status_code", 0) != 409 or "already exists" not in str(error):
                raise

    def _drop_rule(self, rule: str) -> None:
        self._network.delete_security_group_rule(rule, ignore_missing=True)


def _pair(pair: t.Mapping[str, t.Any], mac: str) -> tuple[str, str]:
    return str(pair["ip_address"]), str(pair.get("mac_address") or mac)


def _port(port: t.Any) -> Port:
    return Port(
        port.id,
        port.device_id or "",
        port.mac_address,
        tuple(fixed["ip_address"] for fixed in port.fixed_ips or []),
        tuple(_pair(pair, port.mac_address) for pair in port.allowed_address_pairs or []),
        # Where Neutron does not know of port security, it always is.
        port.is_port_security_enabled is not False,
        tuple(port.security_group_ids or []),
        tuple(port.tags or []),
    )


def _rule(rule: t.Any) -> Rule:
    first, last = rule.port_range_min, rule.port_range_max
    return Rule(
        rule.id,
        rule.security_group_id,
        spelling(rule.protocol),
        None if first is None else (int(first), int(last)),
        6 if rule.ether_type == "IPv6" else 4,
        # A rule for a group of addresses is for somebody else's, whatever they are.
        rule.remote_ip_prefix or "",
        rule.remote_group_id or rule.remote_address_group_id or "",
        rule.description or "",
    )


@contextlib.contextmanager
def _explained(what: str, own: t.Mapping[int, str] | None = None) -> t.Iterator[None]:
    """Raise what Neutron refuses with a remedy; own: remedies by status that are better than the usual ones."""
    try:
        yield
    except (ClientException, SDKException) as error:
        status = getattr(error, "status_code", None) or getattr(error, "http_status", None)
        remedy = {**_REMEDIES, **(own or {})}.get(status, "") if status else _OWN
        raise CloudError(f"{what}: {error}", remedy=remedy, status=status) from error

# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that bring the pod network back after a boot, and keep network managers from taking it away: as text.

Sources: systemd.unit(5), systemd.service(5), networkd.conf(5), systemd.network(5), NetworkManager.conf(5).
"""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.owned_file import HEADER

SERVICE = "podnet-calico.service"
RESTORE = "/etc/podnet-calico/restore"
PENDING = "/etc/podnet-calico/.pending"
PENDING_TEXT = f"""{HEADER}
# Files for services have been changed, and the services not been told yet. The next deployment or reset tells them.
"""
UNIT = f"/etc/systemd/system/{SERVICE}"
NETWORKD_CONF = "/etc/systemd/networkd.conf.d/podnet-calico.conf"
NETWORKD_LINKS = "/etc/systemd/network/00-podnet-calico.network"
NETWORK_MANAGER = "/etc/NetworkManager/conf.d/podnet-calico.conf"
MODES = {RESTORE: 0o755}

# The host's ends of pods have exactly eleven hexadecimal digits; NetworkManager's patterns know no classes.
_POD_LINKS = "cali" + "[0-9a-f]" * 11
_POD_LINKS_ANY = "cali" + "?" * 11
_TUNNELS = ("tunl0", "vxlan.calico", "vxlan-v6.calico")

_BEFORE = "bird.service bird6.service containerd.service crio.service docker.service podman.service kubelet.service"

_UNIT = f"""{HEADER}
# The restore file waits for the underlay by itself, for 30 s at most, since a manager may be late with the address. A
# failure keeps nothing from starting, and is tried again. Stopping the unit changes nothing of the network. A restart
# of ifupdown, nftables and some versions of systemd-networkd takes routes or tables away; it is restarted with them.
[Unit]
Description=Pod network of podnet.calico: tunnels, routes and NAT as last deployed
After=network.target systemd-networkd.service networking.service nftables.service systemd-sysctl.service
Wants=network.target
Before={_BEFORE}
PartOf=systemd-networkd.service networking.service nftables.service
ReloadPropagatedFrom=nftables.service
ConditionPathExists={RESTORE}
StartLimitIntervalSec=0

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={RESTORE}
ExecReload={RESTORE}
TimeoutStartSec=90
Restart=on-failure
RestartSec=30

[Install]
WantedBy=multi-user.target
"""

_NETWORKD_CONF = f"""{HEADER}
# Without this, systemd-networkd deletes routes and rules that it has not made, when it starts and when a link comes up.
[Network]
ManageForeignRoutes=no
ManageForeignRoutingPolicyRules=no
"""


def texts(tunnels: t.Iterable[str], *, networkd: bool, network_manager: bool) -> dict[str, str]:
    """Return the text of each file but the restore file, by path.

    tunnels: names of the tunnels. networkd, network_manager: whether they are installed.
    """
    names = list(dict.fromkeys([*_TUNNELS, *tunnels]))
    found = {UNIT: _UNIT}
    if networkd:
        found[NETWORKD_CONF] = _NETWORKD_CONF
        match = " ".join([_POD_LINKS, *names])
        found[NETWORKD_LINKS] = f"{HEADER}\n[Match]\nName={match}\n\n[Link]\nUnmanaged=yes\n"
    if network_manager:
        devices = ";".join(f"interface-name:{name}" for name in [_POD_LINKS_ANY, *names])
        found[NETWORK_MANAGER] = f"{HEADER}\n[keyfile]\nunmanaged-devices+={devices}\n"
    return found

# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A unit that makes one pod at boot, as a container runtime would: by the CNI plugins, with the list of the node."""

from __future__ import annotations

import ipaddress
import shlex
import typing as t

if t.TYPE_CHECKING:
    from stage import Stage

POD: t.Final = "test-pod"
UNIT: t.Final = f"""[Unit]
After=podnet-calico.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/{POD}
[Install]
WantedBy=multi-user.target
"""
# The same address is asked for (CNI_ARGS) as before the reboot, which has to leave no note of it (host-local).
SCRIPT: t.Final = """#!/bin/sh
set -e
export CNI_CONTAINERID=@POD@ CNI_NETNS=/run/netns/@POD@ CNI_IFNAME=eth0 CNI_PATH=/usr/lib/cni
export CNI_ARGS='IgnoreUnknown=1;IP=@ADDRESS@'
ip netns add @POD@
config=$(python3 -c '
import json
network = json.load(open("/etc/cni/net.d/10-podnet-calico.conflist"))
print(json.dumps({**network["plugins"][0], "cniVersion": network["cniVersion"], "name": network["name"]}))
')
echo "$config" | CNI_COMMAND=ADD /usr/lib/cni/ptp
"""


def install(stage: Stage, blocks: t.Mapping[str, str]) -> dict[str, str]:
    """Have each node make a pod now and at each boot; return the pods' addresses. blocks: of the nodes (CIDR)."""
    pods = {name: str(ipaddress.ip_network(block)[20]) for name, block in blocks.items()}
    for name, address in pods.items():
        script = SCRIPT.replace("@POD@", POD).replace("@ADDRESS@", address)
        for path, text in ((f"/usr/local/sbin/{POD}", script), (f"/etc/systemd/system/{POD}.service", UNIT)):
            stage.ask(name, f"printf %s {shlex.quote(text)} >{path} && chmod 755 {path}")
        stage.ask(name, f"systemctl enable --now {POD}.service 2>&1")
    return pods

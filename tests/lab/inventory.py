# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventories of a lab: one that enters the nodes directly, one that reaches them through SSH."""

from __future__ import annotations

import typing as t
from pathlib import Path

import commands
import fabric
import router
import ssh
import vm
from settings import Lab, Shape

POD_CIDR: t.Final = "10.244.0.0/16"


def write(lab: Lab, shape: Shape) -> Path:
    """Write the inventories of a lab and return the path of the one to be used on this machine."""
    lab.files.mkdir(parents=True, exist_ok=True)
    direct = lab.files / "inventory.yml"
    machines = shape.kind == "vm"
    variables = _vm_variables(lab) if machines else _direct_variables(lab)
    direct.write_text(_text(shape, variables, hosts_have_addresses=machines))
    through_ssh = lab.files / "inventory-ssh.yml"
    if shape.ssh:
        through_ssh.write_text(_text(shape, _ssh_variables(lab), hosts_have_addresses=True))
    else:
        through_ssh.unlink(missing_ok=True)
    return direct


def remove(lab: Lab) -> None:
    """Remove the inventories of a lab."""
    for path in lab.files.glob("inventory*.yml"):
        path.unlink()


def _text(shape: Shape, connection: t.Sequence[str], *, hosts_have_addresses: bool) -> str:
    lines = ["---", f"# {shape}. Made by `make lab`; the next one writes it anew.", "calico_nodes:", "  hosts:"]
    for port in fabric.ports(shape):
        lines.append(f"    {port.node}:")
        if hosts_have_addresses:
            lines.append(f"      ansible_host: {port.address.ip}")
        lines.append(f"      calico_node_address: {port.address}")
        if shape.router:
            lines.append(f'      calico_node_labels: {{{router.LABEL}: "{port.subnet}"}}')
    variables = [*connection, *_pool(shape), *(router.peers(shape) if shape.router else [])]
    lines += ["  vars:", *(f"    {line}" for line in variables), ""]
    return "\n".join(lines)


def _direct_variables(lab: Lab) -> list[str]:
    return [
        "ansible_connection: netns_node",
        "ansible_python_interpreter: /usr/bin/python3",
        f"netns_node_state_dir: {lab.run_dir}",
    ]


def _ssh_variables(lab: Lab) -> list[str]:
    return [
        "ansible_connection: ssh",
        "ansible_user: root",
        "ansible_python_interpreter: /usr/bin/python3",
        f"ansible_ssh_private_key_file: {ssh.client_key(lab)}",
        f'ansible_control_path: "{ssh.control_sockets(lab)}/%%h"',
        f"ansible_ssh_common_args: -F none -o IdentitiesOnly=yes -o UserKnownHostsFile={ssh.known_hosts(lab)}",
    ]


def _vm_variables(lab: Lab) -> list[str]:
    return [
        *_ssh_variables(lab),
        f"ansible_ssh_executable: {vm.wrapper(lab)}",
        "ansible_ssh_transfer_method: piped",
        "ansible_pipelining: true",
    ]


def _pool(shape: Shape) -> list[str]:
    """Return the one pool; it masquerades where the kernel can, which that of nodes of kind vm does."""
    probe = "add table inet probe; add chain inet probe c { type nat hook postrouting priority srcnat; }"
    can = shape.kind == "vm" or commands.succeeds("unshare", "--net", "nft", probe)
    nat = "true" if can else "false  # this kernel has no NAT for nft"
    return [
        "calico_ip_pools:",
        "  - name: default-ipv4-ippool",
        f"    cidr: {POD_CIDR}",
        "    block_size: 26",
        f'    encapsulation: "{shape.encapsulation}"',
        f"    nat_outgoing: {nat}",
    ]

# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the firmware's DMI says of the platform; the rules are those of cloud-init's ds-identify."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

from ansible_collections.podnet.calico.plugins.module_utils.cloud import platforms

FIELDS = (
    "bios_vendor",
    "board_vendor",
    "chassis_asset_tag",
    "product_name",
    "product_serial",
    "product_uuid",
    "sys_vendor",
)
# Platform, field, and what the field begins with. The first that fits counts: a cloud before what it is built with.
_RULES = (
    (platforms.AZURE, "chassis_asset_tag", r"7783-7084-3265-9085-8269-3286-77$"),
    (platforms.AWS, "sys_vendor", r"Amazon EC2"),
    (platforms.AWS, "bios_vendor", r"Amazon EC2"),
    (platforms.GOOGLE, "product_name", r"Google Compute Engine$"),
    (platforms.GOOGLE, "product_serial", r"GoogleCloud-"),
    (platforms.OPENSTACK, "product_name", r"OpenStack (Nova|Compute)"),
    (platforms.OPENSTACK, "chassis_asset_tag", r"(OpenStack (Nova|Compute)|OpenTelekomCloud)$"),
    (platforms.OPENSTACK, "sys_vendor", r"OpenStack Foundation"),
    (platforms.DIGITALOCEAN, "sys_vendor", r"DigitalOcean"),
    (platforms.HETZNER, "sys_vendor", r"Hetzner"),
    (platforms.VMWARE, "sys_vendor", r"VMware"),
    (platforms.KVM, "sys_vendor", r"QEMU"),
    (platforms.KVM, "product_name", r"KVM"),
    (platforms.KVM, "bios_vendor", r"Proxmox"),
)


class Hint(t.NamedTuple):
    """A platform, and what it is taken from: a field of DMI and its value, or a reason in words."""

    platform: str
    evidence: str


def read(folder: str) -> dict[str, str]:
    """Return those fields of a folder like /sys/class/dmi/id that can be read and are not empty."""
    found = {}
    for field in FIELDS:
        try:
            text = Path(folder, field).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            continue
        if text:
            found[field] = text
    return found


def is_virtual(cpuinfo: str) -> bool:
    """Tell whether the processor says that it is a hypervisor's; false where the file cannot be read."""
    try:
        text = Path(cpuinfo).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return re.search(r"^flags\s*:.*\bhypervisor\b", text, re.MULTILINE) is not None


def guess(fields: t.Mapping[str, str], *, virtual: bool) -> Hint:
    """Return the platform that the fields of DMI speak for."""
    for platform, field, begin in _RULES:
        value = fields.get(field, "")
        if re.match(begin, value):
            return Hint(platform, f"{field} is {value}")
    uuid = fields.get("product_uuid", "").lower()
    # Machines under Xen have no vendor of their own, but this.
    if uuid.startswith("ec2") and uuid == fields.get("product_serial", "").lower():
        return Hint(platforms.AWS, f"product_uuid is {uuid}")
    if not fields:
        return Hint(platforms.UNKNOWN, "there is no DMI")
    if virtual:
        return Hint(platforms.UNKNOWN, f"a virtual machine of {fields.get('sys_vendor', 'an unnamed vendor')}")
    return Hint(platforms.METAL, f"no hypervisor, and sys_vendor is {fields.get('sys_vendor', 'not told')}")

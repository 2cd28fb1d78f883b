# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which platform DMI speaks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.cloud.dmi import guess, is_virtual, read

CASES = {
    "azure": {"sys_vendor": "Microsoft Corporation", "chassis_asset_tag": "7783-7084-3265-9085-8269-3286-77"},
    "aws": {"sys_vendor": "Amazon EC2", "product_name": "m5.large"},
    "google": {"sys_vendor": "Google", "product_name": "Google Compute Engine"},
    "openstack": {"sys_vendor": "OpenStack Foundation", "product_name": "OpenStack Nova"},
    "digitalocean": {"sys_vendor": "DigitalOcean", "product_name": "Droplet"},
    "hetzner": {"sys_vendor": "Hetzner", "product_name": "vServer"},
    "vmware": {"sys_vendor": "VMware, Inc.", "product_name": "VMware Virtual Platform"},
    "kvm": {"sys_vendor": "QEMU", "product_name": "Standard PC (i440FX + PIIX, 1996)"},
}


@pytest.mark.parametrize("platform", CASES)
def test_a_vendor_is_known(platform: str) -> None:
    assert guess(CASES[platform], virtual=True).platform == platform


@pytest.mark.parametrize(
    ("fields", "virtual", "platform"),
    [
        ({"sys_vendor": "Xen", "product_uuid": "EC2AB", "product_serial": "ec2ab"}, True, "aws"),
        ({"sys_vendor": "Xen", "product_uuid": "ec2ab", "product_serial": "other"}, True, "unknown"),
        ({"sys_vendor": "OpenStack Foundation", "bios_vendor": "SeaBIOS", "product_name": "KVM"}, True, "openstack"),
        ({"sys_vendor": "QEMU", "chassis_asset_tag": "OpenTelekomCloud"}, True, "openstack"),
        ({"sys_vendor": "Red Hat", "product_name": "KVM"}, True, "kvm"),
        ({"sys_vendor": "Microsoft Corporation", "product_name": "Virtual Machine"}, True, "unknown"),
        ({"sys_vendor": "Dell Inc.", "product_name": "PowerEdge R640"}, False, "metal"),
        ({}, False, "unknown"),
    ],
)
def test_what_is_less_clear(fields: dict[str, str], virtual: bool, platform: str) -> None:
    assert guess(fields, virtual=virtual).platform == platform


def test_the_evidence_names_field_and_value() -> None:
    assert guess(CASES["aws"], virtual=True).evidence == "sys_vendor is Amazon EC2"


def test_fields_are_read_without_those_that_are_missing_or_empty(tmp_path: Path) -> None:
    (tmp_path / "sys_vendor").write_text("QEMU\n")
    (tmp_path / "product_name").write_text("\n")
    assert read(str(tmp_path)) == {"sys_vendor": "QEMU"}
    assert read(str(tmp_path / "nothing")) == {}


@pytest.mark.parametrize(("text", "virtual"), [("flags\t\t: fpu hypervisor\n", True), ("flags\t\t: fpu\n", False)])
def test_the_processor_tells_of_a_hypervisor(tmp_path: Path, text: str, virtual: bool) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert is_virtual(str(tmp_path / "cpuinfo")) is virtual
    assert not is_virtual(str(tmp_path / "nothing"))

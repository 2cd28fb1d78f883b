# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The platforms that are told apart, and the words for them."""

from __future__ import annotations

AWS = "aws"
AZURE = "azure"
GOOGLE = "google"
OPENSTACK = "openstack"
DIGITALOCEAN = "digitalocean"
HETZNER = "hetzner"
EQUINIX = "equinix"
VMWARE = "vmware"
KVM = "kvm"
METAL = "metal"
UNKNOWN = "unknown"

WORDS = {
    AWS: "Amazon EC2",
    AZURE: "Azure",
    GOOGLE: "Google Cloud",
    OPENSTACK: "OpenStack",
    DIGITALOCEAN: "DigitalOcean",
    HETZNER: "Hetzner Cloud",
    EQUINIX: "Equinix Metal",
    VMWARE: "VMware",
    KVM: "Proxmox or KVM",
    METAL: "bare metal",
    UNKNOWN: "an unknown platform",
}

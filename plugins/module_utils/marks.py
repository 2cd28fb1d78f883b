# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What marks the kernel's objects as ours; removal takes exactly what carries a mark."""

from __future__ import annotations

ROUTE_PROTOCOL = 98  # rtm_protocol of our routes; not 80, which Calico's Felix claims as its own
PROTOCOL_FILE = "/etc/iproute2/rt_protos.d/podnet-calico.conf"  # names that protocol, for `ip route`
PROTOCOL_NAME = "podnet"
BIRD_PROTOCOL = 12  # rtm_protocol of BIRD's routes, RTPROT_BIRD (linux/rtnetlink.h)
BIRD_METRIC = 32  # of BIRD's routes in the kernel, BIRD's own default
ALIAS_PREFIX = "podnet.calico"  # what the alias of our links starts with
NFT_TABLE = "podnet_calico"  # the one nftables table of ours, of family inet
DATASTORE = "/etc/podnet-calico/datastore"  # where resources are, unless somebody says otherwise
BASELINE = "/var/lib/podnet-calico/before.json"  # what a host was before the first deployment, see calico_baseline

# The label of objects in the datastore that pruning may delete: "true" for a list that a user keeps with
# calico_resources, "inventory" for what comes from an inventory's variables and goes with them.
MANAGED_LABEL = "podnet.calico/managed"
INVENTORY = "inventory"

# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers, names and addresses of Calico's data path that all parts have to agree on."""

from __future__ import annotations

IPIP_DEVICE = "tunl0"  # the kernel's own device of IPIP
VXLAN_PORT = 4789  # of UDP (IANA)
VXLAN_VNI = 4096
POD_GATEWAY = "169.254.1.1"  # by which every pod knows its host

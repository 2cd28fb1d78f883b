# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask calicoctl's own code (Calico v3.28, with etcd) whether it takes documents; see calico_judge/main.go.

It is built like Calico's CNI plugin, from the same module, in two and a half minutes of a processor.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import typing as t
from pathlib import Path

from ansible_collections.podnet.calico.tests.tools import calico_cni, calico_documents

SOURCE: t.Final = Path(__file__).with_suffix("")
# Alone in a network namespace, so the ports are free and nobody else is asked.
SCRIPT: t.Final = """
ip link set lo up
"$1/etcd" --data-dir "$2/etcd" --listen-client-urls "$3" --advertise-client-urls "$3" \
    --listen-peer-urls http://127.0.0.1:2380 >"$2/etcd.log" 2>&1 &
trap "kill $!" EXIT
for i in $(seq 100); do
    python3 -c 'import sys, urllib.request as r; r.urlopen(sys.argv[1] + "/health")' "$3" 2>/dev/null && break
    sleep 0.2
done
DATASTORE_TYPE=etcdv3 ETCD_ENDPOINTS="$3" "$1/judge" "$2/first.yaml"
"""
FIRST: t.Final = [
    {"apiVersion": "projectcalico.org/v3", "kind": "BGPFilter", "metadata": {"name": name}}
    for name in calico_documents.FILTERS
]
"""What random documents refer to."""

_ETCD: t.Final = "http://127.0.0.1:2379"


def answers(documents: t.Sequence[t.Any]) -> list[str]:
    """Return for each document why `calicoctl apply` refuses it beside FIRST, "" if it does not; needs root.

    Raises calico_cni.Unavailable.
    """
    programs = calico_cni.programs(("etcd", "judge"))
    fast = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 (each write of etcd waits for the disk)
    with tempfile.TemporaryDirectory(dir=fast) as place:
        Path(place, "first.yaml").write_text("\n---\n".join(map(json.dumps, FIRST)), encoding="utf-8")
        given = "".join(f"{json.dumps(document)}\n" for document in documents)
        command = ("unshare", "--net", "sh", "-euc", SCRIPT, "sh", str(programs), place, _ETCD)
        said = subprocess.run(command, input=given, capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in said.splitlines()]

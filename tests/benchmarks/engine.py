# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's side of the figures: every call into its code and every argument of its modules is here.

As a program, `engine.py FILE`, it makes the routes of a JSON file in the current network namespace.
"""

from __future__ import annotations

import importlib
import json
import shutil
import sys
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COLLECTIONS = ROOT / ".cache" / "collections"
MODULES = "ansible_collections.podnet.calico.plugins.modules"

Entry = t.Dict[str, t.Any]


def load() -> None:
    """Import the engine, so that children forked from here need not."""
    for name in ("routes", "endpoints"):
        importlib.import_module(f"ansible_collections.podnet.calico.plugins.module_utils.kernel.{name}")


def make_routes(entries: t.Sequence[Entry]) -> bool:
    """Make the routes exist and return whether anything changed; entries as scene.routes gives them."""
    from ansible_collections.podnet.calico.plugins.module_utils.kernel import routes

    outcome = routes.ensure(entries, state="present", exclusive=False, check_mode=False)
    return bool(outcome.result(with_diff=False)["changed"])


def make_endpoints(entries: t.Sequence[Entry]) -> bool:
    """Make the endpoints exist and return whether anything changed; entries as scene.pods gives them."""
    from ansible_collections.podnet.calico.plugins.module_utils.kernel import endpoints

    outcome = endpoints.ensure(entries, state="present", exclusive=False, check_mode=False)
    return bool(outcome.result(with_diff=False)["changed"])


def route_task(**options: t.Any) -> Entry:
    """Return a task of calico_route; options: routes, or src with the path of a file that holds such a list."""
    return {"podnet.calico.calico_route": options}


def small_tasks(routes: t.Sequence[Entry], endpoints: t.Sequence[Entry], device: str) -> dict[str, Entry]:
    """Return a small task of each kernel module by the module's name, for those modules that there are."""
    peers = [
        {
            "address": f"10.244.{number}.0",
            "mac": f"66:00:00:00:00:{number:02x}",
            "underlay": f"192.0.2.{100 + number}",
        }
        for number in range(1, 6)
    ]
    tunnel = {
        "kind": "vxlan",
        "name": "vxlan.calico",
        "address": "10.244.0.0/32",
        "mtu": 1450,
        "local": "192.0.2.1",
        "parent": device,
        "mac": "66:00:00:00:00:aa",
        "vni": 4096,
        "port": 4789,
        "peers": peers,
    }
    pools = ["10.244.0.0/16", "10.245.0.0/16"]
    tasks: dict[str, Entry] = {
        "calico_route": {"routes": list(routes)},
        "calico_veth": {"endpoints": list(endpoints)},
        "calico_tunnel": {"tunnels": [tunnel]},
        "calico_nat": {"masquerade": pools, "pools": pools},
    }
    there = {
        name: options for name, options in tasks.items() if (ROOT / "plugins" / "modules" / f"{name}.py").is_file()
    }
    return {name: {f"podnet.calico.{name}": options} for name, options in there.items()}


def forget(prefix: str) -> None:
    """Remove the notes of the engine about namespaces whose names start so, after these are gone."""
    notes = Path("/run/podnet.calico/netns")
    for path in notes.glob(f"{prefix}*"):
        path.unlink()
    for directory in (notes, notes.parent):
        if directory.is_dir() and not any(directory.iterdir()):
            shutil.rmtree(directory)


if __name__ == "__main__":
    sys.exit(0 if make_routes(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))) else 1)

# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many containers: those that start at the same time, and those that come and go while the plugins are changed."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import sys
import threading
import typing as t
from pathlib import Path

from containers import FOREVER, PORT, Box, Engine
from stage import Stage

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

import cni_plugins

BIN_DIR: t.Final = "/opt/cni/bin"
ROOM: t.Final = 24  # prefix length of blocks that have room for more than 200 containers
LEASES: t.Final = "find /run/podnet-calico /var/lib/cni -type f 2>/dev/null | grep -E '/[0-9]+(\\.[0-9]+){3}$' || true"

# Runs in a node: makes as many namespaces as it is told, runs ADD of the first network's plugins in all of them at the
# same time as a runtime does, prints the addresses, and runs DEL.
DIRECTLY: t.Final = """
import concurrent.futures, glob, json, os, subprocess, sys
network = json.load(open(sorted(glob.glob("/etc/cni/net.d/*.conflist"))[0]))
folder = sys.argv[2]
def call(verb, name, plugins):
    result = None
    for plugin in plugins:
        config = {key: value for key, value in plugin.items() if key != "capabilities"}
        config.update(cniVersion=network["cniVersion"], name=network["name"])
        if result is not None:
            config["prevResult"] = result
        names = {"COMMAND": verb, "CONTAINERID": name, "NETNS": "/run/netns/" + name, "IFNAME": "eth0", "PATH": folder}
        done = subprocess.run([folder + "/" + plugin["type"]], input=json.dumps(config), stdout=subprocess.PIPE,
            text=True, env={**os.environ, **{"CNI_" + key: value for key, value in names.items()}})
        assert done.returncode == 0, (plugin["type"], done.stdout)
        result = json.loads(done.stdout) if done.stdout.strip() else result
    return result
def add(name):
    return [item["address"].split("/")[0] for item in call("ADD", name, network["plugins"])["ips"]]
def remove(name):
    call("DEL", name, network["plugins"][::-1])
names = ["direct%d" % number for number in range(int(sys.argv[1]))]
for name in names:
    subprocess.run(["ip", "netns", "add", name], check=True)
with concurrent.futures.ThreadPoolExecutor(50) as pool:
    found = list(pool.map(add, names))
    list(pool.map(remove, names))
for name in names:
    subprocess.run(["ip", "netns", "delete", name], check=True)
print(json.dumps(found))
"""


def directly(stage: Stage, node: str, count: int, folder: str = "/usr/lib/cni") -> list[str]:
    """Return the addresses that so many containers of a node got at the same time, from the plugins themselves."""
    (stage.root(node) / "run" / "directly.py").write_text(DIRECTLY)
    found: list[list[str]] = json.loads(stage.ask(node, f"python3 /run/directly.py {count} {folder}"))
    return [address for addresses in found for address in addresses]


def together(engine: Engine, count: int, workers: int = 8) -> tuple[list[Box], list[str]]:
    """Start containers at the same time; return them and their addresses."""
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        boxes = list(pool.map(lambda number: engine.start(f"many{number}", *FOREVER), range(count)))
        return boxes, list(pool.map(lambda box: box.address, boxes))


def remove_all(boxes: t.Sequence[Box], workers: int = 8) -> None:
    """Remove containers at the same time."""
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda box: box.remove(), boxes))


def wide(stage: Stage) -> Path:
    """Return an inventory whose blocks have room for all."""

    def change(group: dict[str, t.Any]) -> None:
        group["vars"]["calico_ip_pools"][0]["block_size"] = ROOM

    return stage.changed_inventory(change)


class Turnover:
    """Containers that are started and removed without pause, from entering to leaving.

    done: how many were started and removed. failures: what failed, in the runtime's words.
    """

    def __init__(self, engine: Engine, workers: int = 2) -> None:
        self._engine = engine
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(number,)) for number in range(workers)]
        self.done = 0
        self.failures: list[str] = []

    def __enter__(self) -> Turnover:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _work(self, number: int) -> None:
        turn = 0
        while not self._ended.is_set():
            turn += 1
            try:
                self._engine.start(f"turn{number}-{turn}", *FOREVER, ports={9000 + number: PORT}).remove()
            except Exception as error:  # whatever a runtime says
                self.failures.append(str(error))
            else:
                self.done += 1


@dataclasses.dataclass(frozen=True)
class Release:
    """An archive of plugins."""

    version: str
    path: Path
    sha256: str

    def variables(self) -> dict[str, str]:
        """Return the variables of the role cni that have it put in place."""
        return {
            "cni_plugins_source": "archive",
            "cni_plugins_archive": str(self.path),
            "cni_plugins_version": self.version,
            "cni_plugins_sha256": self.sha256,
        }

    def put(self, stage: Stage, node: str) -> dict[str, t.Any]:
        """Put it in place by the module, from a file in the node."""
        inside = f"/run/{self.path.name}"
        (stage.root(node) / inside[1:]).write_bytes(self.path.read_bytes())
        options = {"archive": inside, "sha256": self.sha256, "version": self.version, "bin_dir": BIN_DIR}
        return stage.module(node, "calico_cni_plugins", **options)


def releases(folder: Path) -> list[Release]:
    """Return the installed plugins and the newer ones as archives in a folder. Raises cni_plugins.Unavailable."""
    found = []
    for plugins in (cni_plugins.INSTALLED, cni_plugins.newer()):
        version = cni_plugins.version(plugins)
        path = folder / f"cni-plugins-{version}.tgz"
        found.append(Release(version, path, cni_plugins.pack(plugins, path)))
    return found

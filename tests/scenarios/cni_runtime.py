# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of a container runtime that calls CNI plugins (CNI specification 1.0.0, sections 2 to 4), in lab nodes."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import typing as t

if t.TYPE_CHECKING:
    from stage import Stage

PLUGINS: t.Final = "/usr/lib/cni"
Data = t.Dict[str, t.Any]


class PluginError(Exception):
    """A plugin refused; code and message are those of its answer (section 5, Error)."""

    def __init__(self, plugin: str, code: int, message: str) -> None:
        super().__init__(f"{plugin}: {message} (code {code})")
        self.plugin = plugin
        self.code = code


@dataclasses.dataclass
class Container:
    """A container's network: a named namespace in a node, and the result of the last ADD as a runtime keeps it."""

    stage: Stage
    node: str
    name: str
    capabilities: Data = dataclasses.field(default_factory=dict)
    result: Data | None = None
    plugins: str = str(PLUGINS)

    @property
    def network(self) -> Data:
        """Return the network configuration list that is first by name, as runtimes choose it."""
        folder = self.stage.root(self.node) / "etc" / "cni" / "net.d"
        return dict(json.loads(min(folder.glob("*.conflist")).read_text()))

    def __enter__(self) -> Container:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Take its network and its namespace away, however far it has come."""
        try:
            self.delete()
        finally:
            self.stop()

    def start(self) -> None:
        """Make the namespace with a process in it, which answers HTTP on port 8080 with a list of files."""
        self.stage.ask(self.node, f"ip netns add {self.name}")
        server = f"exec python3 -m http.server 8080 --directory /usr/share/doc/iproute2 >/run/{self.name}.log 2>&1 &"
        self.stage.ask(self.node, f"ip netns exec {self.name} /bin/sh -c '{server}'")

    def stop(self) -> None:
        """Kill the processes of the namespace and remove it."""
        self.stage.ask(self.node, f"ip netns pids {self.name} | xargs -r kill; ip netns delete {self.name}")

    def add(self) -> Data:
        """Run ADD of every plugin in order, each with the result of the one before; return and keep the last one."""
        result: Data | None = None
        for plugin in self.network["plugins"]:
            result = self._execute("ADD", plugin, result)
        self.result = result
        return dict(result or {})

    def check(self, *, without: t.Container[str] = ()) -> None:
        """Run CHECK of every plugin in order, with the result of ADD; leave some out by type."""
        for plugin in self.network["plugins"]:
            if plugin["type"] not in without:
                self._execute("CHECK", plugin, self.result)

    def delete(self) -> None:
        """Run DEL of every plugin in reverse order, with the result of ADD if there is one."""
        for plugin in reversed(self.network["plugins"]):
            self._execute("DEL", plugin, self.result)
        self.result = None

    def status(self) -> None:
        """Run STATUS of every plugin (CNI 1.1.0): each says that it is ready for ADD."""
        for plugin in self.network["plugins"]:
            self._execute("STATUS", plugin, None)

    def collect(self, *valid: Container) -> None:
        """Run GC of every plugin (CNI 1.1.0), with the containers that are still there."""
        attachments = [{"containerID": each.name, "ifname": "eth0"} for each in valid]
        for plugin in self.network["plugins"]:
            self._execute("GC", {**plugin, "cni.dev/valid-attachments": attachments}, None)

    def _execute(self, command: str, plugin: Data, previous: Data | None) -> Data | None:
        """Run one plugin: parameters in the environment, its configuration on standard input, the result as JSON."""
        config = {key: value for key, value in plugin.items() if key != "capabilities"}
        config |= {"cniVersion": self.network["cniVersion"], "name": self.network["name"]}
        asked = {key: self.capabilities[key] for key in plugin.get("capabilities", {}) if key in self.capabilities}
        if asked:
            config["runtimeConfig"] = asked
        if previous is not None:
            config["prevResult"] = previous
        answer = subprocess.run(
            self.stage.enter(self.node, "env", *self._parameters(command), f"{self.plugins}/{plugin['type']}"),
            input=json.dumps(config),
            capture_output=True,
            text=True,
            check=False,
        )
        # Of the other commands a success says nothing that counts; CHECK of Calico's plugin says "OK".
        counts = command == "ADD" or answer.returncode != 0
        said = json.loads(answer.stdout) if answer.stdout.strip() and counts else None
        if answer.returncode:
            error = said or {"code": 0, "msg": answer.stderr}
            message = " ".join(filter(None, [error["msg"], error.get("details")]))
            raise PluginError(plugin["type"], error["code"], message)
        return said

    def _parameters(self, command: str) -> list[str]:
        return [
            f"CNI_COMMAND={command}",
            f"CNI_CONTAINERID={self.name}",
            f"CNI_NETNS=/run/netns/{self.name}",
            "CNI_IFNAME=eth0",
            f"CNI_PATH={self.plugins}",
        ]

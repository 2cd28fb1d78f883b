# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A marked block of ours in the files that ufw reads before the rules of its command line, see ufw-framework(8).

`ufw allow` is of no use here: it knows no IP protocol 4, and would be called for each node and port.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.changes import Change, compare
from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict
from ansible_collections.podnet.calico.plugins.module_utils.firewall import spelling
from ansible_collections.podnet.calico.plugins.module_utils.firewall.programs import act, answer, content, put
from ansible_collections.podnet.calico.plugins.module_utils.firewall.wanted import Rule

FILES = {4: "/etc/ufw/before.rules", 6: "/etc/ufw/before6.rules"}
_TOOLS = {4: ("iptables", "ufw"), 6: ("ip6tables", "ufw6")}  # and what its chains begin with
_BEGIN = "# podnet.calico: begin; made by its module calico_firewall, which changes what is in here\n"
_END = "# podnet.calico: end\n"
_BLOCK = re.compile(rf"{re.escape(_BEGIN)}.*?{re.escape(_END)}", re.DOTALL)
_COMMENT = f"-m comment --comment {spelling.COMMENT} -j ACCEPT"


def enabled() -> bool:
    """Tell whether ufw is in charge here."""
    return re.search(r"^ENABLED=[\"']?yes", content("/etc/ufw/ufw.conf"), re.MULTILINE) is not None


class Ufw:
    """The blocks of ours in ufw's files, and whether the kernel has what is in them."""

    def __init__(self, rules: t.Sequence[Rule]) -> None:
        self._texts = {path: content(path) for path in FILES.values()}
        self._lines = {version: lines(rules, version) for version in FILES}
        self._new = {FILES[version]: _with(self._texts[FILES[version]], self._lines[version]) for version in FILES}

    def changes(self) -> list[Change]:
        """Return what differs in the blocks, or that the kernel has others."""
        there, wanted = ({path: _block(text) for path, text in texts.items()} for texts in (self._texts, self._new))
        changes = compare("block", *({path: text for path, text in some.items() if text} for some in (there, wanted)))
        if changes or not enabled() or all(self._is_loaded(version) for version in FILES):
            return changes
        return [Change("unit", "ufw", "goes by former rules", "goes by its files")]

    def _is_loaded(self, version: int) -> bool:
        """Tell whether the kernel's rules of ours are those of the files; ufw may be told to leave IPv6 alone."""
        if version == 6 and not re.search(
            r"^IPV6=[\"']?yes", content("/etc/default/ufw"), re.MULTILINE | re.IGNORECASE
        ):
            return True
        tool, prefix = _TOOLS[version]
        shown = [line for hook in ("input", "output", "forward") for line in _shown(tool, f"{prefix}-before-{hook}")]
        return sorted(shown) == sorted(self._lines[version])

    def apply(self) -> None:
        """Write the blocks, and have ufw read its files; raises DaemonError before that if iptables refuses one."""
        active = enabled()
        for version, path in FILES.items() if active else []:
            if self._lines[version] and self._new[path] != self._texts[path]:
                act(f"{_TOOLS[version][0]}-restore", "-n", "--test", text=self._new[path])
        for path, text in self._new.items():
            if text != self._texts[path]:
                put(path, text)
        if active:
            act("ufw", "reload")


def _shown(tool: str, chain: str) -> t.Iterator[str]:
    for line in answer(tool, "-w", "-S", chain).stdout.splitlines():
        if f"{spelling.COMMENT}" in line:
            yield spelling.of_iptables(line.replace('"', ""))


def lines(rules: t.Sequence[Rule], version: int) -> list[str]:
    """Return rules as iptables' command line, for the chains that ufw consults first; answers it lets in by itself."""
    prefix = _TOOLS[version][1]
    return [
        f"-A {prefix}-before-{rule.hook} {line.replace('-j ACCEPT', _COMMENT)}"
        for rule in rules
        if rule.version == version and not rule.established
        for line in spelling.iptables(rule)
    ]


def _block(text: str) -> str:
    found = _BLOCK.search(text)
    return found[0] if found else ""


def _with(text: str, wanted: t.Sequence[str]) -> str:
    """Return a file's text with our block at the end of its table filter, or without any."""
    bare = _BLOCK.sub("", text)
    if not wanted:
        return bare
    block = "".join([_BEGIN, *(f"{line}\n" for line in wanted), _END])
    head, found, tail = bare.partition("*filter")
    inside, commit, rest = tail.partition("\nCOMMIT")
    if not found or not commit:
        raise Conflict(
            "let the pod network through ufw: its file of rules that come first has no table filter",
            remedy=f"Put {FILES[4]} and {FILES[6]} back as the package has them",
        )
    return f"{head}{found}{inside}\n{block}COMMIT{rest}"

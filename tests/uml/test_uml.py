# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guest itself: what a command sees in it, and that its kernel carries pods over IPIP."""

from __future__ import annotations

import contextlib
import io
import json
import re
import time
import typing as t
from pathlib import Path

import pytest
import uml

FABRIC = """
set -eu
share=$UML_SHARE
ip netns add fabric
ip -n fabric link add br0 type bridge
ip -n fabric link set br0 up
for node in 1 2 3; do
    ns=node$node
    ip netns add $ns
    ip -n $ns link set lo up
    ip -n fabric link add port$node type veth peer name eth0 netns $ns
    ip -n fabric link set port$node master br0 up
    ip -n $ns address add 192.0.2.$node/24 dev eth0
    ip -n $ns link set eth0 up
    ip -n $ns address add 198.51.100.$((node * 16))/32 dev tunl0
    ip -n $ns link set tunl0 up
    for other in 1 2 3; do
        [ $other = $node ] || ip -n $ns route add 198.51.100.$((other * 16))/28 via 192.0.2.$other dev tunl0 onlink
    done
done
ip netns exec fabric tcpdump -n -l -c 12 -i br0 'ip proto 4' >$share/capture.txt 2>$share/tcpdump.txt &
capture=$!
until grep -q 'listening on' $share/tcpdump.txt; do sleep 0.1; done
for node in 1 2 3; do
    for other in 1 2 3; do
        [ $other = $node ] && continue
        ip netns exec node$node ping -c 1 -W 5 -I 198.51.100.$((node * 16)) 198.51.100.$((other * 16))
    done
done
wait $capture
ip -n node1 -j route show dev tunl0 >$share/routes.json
"""


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """A share of this test's own, so that its results cannot be another run's."""
    return tmp_path / "share"


def run_in_guest(share: Path, *command: str, **options: t.Any) -> tuple[int, str]:
    """Return the exit status and the output of ``command`` in a new guest."""
    output = io.BytesIO()
    status = uml.run(uml.Guest(command, share=share, **options), output)
    return status, output.getvalue().decode()


def wait_for_none(word: str, seconds: float = 10) -> None:
    """Wait until no process has a word in its command line: one that is being killed still has its own for a moment."""
    deadline = time.monotonic() + seconds
    while any(word.encode() in command for command in command_lines()):
        assert time.monotonic() < deadline, f"a process with {word} is left"
        time.sleep(0.1)


def command_lines() -> t.Iterator[bytes]:
    """Yield the command lines of all processes."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended
            yield path.read_bytes()


def test_status_and_output_of_the_command_come_back(share: Path) -> None:
    status, output = run_in_guest(share, "sh", "-c", "echo one; echo two >&2; id -u; pwd; exit 7")
    assert (status, output) == (7, f"one\ntwo\n0\n{uml.CHECKOUT}\n")


def test_all_of_a_long_output_comes_back_in_order(share: Path) -> None:
    status, output = run_in_guest(share, "seq", "20000")
    assert status == 0
    assert output == "".join(f"{number}\n" for number in range(1, 20001))


def test_only_the_share_is_written_on_the_host(share: Path) -> None:
    hosts = Path("/etc/hosts").read_text(encoding="utf-8")
    inside = f"echo changed >/etc/hosts; echo new | tee /etc/uml-was-here {share}/result; cat /etc/hosts"
    assert run_in_guest(share, "sh", "-c", inside) == (0, "new\nchanged\n")
    assert (share / "result").read_text(encoding="utf-8") == "new\n"
    assert Path("/etc/hosts").read_text(encoding="utf-8") == hosts
    assert not Path("/etc/uml-was-here").exists()


def test_guest_has_no_network_to_the_outside(share: Path) -> None:
    status, output = run_in_guest(share, "ip", "-j", "link")
    assert status == 0
    assert {link["ifname"] for link in json.loads(output)} == {"lo", "tunl0"}


def test_a_daemon_left_behind_does_not_keep_the_guest(share: Path) -> None:
    status, output = run_in_guest(share, "sh", "-c", "sleep infinity & echo done", timeout=60)
    assert (status, output) == (0, "done\n")


def test_a_hanging_command_is_ended_with_its_guest(share: Path) -> None:
    status, output = run_in_guest(share, "sh", "-c", "echo before; sleep infinity", timeout=5)
    assert (status, output) == (uml.TIMED_OUT, "before\n")
    wait_for_none(f"UML_SHARE={share}")
    assert "Run /" in (share / "console.log").read_text(encoding="utf-8")


def test_a_guest_that_cannot_start_is_named_with_its_console(share: Path) -> None:
    with pytest.raises(uml.GuestError, match=rf"did not start.* see {share}/console.log"):
        run_in_guest(share, "true", memory="1M", start_timeout=5)


def test_pods_reach_each_other_over_ipip(share: Path) -> None:
    status, output = run_in_guest(share, "sh", "-c", FABRIC)
    assert status == 0, output
    assert output.count(" 0% packet loss") == 6
    routes = json.loads((share / "routes.json").read_text(encoding="utf-8"))
    assert [(route["dst"], route["gateway"], route["flags"]) for route in routes] == [
        ("198.51.100.32/28", "192.0.2.2", ["onlink"]),
        ("198.51.100.48/28", "192.0.2.3", ["onlink"]),
    ]
    packet = re.compile(
        r"IP 192\.0\.2\.(\d) > 192\.0\.2\.(\d): IP 198\.51\.100\.(\d+) > 198\.51\.100\.(\d+): ICMP echo"
    )
    seen = [tuple(map(int, found)) for found in packet.findall((share / "capture.txt").read_text(encoding="utf-8"))]
    assert len(seen) == 12
    assert all(inner == [source * 16, target * 16] for source, target, *inner in seen)
    pairs = {(source, target) for source in (1, 2, 3) for target in (1, 2, 3) if source != target}
    assert {(source, target) for source, target, *_inner in seen} == pairs

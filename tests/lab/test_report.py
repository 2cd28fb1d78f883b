# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab shows while playbooks run and at the end."""

from __future__ import annotations

import io
import itertools
import typing as t

import pytest
import report
from progress import Progress
from settings import Lab, Shape

from playbooks import Pair, Played, Verified


def pair(source: str, target: str, received: int = 10, encapsulation: str = "VXLAN") -> Pair:
    """Return one pair of the ping matrix that lost 10 - received packets."""
    times = {"min": 0.1, "avg": 0.25, "max": 0.4}
    return {
        "source": source,
        "target": target,
        "sent": 10,
        "received": received,
        "loss": 1 - received / 10,
        "rtt_ms": times if received else {},
        "encapsulation": encapsulation,
    }


def follow(output: str) -> tuple[Progress, str]:
    """Feed the output of ansible-playbook; every look at the clock is half a second after the one before."""
    screen, ticks = io.StringIO(), itertools.count(0, 0.5)
    progress = Progress(screen, clock=lambda: next(ticks))
    for line in output.splitlines():
        progress.feed(line)
    progress.finish()
    return progress, screen.getvalue()


OUTPUT: t.Final = """
PLAY [calico_nodes] ************************************************************

TASK [podnet.calico.dataplane : tunnels | Create] ******************************
ok: [node1]
changed: [node2 -> node1]
skipping: [node3]

TASK [Loop] ********************************************************************
changed: [node1] => (item=1)
ok: [node1] => (item=2)

TASK [Skipped by all] **********************************************************
skipping: [node1]

TASK [Allowed to fail] *********************************************************
[ERROR]: Task failed: Module failed: no
fatal: [node1]: FAILED! =>
    msg: does not count
...ignoring

RUNNING HANDLER [Reload] *******************************************************
fatal: [node2]: FAILED! =>
    changed: false
    msg: |-
        first line
        second line

PLAY RECAP *********************************************************************
node1                      : ok=2    changed=1    unreachable=0    failed=0    skipped=1    rescued=0    ignored=1
node2                      : ok=1    changed=11   unreachable=0    failed=1    skipped=0    rescued=0    ignored=0
"""


def test_each_task_gets_one_line_with_its_counts() -> None:
    _, text = follow(OUTPUT)
    assert [line.split() for line in text.splitlines()] == [
        ["dataplane", ":", "tunnels", "|", "Create", "0.5", "s", "1", "ok,", "1", "changed"],
        ["Loop", "0.5", "s", "1", "changed"],
        ["Allowed", "to", "fail", "0.5", "s", "1", "ignored"],
        ["Reload", "0.5", "s", "1", "failed"],
    ]


def test_changes_come_from_the_recap_and_failures_keep_their_text() -> None:
    progress, _ = follow(OUTPUT)
    assert progress.changed == 12
    assert len(progress.failures) == 1
    assert progress.failures[0].splitlines()[0] == "Reload"
    assert progress.failures[0].endswith("first line\n        second line")


def test_small_matrix_shows_loss_and_round_trip_of_each_pair() -> None:
    text = report.ping_matrix([pair("node1", "node2"), pair("node2", "node1", received=0)], ["node1", "node2"])
    assert [line.split() for line in text.splitlines()[1:]] == [
        ["node1", "node2"],
        ["node1", "-", "0%", "0.25", "ms"],
        ["node2", "100%", "-"],
    ]


def test_matrix_marks_pairs_that_were_never_tried() -> None:
    assert "?" in report.ping_matrix([pair("node1", "node2")], ["node1", "node2"])


def test_large_matrix_takes_one_character_per_pair() -> None:
    names = Shape(11, "VXLAN").names
    received = {("node1", "node2"): 0, ("node1", "node3"): 6, ("node1", "node4"): 10}
    text = report.ping_matrix([pair(*nodes, received=count) for nodes, count in received.items()], names)
    assert text.splitlines()[1] == "  node1  -X4+???????"
    assert text.splitlines()[-1] == "Mean round trips: 0.25 to 0.25 ms, median 0.25 ms."


@pytest.mark.parametrize(
    ("second", "nodes", "expected"),
    [
        ("VXLAN", 2, "Encapsulation seen on the wire: VXLAN between all nodes."),
        ("None", 2, "  node1  -      VXLAN\n  node2  None   -"),
        ("None", 11, "Encapsulation seen on the wire: None for 1 pairs, VXLAN for 1 pairs."),
    ],
    ids=["same", "table", "counts"],
)
def test_encapsulation_is_one_line_unless_pairs_differ(second: str, nodes: int, expected: str) -> None:
    pairs = [pair("node1", "node2"), pair("node2", "node1", encapsulation=second)]
    assert expected in report.encapsulations(pairs, Shape(nodes, "VXLAN").names)


def test_last_screen_tells_that_nothing_changed_and_what_comes_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)
    verified = Verified(True, [pair("node1", "node2"), pair("node2", "node1")], "")
    text = report.final_screen(Lab("podnet"), Shape(2, "VXLAN"), Played(0, 4.0, ""), verified, 9.0)
    assert "OK: all 2 pairs answered every packet." in text
    assert f"{report.NOTHING_CHANGED} Deploying took 4 s, everything together 9 s." in text
    assert "  .venv/bin/ansible-playbook -i .lab/inventory.yml podnet.calico.verify" in text
    assert "  ip netns exec podnet-node1 ip route" in text
    assert "  make lab-down" in text


def test_one_node_has_nothing_to_ping() -> None:
    text = report.final_screen(Lab("podnet"), Shape(1, "VXLAN"), Played(9, 4.0, ""), Verified(True, [], ""), 9.0)
    assert "OK: one node alone has nothing to ping." in text


def test_commands_to_paste_name_another_lab_and_use_sudo_like_the_user_did(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "user")
    text = report.next_commands(Lab("second"))
    assert "sudo PODNET_LAB_NAME=second make lab-down" in text
    assert "sudo ip netns exec second-node1 ip route" in text
    assert "-i .lab/second/inventory.yml" in text

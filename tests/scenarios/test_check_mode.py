# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode changes nothing and tells the truth; a second run finds nothing to do, with few calls."""

from __future__ import annotations

from snapshot import differences, take
from stage import Stage

# Modules that run on each node when nothing has to be done: look at the host, two for the name of the protocol (copy),
# sysctls, tunnels, routes, NAT, what a boot restores, BIRD's configuration and drop-in, and the runtime's network.
CALLS_PER_NODE = 11
# On the node with the datastore, besides: plan, resources, blocks.
CALLS_FOR_THE_DATASTORE = 3


def test_prediction_of_fresh_nodes_touches_nothing_and_is_what_the_run_does(stage: Stage) -> None:
    stage.fresh(3)
    before = take(stage)
    predicted = stage.succeed("deploy", "--check", "--diff")
    assert differences(before, take(stage)) == []
    done = stage.succeed("deploy")
    assert predicted.changed, "nothing was predicted"
    assert predicted.story == done.story
    assert differences(before, take(stage)) != []


def test_nothing_is_left_to_do_on_deployed_nodes(stage: Stage) -> None:
    before = take(stage)
    assert stage.succeed("deploy", "--check").changed == []
    second = stage.succeed("deploy")
    assert second.changed == []
    assert differences(before, take(stage)) == []
    calls = dict.fromkeys(stage.names, CALLS_PER_NODE)
    calls["node1"] += CALLS_FOR_THE_DATASTORE
    assert second.module_calls() == calls


# Waiting for sessions is left out of check mode: they come up with the real run only. It changes nothing.
ONLY_IN_THE_REAL_RUN = "podnet.calico.bird : Wait for the sessions"


def test_prediction_of_another_encapsulation_is_what_the_run_does(stage: Stage) -> None:
    stage.up(3, "None")
    before = take(stage)
    predicted = stage.succeed("deploy", "--check")
    assert differences(before, take(stage)) == []
    done = stage.succeed("deploy")
    more = done.story - predicted.story
    assert more == {(name, ONLY_IN_THE_REAL_RUN, False) for name in stage.names}
    assert predicted.story <= done.story

# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a change of BIRD's configuration does, from the two texts; and what birdc says, read as data."""

from __future__ import annotations

import re
import subprocess

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.bird import daemon
from ansible_collections.podnet.calico.plugins.module_utils.bird.config_change import ConfigChange
from ansible_collections.podnet.calico.plugins.module_utils.bird.config_text import Text
from ansible_collections.podnet.calico.plugins.module_utils.bird.status import Protocol, notifications, parse
from ansible_collections.podnet.calico.plugins.module_utils.bird.watch import lasts
from ansible_collections.podnet.calico.plugins.module_utils.changes import diff
from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict

CONFIG = """\
router id 192.0.2.11;
define POOLS4 = [ 10.244.0.0/16{26,32}, 10.245.0.0/16{26,32} ];
define OWN4 = [ 10.244.1.0/26+ ];
define POOLS6 = [ fd00:10::/48{122,128} ];
protocol static podnet_blocks4 {
  ipv4;
  route 10.244.1.0/26 blackhole;
  route 10.245.1.0/26 blackhole;
}
protocol static podnet_services4 {
  ipv4;
  route 10.96.0.0/12 blackhole;
}
protocol static podnet_reachable4 {
  ipv4 { table podnet_underlay4; };
  route 192.0.2.12/32 via 192.0.2.1;
}
filter podnet_export4 {
  if net ~ [ 10.244.0.0/16+ ] then { accept; }
  reject;
}
# protocol bgp of_a_comment from podnet_session4 {
template bgp podnet_session4 {
  hold time 90;
  error wait time 1, 30;
  ipv4 {
    igp table podnet_underlay4;
    import keep filtered;
    import limit 100 action block;
  };
}
protocol bgp one from podnet_session4 {
  description "mesh { node2; }";
  local 192.0.2.11 port 179 as 64512;
  neighbor 192.0.2.12 port 179 as 64512;
  multihop;
  passive on;
  password PODNET_PW_one;
  ipv4 {
    import filter podnet_import_node4;
    export filter podnet_export4;
  };
}
protocol bgp two from podnet_session4 {
  local 192.0.2.11 port 179 as 64512;
  neighbor 192.0.2.13 port 1790 as 64513;
  multihop;
  ipv4 {
    import where net ~ POOLS4;
    export none;
  };
}
"""


def replaced(old: str, new: str) -> str:
    assert old in CONFIG
    return CONFIG.replace(old, new)


def test_options_of_a_session_are_those_of_its_template_too() -> None:
    assert Text(CONFIG).sessions["one"] == {
        "description": '"mesh { node2; }"',
        "error wait time": "1, 30",
        "hold time": "90",
        "local": "192.0.2.11 port 179 as 64512",
        "neighbor": "192.0.2.12 port 179 as 64512",
        "reach": "multihop",
        "passive": "on",
        "password": "PODNET_PW_one",
        "ipv4 igp table": "podnet_underlay4",
        "ipv4 import keep filtered": "on",
        "ipv4 import limit": "100 action block",
        "ipv4 import": "filter podnet_import_node4",
        "ipv4 export": "filter podnet_export4",
    }


RESETS: dict[str, tuple[str, str, list[str]]] = {
    "nothing": ("", "", []),
    "comment": ("  multihop;", "  multihop;  # far away", []),
    "a switch named otherwise": ("passive on;", "passive;", []),
    "description": ('"mesh { node2; }"', '"node"', []),
    "import filter": ("import filter podnet_import_node4", "import all", []),
    "filter within the session": (
        "import where net ~ POOLS4;",
        "import filter {\n if net.len > 3 then accept;\n };",
        [],
    ),
    "limit": ("limit 100", "limit 10", []),
    "keep filtered": ("import keep filtered", "import keep filtered off", []),
    "filter's text": ("  reject;", "  accept;", []),
    "pool": ("10.244.0.0/16{26,32}, ", "", []),
    "hold time of all": ("hold time 90", "hold time 30", ["one", "two"]),
    "the same as the template's": ("  passive on;", "  passive on;\n  hold time 90;", []),
    "other than the template's": ("  passive on;", "  passive on;\n  hold time 30;", ["one"]),
    "neighbour's port": ("port 1790", "port 1791", ["two"]),
    "neighbour's AS": ("as 64513", "as 64514", ["two"]),
    "passive": ("  passive on;\n", "", ["one"]),
    "password named": ("  password PODNET_PW_one;\n", "", ["one"]),
    "igp table": ("igp table podnet_underlay4", "igp table other", ["one", "two"]),
    "router ID": ("router id 192.0.2.11", "router id 192.0.2.99", ["one", "two"]),
    "renamed": ("protocol bgp two", "protocol bgp three", []),
}


@pytest.mark.parametrize("case", RESETS.values(), ids=RESETS)
def test_resets(case: tuple[str, str, list[str]]) -> None:
    old, new, expected = case
    assert ConfigChange(CONFIG, replaced(old, new)).reset == expected


def test_another_value_of_a_password_resets_those_who_use_it_and_is_not_shown() -> None:
    change = ConfigChange(CONFIG, CONFIG, ["PODNET_PW_one"])
    assert (change.reset, change.kept) == (["one"], ["two"])
    [shown] = change.changes()
    assert (shown.before["password"], shown.after["password"], shown.after["resets"]) == ("set", "changed", True)


def test_nothing_is_reset_while_bird_does_not_run() -> None:
    change = ConfigChange(CONFIG, replaced("hold time 90", "hold time 30"), active=False)
    assert (change.reset, [shown.name for shown in change.changes()]) == ([], ["one", "two"])


def test_all_may_be_reset_if_bird_runs_what_nobody_knows() -> None:
    assert ConfigChange(CONFIG, CONFIG, known=False).reset == ["one", "two"]


def test_sessions_that_come_and_go_are_shown_with_their_options() -> None:
    change = ConfigChange(CONFIG, replaced("protocol bgp two", "protocol bgp three"))
    assert (change.added, change.removed) == (["three"], ["two"])
    assert [(shown.action, shown.name) for shown in change.changes()] == [("create", "three"), ("delete", "two")]
    assert 'session three\n  address: "192.0.2.13"\n' in diff(change.changes())["after"]
    assert '  port: 1790\n  reach: "multihop"\n  remote_as: 64513\n' in diff(change.changes())["before"]


HIDE = "  if net ~ [ 10.245.0.0/16+, 10.96.0.0/12+ ] then reject;  # disableBGPExport\n  reject;"
PREFIXES: dict[str, tuple[str, str, list[str], list[str]]] = {
    "block gone": ("  route 10.244.1.0/26 blackhole;\n", "", ["10.244.1.0/26"], []),
    "block new": ("  route 10.96", "  route 10.244.9.0/26 blackhole;\n  route 10.96", [], ["10.244.9.0/26"]),
    "services replaced": ("route 10.96.0.0/12", "route 10.97.0.0/16", ["10.96.0.0/12"], ["10.97.0.0/16"]),
    "pool not exported": ("  reject;", HIDE, ["10.245.1.0/26", "10.96.0.0/12"], []),
    "way to a peer": ("via 192.0.2.1;", "via 192.0.2.2;", [], []),
}


@pytest.mark.parametrize("case", PREFIXES.values(), ids=PREFIXES)
def test_prefixes(case: tuple[str, str, list[str], list[str]]) -> None:
    old, new, withdrawn, announced = case
    change = ConfigChange(CONFIG, replaced(old, new))
    assert (change.withdrawn, change.announced) == (withdrawn, announced)


def test_empty_texts_are_a_node_without_bird() -> None:
    assert ConfigChange("", CONFIG).facts() == {
        "sessions_added": ["one", "two"],
        "sessions_removed": [],
        "sessions_reset": [],
        "prefixes_announced": ["10.244.1.0/26", "10.245.1.0/26", "10.96.0.0/12"],
        "prefixes_withdrawn": [],
    }
    assert ConfigChange("", "").changes() == []


LIMITS: dict[str, tuple[int | None, int | None, str]] = {
    "none": (None, None, ""),
    "just enough": (2, 1, ""),
    "sessions": (1, 1, "reset BGP sessions: 2, and max_sessions_reset allows 1: one, two"),
    "prefixes": (2, 0, "withdraw prefixes: 1, and max_prefixes_withdrawn allows 0: 10.244.1.0/26"),
}


@pytest.mark.parametrize("case", LIMITS.values(), ids=LIMITS)
def test_limits(case: tuple[int | None, int | None, str]) -> None:
    sessions, prefixes, words = case
    after = replaced("hold time 90", "hold time 30").replace("  route 10.244.1.0/26 blackhole;\n", "")
    change = ConfigChange(CONFIG, after)
    if not words:
        change.refuse(sessions, prefixes)
        return
    with pytest.raises(Conflict, match=re.escape(words)) as caught:
        change.refuse(sessions, prefixes)
    assert caught.value.details["sessions_reset"] == ["one", "two"]


def test_routes_that_are_refused_on_purpose() -> None:
    after = replaced("10.244.0.0/16{26,32}, ", "").replace("10.244.1.0/26+", "10.245.1.0/26+")
    change = ConfigChange(CONFIG, after)
    pools = "net ~ [ 10.244.0.0/16{26,32}, 10.245.0.0/16{26,32} ] && !(net ~ [ 10.245.0.0/16{26,32} ])"
    assert change.refused_on_purpose("one", 4) == f"({pools}) || (net ~ [ 10.245.1.0/26+ ])"
    assert change.refused_on_purpose("one", 6) == ""
    assert ConfigChange(CONFIG, "").refused_on_purpose("one", 6) == "(net ~ [ fd00:10::/48{122,128} ])"


def test_what_a_reflector_passed_on_is_refused_on_purpose_when_it_is_a_plain_node() -> None:
    strict = "filter podnet_import_node4 {\n  if bgp_next_hop != from then reject;\n  accept;\n}\n"
    loose = "filter podnet_import_reflector4 {\n  accept;\n}\n"
    node = strict + loose + CONFIG
    reflector = node.replace("import filter podnet_import_node4", "import filter podnet_import_reflector4")
    assert ConfigChange(reflector, node).refused_on_purpose("one", 4) == "(bgp_next_hop != from)"
    assert ConfigChange(node, reflector).refused_on_purpose("one", 4) == ""
    assert ConfigChange(node, node).refused_on_purpose("one", 4) == ""


def test_networks_of_ours() -> None:
    expected = ["10.244.0.0/16", "10.244.1.0/26", "10.245.0.0/16", "fd00:10::/48"]
    assert [str(network) for network in Text(CONFIG).networks()] == expected
    assert Text("").networks() == []


STATUS = """\
BIRD 2.17.1 ready.
Name       Proto      Table      State  Since         Info
device1    Device     ---        up     13:34:35.877
one        BGP        ---        up     2026-11-24    Established
  BGP state:          Established
    Neighbor address: fe80::1%eth0
    Neighbor AS:      64512
    Local AS:         64513
  Channel ipv4
    State:          UP
    Receive limit:  3 [HIT]
      Action:       block
    Import limit:   20
    Routes:         3 imported, 1 filtered, 4 exported, 2 preferred
  Channel ipv6
    Import limit:   10000 [HIT]
      Action:       block
    Routes:         1 imported, 0 filtered, 0 exported, 1 preferred
two        BGP        ---        start  2026-11-25 13:34:35.877  Active        Socket: Connection refused
  BGP state:          Active
    Neighbor address: 192.0.2.1
    Last error:       Socket: Connection refused
"""


def test_status_as_data() -> None:
    status = parse(STATUS)
    one, two = (status.sessions[name].as_session() for name in ("one", "two"))
    assert (status.version, sorted(status.protocols), sorted(status.sessions)) == (
        "2.17.1",
        ["device1", "one", "two"],
        ["one", "two"],
    )
    assert one == {
        "name": "one",
        "kind": "BGP",
        "state": "up",
        "since": "2026-11-24",
        "info": "Established",
        "address": "fe80::1%eth0",
        "remote_as": 64512,
        "local_as": 64513,
        "last_error": "",
        "last_notification": "",
        "imported": 4,
        "filtered": 1,
        "exported": 4,
        "preferred": 3,
        "limits_hit": ["receive limit 3", "import limit 10000"],
    }
    assert (two["since"], two["last_error"]) == ("2026-11-25 13:34:35.877", "Socket: Connection refused")
    assert two["info"].startswith("Active ")
    assert (status.sessions["one"].established, status.sessions["two"].established) == (True, False)
    assert (status.sessions["one"].forgetful, status.sessions["two"].forgetful) == (False, True)


@pytest.mark.parametrize(("version", "shut"), [("2.0.12", True), ("3.1.8", False)])
def test_bird_3_shows_a_limit_that_is_open_again(version: str, shut: bool) -> None:
    text = STATUS.replace("BIRD 2.17.1", f"BIRD {version}")
    full = ["receive limit 3"]
    assert parse(text).sessions["one"].limits_hit == [*full, *(["import limit 10000"] if shut else [])]


LOG = """\
one: State changed to up
one: Received: Administrative shutdown
one: State changed to stop
two: Error: Hold timer expired
three: Received: Administrative shutdown
three: State changed to up
<RMT> four: Received: Maximum number of prefixes reached
podnet_kernel4: State changed to up
Reconfigured
"""


def test_what_a_peer_said_since_its_session_was_up() -> None:
    said = {"one": "Administrative shutdown", "four": "Maximum number of prefixes reached"}
    assert notifications(LOG.splitlines()) == said


@pytest.mark.parametrize(("journal", "said"), [(LOG.replace("one", "two"), "Administrative shutdown"), (None, None)])
def test_a_session_that_is_down_gets_what_the_journal_has(
    journal: str | None, said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*command: str) -> subprocess.CompletedProcess[str]:
        if journal is None:
            raise FileNotFoundError(command[0])
        return subprocess.CompletedProcess(command, 0, journal, "")

    monkeypatch.setattr(daemon, "_run", run)
    sessions = daemon.with_notifications(parse(STATUS)).sessions
    assert sessions["two"].details.get("last_notification") == said
    assert "last_notification" not in sessions["one"].details


def test_no_bird_is_no_version_and_no_protocol() -> None:
    assert (parse("").version, parse("").protocols) == ("", {})


# When a session's state began, before and after, and whether it can be the same session.
TIMES: dict[str, tuple[str, str, bool]] = {
    "same": ("13:34:35.877", "13:34:35.877", True),
    "a millisecond of another clock": ("13:34:35.877", "13:34:35.876", True),
    "midnight": ("23:59:59.999", "00:00:00.000", True),
    "later": ("13:34:35.877", "13:34:37.100", False),
    "older than 20 hours": ("13:34:35.877", "2026-11-24", True),
    "days old": ("2026-11-24", "2026-11-24", True),
    "days old and now new": ("2026-11-24", "13:34:35.877", False),
    "with the date": ("2026-11-24 13:34:35.877", "2026-11-24 13:34:35.878", True),
}


@pytest.mark.parametrize("case", TIMES.values(), ids=TIMES)
def test_a_sessionlasts_if_it_began_when_it_did(case: tuple[str, str, bool]) -> None:
    before, now, expected = case
    one, other = (Protocol("one", "BGP", "up", since, "Established") for since in (before, now))
    assert lasts(one, other) is expected
    other.info = "Active"
    assert lasts(one, other) is False

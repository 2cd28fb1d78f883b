#!/bin/sh
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# ipip-lab.sh NODES ENCAPSULATION
# Runs in the guest: a lab with IPIP, its playbooks, and a capture in its fabric meanwhile. What was found goes to the
# share: verify.json, capture.txt, routes.json and link.json of node1, and the logs of the playbooks.
set -u
nodes=$1
encapsulation=$2

keep_results() {
    cp .lab/verify.json .lab/*.log "$UML_SHARE" 2>/dev/null
    ip -n podnet-node1 -j route show >"$UML_SHARE/routes.json"
    ip -n podnet-node1 -j -d link show tunl0 >"$UML_SHARE/link.json"
}

# run_command drops the output of a program that ends in the moment in which its wait of 1 s runs out. Here programs are
# slow enough for that to happen (2 of 91 with programs of about 1 s), so wait longer; in the guest's memory only.
sed -i 's/selector\.select(1)$/selector.select(10)/' "$(python -c 'from ansible.module_utils import basic; print(basic.__file__)')"

python tests/lab/lab.py up --nodes "$nodes" --encapsulation "$encapsulation" || exit
ip netns exec podnet-fabric tcpdump -n -l -i any 'ip proto 4' >"$UML_SHARE/capture.txt" 2>"$UML_SHARE/tcpdump.log" &
capture=$!
until grep -q 'listening on' "$UML_SHARE/tcpdump.log"; do
    kill -0 "$capture" || exit 1
    sleep 0.1
done
python tests/lab/lab.py run --nodes "$nodes" --encapsulation "$encapsulation"
status=$?
kill "$capture"
wait "$capture"
keep_results
exit "$status"

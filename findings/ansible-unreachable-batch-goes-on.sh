#!/usr/bin/env bash
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Finding:  A rolling play (serial) with any_errors_fatal goes on to the next batch, and a later play to its hosts, where
#           all hosts of a batch are unreachable. One unreachable host beside a reachable one ends the run.
# Expected: that any_errors_fatal ends the run at the first unreachable host, whatever the size of its batch.
# Versions: ansible-core 2.18.6, 2.19.14.
# Seen:     the lines below EXPECTED.
# Remedy:   ignore_unreachable on the task: with it any_errors_fatal ends the play, and all hosts go to the rescue.
set -eu

skip() {
    echo "SKIP: $*"
    exit 77
}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

mkdir connection_plugins
cat >connection_plugins/gone.py <<'PYTHON'
"""A connection to a host that does not answer."""
from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = "name: gone\nshort_description: Nobody answers\n"


class Connection(ConnectionBase):
    transport = "gone"

    def _connect(self):
        raise AnsibleConnectionFailure("nobody answers")

    exec_command = put_file = fetch_file = lambda self, *arguments, **options: self._connect()
    close = lambda self: None
PYTHON
cat >play.yml <<'YAML'
- hosts: all
  gather_facts: false
  any_errors_fatal: true
  serial: "{{ batch }}"
  tasks:
    - ansible.builtin.raw: "true"
    - ansible.builtin.debug: {msg: "changed {{ inventory_hostname }}"}
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {msg: "finished {{ inventory_hostname }}"}
YAML
printf 'first ansible_connection=gone\nsecond ansible_connection=local\n' >hosts.ini

for version in 2.18.6 2.19.14; do
    python3 -m venv "$version"
    "$version/bin/pip" -q --disable-pip-version-check install "ansible-core==$version" \
        || skip "pip cannot install ansible-core $version"
    for batch in 1 2; do
        output=$(ANSIBLE_CONNECTION_PLUGINS=connection_plugins "$version/bin/ansible-playbook" -i hosts.ini play.yml \
            -e "batch=$batch" 2>&1) && status=0 || status=$?
        said=$(printf '%s\n' "$output" | grep -oE '(changed|finished) (first|second)' | tr '\n' ',')
        echo "ansible-core $version, batches of $batch: ${said:-nothing} status $status"
    done
done | tee seen

# EXPECTED
diff seen - <<'LINES' || { echo "CHANGED: see the lines above"; exit 1; }
ansible-core 2.18.6, batches of 1: changed second,finished second, status 4
ansible-core 2.18.6, batches of 2: nothing status 4
ansible-core 2.19.14, batches of 1: changed second,finished second, status 4
ansible-core 2.19.14, batches of 2: nothing status 4
LINES
echo "AS STATED: a batch of unreachable hosts does not end the play"

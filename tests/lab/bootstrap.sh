#!/bin/sh
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Give this machine what the lab needs, and take it away again.
#
#   bootstrap.sh install [record]   install the missing packages of packages.txt without starting any service, create
#                                   .venv, link the checkout as a collection; with "record", note the new packages
#   bootstrap.sh vm [record]        the same, and the packages for nodes of kind vm (vm-packages.txt), with those to
#                                   build their kernel (kernel-packages.txt) unless the cache has one
#   bootstrap.sh test               all that, and the packages of ../packages.txt
#   bootstrap.sh remove             purge exactly the packages that were noted
#
# Where another program holds a lock of apt or dpkg, this waits for it, and says so.
# PYTHON (default /usr/bin/python3) makes the virtual environment. The log is .lab/bootstrap.log.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
checkout=$(cd "$here/../.." && pwd)
log=$checkout/.lab/bootstrap.log
record=/var/lib/podnet-lab/packages
policy=/usr/sbin/policy-rc.d
policy_kept=$policy.before-podnet-lab
python=${PYTHON:-/usr/bin/python3}
# In the order in which apt takes them.
lists_lock=/var/lib/apt/lists/lock
packages_lock=/var/lib/dpkg/lock-frontend
archives_lock=/var/cache/apt/archives/lock
status_lock=/var/lib/dpkg/lock
lists=$here/packages.txt
work=

say() {
    printf '%s\n' "$*"
    printf '== %s\n' "$*" >>"$log"
}

# quietly WHAT COMMAND...: run it with its output in the log; on failure show the end of it.
quietly() {
    what=$1
    shift
    "$@" >>"$log" 2>&1 </dev/null || complain "$what"
}

complain() {
    printf '%s failed. The end of %s:\n' "$1" "$log" >&2
    tail -n 15 "$log" | sed 's/^/    /' >&2
    exit 1
}

# locked "LOCK..." COMMAND...: run a program of apt or dpkg with its output in the log, when its locks are free.
locked() {
    locks=$1
    shift
    # shellcheck disable=SC2086  # a list of files
    "$python" "$here/package_lock.py" "$log" $locks -- "$@"
}

installed_packages() { dpkg-query -W -f '${db:Status-Status} ${binary:Package}\n' | sed -n 's/^installed //p' | sort; }

enabled_services() { find /etc/systemd/system -path '*.wants/*.service' 2>/dev/null | sed 's|.*/||' | sort -u; }

# The caches of tests/lab/vm_cache.py: any kernel in the folder that PODNET_VM_CACHE names, one of ours in the other.
kernel_is_cached() {
    key=$(sha256sum "$here/vm_kernel.config" | cut -c 1-8)
    for tar in ${PODNET_VM_CACHE:+"$PODNET_VM_CACHE"/kernel-*.tar} /var/cache/podnet-lab/kernel-*-"$key".tar; do
        if [ -e "$tar" ]; then return 0; fi
    done
    return 1
}

machine_lists() {
    lists="$lists $here/vm-packages.txt"
    kernel_is_cached || lists="$lists $here/kernel-packages.txt"
}

missing_packages() {
    # shellcheck disable=SC2086  # a list of files
    sed 's/#.*//' $lists | sort -u | while read -r package; do
        [ -n "$package" ] || continue
        status=$(dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | head -n 1) || status=
        [ "$status" = installed ] || printf '%s\n' "$package"
    done
}

# invoke-rc.d asks policy-rc.d before it starts a service; 101 means "forbidden".
forbid_service_starts() {
    restore_service_policy
    if [ -e "$policy" ]; then mv "$policy" "$policy_kept"; fi
    printf '#!/bin/sh\n# podnet lab, while it installs packages\nexit 101\n' >"$policy"
    chmod 755 "$policy"
}

restore_service_policy() {
    if [ -f "$policy" ] && grep -q '^# podnet lab' "$policy"; then rm -f "$policy"; fi
    if [ -e "$policy_kept" ]; then mv "$policy_kept" "$policy"; fi
}

disable_service() {
    if command -v systemctl >/dev/null; then
        quietly "Disabling $1" systemctl --quiet disable "$1"
    else
        find /etc/systemd/system -path "*.wants/$1" -delete
        quietly "Disabling $1" update-rc.d "${1%.service}" disable
    fi
}

clean_up() {
    restore_service_policy
    if [ -n "$work" ]; then rm -rf "$work"; fi
}

note_packages() {
    mkdir -p "$(dirname "$record")"
    cat "$1" >>"$record"
    sort -u -o "$record" "$record"
}

install_packages() {
    missing=$(missing_packages | tr '\n' ' ')
    missing=${missing% }
    [ -n "$missing" ] || return 0
    say "Installing $(printf '%s' "$missing" | wc -w) packages, none of their services is started: $missing"
    work=$(mktemp -d)
    trap clean_up EXIT
    trap 'exit 130' INT TERM
    installed_packages >"$work/packages"
    enabled_services >"$work/services"
    forbid_service_starts
    locked "$lists_lock" apt-get -q update </dev/null || complain "apt-get update"
    # shellcheck disable=SC2086  # a list of package names
    DEBIAN_FRONTEND=noninteractive locked "$packages_lock $archives_lock" \
        apt-get -qy --no-install-recommends install $missing </dev/null || complain "apt-get install"
    restore_service_policy
    installed_packages | comm -13 "$work/packages" - >"$work/new"
    if [ "$1" = record ]; then note_packages "$work/new"; fi
    for service in $(enabled_services | comm -13 "$work/services" -); do
        disable_service "$service"
    done
}

make_environment() {
    wanted=$("$python" --version 2>&1 | cat - "$checkout/requirements.txt" | sha256sum)
    stamp=$checkout/.venv/.requirements.sha256
    if "$checkout/.venv/bin/python" -c pass 2>/dev/null && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then return 0; fi
    say "Installing the locked Python requirements into .venv"
    if ! "$checkout/.venv/bin/python" -m pip --version >/dev/null 2>&1; then
        rm -rf "$checkout/.venv"
        quietly "Creating .venv" "$python" -m venv "$checkout/.venv"
    fi
    # Python compiles what is imported; of the clouds' libraries that is a small part, and all of them take a minute.
    quietly "pip install" "$checkout/.venv/bin/python" -m pip install --disable-pip-version-check -q --no-compile \
        -r "$checkout/requirements.txt"
    printf '%s\n' "$wanted" >"$stamp"
}

# Beside the environment, since both wait for the network. What cannot be fetched leaves its reason, which the tests that
# skip give.
fetch_programs() {
    for tool in bird_versions cni_plugins container_runtimes; do
        "$python" "$here/../tools/$tool.py" >>"$log" 2>&1 || true
    done
}

link_collection() {
    mkdir -p "$checkout/.cache/collections/ansible_collections/podnet"
    ln -sfn ../../../.. "$checkout/.cache/collections/ansible_collections/podnet/calico"
}

remove_packages() {
    [ -s "$record" ] || return 0
    for state in /run/*-lab/state.json; do
        [ -e "$state" ] || continue
        say "The packages stay until the other lab is removed, too: $(dirname "$state")"
        return 0
    done
    recorded=$(cat "$record")
    present=$(installed_packages | comm -12 - "$record")
    if [ -n "$present" ]; then
        say "Removing the $(printf '%s\n' "$present" | wc -l) packages that the lab installed"
        # One command for all of them: dpkg finds the order, and keeps what another package depends on.
        # shellcheck disable=SC2086  # a list of package names
        DEBIAN_FRONTEND=noninteractive locked "$packages_lock $status_lock" dpkg --purge $present </dev/null || true
    fi
    for package in $recorded; do
        status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=
        [ "$status" = installed ] || continue
        say "$package stays: another package needs it now (see $log)"
        printf '%s install\n' "$package" | locked "$packages_lock $status_lock" dpkg --set-selections
    done
    rm -f "$record"
    rmdir "$(dirname "$record")" 2>/dev/null || true
}

usage() {
    printf 'usage: %s install [record] | vm [record] | test | remove\n' "$0" >&2
    exit 2
}

if [ "$(id -u)" != 0 ]; then
    printf '%s installs packages and needs root: run it with sudo.\n' "$0" >&2
    exit 1
fi
mkdir -p "$(dirname "$log")"
case "${1:-} ${2:-}" in
    'install ' | 'install record' | 'vm ' | 'vm record' | 'test ')
        if [ "$1" != install ]; then machine_lists; fi
        if [ "$1" = test ]; then lists="$lists $here/../packages.txt"; fi
        install_packages "${2:-}"
        trap 'clean_up; wait' EXIT
        if [ "$1" = test ]; then fetch_programs & fi
        make_environment
        link_collection
        wait
        ;;
    'remove ') remove_packages ;;
    *) usage ;;
esac

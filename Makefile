# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

NODES ?= 3
ENCAPSULATION ?= VXLAN
KIND ?= netns
PYTHON ?= /usr/bin/python3
export PYTHON
# A shell that became root with plain `su` does not search these.
export PATH := /usr/sbin:/sbin:$(PATH)

LAB = tests/lab/lab.py
SHAPE = --nodes '$(NODES)' --encapsulation '$(ENCAPSULATION)' --kind '$(KIND)' $(if $(SSH),--ssh) \
	$(if $(SUBNETS),--subnets '$(SUBNETS)') $(if $(ROUTER),--router) $(if $(FABRIC),--fabric '$(FABRIC)')

.PHONY: help lab lab-down test test-all bench root
.DEFAULT_GOAL := help

help:
	@echo 'sudo make lab         boot nodes on this machine, deploy the pod network, print the ping matrix'
	@echo '                        NODES=3              1 to 200'
	@echo '                        ENCAPSULATION=VXLAN  or VXLANCrossSubnet, IPIP, IPIPCrossSubnet, None'
	@echo '                        SSH=1                nodes that also answer SSH'
	@echo '                        KIND=vm              virtual machines instead of namespaces, see docs/lab-vm.md'
	@echo '                        SUBNETS=2            two subnets with any encapsulation'
	@echo '                        ROUTER=1             the router between the subnets learns the pods by BGP'
	@echo '                        FABRIC=azure         an underlay as of a cloud: aws, azure, firewalld, mtu1400, openstack,'
	@echo '                                             strict-rp_filter, vmware; see docs/probe.md'
	@echo 'sudo make lab-down    remove the lab and the packages that it installed'
	@echo 'sudo make test        everything that continuous integration runs'
	@echo 'sudo make test-all    that, and what takes too long for every change'
	@echo 'sudo make bench       measure, print a table, write tests/benchmarks/results.json'
	@echo '                        BENCH=kernel         one group, or the beginning of the ids to measure'
	@echo '                        QUICK=1              small and short, to try the cases; writes nothing'

root:
	@[ "$$(id -u)" = 0 ] || { echo 'This needs root (packages, network namespaces): use `sudo make $(firstword $(MAKECMDGOALS))`.' >&2; exit 1; }

lab: root
	@$(PYTHON) $(LAB) check $(SHAPE)
	@tests/lab/bootstrap.sh $(if $(filter vm,$(KIND)),vm,install) record
	@.venv/bin/python $(LAB) run $(SHAPE)

lab-down: root
	@$(PYTHON) $(LAB) down
	@tests/lab/bootstrap.sh remove
	@[ ! -d /var/cache/podnet-lab ] || echo 'Kept for the next lab with KIND=vm: /var/cache/podnet-lab ('$$(du -sh /var/cache/podnet-lab | cut -f1)').'

# The environment's costs belong to the run: tests/tools/conductor.py adds them up.
MEASURED_BOOTSTRAP = @$(PYTHON) tests/tools/measured.py .cache/measured/bootstrap.json tests/lab/bootstrap.sh test

test: root
	$(MEASURED_BOOTSTRAP)
	@.venv/bin/nox -s test

test-all: root
	$(MEASURED_BOOTSTRAP)
	@.venv/bin/nox -s test_all

bench: root
	@tests/lab/bootstrap.sh test
	@PYTHONPATH=.cache/collections .venv/bin/python -m ansible_collections.podnet.calico.tests.benchmarks.run $(if $(QUICK),--quick) '$(BENCH)'

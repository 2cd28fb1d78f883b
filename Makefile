# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

NODES ?= 3
ENCAPSULATION ?= VXLAN
PYTHON ?= /usr/bin/python3
export PYTHON
# A shell that became root with plain `su` does not search these.
export PATH := /usr/sbin:/sbin:$(PATH)

LAB = tests/lab/lab.py
SHAPE = --nodes '$(NODES)' --encapsulation '$(ENCAPSULATION)' $(if $(SSH),--ssh)

.PHONY: help lab lab-down test test-ipip bench root
.DEFAULT_GOAL := help

help:
	@echo 'sudo make lab         boot nodes on this machine, deploy the pod network, print the ping matrix'
	@echo '                        NODES=3              1 to 200'
	@echo '                        ENCAPSULATION=VXLAN  or VXLANCrossSubnet, IPIP, IPIPCrossSubnet, None'
	@echo '                        SSH=1                nodes that also answer SSH'
	@echo 'sudo make lab-down    remove the lab and the packages that it installed'
	@echo 'sudo make test        everything that continuous integration runs'
	@echo 'sudo make test-ipip   the lab with IPIP inside User-mode Linux, for kernels without ipip'
	@echo 'sudo make bench       measure, print a table, write tests/benchmarks/results.json'
	@echo '                        BENCH=kernel         one group, or the beginning of the ids to measure'
	@echo '                        QUICK=1              small and short, to try the cases; writes nothing'

root:
	@[ "$$(id -u)" = 0 ] || { echo 'This needs root (packages, network namespaces): use `sudo make $(firstword $(MAKECMDGOALS))`.' >&2; exit 1; }

lab: root
	@$(PYTHON) $(LAB) check $(SHAPE)
	@tests/lab/bootstrap.sh install record
	@.venv/bin/python $(LAB) run $(SHAPE)

lab-down: root
	@$(PYTHON) $(LAB) down
	@tests/lab/bootstrap.sh remove

test: root
	@tests/lab/bootstrap.sh test
	@.venv/bin/nox -s test

test-ipip: root
	@tests/lab/bootstrap.sh test
	@.venv/bin/nox -s ipip

bench: root
	@tests/lab/bootstrap.sh test
	@PYTHONPATH=.cache/collections .venv/bin/python -m ansible_collections.podnet.calico.tests.benchmarks.run $(if $(QUICK),--quick) '$(BENCH)'

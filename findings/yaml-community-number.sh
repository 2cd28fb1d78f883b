#!/usr/bin/env bash
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Finding:  The same line with a BGP community is a text for Go's YAML (calicoctl, kubectl) and a number for Python's
#           (Ansible), if it has no quotes and all parts after the first are below 60: 65000:10 becomes 3900010.
# Expected: that a manifest that calicoctl applies means the same in an inventory, and that communities behave alike.
#           PyYAML keeps YAML 1.1's numbers to the base of 60, which the Go library leaves out. 65000:60 stays a text,
#           and so does 0:10, since a number to the base of 60 does not begin with 0.
# Versions: PyYAML 6.0.4, sigs.k8s.io/yaml 1.6.0.
# Seen:     the lines below EXPECTED.
# Remedy:   quotes around communities; whoever reads them refuses numbers, for 3900010 has more than one origin.
set -eu

skip() {
    echo "SKIP: $*"
    exit 77
}

command -v go >/dev/null || skip "needs Go"
dir=$(mktemp -d)
export GOPATH="$dir/gopath" GOCACHE="$dir/gocache" GOFLAGS="-mod=mod -modcacherw -p=1" GOTOOLCHAIN=local
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps --target python \
    PyYAML==6.0.4 || skip "pip cannot install PyYAML 6.0.4"
cat >go.mod <<'GO'
module finding

go 1.22

require sigs.k8s.io/yaml v1.6.0
GO
cat >main.go <<'GO'
package main

import (
	"fmt"
	"io"
	"os"

	"sigs.k8s.io/yaml"
)

func main() {
	text, _ := io.ReadAll(os.Stdin)
	json, err := yaml.YAMLToJSON(text)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(json))
}
GO
go mod download sigs.k8s.io/yaml@v1.6.0 || skip "the Go library cannot be fetched"
go build -o convert .

for value in 65000:10 65000:59 65000:60 65000:100 64512:1:2 64512:1:70 0:10; do
    go=$(echo "value: $value" | ./convert)
    python=$(echo "value: $value" | PYTHONPATH=python python3 -c \
        'import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin), separators=(",", ":")))')
    echo "Go $go Python $python"
done | tee seen

cat >expected <<'EXPECTED'
Go {"value":"65000:10"} Python {"value":3900010}
Go {"value":"65000:59"} Python {"value":3900059}
Go {"value":"65000:60"} Python {"value":"65000:60"}
Go {"value":"65000:100"} Python {"value":"65000:100"}
Go {"value":"64512:1:2"} Python {"value":232243262}
Go {"value":"64512:1:70"} Python {"value":"64512:1:70"}
Go {"value":"0:10"} Python {"value":"0:10"}
EXPECTED
if diff expected seen; then
    echo "As stated."
else
    echo "CHANGED: see the differences above."
    exit 1
fi

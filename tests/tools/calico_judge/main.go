// Copyright (c) 2026, podnet.calico contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Calico's answer to documents: whether `calicoctl apply` takes them, and why not.
//
// It reads one document a line (JSON) and answers each with one line (JSON), "" for one that is taken. It decodes and
// applies them with calicoctl's own packages, in the etcd that ETCD_ENDPOINTS names, where each is alone with what the
// files given as arguments contain: what it has created is removed before the next one is read.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/sirupsen/logrus"
	etcd "go.etcd.io/etcd/client/v3"

	"github.com/projectcalico/calico/calicoctl/calicoctl/commands/common"
	"github.com/projectcalico/calico/calicoctl/calicoctl/resourcemgr"
	"github.com/projectcalico/calico/libcalico-go/lib/backend/model"
	"github.com/projectcalico/calico/libcalico-go/lib/clientv3"
)

func main() {
	logrus.SetLevel(logrus.PanicLevel)
	client, err := clientv3.NewFromEnv()
	check(err)
	raw, err := etcd.New(etcd.Config{Endpoints: []string{os.Getenv("ETCD_ENDPOINTS")}, DialTimeout: 10 * time.Second})
	check(err)
	for _, file := range os.Args[1:] {
		_, err := apply(client, file)
		check(err)
	}
	place, err := os.CreateTemp("", "document-*.json")
	check(err)
	defer os.Remove(place.Name())
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	answers := bufio.NewWriter(os.Stdout)
	defer answers.Flush()
	for lines.Scan() {
		check(os.WriteFile(place.Name(), lines.Bytes(), 0o600))
		keys, reason := apply(client, place.Name())
		for _, key := range keys {
			_, err := raw.Delete(context.Background(), key)
			check(err)
		}
		answer := ""
		if reason != nil {
			answer = reason.Error()
		}
		line, err := json.Marshal(answer)
		check(err)
		fmt.Fprintln(answers, string(line))
	}
	check(lines.Err())
}

// apply applies what a file contains; it returns the keys in etcd.
func apply(client clientv3.Interface, file string) (keys []string, err error) {
	defer func() {
		if found := recover(); found != nil {
			err = fmt.Errorf("panic: %v", found)
		}
	}()
	objects, err := resourcemgr.CreateResourcesFromFile(file)
	if err != nil {
		return nil, err
	}
	for _, object := range objects {
		resource, ok := object.(resourcemgr.ResourceObject)
		if !ok {
			return keys, fmt.Errorf("%T is a list", object)
		}
		_, err := common.ExecuteResourceAction(map[string]interface{}{}, client, resource, common.ActionApply)
		if err != nil {
			return keys, err
		}
		kind := object.GetObjectKind().GroupVersionKind().Kind
		keys = append(keys, key(kind, resource.GetObjectMeta().GetName()))
	}
	return keys, nil
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func key(kind, name string) string {
	path, err := model.KeyToDefaultPath(model.ResourceKey{Kind: kind, Name: name})
	check(err)
	return path
}

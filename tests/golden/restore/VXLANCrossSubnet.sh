
lock
sysctls
modprobe -q vxlan 2>/dev/null

nat <<'END'
table inet podnet_calico {
	set masquerade4 {
		type ipv4_addr
		flags interval
		elements = { 10.244.0.0/16 }
	}

	set pools4 {
		type ipv4_addr
		flags interval
		elements = { 10.244.0.0/16 }
	}

	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr @masquerade4 ip daddr != @pools4 masquerade fully-random comment "pods IPv4"
		oifname "vxlan.calico" fib saddr . oif type != local fib saddr type local masquerade fully-random comment "tunnel vxlan.calico"
	}
}
END

await 'the device eth0' ip -o link show dev eth0 up
await 'systemd-networkd, to be done with eth0' settled eth0
await 'the address 192.0.2.11' ip -o addr show up -tentative to 192.0.2.11

if vxlan vxlan.calico 66:f9:37:c3:7e:94 4096 192.0.2.11 eth0 4789; then
    configure vxlan.calico 1450 10.244.166.128/32
    entries vxlan.calico <<'END'
neigh replace 10.244.104.0 lladdr 66:2d:bf:44:a6:8b dev vxlan.calico nud permanent # node2
neigh replace 10.244.135.0 lladdr 66:a4:6f:e0:c4:da dev vxlan.calico nud permanent # node3
fdb replace 66:2d:bf:44:a6:8b dst 192.0.2.12 dev vxlan.calico self permanent # node2
fdb replace 66:a4:6f:e0:c4:da dst 198.51.100.13 dev vxlan.calico self permanent # node3
END
else
    refused="${refused}vxlan.calico "
fi

routes 4 <<'END'
route add 10.244.104.0/26 via 192.0.2.12 dev eth0 onlink proto 98
route add 10.244.135.0/26 via 10.244.135.0 dev vxlan.calico onlink proto 98
route add blackhole 10.244.166.128/26 proto 98
route add 169.254.1.1/32 dev lo proto 98 scope link
END

exit "$status"

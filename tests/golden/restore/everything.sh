
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

	set exclude4 {
		type ipv4_addr
		flags interval
		elements = { 192.0.2.0/24,
			     198.51.100.7 }
	}

	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr @masquerade4 ip daddr != @pools4 ip daddr != @exclude4 masquerade fully-random comment "pods IPv4"
	}
}
END

await 'the device eth0' ip -o link show dev eth0 up
await 'systemd-networkd, to be done with eth0' settled eth0
await 'the device eth1' ip -o link show dev eth1 up
await 'systemd-networkd, to be done with eth1' settled eth1
await 'the address 192.0.2.11' ip -o addr show up -tentative to 192.0.2.11
await 'the address 2001:db8::11' ip -o addr show up -tentative to 2001:db8::11
await 'an IPv4 address of eth0' ip -o -4 addr show dev eth0 up -tentative scope global
await 'an IPv6 address of eth0' ip -o -6 addr show dev eth0 up -tentative scope global

if vxlan vxlan.calico 66:00:00:00:00:01 4096 192.0.2.11 eth0 4789; then
    configure vxlan.calico 1450 10.244.0.1/32
    offload vxlan.calico on
    entries vxlan.calico <<'END'
neigh replace 10.244.1.0 lladdr 66:00:00:00:00:0a dev vxlan.calico nud permanent # node2
fdb replace 66:00:00:00:00:0a dst 192.0.2.12 dev vxlan.calico self permanent # node2
END
else
    refused="${refused}vxlan.calico "
fi

if vxlan vxlan-v6.calico 66:00:00:00:00:01 4096 2001:db8::11 eth0 4789; then
    configure vxlan-v6.calico 1450 fd00:1::/128
    offload vxlan-v6.calico on
else
    refused="${refused}vxlan-v6.calico "
fi

routes 4 <<'END'
route add 10.1.0.0/16 via 192.0.2.12 proto 98
route add 10.2.0.7/32 via 192.0.2.12 proto 98
route add 10.3.0.0/16 dev eth1 proto 98 scope global
route add 169.254.1.1/32 dev lo proto 98 scope link
route add default via 192.0.2.1 dev eth0 proto 98 table 1000 src 192.0.2.11
route add unreachable 10.4.0.0/16 proto 98 metric 9
route add 10.5.0.0/16 proto 98 nexthop dev eth1 weight 1 nexthop via 192.0.2.1 weight 3
END

routes 6 <<'END'
route add fd00:2::/64 via fd00:2:: dev vxlan-v6.calico onlink proto 98 metric 1
route add fd00:3::/64 via 2001:db8::12 dev eth0 proto 98 mtu 1400 metric 1024
route add blackhole fd00:1::/122 proto 98 metric 1024
END

exit "$status"


lock
sysctls
modprobe -q ipip 2>/dev/null

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
		oifname "tunl0" fib saddr . oif type != local fib saddr type local masquerade fully-random comment "tunnel tunl0"
	}
}
END

await 'the device eth0' ip -o link show dev eth0 up
await 'systemd-networkd, to be done with eth0' settled eth0
await 'the address 192.0.2.11' ip -o addr show up -tentative to 192.0.2.11

if ipip tunl0; then
    configure tunl0 1480 10.244.166.128/32
else
    refused="${refused}tunl0 "
fi

routes 4 <<'END'
route add 169.254.1.1/32 dev lo proto 98 scope link
END

exit "$status"

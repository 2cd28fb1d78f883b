
lock
sysctls

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
	}
}
END

routes 4 <<'END'
route add 169.254.1.1/32 dev lo proto 98 scope link
END

exit "$status"

// SPDX-License-Identifier: GPL-2.0
/* Sockets of the host itself. */

#include <linux/inetdevice.h>
#include <net/inet_hashtables.h>
#include <net/tcp.h>
#include <net/udp.h>

#include <fastnat/shim.h>

/* Under RCU: would a packet with this tuple be for the host, and find a socket? */
bool fastnat_shim_local_socket(struct net *net, struct sk_buff *skb, u8 proto,
			       __be32 saddr, __be16 sport, __be32 daddr,
			       __be16 dport, int dif)
{
	struct sock *sk;

	if (!__ip_dev_find(net, daddr, false))
		return false;
	switch (proto) {
	case IPPROTO_TCP:
		sk = __inet_lookup_established(net, saddr, sport, daddr,
					       ntohs(dport), dif, 0);
		if (sk) {
			sock_gen_put(sk);
			return true;
		}
		return __inet_lookup_listener(net, NULL, 0, saddr, sport, daddr,
					      ntohs(dport), dif, 0);
	case IPPROTO_UDP:
		return __udp4_lib_lookup(net, saddr, sport, daddr, dport, dif, 0, NULL);
	}
	return false;
}

// SPDX-License-Identifier: GPL-2.0
/* Sockets of the host itself. */

#include <linux/inetdevice.h>
#include <net/inet_hashtables.h>
#include <net/l3mdev.h>
#include <net/tcp.h>
#include <net/udp.h>

#include <fastnat/shim.h>

/* Sockets of a VRF are bound to its own device, or to a member of it. */
struct fastnat_scope {
	int dif;
	int sdif;
};

static struct fastnat_scope fastnat_scope(const struct net_device *dev)
{
	struct fastnat_scope scope = { .dif = dev ? dev->ifindex : 0 };

	if (dev && netif_is_l3_slave(dev)) {
		scope.sdif = scope.dif;
		scope.dif = l3mdev_master_ifindex_rcu(dev);
	}
	return scope;
}

/* Would TCP to this endpoint of the host find a socket that listens? */
static bool fastnat_tcp_listener(struct net *net, struct fastnat_scope scope,
				 const struct fastnat_sock_tuple *t)
{
	return __inet_lookup_listener(net, NULL, 0, t->saddr, t->sport, t->daddr,
				      ntohs(t->dport), scope.dif, scope.sdif);
}

static bool fastnat_tcp_established(struct net *net, struct fastnat_scope scope,
				    const struct fastnat_sock_tuple *t)
{
	struct sock *sk = __inet_lookup_established(net, t->saddr, t->sport, t->daddr,
						    ntohs(t->dport), scope.dif, scope.sdif);

	if (sk)
		sock_gen_put(sk);
	return sk;
}

/* Under RCU: would a packet with this tuple be for the host, and find a socket? */
bool fastnat_shim_local_socket(struct net *net, const struct net_device *dev,
			       const struct fastnat_sock_tuple *t)
{
	struct fastnat_scope scope = fastnat_scope(dev);

	if (!__ip_dev_find(net, t->daddr, false))
		return false;
	switch (t->proto) {
	case IPPROTO_TCP:
		return fastnat_tcp_established(net, scope, t) ||
		       fastnat_tcp_listener(net, scope, t);
	case IPPROTO_UDP:
		return __udp4_lib_lookup(net, t->saddr, t->sport, t->daddr, t->dport,
					 scope.dif, scope.sdif, NULL);
	}
	return false;
}

/* Under RCU: would a packet with this tuple find a TCP socket of the host that listens? */
bool fastnat_shim_local_listener(struct net *net, const struct net_device *dev,
				 const struct fastnat_sock_tuple *t)
{
	return t->proto == IPPROTO_TCP &&
	       fastnat_tcp_listener(net, fastnat_scope(dev), t);
}

/* Under RCU: would a packet with this tuple find a TCP connection of the host? */
bool fastnat_shim_local_connection(struct net *net, const struct net_device *dev,
				   const struct fastnat_sock_tuple *t)
{
	return t->proto == IPPROTO_TCP &&
	       fastnat_tcp_established(net, fastnat_scope(dev), t);
}

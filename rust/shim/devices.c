// SPDX-License-Identifier: GPL-2.0
/* What the interfaces of a namespace are like, for requests. */

#include <linux/inetdevice.h>
#include <linux/netdevice.h>
#include <net/netns/ipv4.h>

#include <fastnat/shim.h>

/* Under RCU: may packets come in by it for 127.0.0.0/8? One that is not for IPv4 gets none. */
bool fastnat_shim_dev_routes_localnet(const struct net_device *dev)
{
	const struct in_device *in_dev = __in_dev_get_rcu(dev);

	return !in_dev || IN_DEV_ROUTE_LOCALNET(in_dev);
}

/* The same of an interface that is to be. */
bool fastnat_shim_net_routes_localnet(struct net *net)
{
	return IPV4_DEVCONF_ALL_RO(net, ROUTE_LOCALNET) ||
	       IPV4_DEVCONF_RO(*net->ipv4.devconf_dflt, ROUTE_LOCALNET);
}

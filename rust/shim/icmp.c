// SPDX-License-Identifier: GPL-2.0
/* ICMP errors of the host. */

#include <linux/icmp.h>
#include <net/dst_metadata.h>
#include <net/icmp.h>
#include <net/ip.h>
#include <net/l3mdev.h>
#include <net/route.h>

#include <fastnat/shim.h>

/* Jiffies from one unreachable to the next to one host, 0 without limit. */
u32 fastnat_shim_icmp_interval(const struct net *net)
{
	if (!(READ_ONCE(net->ipv4.sysctl_icmp_ratemask) & BIT(ICMP_DEST_UNREACH)))
		return 0;
	return max(READ_ONCE(net->ipv4.sysctl_icmp_ratelimit), 0);
}

/* PREROUTING is ahead of routing, and icmp_send() wants a route: the way back, as with REJECT. */
static bool fastnat_fill_dst(struct sk_buff *skb, struct net_device *in)
{
	struct flowi4 fl4 = {
		.daddr = ip_hdr(skb)->saddr,
		.flowi4_oif = l3mdev_master_ifindex_rcu(in),
	};
	struct rtable *rt = ip_route_output_key(dev_net(in), &fl4);

	if (IS_ERR(rt))
		return false;
	skb_dst_drop(skb);
	skb_dst_set(skb, &rt->dst);
	return true;
}

/*
 * In a hook, under RCU: has the sender of a packet that came in by @in told that it is unreachable
 * where it wants to go. The packet is to be dropped then. False if there is no way back.
 */
bool fastnat_shim_icmp_refuse(struct sk_buff *skb, struct net_device *in, int code)
{
	struct net_device *out = skb->dev;

	if (!skb_valid_dst(skb) && !fastnat_fill_dst(skb, in))
		return false;
	/* The VRF that the answer is for is that of the sender. */
	skb->dev = in;
	icmp_send(skb, ICMP_DEST_UNREACH, code, 0);
	skb->dev = out;
	return true;
}

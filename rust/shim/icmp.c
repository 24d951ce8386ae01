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

/* As if the packet, of which these are the first bytes, came in now and found nobody. Under RCU. */
static bool fastnat_send_late(struct sk_buff *skb, struct net_device *dev, int code)
{
	const struct iphdr *iph = ip_hdr(skb);

	skb->dev = dev;
	skb->skb_iif = dev->ifindex;
	IPCB(skb)->iif = dev->ifindex;
	if (ip_route_input_noref(skb, iph->daddr, iph->saddr, ip4h_dscp(iph), dev))
		return false;
	icmp_send(skb, ICMP_DEST_UNREACH, code, 0);
	return true;
}

/*
 * Has the sender of a packet that is long gone told that it is unreachable where it wanted to go.
 * False if there is no way back, or no interface, or no memory. @late has a whole IP header.
 */
bool fastnat_shim_icmp_late(struct net *net, const struct fastnat_icmp_late *late, int code)
{
	struct sk_buff *skb = alloc_skb(late->len, GFP_ATOMIC | __GFP_NOWARN);
	struct net_device *dev;
	bool sent;

	if (!skb)
		return false;
	skb_reset_network_header(skb);
	skb_put_data(skb, late->packet, late->len);
	skb_set_transport_header(skb, ip_hdrlen(skb));
	skb->protocol = htons(ETH_P_IP);
	skb->mark = late->mark;

	local_bh_disable();
	rcu_read_lock();
	dev = dev_get_by_index_rcu(net, late->ifindex);
	sent = dev && fastnat_send_late(skb, dev, code);
	/* Its route is not held. */
	kfree_skb(skb);
	rcu_read_unlock();
	local_bh_enable();
	return sent;
}

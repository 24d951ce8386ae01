// SPDX-License-Identifier: GPL-2.0
/* Bridged packets, which br_netfilter shows to the hooks of IPv4. */

#include <linux/etherdevice.h>
#include <linux/ip.h>
#include <linux/netfilter_bridge.h>

#include <fastnat/shim.h>

#if IS_ENABLED(CONFIG_BRIDGE_NETFILTER)
static int fastnat_has_mac(struct net_device *dev, struct netdev_nested_priv *priv)
{
	return ether_addr_equal(dev->dev_addr, priv->data);
}

/* Under RCU: those of devices on top, such as macvlan, are in the list. */
static bool fastnat_is_to(struct net_device *dev, u8 *mac)
{
	struct netdev_nested_priv priv = { .data = mac };
	const struct netdev_hw_addr *ha;

	if (fastnat_has_mac(dev, &priv))
		return true;
	list_for_each_entry_rcu(ha, &dev->uc.list, list) {
		if (ether_addr_equal(ha->addr, mac))
			return true;
	}
	return netdev_walk_all_lower_dev_rcu(dev, fastnat_has_mac, &priv);
}
#endif

/*
 * In PREROUTING, under RCU: is this a frame for another host, which the bridge
 * will forward? What is for a MAC address of the bridge or of one of its ports
 * goes up to IP, and does not pass PREROUTING once more.
 */
bool fastnat_shim_skb_bridged_in(const struct sk_buff *skb)
{
#if IS_ENABLED(CONFIG_BRIDGE_NETFILTER)
	return nf_bridge_in_prerouting(skb) && !fastnat_is_to(skb->dev, eth_hdr(skb)->h_dest);
#else
	return false;
#endif
}

/* In POSTROUTING: has the bridge forwarded this, and not IP? See br_nf_post_routing(). */
bool fastnat_shim_skb_bridged_out(const struct sk_buff *skb)
{
#if IS_ENABLED(CONFIG_BRIDGE_NETFILTER)
	return nf_bridge_get_physoutdev(skb);
#else
	return false;
#endif
}

/*
 * In PREROUTING, after a new destination was written: without this the bridge
 * would take notice, route the packet itself, and forward it past ip_forward()
 * if it leaves by the bridge again.
 */
void fastnat_shim_skb_keep_routed(struct sk_buff *skb)
{
#if IS_ENABLED(CONFIG_BRIDGE_NETFILTER)
	struct nf_bridge_info *info = nf_bridge_info_get(skb);

	if (info && info->in_prerouting)
		info->ipv4_daddr = ip_hdr(skb)->daddr;
#endif
}

// SPDX-License-Identifier: GPL-2.0
/* Interfaces and their addresses. */

#include <linux/inetdevice.h>
#include <net/addrconf.h>
#include <net/ip.h>
#include <net/ip_fib.h>
#include <net/l3mdev.h>
#include <net/route.h>

#include <fastnat/shim.h>

/* 16 bytes, of which those after the first zero mean nothing. A rename may tear the copy. */
void fastnat_shim_dev_name(const struct net_device *dev, u8 *name)
{
	memcpy(name, dev->name, IFNAMSIZ);
}

u32 fastnat_shim_dev_index(const struct net_device *dev)
{
	return dev->ifindex;
}

/* It may change at any time. */
u32 fastnat_shim_dev_group(const struct net_device *dev)
{
	return READ_ONCE(dev->group);
}

/* Under RCU. Other names of an interface count as well. */
struct net_device *fastnat_shim_dev_named(struct net *net, const char *name)
{
	return dev_get_by_name_rcu(net, name);
}

/* Under RCU. */
struct net_device *fastnat_shim_dev_numbered(struct net *net, u32 ifindex)
{
	return dev_get_by_index_rcu(net, ifindex);
}

bool fastnat_shim_vrf_seen;

/* Under RCU: the number of the VRF's own device, 0 outside of all. */
u32 fastnat_shim_dev_vrf(const struct net_device *dev)
{
	if (likely(!netif_is_l3_master(dev) && !netif_is_l3_slave(dev)))
		return 0;
	return l3mdev_master_ifindex_rcu(dev);
}

/* Under RCU: the interface after one, the first after NULL; NULL after the last. */
struct net_device *fastnat_shim_dev_next(struct net *net, struct net_device *dev)
{
	if (dev)
		return next_net_device_rcu(dev);
	return list_first_or_null_rcu(&net->dev_base_head, struct net_device, dev_list);
}

bool fastnat_shim_dev_is_internal(const struct net_device *dev)
{
	return dev->flags & IFF_LOOPBACK || netif_is_l3_master(dev);
}

/*
 * Under RCU: the entry of an address that the device has. inet_confirm_addr() does
 * not do: where the address has a peer, that compares with the peer.
 */
static const struct in_ifaddr *fastnat_ifa(const struct net_device *dev, __be32 addr)
{
	const struct in_device *in_dev = __in_dev_get_rcu(dev);
	const struct in_ifaddr *ifa;

	if (!in_dev)
		return NULL;
	in_dev_for_each_ifa_rcu(ifa, in_dev)
		if (ifa->ifa_local == addr)
			return ifa;
	return NULL;
}

/*
 * Under RCU: an unnumbered device, without any address, has those of the loopback
 * device or of its VRF, where inet_select_addr() looks, too.
 */
static bool fastnat_borrows(const struct net_device *dev, __be32 addr)
{
	const struct in_device *in_dev = __in_dev_get_rcu(dev);
	const struct net_device *owner;
	const struct in_ifaddr *ifa;

	if (!in_dev || rcu_access_pointer(in_dev->ifa_list) || !addr)
		return false;
	owner = __ip_dev_find(dev_net(dev), addr, false);
	if (!owner || !fastnat_shim_dev_is_internal(owner))
		return false;
	ifa = fastnat_ifa(owner, addr);
	/* Not 127.0.0.1. */
	return ifa && ifa->ifa_scope == RT_SCOPE_UNIVERSE;
}

/* Under RCU. */
bool fastnat_shim_dev_has_addr(const struct net_device *dev, __be32 addr)
{
	return fastnat_ifa(dev, addr) || fastnat_borrows(dev, addr);
}

/* Under the RTNL. */
bool fastnat_shim_dev_has_any_addr(const struct net_device *dev)
{
	const struct in_device *in_dev = __in_dev_get_rtnl(dev);

	return in_dev && rcu_access_pointer(in_dev->ifa_list);
}

bool fastnat_shim_dev_is_up(const struct net_device *dev)
{
	return READ_ONCE(dev->flags) & IFF_UP;
}

/* Are there rules besides those for the three tables? VRFs have one. */
bool fastnat_shim_net_has_rules(const struct net *net)
{
#ifdef CONFIG_IP_MULTIPLE_TABLES
	return READ_ONCE(net->ipv4.fib_has_custom_rules);
#else
	return false;
#endif
}

/* Under RCU: the device by which a packet that came in by @in would leave, were it to @t->daddr. */
struct net_device *fastnat_shim_dev_towards(struct net *net, const struct sk_buff *skb,
					    const struct net_device *in,
					    const struct fastnat_sock_tuple *t)
{
	struct flowi4 fl4 = {
		.flowi4_iif = in->ifindex,
		.flowi4_mark = skb->mark,
		.flowi4_dscp = ip4h_dscp(ip_hdr(skb)),
		.flowi4_scope = RT_SCOPE_UNIVERSE,
		.flowi4_proto = t->proto,
		.saddr = t->saddr,
		.daddr = t->daddr,
		.fl4_sport = t->sport,
		.fl4_dport = t->dport,
	};
	struct fib_result res;

	if (fib_lookup(net, &fl4, &res, 0) || res.type != RTN_UNICAST)
		return NULL;
	return FIB_RES_DEV(res);
}

/*
 * As nf_nat_masquerade_ipv4(), the address that the route's next hop would see;
 * but not that of another interface, which may be an inside one. Under RCU.
 */
__be32 fastnat_shim_masquerade_addr(const struct sk_buff *skb,
				    struct net_device *out)
{
	const struct rtable *rt = skb_rtable(skb);
	__be32 addr;

	if (!rt)
		return 0;
	addr = inet_select_addr(out, rt_nexthop(rt, ip_hdr(skb)->daddr),
				RT_SCOPE_UNIVERSE);
	return fastnat_shim_dev_has_addr(out, addr) ? addr : 0;
}

/*
 * Under RCU: might masquerading give this address to what leaves by the device?
 * To which next hop does not matter: see inet_select_addr().
 */
bool fastnat_shim_dev_masquerades_as(const struct net_device *dev, __be32 addr)
{
	const struct in_ifaddr *ifa = fastnat_ifa(dev, addr);

	if (!ifa)
		return fastnat_borrows(dev, addr);
	return !(READ_ONCE(ifa->ifa_flags) & IFA_F_SECONDARY) &&
	       ifa->ifa_scope == RT_SCOPE_UNIVERSE;
}

/* Under RCU: as nf_nat_redirect_ipv4(), the first address, 0 if there is none. */
__be32 fastnat_shim_primary_addr(const struct net_device *dev)
{
	const struct in_device *in_dev = __in_dev_get_rcu(dev);
	const struct in_ifaddr *ifa;

	if (!in_dev)
		return 0;
	ifa = rcu_dereference(in_dev->ifa_list);
	return ifa ? ifa->ifa_local : 0;
}

/* Changes after any change to addresses and routes. */
u32 fastnat_shim_route_generation(struct net *net)
{
	return rt_genid_ipv4(net);
}

/* Under RCU: the interface that owns a local address, or NULL. */
struct net_device *fastnat_shim_addr_dev(struct net *net, __be32 addr)
{
	return __ip_dev_find(net, addr, false);
}

static int fastnat_addr_event(struct notifier_block *nb, unsigned long event,
			      void *ptr)
{
	struct in_ifaddr *ifa = ptr;

	if (event == NETDEV_DOWN)
		fastnat_rs_uplink_lost(*fastnat_shim_net_slot(dev_net(ifa->ifa_dev->dev)));
	return NOTIFY_DONE;
}

static struct notifier_block fastnat_addr_notifier = {
	.notifier_call = fastnat_addr_event,
};

int fastnat_shim_addr_notifier_register(void)
{
	return register_inetaddr_notifier(&fastnat_addr_notifier);
}

void fastnat_shim_addr_notifier_unregister(void)
{
	unregister_inetaddr_notifier(&fastnat_addr_notifier);
}

// SPDX-License-Identifier: GPL-2.0
/* Other translators: what connection tracking and IPVS do to a packet. */

#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <net/netfilter/nf_conntrack.h>

#include <fastnat/shim.h>

#if IS_ENABLED(CONFIG_NF_CONNTRACK)
/*
 * Under RCU: does anybody translate here? The hooks of the NAT core go with the
 * last rule, but connections live on that were translated by it.
 */
static bool fastnat_nat_is_on(const struct net *net)
{
	const struct nf_hook_entries *entries =
		rcu_dereference(net->nf.hooks_ipv4[NF_INET_POST_ROUTING]);
	struct nf_hook_ops **ops;
	unsigned int i;

	if (!entries)
		return false;
	ops = nf_hook_entries_get_hook_ops(entries);
	for (i = 0; i < entries->num_hook_entries; i++)
		if (READ_ONCE(ops[i]->priority) == NF_IP_PRI_NAT_SRC)
			return true;
	return false;
}
#endif

/* In a hook: is it a copy that TEE or a rule with dup is sending? */
bool fastnat_shim_is_duplicate(void)
{
#if IS_ENABLED(CONFIG_NF_DUP_IPV4)
	return current->in_nf_duplicate;
#else
	return false;
#endif
}

/* Does a rule of iptables or nftables translate in the namespace? Any context. */
bool fastnat_shim_net_has_nat(const struct net *net)
{
	bool on = false;

#if IS_ENABLED(CONFIG_NF_CONNTRACK)
	rcu_read_lock();
	on = fastnat_nat_is_on(net);
	rcu_read_unlock();
#endif
	return on;
}

/* What is known by the packet itself, in POSTROUTING, under RCU. */
u32 fastnat_shim_skb_nat(const struct sk_buff *skb)
{
	u32 nat = 0;
#if IS_ENABLED(CONFIG_IP_VS)
	if (skb->ipvs_property)
		nat |= FASTNAT_NAT_IPVS;
#endif
#if IS_ENABLED(CONFIG_NF_CONNTRACK)
	enum ip_conntrack_info info;
	const struct nf_conn *ct = nf_ct_get(skb, &info);
	unsigned long status = ct ? READ_ONCE(ct->status) & IPS_NAT_MASK : 0;

	if (status && !fastnat_nat_is_on(nf_ct_net(ct)))
		status = 0;
	if (status & IPS_SRC_NAT)
		nat |= FASTNAT_NAT_SRC;
	if (status & IPS_DST_NAT)
		nat |= FASTNAT_NAT_DST;
	if (ct && CTINFO2DIR(info) == IP_CT_DIR_REPLY)
		nat |= FASTNAT_NAT_REPLY;
#endif
	return nat;
}

#if IS_ENABLED(CONFIG_NF_CONNTRACK)
static bool fastnat_is_answer(const struct nf_conntrack_tuple *other,
			      const struct fastnat_sock_tuple *t)
{
	if (other->src.u3.ip != t->daddr || other->dst.u3.ip != t->saddr)
		return false;
	switch (t->proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		return other->src.u.all == t->dport && other->dst.u.all == t->sport;
	case IPPROTO_ICMP:
		/* One of the ports is the identifier, the other is 0. */
		return other->src.u.icmp.id == (t->sport | t->dport);
	}
	return true;
}
#endif

/*
 * In PREROUTING, where the packet has no connection yet: is it of one of the
 * default zone that connection tracking translates?
 */
bool fastnat_shim_ct_translates(const struct sk_buff *skb, const struct fastnat_sock_tuple *t)
{
#if IS_ENABLED(CONFIG_NF_CONNTRACK)
	struct nf_conntrack_tuple other;

	/* Without a connection of its own it gets the tuple of the answers. */
	return !skb_nfct(skb) && nf_ct_get_tuple_skb(&other, skb) &&
	       !fastnat_is_answer(&other, t) && fastnat_nat_is_on(dev_net(skb->dev));
#else
	return false;
#endif
}

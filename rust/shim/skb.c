// SPDX-License-Identifier: GPL-2.0
/* Packet buffers. */

#include <linux/ip.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <net/ip.h>

#include <fastnat/shim.h>

bool fastnat_shim_skb_pull(struct sk_buff *skb, unsigned int len)
{
	return pskb_may_pull(skb, len);
}

/*
 * True when the checksum is left to the device. A complete sum of the packet
 * would be wrong after a rewrite; ip_forward() drops it all the same.
 */
bool fastnat_shim_skb_csum_partial(struct sk_buff *skb)
{
	if (skb->ip_summed == CHECKSUM_COMPLETE)
		skb->ip_summed = CHECKSUM_NONE;
	return skb->ip_summed == CHECKSUM_PARTIAL;
}

/* Keep conntrack away; drop_entry also forgets what it began for this packet. */
void fastnat_shim_skb_untrack(struct sk_buff *skb, bool drop_entry)
{
	if (drop_entry)
		nf_reset_ct(skb);
#if IS_ENABLED(CONFIG_NF_CONNTRACK)
	if (!skb_nfct(skb))
		skb_set_nfct(skb, IP_CT_UNTRACKED);
#endif
}

bool fastnat_shim_skb_icmp_csum_ok(struct sk_buff *skb, unsigned int hook,
				   unsigned int offset)
{
	return nf_ip_checksum(skb, hook, offset, IPPROTO_ICMP) == 0;
}

u32 fastnat_shim_skb_mark(const struct sk_buff *skb)
{
	return skb->mark;
}

void fastnat_shim_skb_set_mark(struct sk_buff *skb, u32 mark)
{
	skb->mark = mark;
}

/* Has ip_forward() let it pass? */
bool fastnat_shim_skb_forwarded(const struct sk_buff *skb)
{
	return IPCB(skb)->flags & IPSKB_FORWARDED;
}

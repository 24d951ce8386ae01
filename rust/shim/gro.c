// SPDX-License-Identifier: GPL-2.0
/*
 * GRO: callbacks of our own in front of those of IPv4 and IPv6, and what GRO
 * holds. They sit at the IP level, since there packets pass that TCP's callback
 * is never shown: with options, in fragments, padded. All merging is done by the
 * callbacks that were there before.
 */

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/kallsyms.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/tcp.h>
#include <net/gro.h>
#include <net/hotdata.h>
#include <net/ipv6.h>

#include <fastnat/shim.h>

static struct sk_buff *fastnat_gro4(struct list_head *head, struct sk_buff *skb);
static struct sk_buff *fastnat_gro6(struct list_head *head, struct sk_buff *skb);

/* A callback of the kernel, and ours for it; while it is on it holds the module. */
struct fastnat_gro_place {
	gro_receive_t *place;
	gro_receive_t ours;
	gro_receive_t stock;
	bool on;
};

enum { FASTNAT_GRO_V4, FASTNAT_GRO_V6, FASTNAT_GRO_PLACES };

static struct fastnat_gro_place fastnat_gro_places[FASTNAT_GRO_PLACES] = {
	[FASTNAT_GRO_V4] = {
		.place = &net_hotdata.ip_packet_offload.callbacks.gro_receive,
		.ours = fastnat_gro4,
	},
	[FASTNAT_GRO_V6] = {
		.place = &net_hotdata.ipv6_packet_offload.callbacks.gro_receive,
		.ours = fastnat_gro6,
	},
};

/* Guards what follows, and the places against ourselves. */
static DEFINE_MUTEX(fastnat_gro_mutex);
static unsigned int fastnat_gro_users;
static char fastnat_gro_symbol[KSYM_SYMBOL_LEN];

/* Is it a module's? fastnat_gro_symbol has its name afterwards. */
static bool fastnat_gro_is_foreign(gro_receive_t callback)
{
	sprint_symbol_no_offset(fastnat_gro_symbol, (unsigned long)callback);
	return strchr(fastnat_gro_symbol, '[');
}

/* Puts our callback in front, unless somebody else's is there. */
static int fastnat_gro_take(struct fastnat_gro_place *gro)
{
	gro_receive_t found = READ_ONCE(*gro->place);

	/* Still on: whoever was put before us leads to us. */
	if (gro->on && found != gro->stock)
		return 0;
	if (fastnat_gro_is_foreign(found))
		return -EBUSY;
	if (!gro->on && !try_module_get(THIS_MODULE))
		return -ENODEV;
	gro->on = true;
	WRITE_ONCE(gro->stock, found);
	found = cmpxchg(gro->place, gro->stock, gro->ours);
	if (found == gro->stock)
		return 0;
	fastnat_gro_is_foreign(found);
	gro->on = false;
	module_put(THIS_MODULE);
	return -EBUSY;
}

/* Puts back what was there, unless somebody else was put before us since. */
static bool fastnat_gro_give_back(struct fastnat_gro_place *gro)
{
	gro_receive_t found;

	if (!gro->on)
		return false;
	found = cmpxchg(gro->place, gro->ours, gro->stock);
	if (found == gro->ours || found == gro->stock)
		return true;
	fastnat_gro_is_foreign(found);
	pr_warn("fastnat: GRO calls %s before fastnat: unloading fastnat takes that this goes first, and that an LRO mode is set and unset again\n",
		fastnat_gro_symbol);
	return false;
}

/* Gives back what can be. No call by way of it runs any more after this. */
static void fastnat_gro_leave(void)
{
	bool back[FASTNAT_GRO_PLACES];
	int i;

	for (i = 0; i < FASTNAT_GRO_PLACES; i++)
		back[i] = fastnat_gro_give_back(&fastnat_gro_places[i]);
	synchronize_net();
	for (i = 0; i < FASTNAT_GRO_PLACES; i++) {
		if (!back[i])
			continue;
		fastnat_gro_places[i].on = false;
		module_put(THIS_MODULE);
	}
}

/*
 * From here on packets come in. With -EBUSY, who has `len` bytes for the name
 * of the callback that is in the way.
 */
int fastnat_shim_gro_attach(char *who, size_t len)
{
	int err = 0;
	int i;

	guard(mutex)(&fastnat_gro_mutex);
	for (i = 0; i < FASTNAT_GRO_PLACES && !err && !fastnat_gro_users; i++)
		err = fastnat_gro_take(&fastnat_gro_places[i]);
	if (!err) {
		fastnat_gro_users++;
		return 0;
	}
	strscpy(who, err == -EBUSY ? fastnat_gro_symbol : "", len);
	fastnat_gro_leave();
	return err;
}

/* Undoes one attach; with the last, no packet comes in any more. Sleeps. */
void fastnat_shim_gro_detach(void)
{
	guard(mutex)(&fastnat_gro_mutex);
	if (!--fastnat_gro_users)
		fastnat_gro_leave();
}

static __always_inline struct sk_buff *fastnat_gro_stock(int which, struct list_head *head, struct sk_buff *skb)
{
	gro_receive_t stock = READ_ONCE(fastnat_gro_places[which].stock);

#ifdef CONFIG_MITIGATION_RETPOLINE /* exported only then, and indirect calls are dear */
	return which == FASTNAT_GRO_V4 ? INDIRECT_CALL_1(stock, inet_gro_receive, head, skb) :
					 INDIRECT_CALL_1(stock, ipv6_gro_receive, head, skb);
#else
	return stock(head, skb);
#endif
}

/* Reads the ports of a packet whose TCP header lies at `at`. */
static bool fastnat_gro_ports(const struct sk_buff *skb, unsigned int at, __be32 *ports)
{
	const __be32 *found = skb_header_pointer(skb, at, sizeof(*ports), ports);

	if (!found)
		return false;
	*ports = *found;
	return true;
}

/* Finds the ports of a TCP packet behind options or extension headers; false if it has none. */
static bool fastnat_gro_far_ports(const struct fastnat_gro *gro, __be32 *ports)
{
	const struct iphdr *iph = (const void *)gro->headers;
	u8 next = ((const struct ipv6hdr *)gro->headers)->nexthdr;
	__be16 fragment = 0;
	int at;

	if (gro->which == FASTNAT_GRO_V4)
		return !(iph->frag_off & htons(IP_OFFSET)) &&
		       fastnat_gro_ports(gro->skb, gro->off + iph->ihl * 4, ports);
	at = ipv6_skip_exthdr(gro->skb, gro->off + sizeof(struct ipv6hdr), &next, &fragment);
	return at >= 0 && next == IPPROTO_TCP && !(fragment & htons(~0x7)) &&
	       fastnat_gro_ports(gro->skb, at, ports);
}

/* Is `other` of the same two addresses, and TCP? */
static __always_inline bool fastnat_gro_is_between(const struct fastnat_gro *gro, const u8 *other)
{
	const struct iphdr *v4 = (const void *)gro->headers, *other4 = (const void *)other;
	const struct ipv6hdr *v6 = (const void *)gro->headers, *other6 = (const void *)other;

	if (gro->which == FASTNAT_GRO_V4)
		return other4->protocol == IPPROTO_TCP && other4->saddr == v4->saddr &&
		       other4->daddr == v4->daddr;
	return other6->nexthdr == IPPROTO_TCP && ipv6_addr_equal(&other6->saddr, &v6->saddr) &&
	       ipv6_addr_equal(&other6->daddr, &v6->daddr);
}

/* Finds what is held of the flow with these ports; without ports, of the first between the hosts. */
static __always_inline void fastnat_gro_find(struct fastnat_gro *gro, const __be32 *ports,
					     unsigned int ip_len)
{
	struct sk_buff *held;

	list_for_each_entry(held, gro->head, list) {
		u8 *headers = held->data + gro->off;

		if (!NAPI_GRO_CB(held)->same_flow || NAPI_GRO_CB(held)->encap_mark ||
		    held->protocol != gro->skb->protocol ||
		    skb_headlen(held) < gro->off + ip_len + sizeof(struct tcphdr) ||
		    (ports && *ports != *(const __be32 *)(headers + ip_len)) ||
		    !fastnat_gro_is_between(gro, headers))
			continue;
		gro->held = held;
		gro->held_headers = headers;
		gro->held_headers_len = skb_headlen(held) - gro->off;
		gro->held_payload = skb_gro_len(held);
		gro->held_mss = skb_shinfo(held)->gso_size;
		gro->held_segments = NAPI_GRO_CB(held)->count;
		gro->held_is_private = !skb_header_cloned(held);
		gro->held_is_list = NAPI_GRO_CB(held)->is_flist;
		return;
	}
}

/* Pulls the TCP header as the kernel would, with no more options than have to be looked at. */
static const struct tcphdr *fastnat_gro_tcp(struct fastnat_gro *gro, unsigned int ip_len)
{
	unsigned int at = gro->off + ip_len;
	unsigned int len = sizeof(struct tcphdr);
	const struct tcphdr *tcp = skb_gro_header(gro->skb, at + len, at);

	if (tcp && tcp->doff * 4 == FASTNAT_GRO_TCP_LEN &&
	    gro->skb->len >= at + FASTNAT_GRO_TCP_LEN) {
		len = FASTNAT_GRO_TCP_LEN;
		tcp = skb_gro_header(gro->skb, at + len, at);
	}
	if (tcp) {
		gro->headers = (const u8 *)tcp - ip_len;
		gro->headers_len = ip_len + len;
	}
	return tcp;
}

/* Not all that is wanted lies in one piece, or it is no plain TCP: the long way. */
static noinline void fastnat_gro_look_closer(struct fastnat_gro *gro, unsigned int ip_len)
{
	bool v4 = gro->which == FASTNAT_GRO_V4;
	const struct tcphdr *tcp;
	const struct iphdr *iph;
	__be32 ports;
	u8 proto;

	gro->headers = skb_gro_header(gro->skb, gro->off + ip_len, gro->off);
	if (!gro->headers)
		return;
	gro->headers_len = ip_len;
	iph = (const void *)gro->headers;
	proto = v4 ? iph->protocol : ((const struct ipv6hdr *)gro->headers)->nexthdr;
	if (proto == IPPROTO_TCP && !(v4 && (iph->ihl != 5 || ip_is_fragment(iph)))) {
		tcp = fastnat_gro_tcp(gro, ip_len);
		if (tcp)
			fastnat_gro_find(gro, (const __be32 *)tcp, ip_len);
	} else if (proto == IPPROTO_TCP || (!v4 && ipv6_ext_hdr(proto))) {
		fastnat_gro_find(gro, fastnat_gro_far_ports(gro, &ports) ? &ports : NULL, ip_len);
	}
}

static __always_inline void fastnat_gro_look_at(struct fastnat_gro *gro, unsigned int ip_len)
{
	const u8 *headers = skb_gro_header_fast(gro->skb, gro->off);
	const struct iphdr *v4 = (const void *)headers;
	const struct ipv6hdr *v6 = (const void *)headers;

	if (!skb_gro_may_pull(gro->skb, gro->off + ip_len + FASTNAT_GRO_TCP_LEN) ||
	    (gro->which == FASTNAT_GRO_V4 ? *headers != 0x45 || v4->protocol != IPPROTO_TCP ||
					    ip_is_fragment(v4) :
					    v6->nexthdr != IPPROTO_TCP)) {
		fastnat_gro_look_closer(gro, ip_len);
		return;
	}
	gro->headers = headers;
	gro->headers_len = ip_len + FASTNAT_GRO_TCP_LEN;
	fastnat_gro_find(gro, (const __be32 *)(headers + ip_len), ip_len);
}

/*
 * Fills in where the headers of the packet are, and what is held of its flow.
 * Of a packet that is not plain TCP, that is only the IP header.
 */
void fastnat_shim_gro_look(struct fastnat_gro *gro)
{
	gro->len = skb_gro_len(gro->skb);
	if (gro->which == FASTNAT_GRO_V4)
		fastnat_gro_look_at(gro, sizeof(struct iphdr));
	else
		fastnat_gro_look_at(gro, sizeof(struct ipv6hdr));
}

/* Does what GRO does without us. */
void fastnat_shim_gro_merge(struct fastnat_gro *gro)
{
	gro->flush = fastnat_gro_stock(gro->which, gro->head, gro->skb);
	if (!gro->held)
		return;
	/* On its way it may have been moved. */
	if (!NAPI_GRO_CB(gro->skb)->same_flow)
		gro->headers = skb_gro_header(gro->skb, gro->off + gro->headers_len, gro->off);
	gro->is_merged = NAPI_GRO_CB(gro->skb)->same_flow;
	gro->held_segments = NAPI_GRO_CB(gro->held)->count;
	gro->held_len = gro->held->len - gro->off;
}

/* Has what is held go up the stack, now. */
void fastnat_shim_gro_flush(struct fastnat_gro *gro)
{
	gro->flush = gro->held;
}

/* Keeps the packet out of GRO: it goes up the stack behind what is held of its flow. */
void fastnat_shim_gro_refuse(struct fastnat_gro *gro)
{
	gro->flush = gro->held;
	NAPI_GRO_CB(gro->skb)->flush = 1;
}

/* Has the packet be the first of an aggregate whose segments do not keep their own headers. */
void fastnat_shim_gro_forget_list(struct fastnat_gro *gro)
{
	NAPI_GRO_CB(gro->skb)->is_flist = 0;
}

static __always_inline struct sk_buff *fastnat_gro_receive(int which, struct list_head *head,
							  struct sk_buff *skb)
{
	struct fastnat_gro gro;
	void *state;

	/* What is inside of a tunnel is not ours. */
	if (NAPI_GRO_CB(skb)->encap_mark)
		return fastnat_gro_stock(which, head, skb);
	state = fastnat_shim_net_state(dev_net_rcu(skb->dev));
	if (!state)
		return fastnat_gro_stock(which, head, skb);
	/* What else there is belongs to the headers, or to what is held. */
	gro.which = which;
	gro.head = head;
	gro.skb = skb;
	gro.off = skb_gro_offset(skb);
	gro.ifindex = skb->dev->ifindex;
	gro.mtu = READ_ONCE(skb->dev->mtu);
	gro.headers = NULL;
	gro.headers_len = 0;
	gro.held = NULL;
	gro.is_merged = false;
	gro.flush = NULL;
	fastnat_rs_gro(state, &gro);
	return gro.flush;
}

static struct sk_buff *fastnat_gro4(struct list_head *head, struct sk_buff *skb)
{
	return fastnat_gro_receive(FASTNAT_GRO_V4, head, skb);
}

static struct sk_buff *fastnat_gro6(struct list_head *head, struct sk_buff *skb)
{
	return fastnat_gro_receive(FASTNAT_GRO_V6, head, skb);
}

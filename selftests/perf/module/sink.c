// SPDX-License-Identifier: GPL-2.0
/* The sink: counts, and keeps tuples and whole packets if told to. */

#include <linux/ip.h>
#include <linux/udp.h>
#include <linux/vmalloc.h>

#include "bench.h"

struct pcap_file {
	u32 magic;
	u16 major, minor;
	u32 zone, accuracy, snaplen, link;
};

struct pcap_packet {
	u32 seconds, microseconds, kept, len;
};

/* Finds the record's place by the index that the packet carries; a stranger's packet has none. */
static struct bench_record *bench_place(struct bench_dev *b, const struct sk_buff *skb, u8 proto,
					u32 l4)
{
	u32 offset = l4 + (proto == IPPROTO_TCP ? 20 : sizeof(struct udphdr));
	struct bench_payload buffer, *payload;
	u32 index;

	payload = skb_header_pointer(skb, offset, offsetof(struct bench_payload, seq), &buffer);
	if (!payload || payload->tag != htons(BENCH_TAG))
		return NULL;
	index = ntohl(payload->index);
	return index < b->captured.count ? &b->captured.records[index] : NULL;
}

static void bench_capture(struct bench_dev *b, const struct sk_buff *skb)
{
	u32 network = skb_network_offset(skb), l4;
	struct bench_record *r;
	struct iphdr buffer, *ip;
	__be16 ports[2], *at;

	ip = skb_header_pointer(skb, network, sizeof(buffer), &buffer);
	if (!ip || (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP))
		return;
	l4 = network + ip->ihl * 4;
	at = skb_header_pointer(skb, l4, sizeof(ports), ports);
	r = at ? bench_place(b, skb, ip->protocol, l4) : NULL;
	if (!r)
		return;
	r->saddr = ip->saddr;
	r->daddr = ip->daddr;
	r->sport = at[0];
	r->dport = at[1];
	r->proto = ip->protocol;
}

static void bench_keep(struct bench_kept *k, const struct sk_buff *skb)
{
	struct pcap_packet *p = (struct pcap_packet *)(k->data + k->size);

	if (k->kept == k->wanted || k->size + sizeof(*p) + skb->len > k->room) {
		k->lost++;
		return;
	}
	p->seconds = 0;
	p->microseconds = k->kept++;
	p->kept = skb->len;
	p->len = skb->len;
	skb_copy_bits(skb, 0, p + 1, skb->len);
	k->size += sizeof(*p) + skb->len;
}

/*
 * Another processor may transmit as well (only one runs, but neighbours and IPv6 send what they like),
 * hence the lock around what is kept.
 */
static noinline void bench_take(struct bench_dev *b, const struct sk_buff *skb)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock(&lock);
	if (b->capture)
		bench_capture(b, skb);
	if (b->kept.wanted)
		bench_keep(&b->kept, skb);
	spin_unlock(&lock);
}

netdev_tx_t bench_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct bench_dev *b = netdev_priv(dev);
	struct bench_counters *c = this_cpu_ptr(b->counters);

	if (static_branch_unlikely(&bench_marks_key))
		bench_mark_sink(skb);
	c->bytes += skb->len;
	if (likely(skb->protocol == htons(ETH_P_IP))) {
		c->frames++;
		c->packets += skb_is_gso(skb) ? skb_shinfo(skb)->gso_segs : 1;
		if (unlikely(b->capture || b->kept.wanted))
			bench_take(b, skb);
	} else {
		c->other++;
	}
	/* As a driver frees what was transmitted, in NAPI context. */
	napi_consume_skb(skb, 1);
	return NETDEV_TX_OK;
}

void bench_kept_clear(struct bench_kept *k)
{
	vfree(k->data);
	memset(k, 0, sizeof(*k));
}

static int bench_kept_begin(struct bench_kept *k, const struct bench_command *c)
{
	const struct pcap_file head = { 0xa1b2c3d4, 2, 4, 0, 0, 1 << 18, 1 };

	/* Without payload, what len says does not hold. */
	u32 len = max_t(u32, c->len, BENCH_MIN_STAMPED);

	bench_kept_clear(k);
	k->room = min_t(u64, BENCH_MAX_KEPT / 2,
			sizeof(head) + (u64)c->keep * (ALIGN(len, 4) + sizeof(struct pcap_packet)));
	k->data = vmalloc(k->room);
	if (!k->data)
		return -ENOMEM;
	memcpy(k->data, &head, sizeof(head));
	k->size = sizeof(head);
	k->wanted = c->keep;
	return 0;
}

/* flows: how many indices may come. Tuples that were captured before stay. */
int bench_sink_begin(struct bench_dev *b, const struct bench_command *c, u32 flows)
{
	int error = 0;

	if (c->capture) {
		error = bench_array_grow(&b->captured, flows);
		b->capture = !error;
	}
	if (!error && c->keep)
		error = bench_kept_begin(&b->kept, c);
	return error;
}

/* Waits for transmitters that still see what is to be kept. */
void bench_sink_end(struct bench_dev *b)
{
	b->capture = false;
	b->kept.wanted = 0;
	synchronize_net();
}

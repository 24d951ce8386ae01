// SPDX-License-Identifier: GPL-2.0
/* Frames: a template a protocol, made once a run, and a fresh skb from it for each packet. */

#include <linux/etherdevice.h>
#include <linux/hash.h>
#include <linux/ip.h>
#include <linux/slab.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/checksum.h>
#include <net/ip.h>
#include <net/tcp.h>

#include "bench.h"

struct bench_frame bench_frames[2];
u32 bench_seq;

static bool bench_syn;		/* the packets of the run have it */

/* A TCP header with what hosts put there: two octets that do nothing, and timestamps. */
struct bench_tcp {
	struct tcphdr tcp;
	__be32 option;
	__be32 stamp;
	__be32 echo;
} __packed;

#define BENCH_STAMP	0x10000000	/* the first */
#define BENCH_STAMP_OPTION \
	(TCPOPT_NOP << 24 | TCPOPT_NOP << 16 | TCPOPT_TIMESTAMP << 8 | TCPOLEN_TIMESTAMP)

static void bench_frame_ip(const struct bench_frame *f, const struct bench_command *c, u8 proto)
{
	struct iphdr *ip = (struct iphdr *)(f->data + ETH_HLEN);

	ip->version = 4;
	ip->ihl = 5;
	ip->tot_len = htons(f->len - ETH_HLEN);
	ip->frag_off = htons(IP_DF);
	ip->ttl = c->ttl;
	ip->protocol = proto;
}

/* But for sequence, ACK number, window and timestamps. */
static void bench_frame_tcp(struct bench_frame *f, const struct bench_command *c)
{
	struct bench_tcp *t = (struct bench_tcp *)(f->data + f->l4_offset);

	t->tcp.doff = (f->payload_offset - f->l4_offset) / 4;
	t->tcp.syn = bench_syn;
	t->tcp.ack = c->tcp != BENCH_TCP_SYN;
	t->tcp.fin = c->tcp == BENCH_TCP_FIN;
	t->tcp.rst = c->tcp == BENCH_TCP_RST;
	f->ack_seq = t->tcp.ack ? 1 : 0;
	if (c->timestamps)
		t->option = htonl(BENCH_STAMP_OPTION);
}

static void bench_frame_payload(const struct bench_frame *f)
{
	u8 *payload = f->data + f->payload_offset;
	u32 i;

	for (i = sizeof(struct bench_payload); i < f->payload_len; i++)
		payload[i] = i;
	((struct bench_payload *)payload)->tag = htons(BENCH_TAG);
}

static int bench_frame_page(struct bench_frame *f)
{
	f->page = alloc_pages(GFP_KERNEL | __GFP_COMP, get_order(f->len));
	if (!f->page)
		return -ENOMEM;
	memcpy(page_address(f->page), f->data, f->len);
	return 0;
}

static u32 bench_header(const struct bench_command *c, u8 proto)
{
	if (proto == IPPROTO_UDP)
		return sizeof(struct udphdr);
	return c->timestamps ? sizeof(struct bench_tcp) : sizeof(struct tcphdr);
}

/* Without frag all is linear, and padded as Ethernet asks for. */
static void bench_frame_layout(struct bench_frame *f, const struct bench_command *c, u8 proto)
{
	f->l4_offset = ETH_HLEN + sizeof(struct iphdr);
	f->payload_offset = f->l4_offset + bench_header(c, proto);
	f->len = c->data ? c->len : f->payload_offset;
	f->payload_len = f->len - f->payload_offset;
	f->linear = c->frag ? f->payload_offset : max_t(u32, f->len, ETH_ZLEN);
	f->has_index = c->data && !c->frag;
	f->has_seq = f->has_index && f->payload_len >= sizeof(struct bench_payload);
}

/* What is the same in all packets of a run is summed here, the rest by bench_skb(). */
static int bench_frame_make(struct bench_frame *f, const struct bench_command *c, u8 proto)
{
	u32 l4_len;

	bench_frame_layout(f, c, proto);
	l4_len = f->len - f->l4_offset;
	f->data = kvzalloc(max_t(u32, f->len, ETH_ZLEN), GFP_KERNEL);
	if (!f->data)
		return -ENOMEM;
	bench_frame_ip(f, c, proto);
	if (proto == IPPROTO_TCP)
		bench_frame_tcp(f, c);
	else
		((struct udphdr *)(f->data + f->l4_offset))->len = htons(l4_len);
	if (c->data)
		bench_frame_payload(f);

	f->ip_sum = (__force u32)csum_partial(f->data + ETH_HLEN, sizeof(struct iphdr), 0);
	f->l4_sum = (__force u32)csum_partial(f->data + f->l4_offset, l4_len, 0);
	f->l4_sum += (__force u16)htons(proto) + (__force u16)htons(l4_len);
	return c->frag ? bench_frame_page(f) : 0;
}

int bench_frames_make(const struct bench_command *c)
{
	int error;

	bench_seq = 0;
	bench_syn = c->tcp == BENCH_TCP_SYN || c->tcp == BENCH_TCP_SYNACK;
	error = bench_frame_make(&bench_frames[0], c, IPPROTO_UDP);
	return error ?: bench_frame_make(&bench_frames[1], c, IPPROTO_TCP);
}

void bench_frames_free(void)
{
	int i;

	for (i = 0; i < 2; i++) {
		struct bench_frame *f = &bench_frames[i];

		kvfree(f->data);
		f->data = NULL;
		/* Packets that are still under way keep theirs. */
		if (f->page)
			put_page(f->page);
		f->page = NULL;
	}
}

/* Writes the payload's beginning and returns its sum. */
static u64 bench_put_payload(const struct bench_frame *f, u8 *data, u32 index, u32 seq)
{
	struct bench_payload *payload = (struct bench_payload *)(data + f->payload_offset);
	u64 sum;

	if (!f->has_index)
		return 0;
	payload->index = htonl(index);
	sum = (__force u32)payload->index;
	if (f->has_seq) {
		payload->seq = htonl(seq);
		sum += (__force u32)payload->seq;
	}
	return sum;
}

/* What a NIC would tell: nothing, that the checksum is right, or the sum of all behind Ethernet. */
static void bench_put_summed(struct sk_buff *skb, u64 pseudo)
{
	switch (bench_command.csum) {
	case BENCH_CSUM_UNNECESSARY:
		skb->ip_summed = CHECKSUM_UNNECESSARY;
		break;
	case BENCH_CSUM_COMPLETE:
		/* A right IPv4 header sums to nothing, a right segment to its pseudo header's complement. */
		skb->ip_summed = CHECKSUM_COMPLETE;
		skb->csum = csum_unfold(bench_fold(pseudo));
		break;
	}
}

/*
 * What a segment has of its place in the burst, and the sum of that. ACK numbers end where those of other
 * packets are, and so stay what connection tracking takes for plausible.
 */
static u64 bench_put_tcp(const struct bench_frame *f, struct bench_tcp *t, u32 at)
{
	const struct bench_command *c = &bench_command;
	u64 sum;

	t->tcp.seq = htonl(bench_syn ? 0 : 1 + at * f->payload_len);
	t->tcp.ack_seq = htonl(f->ack_seq - (c->burst - 1 - at) * c->acks);
	t->tcp.window = htons(U16_MAX - at * c->windows);
	sum = (u64)(__force u32)t->tcp.seq + (__force u32)t->tcp.ack_seq +
		(__force u16)t->tcp.window;
	if (c->timestamps) {
		t->stamp = htonl(BENCH_STAMP + at * c->stamps);
		t->echo = t->stamp;
		sum += 2 * (u64)(__force u32)t->stamp;
	}
	return sum;
}

/* The sum of what the ports, addresses and payload of a packet are; then its checksum. */
static void bench_put_l4(const struct bench_frame *f, u8 *data, u8 proto, u32 ports, u64 sum,
			 u32 at)
{
	struct udphdr *udp = (struct udphdr *)(data + f->l4_offset);
	struct bench_tcp *t = (struct bench_tcp *)udp;

	memcpy(udp, &ports, sizeof(ports));
	sum += ports;
	if (proto == IPPROTO_TCP)
		t->tcp.check = bench_fold(sum + bench_put_tcp(f, t, at));
	else if (bench_command.csum != BENCH_CSUM_ZERO)
		udp->check = bench_fold(sum) ?: CSUM_MANGLED_0;
}

static struct sk_buff *bench_alloc(struct bench_dev *b, const struct bench_frame *f)
{
	struct sk_buff *skb = napi_alloc_skb(&b->napi, f->linear);

	if (unlikely(!skb))
		return NULL;
	memcpy(__skb_put(skb, f->linear), f->data, f->linear);
	if (f->page) {
		get_page(f->page);
		skb_add_rx_frag(skb, 0, f->page, f->linear, f->payload_len, f->payload_len);
	}
	return skb;
}

/* at: its place in the burst. */
struct sk_buff *bench_skb(struct bench_dev *b, const struct bench_record *r, u32 index, u32 at)
{
	const struct bench_frame *f = &bench_frames[r->proto == IPPROTO_TCP];
	bool swap = b->source.reversed;
	u32 seq = bench_seq++;
	struct sk_buff *skb;
	struct iphdr *ip;
	u64 addresses;
	u32 ports;
	u8 *data;

	skb = bench_alloc(b, f);
	if (unlikely(!skb))
		return NULL;
	data = skb->data;
	ether_addr_copy(data, b->dev->dev_addr);
	ether_addr_copy(data + ETH_ALEN, b->dev->dev_addr);
	data[2 * ETH_ALEN - 1] = 2;
	((struct ethhdr *)data)->h_proto = htons(ETH_P_IP);

	ip = (struct iphdr *)(data + ETH_HLEN);
	/* Of flows that take turns each counts for itself, as hosts do. */
	ip->id = htons(bench_command.interleave > 1 ? at : seq);
	ip->saddr = swap ? r->daddr : r->saddr;
	ip->daddr = swap ? r->saddr : r->daddr;
	addresses = (u64)(__force u32)ip->saddr + (__force u32)ip->daddr;
	ip->check = bench_fold(f->ip_sum + addresses + (__force u16)ip->id);

	ports = (__force u16)(swap ? r->dport : r->sport) |
		(u32)(__force u16)(swap ? r->sport : r->dport) << 16;
	bench_put_l4(f, data, r->proto, ports,
		     f->l4_sum + addresses + bench_put_payload(f, data, index, seq), at);

	bench_put_summed(skb, addresses + (__force u16)htons(r->proto) +
			 (__force u16)htons(f->len - f->l4_offset));
	if (bench_command.hash)
		skb_set_hash(skb, hash_32(index, 32), PKT_HASH_TYPE_L4);
	skb->protocol = eth_type_trans(skb, b->dev);
	return skb;
}

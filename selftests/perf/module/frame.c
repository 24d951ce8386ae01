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

#include "bench.h"

struct bench_frame bench_frames[2];
u32 bench_seq;

static u32 bench_frame_len;
static bool bench_syn;		/* the packets of the run have it */

static void bench_frame_ip(const struct bench_frame *f, const struct bench_command *c, u8 proto)
{
	struct iphdr *ip = (struct iphdr *)(f->data + ETH_HLEN);

	ip->version = 4;
	ip->ihl = 5;
	ip->tot_len = htons(c->len - ETH_HLEN);
	ip->frag_off = htons(IP_DF);
	ip->ttl = c->ttl;
	ip->protocol = proto;
}

static void bench_frame_tcp(struct tcphdr *tcp, u32 kind)
{
	tcp->doff = 5;
	tcp->window = htons(U16_MAX);
	tcp->syn = kind == BENCH_TCP_SYN || kind == BENCH_TCP_SYNACK;
	tcp->ack = kind != BENCH_TCP_SYN;
	tcp->fin = kind == BENCH_TCP_FIN;
	tcp->rst = kind == BENCH_TCP_RST;
	tcp->ack_seq = tcp->ack ? htonl(1) : 0;
}

/* What is the same in all packets of a run is summed here, the rest by bench_skb(). */
static int bench_frame_make(struct bench_frame *f, const struct bench_command *c, u8 proto)
{
	u32 l4_len = c->len - ETH_HLEN - sizeof(struct iphdr), i;
	u32 header = proto == IPPROTO_TCP ? sizeof(struct tcphdr) : sizeof(struct udphdr);
	u8 *payload;

	f->data = kvzalloc(c->len, GFP_KERNEL);
	if (!f->data)
		return -ENOMEM;
	f->l4_offset = ETH_HLEN + sizeof(struct iphdr);
	f->payload_offset = f->l4_offset + header;
	f->payload_len = l4_len - header;
	f->has_seq = f->payload_len >= sizeof(struct bench_payload);
	bench_frame_ip(f, c, proto);
	if (proto == IPPROTO_TCP)
		bench_frame_tcp((struct tcphdr *)(f->data + f->l4_offset), c->tcp);
	else
		((struct udphdr *)(f->data + f->l4_offset))->len = htons(l4_len);

	payload = f->data + f->payload_offset;
	for (i = sizeof(struct bench_payload); i < f->payload_len; i++)
		payload[i] = i;
	((struct bench_payload *)payload)->tag = htons(BENCH_TAG);

	f->ip_sum = (__force u32)csum_partial(f->data + ETH_HLEN, sizeof(struct iphdr), 0);
	f->l4_sum = (__force u32)csum_partial(f->data + f->l4_offset, l4_len, 0);
	f->l4_sum += (__force u16)htons(proto) + (__force u16)htons(l4_len);
	return 0;
}

int bench_frames_make(const struct bench_command *c)
{
	int error;

	bench_seq = 0;
	bench_frame_len = c->len;
	bench_syn = c->tcp == BENCH_TCP_SYN || c->tcp == BENCH_TCP_SYNACK;
	error = bench_frame_make(&bench_frames[0], c, IPPROTO_UDP);
	return error ?: bench_frame_make(&bench_frames[1], c, IPPROTO_TCP);
}

void bench_frames_free(void)
{
	int i;

	for (i = 0; i < 2; i++) {
		kvfree(bench_frames[i].data);
		bench_frames[i].data = NULL;
	}
}

/* Writes the payload's beginning and returns its sum. */
static u64 bench_put_payload(const struct bench_frame *f, u8 *data, u32 index, u32 seq)
{
	struct bench_payload *payload = (struct bench_payload *)(data + f->payload_offset);
	u64 sum;

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

/* The sum of what the ports, addresses and payload of a packet are; then its checksum. */
static void bench_put_l4(const struct bench_frame *f, u8 *data, u8 proto, u32 ports, u64 sum,
			 u32 in_burst)
{
	struct udphdr *udp = (struct udphdr *)(data + f->l4_offset);
	struct tcphdr *tcp = (struct tcphdr *)udp;

	memcpy(udp, &ports, sizeof(ports));
	sum += ports;
	if (proto == IPPROTO_TCP) {
		tcp->seq = htonl(bench_syn ? 0 : 1 + in_burst * f->payload_len);
		tcp->check = bench_fold(sum + (__force u32)tcp->seq);
	} else if (bench_command.csum != BENCH_CSUM_ZERO) {
		udp->check = bench_fold(sum) ?: CSUM_MANGLED_0;
	}
}

struct sk_buff *bench_skb(struct bench_dev *b, const struct bench_record *r, u32 index, u32 in_burst)
{
	const struct bench_frame *f = &bench_frames[r->proto == IPPROTO_TCP];
	bool swap = b->source.reversed;
	u32 seq = bench_seq++;
	struct sk_buff *skb;
	struct iphdr *ip;
	u64 addresses;
	u32 ports;
	u8 *data;

	skb = napi_alloc_skb(&b->napi, bench_frame_len);
	if (unlikely(!skb))
		return NULL;
	data = __skb_put(skb, bench_frame_len);
	memcpy(data, f->data, bench_frame_len);
	ether_addr_copy(data, b->dev->dev_addr);
	ether_addr_copy(data + ETH_ALEN, b->dev->dev_addr);
	data[2 * ETH_ALEN - 1] = 2;
	((struct ethhdr *)data)->h_proto = htons(ETH_P_IP);

	ip = (struct iphdr *)(data + ETH_HLEN);
	ip->id = htons(seq);
	ip->saddr = swap ? r->daddr : r->saddr;
	ip->daddr = swap ? r->saddr : r->daddr;
	addresses = (u64)(__force u32)ip->saddr + (__force u32)ip->daddr;
	ip->check = bench_fold(f->ip_sum + addresses + (__force u16)ip->id);

	ports = (__force u16)(swap ? r->dport : r->sport) |
		(u32)(__force u16)(swap ? r->sport : r->dport) << 16;
	bench_put_l4(f, data, r->proto, ports,
		     f->l4_sum + addresses + bench_put_payload(f, data, index, seq), in_burst);

	bench_put_summed(skb, addresses + (__force u16)htons(r->proto) +
			 (__force u16)htons(bench_frame_len - f->l4_offset));
	if (bench_command.hash)
		skb_set_hash(skb, hash_32(index, 32), PKT_HASH_TYPE_L4);
	skb->protocol = eth_type_trans(skb, b->dev);
	return skb;
}

// SPDX-License-Identifier: GPL-2.0
/* The source: which flow is next, and the NAPI poll that hands packets to the kernel. */

#include <linux/mm.h>
#include <linux/prefetch.h>
#include <linux/slab.h>
#include <net/gro.h>

#include "bench.h"

#define BENCH_AHEAD	8	/* flows are prefetched so many packets before */

/* The last permutation that was asked for. */
static struct {
	u32 *order;
	u32 count;
	u32 seed;
} bench_shuffle;

static u64 bench_random(u64 *state)
{
	u64 x = *state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static const u32 *bench_permutation(u32 count, u32 seed)
{
	u64 state = seed;
	u32 *order, i, j;

	if (bench_shuffle.order && bench_shuffle.count == count && bench_shuffle.seed == seed)
		return bench_shuffle.order;
	order = kvmalloc_array(count, sizeof(*order), GFP_KERNEL);
	if (!order)
		return NULL;
	for (i = 0; i < count; i++) {
		j = (u32)bench_random(&state) * (u64)(i + 1) >> 32;
		order[i] = order[j];
		order[j] = i;
	}
	kvfree(bench_shuffle.order);
	bench_shuffle.order = order;
	bench_shuffle.count = count;
	bench_shuffle.seed = seed;
	return order;
}

void bench_source_exit(void)
{
	kvfree(bench_shuffle.order);
}

static int bench_look_through(const struct bench_source *s)
{
	int error = -ENODATA;
	u32 i;

	for (i = 0; i < s->count; i++) {
		switch (s->records[s->from + i].proto) {
		case 0:
			break;
		case IPPROTO_TCP:
		case IPPROTO_UDP:
			error = 0;
			break;
		default:
			return -EINVAL;
		}
	}
	return error;
}

/* The flows of one direction; packets: how many of them are to go this way. */
int bench_source_begin(struct bench_dev *b, const struct bench_command *c, u32 packets)
{
	bool reversed = c->captured && (c->dev != BENCH_BOTH || b == bench_devs[1]);
	const struct bench_array *a = reversed ? &b->captured : &b->flows;
	struct bench_source *s = &b->source;
	int error;

	memset(s, 0, sizeof(*s));
	if (c->from >= a->count)
		return -ENODATA;
	s->reversed = reversed;
	s->records = a->records;
	s->from = c->from;
	s->count = c->count ?: a->count - c->from;
	if (s->count > a->count - c->from)
		return -ENODATA;
	if (s->count < c->interleave)
		return -ENODATA;
	error = bench_look_through(s);
	if (error)
		return error;
	s->left = packets ?: s->count;
	s->fresh = c->fresh_from;
	s->fresh_every = reversed ? 0 : c->fresh_every;
	if (s->fresh_every && (s->fresh >= a->count || s->left / s->fresh_every > a->count - s->fresh))
		return -ENODATA;
	if (!c->shuffle)
		return 0;
	s->order = bench_permutation(s->count, c->seed);
	return s->order ? 0 : -ENOMEM;
}

static u32 bench_at(const struct bench_source *s, u32 position)
{
	return s->from + (s->order ? s->order[position] : position);
}

/* The next flow that there is. */
static void bench_advance(struct bench_source *s)
{
	u32 ahead;

	do {
		s->index = bench_at(s, s->position);
		if (++s->position == s->count)
			s->position = 0;
		ahead = s->position + BENCH_AHEAD;
		if (ahead < s->count)
			prefetch(&s->records[bench_at(s, ahead)]);
		if (likely(s->records[s->index].proto))
			return;
		s->skipped++;
	} while (1);
}

/* When all have had their bursts, others take turns. */
static void bench_regroup(struct bench_source *s)
{
	u32 i;

	for (i = 0; i < bench_command.interleave; i++) {
		bench_advance(s);
		s->turns[i] = s->index;
	}
}

static struct sk_buff *bench_next(struct bench_dev *b)
{
	const struct bench_command *c = &bench_command;
	struct bench_source *s = &b->source;
	u32 index, at;

	s->left--;
	if (s->fresh_every && ++s->since_fresh == s->fresh_every) {
		s->since_fresh = 0;
		s->fresh++;
		return bench_skb(b, &s->records[s->fresh - 1], s->fresh - 1, 0);
	}
	if (!s->in_burst && !s->turn)
		bench_regroup(s);
	index = s->turns[s->turn];
	at = s->in_burst;
	if (++s->turn == c->interleave) {
		s->turn = 0;
		if (++s->in_burst == c->burst)
			s->in_burst = 0;
	}
	return bench_skb(b, &s->records[index], index, at);
}

static void bench_trace_if_last(const struct bench_dev *b)
{
	if (b->source.left < bench_command.trace)
		bench_trace_start();
}

static void bench_hand_over(struct bench_dev *b, struct sk_buff *skb, struct list_head *list)
{
	switch (bench_command.rx) {
	case BENCH_RX_GRO:
		if (static_branch_unlikely(&bench_marks_key))
			bench_trace_if_last(b);
		napi_gro_receive(&b->napi, skb);
		if (static_branch_unlikely(&bench_marks_key))
			bench_trace_stop();
		break;
	case BENCH_RX_LIST:
		list_add_tail(&skb->list, list);
		break;
	case BENCH_RX_SINGLE:
		if (static_branch_unlikely(&bench_marks_key)) {
			bench_mark_source();
			bench_trace_if_last(b);
		}
		netif_receive_skb(skb);
		bench_trace_stop();
		break;
	case BENCH_RX_NONE:
		napi_consume_skb(skb, 1);
		break;
	}
}

/*
 * Says that it was not all used up: net_rx_action() does not call again, and local_bh_enable() returns
 * to bench_run(), which schedules the next.
 */
int bench_poll(struct napi_struct *napi, int budget)
{
	struct bench_dev *b = container_of(napi, struct bench_dev, napi);
	int batch = min_t(int, budget, bench_command.batch), done;
	struct sk_buff *skb;
	LIST_HEAD(list);

	if (!budget)
		return 0;
	for (done = 0; done < batch && b->source.left; done++) {
		skb = bench_next(b);
		if (unlikely(!skb)) {
			b->source.alloc_failed++;
			continue;
		}
		b->sent++;
		b->sent_bytes += skb->len + ETH_HLEN;
		bench_hand_over(b, skb, &list);
	}
	if (!list_empty(&list))
		netif_receive_skb_list(&list);
	b->source.polls++;
	napi_complete_done(napi, done);
	return min(done, budget - 1);
}

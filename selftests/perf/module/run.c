// SPDX-License-Identifier: GPL-2.0
/* A run, from its command to its result. */

#include <linux/delay.h>
#include <linux/rtnetlink.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <net/net_namespace.h>

#include "bench.h"

#define BENCH_SLICES	16384

struct bench_command bench_command;
struct bench_result bench_result;

/* A slice is a few polls long. */
struct bench_slicing {
	u32 polls;		/* of a slice */
	u32 done;
	u64 ticks;
	u64 sent;		/* when it began */
};

static bool bench_takes_part(int i)
{
	return bench_command.dev == BENCH_BOTH || bench_command.dev == i;
}

static u64 bench_sent(void)
{
	return bench_devs[0]->sent + bench_devs[1]->sent;
}

static u32 bench_left(void)
{
	return bench_devs[0]->source.left + bench_devs[1]->source.left;
}

/* One poll, in the softirq that local_bh_enable() runs, unless another processor was asked to. */
static int bench_kick(struct bench_dev *b)
{
	u32 before = b->source.polls;

	if (!netif_running(b->dev))
		return -ENETDOWN;
	do {
		local_bh_disable();
		napi_schedule(&b->napi);
		local_bh_enable();
		if (likely(READ_ONCE(b->source.polls) != before))
			return 0;
		usleep_range(20, 50);
		if (!netif_running(b->dev))
			return -ENETDOWN;
	} while (!signal_pending(current));
	return -EINTR;
}

static void bench_slice(struct bench_slicing *s, u64 now, bool last)
{
	struct bench_result *r = &bench_result;
	u64 sent = bench_sent() - s->sent;

	if (++s->done < s->polls && !last)
		return;
	if (sent && r->slice_count < BENCH_SLICES)
		r->slices[r->slice_count++] = min_t(u64, div64_u64((now - s->ticks) << 4, sent),
						    U32_MAX);
	s->done = 0;
	s->sent = bench_sent();
	s->ticks = now;
}

static int bench_loop(void)
{
	u64 limit = ktime_get_ns() + (u64)bench_command.limit * NSEC_PER_SEC;
	u64 polls = bench_left() / bench_command.batch + 2;
	struct bench_slicing slicing = {
		.polls = polls / BENCH_SLICES + 1,
		.sent = bench_sent(),
	};
	int i, error = 0;

	slicing.ticks = bench_ticks();
	while (bench_left()) {
		for (i = 0; i < 2 && !error; i++)
			if (bench_devs[i]->source.left)
				error = bench_kick(bench_devs[i]);
		bench_slice(&slicing, bench_ticks(), !bench_left());
		if (error)
			return error;
		if (signal_pending(current))
			return -EINTR;
		if (ktime_get_ns() > limit)
			return -ETIME;
		cond_resched();
	}
	return 0;
}

static int bench_compare(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;

	return x < y ? -1 : x > y;
}

void bench_sort(u32 *values, u32 count)
{
	sort(values, count, sizeof(*values), bench_compare, NULL);
}

/* The time of the loop, and what the sinks saw meanwhile. */
static int bench_measure(struct bench_result *r)
{
	struct bench_counters before[2], after[2];
	u64 sent[2], ns, ticks;
	int i, error;

	for (i = 0; i < 2; i++) {
		bench_sum(bench_devs[i], &before[i]);
		sent[i] = bench_devs[i]->sent;
	}
	ns = ktime_get_ns();
	ticks = bench_ticks();
	error = bench_loop();
	r->ticks = bench_ticks() - ticks;
	r->elapsed_ns = ktime_get_ns() - ns;
	for (i = 0; i < 2; i++) {
		const struct bench_source *s = &bench_devs[i]->source;

		bench_sum(bench_devs[i], &after[i]);
		r->sent += bench_devs[i]->sent - sent[i];
		r->other += after[i].other - before[i].other;
		r->skipped += s->skipped;
		r->alloc_failed += s->alloc_failed;
		if (bench_takes_part(!i)) {
			r->received += after[i].packets - before[i].packets;
			r->frames += after[i].frames - before[i].frames;
		} else {
			r->returned += after[i].packets - before[i].packets;
		}
	}
	bench_sort(r->slices, r->slice_count);
	return error;
}

/* Sources first: they tell how many flows there are for the sinks to see. */
static int bench_prepare(const struct bench_command *c)
{
	u32 share = c->dev == BENCH_BOTH ? c->packets / 2 : c->packets;
	int i, error = 0;

	for (i = 0; i < 2 && !error; i++) {
		if (!bench_takes_part(i))
			continue;
		error = bench_source_begin(bench_devs[i], c,
					   i && c->dev == BENCH_BOTH ? c->packets - share : share);
	}
	for (i = 0; i < 2 && !error; i++) {
		struct bench_dev *b = bench_devs[i];

		if (bench_takes_part(i))
			error = bench_sink_begin(b->opposite, c, b->source.reversed ?
						 b->captured.count : b->flows.count);
	}
	return error;
}

static void bench_settle(struct bench_result *r)
{
	int i;

	for (i = 0; i < 2; i++) {
		memset(&bench_devs[i]->source, 0, sizeof(struct bench_source));
		bench_sink_end(bench_devs[i]);
		if (bench_takes_part(!i) && bench_command.keep) {
			r->kept += bench_devs[i]->kept.kept;
			r->kept_lost += bench_devs[i]->kept.lost;
		}
	}
	bench_frames_free();
}

static int bench_marked(const struct bench_command *c, struct bench_result *r)
{
	int error;

	if (!c->marks && !c->trace)
		return bench_measure(r);
	error = bench_marks_begin(r);
	if (error)
		return error;
	error = bench_measure(r);
	bench_marks_end(r);
	return error;
}

static int bench_instrumented(struct net *net, const struct bench_command *c,
			      struct bench_result *r)
{
	int error = c->trace ? bench_trace_begin() : 0;

	if (error)
		return error;
	error = bench_hooks_add(net, c);
	if (!error) {
		error = bench_marked(c, r);
		bench_hooks_remove(net, c);
	}
	if (c->trace)
		bench_trace_end();
	return error;
}

static struct net *bench_net(void)
{
	struct net *net, *other;

	rtnl_lock();
	net = maybe_get_net(dev_net(bench_devs[0]->dev));
	other = dev_net(bench_devs[1]->dev);
	rtnl_unlock();
	if (net && net != other) {
		put_net(net);
		return NULL;
	}
	return net;
}

/* The last result. */
void bench_run_exit(void)
{
	kvfree(bench_result.slices);
	kvfree(bench_result.source.values);
	kvfree(bench_result.hook.values);
}

static int bench_run_in(struct net *net)
{
	struct bench_result *r = &bench_result;
	const struct bench_command *c = &bench_command;
	int error;

	bench_run_exit();
	memset(r, 0, sizeof(*r));
	r->slices = kvmalloc_array(BENCH_SLICES, sizeof(u32), GFP_KERNEL);
	if (!r->slices)
		return -ENOMEM;
	error = bench_frames_make(c);
	if (!error)
		error = bench_prepare(c);
	if (!error)
		error = bench_instrumented(net, c, r);
	bench_settle(r);
	r->error = -error;
	return error;
}

/* Under bench_mutex. A command that is not understood leaves the last result. */
int bench_run(char *text)
{
	struct bench_command command;
	struct net *net;
	int error;

	error = bench_parse(text, &command);
	if (error)
		return error;
	net = bench_net();
	if (!net)
		return -ENODEV;
	bench_command = command;
	error = bench_run_in(net);
	put_net(net);
	return error;
}

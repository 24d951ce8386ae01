// SPDX-License-Identifier: GPL-2.0
/* The words of a command, and what they may be. */

#include <linux/kernel.h>
#include <linux/string.h>

#include "bench.h"

struct bench_word {
	const char *name;
	size_t offset;
	u32 otherwise;		/* if it is not given */
	u32 min;
	u32 max;
	const char *const *names;	/* of the values 0, 1, …; NULL: a number */
};

static const char *const dev_names[] = { "bench0", "bench1", "both", NULL };
static const char *const flows_names[] = { "array", "captured", NULL };
static const char *const order_names[] = { "array", "shuffle", NULL };
static const char *const tcp_names[] = { "ack", "syn", "synack", "fin", "rst", NULL };
static const char *const csum_names[] = { "unnecessary", "none", "complete", "zero", NULL };
static const char *const rx_names[] = { "gro", "list", "single", "none", NULL };

#define BENCH_NO_DEV	U32_MAX

#define NUMBER(word, otherwise, min, max) \
	{ #word, offsetof(struct bench_command, word), otherwise, min, max, NULL }
#define CHOICE(word, field, otherwise, names) \
	{ word, offsetof(struct bench_command, field), otherwise, 0, 0, names }

static const struct bench_word words[] = {
	CHOICE("dev", dev, BENCH_NO_DEV, dev_names),
	CHOICE("flows", captured, 0, flows_names),
	CHOICE("order", shuffle, 0, order_names),
	CHOICE("tcp", tcp, BENCH_TCP_ACK, tcp_names),
	CHOICE("csum", csum, BENCH_CSUM_UNNECESSARY, csum_names),
	CHOICE("rx", rx, BENCH_RX_GRO, rx_names),
	NUMBER(packets, 0, 1, 1000000000),
	NUMBER(from, 0, 0, BENCH_MAX_FLOWS),
	NUMBER(count, 0, 1, BENCH_MAX_FLOWS),
	NUMBER(seed, 1, 0, U32_MAX),
	NUMBER(burst, 1, 1, 1000000),
	NUMBER(interleave, 1, 1, BENCH_MAX_TURNS),
	NUMBER(fresh_every, 0, 1, 1000000),
	NUMBER(fresh_from, 0, 0, BENCH_MAX_FLOWS),
	NUMBER(len, ETH_ZLEN, ETH_ZLEN, 9014),
	NUMBER(data, 1, 0, 1),
	NUMBER(frag, 0, 0, 1),
	NUMBER(timestamps, 0, 0, 1),
	NUMBER(acks, 0, 0, U32_MAX),
	NUMBER(windows, 0, 0, U16_MAX),
	NUMBER(stamps, 0, 0, U32_MAX),
	NUMBER(ttl, 64, 0, 255),
	NUMBER(hash, 1, 0, 1),
	NUMBER(batch, NAPI_POLL_WEIGHT, 1, NAPI_POLL_WEIGHT),
	NUMBER(capture, 0, 0, 1),
	NUMBER(keep, 0, 0, 1000000),
	NUMBER(null, 0, 0, 1),
	NUMBER(marks, 0, 0, 1),
	NUMBER(trace, 0, 0, 64),
	NUMBER(limit, 300, 1, 86400),
};

static u32 *bench_field(struct bench_command *c, const struct bench_word *w)
{
	return (u32 *)((u8 *)c + w->offset);
}

static const struct bench_word *bench_find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(words[i].name, name))
			return &words[i];
	return NULL;
}

static int bench_value(const struct bench_word *w, const char *text, u32 *value)
{
	u32 i;

	for (i = 0; w->names && w->names[i]; i++) {
		if (!strcmp(w->names[i], text)) {
			*value = i;
			return 0;
		}
	}
	if (w->names || kstrtou32(text, 0, value) || *value < w->min || *value > w->max)
		return -EINVAL;
	return 0;
}

/* Words that do not go together. */
static const char *bench_contradiction(const struct bench_command *c)
{
	if (c->dev == BENCH_NO_DEV)
		return "dev= is missing";
	if (c->null && c->marks)
		return "null=1 leaves nothing for marks=1";
	if (c->marks && c->rx != BENCH_RX_SINGLE)
		return "marks=1 wants rx=single";
	if (c->trace && c->rx != BENCH_RX_SINGLE && c->rx != BENCH_RX_GRO)
		return "trace= wants rx=single or gro";
	if (c->fresh_every && c->captured && c->dev != BENCH_BOTH)
		return "nothing of flows=captured is new: no fresh_every=";
	if (c->capture && (c->frag || !c->data))
		return "capture=1 wants the index in each packet: no frag=1, no data=0";
	if (c->stamps && !c->timestamps)
		return "stamps= wants timestamps=1";
	if (c->frag && !c->data)
		return "data=0 leaves nothing for frag=1";
	if (c->timestamps && c->data && c->len < BENCH_MIN_STAMPED)
		return "timestamps=1 wants len=72 or more";
	if (c->dev == BENCH_BOTH && c->captured && c->capture)
		return "with dev=both, flows=captured is for answers to what was captured before";
	return NULL;
}

int bench_parse(char *text, struct bench_command *c)
{
	const struct bench_word *w;
	const char *bad;
	char *word, *value;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		*bench_field(c, &words[i]) = words[i].otherwise;
	while ((word = strsep(&text, " \t\n"))) {
		if (!*word)
			continue;
		value = strchr(word, '=');
		if (value)
			*value++ = '\0';
		w = bench_find(word);
		if (!w || !value || bench_value(w, value, bench_field(c, w))) {
			pr_info("fastnat_bench: not understood: %s=%s\n", word, value ?: "");
			return -EINVAL;
		}
	}
	bad = bench_contradiction(c);
	if (bad) {
		pr_info("fastnat_bench: %s\n", bad);
		return -EINVAL;
	}
	return 0;
}

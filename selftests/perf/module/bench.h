/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of fastnat_bench share; what it does is in README.md. */
#ifndef _FASTNAT_BENCH_H
#define _FASTNAT_BENCH_H

#include <linux/if_ether.h>
#include <linux/jump_label.h>
#include <linux/ktime.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>

#define BENCH_TAG	0xfa57
#define BENCH_PRIORITY	-396	/* of our hooks: just ahead of fastnat's */
#define BENCH_MAX_FLOWS	(16u << 20)
#define BENCH_MIN_STAMPED	72	/* room for the index behind timestamps */
#define BENCH_MAX_KEPT	(64u << 20)
#define BENCH_MAX_TRACE	(256u << 10)	/* steps */
#define BENCH_MAX_SAMPLES	(64u << 10)
#define BENCH_MAX_TURNS	64	/* flows that take turns */

/* An element of flow arrays and of what is captured: the contract with user space. */
struct bench_record {
	__be32 saddr;
	__be32 daddr;
	__be16 sport;
	__be16 dport;
	u8 proto;	/* 0: nothing was captured */
	u8 zero[3];
};

static_assert(sizeof(struct bench_record) == 16);

/* A packet's payload begins with it, as far as there is room. */
struct bench_payload {
	__be32 index;
	__be16 tag;
	__be32 seq;
} __packed;

struct bench_array {
	struct bench_record *records;
	u32 count;
	u32 room;
};

/* Numbers of words of a command; the order is that of the lists in command.c. */
enum { BENCH_DEV0, BENCH_DEV1, BENCH_BOTH };
enum { BENCH_RX_GRO, BENCH_RX_LIST, BENCH_RX_SINGLE, BENCH_RX_NONE };
enum { BENCH_CSUM_UNNECESSARY, BENCH_CSUM_NONE, BENCH_CSUM_COMPLETE, BENCH_CSUM_ZERO };
enum { BENCH_TCP_ACK, BENCH_TCP_SYN, BENCH_TCP_SYNACK, BENCH_TCP_FIN, BENCH_TCP_RST };

struct bench_command {
	u32 dev, packets, captured, from, count, shuffle, seed, burst, interleave;
	u32 fresh_every, fresh_from;
	u32 len, data, frag, tcp, timestamps, acks, windows, stamps;
	u32 ttl, csum, hash, rx, batch;
	u32 capture, keep, null, marks, trace, limit;
};

/* Where a device's source stands in its flows. */
struct bench_source {
	const struct bench_record *records;
	const u32 *order;		/* NULL: as in the array */
	u32 from;
	u32 count;
	u32 position;			/* of the next flow, in the order */
	u32 index;			/* of the last flow, in the array */
	u32 turns[BENCH_MAX_TURNS];	/* indices of the flows that take turns */
	u32 turn;			/* whose it is */
	u32 in_burst;			/* packets that each of them has sent */
	u32 fresh_every;		/* 0: no new flows */
	u32 since_fresh;
	u32 fresh;
	u32 left;			/* packets to send */
	u32 polls;
	u32 skipped;
	u32 alloc_failed;
	bool reversed;			/* records are what came out: answer them */
};

/* What a device's sink keeps of whole packets: a pcap file. */
struct bench_kept {
	u8 *data;
	size_t size;
	size_t room;
	u32 wanted;
	u32 kept;
	u32 lost;
};

struct bench_counters {
	u64 packets;
	u64 frames;
	u64 bytes;
	u64 other;
};

struct bench_dev {
	struct net_device *dev;
	struct bench_dev *opposite;
	struct napi_struct napi;
	struct bench_source source;
	u64 sent;
	u64 sent_bytes;

	struct bench_counters __percpu *counters;
	bool capture;
	struct bench_array captured;
	struct bench_kept kept;

	struct bench_array flows;
};

/* What all packets of a protocol have in common. */
struct bench_frame {
	u8 *data;
	struct page *page;		/* with frag: the same again, for what is not linear */
	u64 ip_sum;
	u64 l4_sum;
	u32 len;			/* of the IP packet and Ethernet, without padding */
	u32 linear;			/* what each skb gets a copy of */
	u32 l4_offset;
	u32 payload_len;
	u32 payload_offset;
	u32 ack_seq;
	bool has_index;
	bool has_seq;
};

/* What was measured of single packets. */
struct bench_samples {
	u64 sum;
	u64 count;
	u32 *values;			/* the first of them, sorted in the end */
};

struct bench_result {
	u64 sent, received, frames, returned, other, skipped, alloc_failed;
	u64 elapsed_ns, ticks;
	u32 *slices;			/* ticks a packet << 4, sorted */
	u32 slice_count;
	struct bench_samples hook, source;
	u64 mark_ticks;
	u64 kept, kept_lost;
	int error;
};

/* What one run at a time may use, under bench_mutex. */
extern struct mutex bench_mutex;
extern struct bench_dev *bench_devs[2];
extern struct bench_command bench_command;
extern struct bench_result bench_result;
extern struct bench_frame bench_frames[2];	/* UDP, TCP */
extern u32 bench_seq;

DECLARE_STATIC_KEY_FALSE(bench_marks_key);

/* The time-stamp counter; under QEMU's -icount, instructions. */
static inline u64 bench_ticks(void)
{
#if defined(CONFIG_X86_64) || defined(CONFIG_UML_X86)
	u32 low, high;

	asm volatile("rdtsc" : "=a" (low), "=d" (high) : : "memory");
	return (u64)high << 32 | low;
#else
	return ktime_get_ns();
#endif
}

static inline __sum16 bench_fold(u64 sum)
{
	sum = (sum & U32_MAX) + (sum >> 32);
	sum = (sum & U32_MAX) + (sum >> 32);
	return csum_fold((__force __wsum)(u32)sum);
}

/* command.c */
int bench_parse(char *text, struct bench_command *c);

/* files.c */
int bench_files_create(void);
void bench_files_remove(void);
int bench_array_grow(struct bench_array *a, u32 count);
void bench_array_clear(struct bench_array *a);

/* frame.c */
int bench_frames_make(const struct bench_command *c);
void bench_frames_free(void);
struct sk_buff *bench_skb(struct bench_dev *b, const struct bench_record *r, u32 index,
			  u32 at);

/* hooks.c */
int bench_hooks_add(struct net *net, const struct bench_command *c);
void bench_hooks_remove(struct net *net, const struct bench_command *c);
void bench_mark_source(void);
void bench_mark_sink(const struct sk_buff *skb);
int bench_marks_begin(struct bench_result *r);
void bench_marks_end(struct bench_result *r);

/* run.c */
int bench_run(char *text);
void bench_sort(u32 *values, u32 count);
void bench_run_exit(void);

/* sink.c */
netdev_tx_t bench_xmit(struct sk_buff *skb, struct net_device *dev);
int bench_sink_begin(struct bench_dev *b, const struct bench_command *c, u32 flows);
void bench_sink_end(struct bench_dev *b);
void bench_kept_clear(struct bench_kept *k);
void bench_sum(const struct bench_dev *b, struct bench_counters *sum);

/* source.c */
int bench_poll(struct napi_struct *napi, int budget);
int bench_source_begin(struct bench_dev *b, const struct bench_command *c, u32 packets);
void bench_source_exit(void);

/* trace.c */
int bench_trace_begin(void);
void bench_trace_end(void);
void bench_trace_exit(void);
void bench_trace_start(void);
void bench_trace_stop(void);
extern const struct file_operations bench_trace_fops;

#endif

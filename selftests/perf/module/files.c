// SPDX-License-Identifier: GPL-2.0
/* The files in debugfs, and the arrays behind them. */

#include <linux/debugfs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>

#include "bench.h"

static struct dentry *bench_dir;

void bench_array_clear(struct bench_array *a)
{
	kvfree(a->records);
	memset(a, 0, sizeof(*a));
}

/* At least so many records; new ones are zero. */
int bench_array_grow(struct bench_array *a, u32 count)
{
	struct bench_record *records;
	u32 room;

	if (count > BENCH_MAX_FLOWS)
		return -EFBIG;
	if (count > a->room) {
		room = max(count, min(2 * a->room, BENCH_MAX_FLOWS));
		records = kvcalloc(room, sizeof(*records), GFP_KERNEL);
		if (!records)
			return -ENOMEM;
		if (a->count)
			memcpy(records, a->records, a->count * sizeof(*records));
		kvfree(a->records);
		a->records = records;
		a->room = room;
	}
	a->count = max(a->count, count);
	return 0;
}

static int bench_array_open(struct inode *inode, struct file *file)
{
	struct bench_array *a = inode->i_private;

	if (file->f_flags & O_TRUNC) {
		mutex_lock(&bench_mutex);
		bench_array_clear(a);
		mutex_unlock(&bench_mutex);
	}
	file->private_data = a;
	return 0;
}

static ssize_t bench_array_read(struct file *file, char __user *to, size_t size, loff_t *pos)
{
	const struct bench_array *a = file->private_data;
	ssize_t done;

	if (mutex_lock_interruptible(&bench_mutex))
		return -EINTR;
	done = simple_read_from_buffer(to, size, pos, a->records, a->count * sizeof(*a->records));
	mutex_unlock(&bench_mutex);
	return done;
}

static ssize_t bench_array_write(struct file *file, const char __user *from, size_t size,
				 loff_t *pos)
{
	struct bench_array *a = file->private_data;
	size_t room = BENCH_MAX_FLOWS * sizeof(*a->records);
	ssize_t done;

	if (*pos < 0 || *pos > room || size > room - *pos)
		return -EFBIG;
	if (mutex_lock_interruptible(&bench_mutex))
		return -EINTR;
	done = bench_array_grow(a, DIV_ROUND_UP(*pos + size, sizeof(*a->records)));
	if (!done)
		done = simple_write_to_buffer(a->records, a->count * sizeof(*a->records), pos, from,
					      size);
	mutex_unlock(&bench_mutex);
	return done;
}

static const struct file_operations bench_array_fops = {
	.owner	= THIS_MODULE,
	.open	= bench_array_open,
	.read	= bench_array_read,
	.write	= bench_array_write,
	.llseek	= default_llseek,
};

static ssize_t bench_kept_read(struct file *file, char __user *to, size_t size, loff_t *pos)
{
	const struct bench_kept *k = file->private_data;
	ssize_t done;

	if (mutex_lock_interruptible(&bench_mutex))
		return -EINTR;
	done = simple_read_from_buffer(to, size, pos, k->data, k->size);
	mutex_unlock(&bench_mutex);
	return done;
}

static const struct file_operations bench_kept_fops = {
	.owner	= THIS_MODULE,
	.open	= simple_open,
	.read	= bench_kept_read,
	.llseek	= default_llseek,
};

static ssize_t bench_run_write(struct file *file, const char __user *from, size_t size,
			       loff_t *pos)
{
	char *text;
	int error;

	if (size >= PAGE_SIZE)
		return -EINVAL;
	text = memdup_user_nul(from, size);
	if (IS_ERR(text))
		return PTR_ERR(text);
	error = mutex_lock_interruptible(&bench_mutex);
	if (!error) {
		error = bench_run(text);
		mutex_unlock(&bench_mutex);
	}
	kfree(text);
	return error ?: size;
}

static const struct file_operations bench_run_fops = {
	.owner	= THIS_MODULE,
	.open	= simple_open,
	.write	= bench_run_write,
};

/* A quotient with three decimals. */
static void bench_show(struct seq_file *file, const char *name, u64 sum, u64 count)
{
	u64 thousandths = count ? mul_u64_u64_div_u64(sum, 1000, count) : 0;

	seq_printf(file, "%s %llu.%03llu\n", name, thousandths / 1000, thousandths % 1000);
}

static void bench_show_slices(struct seq_file *file, const struct bench_result *r)
{
	u64 median = r->slice_count ? r->slices[r->slice_count / 2] : 0;
	u64 fastest = r->slice_count ? r->slices[0] : 0;

	bench_show(file, "median_ns_per_packet", median * r->elapsed_ns, r->ticks << 4);
	bench_show(file, "fastest_ns_per_packet", fastest * r->elapsed_ns, r->ticks << 4);
	bench_show(file, "median_ticks_per_packet", median, 16);
	bench_show(file, "fastest_ticks_per_packet", fastest, 16);
}

static void bench_show_samples(struct seq_file *file, const char *name,
			       const struct bench_samples *s)
{
	u32 kept = min_t(u64, s->count, BENCH_MAX_SAMPLES);

	seq_printf(file, "%s_packets %llu\n%s_median_ticks %u\n%s_least_ticks %u\n", name, s->count,
		   name, kept ? s->values[kept / 2] : 0, name, kept ? s->values[0] : 0);
	seq_printf(file, "%s_", name);
	bench_show(file, "ticks", s->sum, s->count);
}

static int bench_result_show(struct seq_file *file, void *unused)
{
	const struct bench_result *r = &bench_result;

	mutex_lock(&bench_mutex);
	seq_printf(file, "sent %llu\nreceived %llu\nframes %llu\nreturned %llu\nother %llu\n",
		   r->sent, r->received, r->frames, r->returned, r->other);
	seq_printf(file, "skipped %llu\nalloc_failed %llu\n", r->skipped, r->alloc_failed);
	seq_printf(file, "elapsed_ns %llu\n", r->elapsed_ns);
	bench_show(file, "ns_per_packet", r->elapsed_ns, r->sent);
	seq_printf(file, "ticks %llu\n", r->ticks);
	bench_show(file, "ticks_per_packet", r->ticks, r->sent);
	bench_show_slices(file, r);
	bench_show_samples(file, "hook_xmit", &r->hook);
	bench_show_samples(file, "source_xmit", &r->source);
	seq_printf(file, "mark_ticks %llu\n", r->mark_ticks);
	seq_printf(file, "kept %llu\nkept_lost %llu\nerror %d\n", r->kept, r->kept_lost, r->error);
	mutex_unlock(&bench_mutex);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(bench_result);

static void bench_files_of(struct bench_dev *b)
{
	struct dentry *dir = debugfs_create_dir(b == bench_devs[0] ? "bench0" : "bench1", bench_dir);

	debugfs_create_file("flows", 0600, dir, &b->flows, &bench_array_fops);
	debugfs_create_file("captured", 0600, dir, &b->captured, &bench_array_fops);
	debugfs_create_file("packets", 0400, dir, &b->kept, &bench_kept_fops);
}

int bench_files_create(void)
{
	bench_dir = debugfs_create_dir("fastnat_bench", NULL);
	if (IS_ERR(bench_dir))
		return PTR_ERR(bench_dir);
	bench_files_of(bench_devs[0]);
	bench_files_of(bench_devs[1]);
	debugfs_create_file("run", 0200, bench_dir, NULL, &bench_run_fops);
	debugfs_create_file("result", 0400, bench_dir, NULL, &bench_result_fops);
	debugfs_create_file("trace", 0400, bench_dir, NULL, &bench_trace_fops);
	return 0;
}

void bench_files_remove(void)
{
	debugfs_remove_recursive(bench_dir);
}

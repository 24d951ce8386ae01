// SPDX-License-Identifier: GPL-2.0
/*
 * Steps through single packets: the processor traps after each instruction, and the trap notes where it is.
 *
 * The kernel's debug exception asks its notifiers first, as kgdb wants it. Handlers run without the flag
 * and return with it; what the interrupted code had pushed keeps it, so a stray trap after the end is
 * answered, too, by clearing the flag. Until bench_trace_end() that is.
 */

#include <linux/debugfs.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/seq_file.h>

#include "bench.h"

static unsigned long *bench_steps;
static u32 bench_step_count;

#ifdef CONFIG_X86
#include <linux/kdebug.h>
#include <linux/sched.h>
#include <asm/debugreg.h>
#include <asm/processor-flags.h>

static struct task_struct *bench_stepped;	/* while it is */

static int bench_step(struct notifier_block *block, unsigned long event, void *data)
{
	const struct die_args *args = data;
	struct pt_regs *regs = args->regs;
	unsigned long *dr6 = (unsigned long *)args->err;

	if (event != DIE_DEBUG || user_mode(regs) || !(*dr6 & DR_STEP))
		return NOTIFY_DONE;
	if (READ_ONCE(bench_stepped) == current && bench_step_count < BENCH_MAX_TRACE)
		bench_steps[bench_step_count++] = regs->ip;
	else
		regs->flags &= ~X86_EFLAGS_TF;
	return NOTIFY_STOP;
}
NOKPROBE_SYMBOL(bench_step);

static struct notifier_block bench_step_block = {
	.notifier_call	= bench_step,
	.priority	= INT_MAX,
};

int bench_trace_begin(void)
{
	if (!bench_steps)
		bench_steps = kvmalloc_array(BENCH_MAX_TRACE, sizeof(*bench_steps), GFP_KERNEL);
	if (!bench_steps)
		return -ENOMEM;
	bench_step_count = 0;
	return register_die_notifier(&bench_step_block);
}

void bench_trace_end(void)
{
	bench_trace_stop();
	unregister_die_notifier(&bench_step_block);
}

/* A zero is between packets. */
void bench_trace_start(void)
{
	if (bench_step_count && bench_step_count < BENCH_MAX_TRACE)
		bench_steps[bench_step_count++] = 0;
	WRITE_ONCE(bench_stepped, current);
	asm volatile("pushfq; orq %0, (%%rsp); popfq" : : "i" (X86_EFLAGS_TF) : "memory", "cc");
}

void bench_trace_stop(void)
{
	WRITE_ONCE(bench_stepped, NULL);
}

#else

int bench_trace_begin(void) { return -EOPNOTSUPP; }
void bench_trace_end(void) { }
void bench_trace_start(void) { }
void bench_trace_stop(void) { }

#endif

void bench_trace_exit(void)
{
	kvfree(bench_steps);
}

static void *bench_trace_first(struct seq_file *file, loff_t *pos)
{
	mutex_lock(&bench_mutex);
	return *pos < bench_step_count ? &bench_steps[*pos] : NULL;
}

static void *bench_trace_next(struct seq_file *file, void *step, loff_t *pos)
{
	return ++*pos < bench_step_count ? &bench_steps[*pos] : NULL;
}

static void bench_trace_last(struct seq_file *file, void *step)
{
	mutex_unlock(&bench_mutex);
}

static int bench_trace_show(struct seq_file *file, void *step)
{
	char symbol[KSYM_SYMBOL_LEN];
	unsigned long address = *(unsigned long *)step;

	if (!address) {
		seq_putc(file, '\n');
		return 0;
	}
	sprint_symbol(symbol, address);
	seq_printf(file, "%lx %s\n", address, symbol);
	return 0;
}

static const struct seq_operations bench_trace_sops = {
	.start	= bench_trace_first,
	.next	= bench_trace_next,
	.stop	= bench_trace_last,
	.show	= bench_trace_show,
};

static int bench_trace_open(struct inode *inode, struct file *file)
{
	return seq_open(file, &bench_trace_sops);
}

const struct file_operations bench_trace_fops = {
	.owner		= THIS_MODULE,
	.open		= bench_trace_open,
	.read		= seq_read,
	.llseek		= seq_lseek,
	.release	= seq_release,
};

// SPDX-License-Identifier: GPL-2.0
/*
 * User-mode Linux only: the processor time that this kernel, a process of the
 * host, has taken so far. Other processes of the host make a run last longer,
 * but do not make this clock go faster.
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/time64.h>

#ifndef CONFIG_UML
#error "the host's clocks are there in User-mode Linux only"
#endif

#define HOST_CLOCK_GETTIME 228
#define HOST_CLOCK_THREAD_CPUTIME 3

static struct dentry *file;

static int cputime(void *data, u64 *value)
{
	struct timespec64 now = {};
	long error;

	/* A system call in the kernel of User-mode Linux is one to the host. */
	asm volatile("syscall"
		     : "=a" (error)
		     : "0" (HOST_CLOCK_GETTIME),
		       "D" (HOST_CLOCK_THREAD_CPUTIME), "S" (&now)
		     : "rcx", "r11", "memory");
	*value = timespec64_to_ns(&now);
	return error;
}
DEFINE_DEBUGFS_ATTRIBUTE(cputime_ops, cputime, NULL, "%llu\n");

static int __init clock_init(void)
{
	file = debugfs_create_file("fastnat_clock", 0400, NULL, NULL,
				   &cputime_ops);
	return PTR_ERR_OR_ZERO(file);
}

static void __exit clock_exit(void)
{
	debugfs_remove(file);
}

module_init(clock_init);
module_exit(clock_exit);
MODULE_DESCRIPTION("Processor time of a User-mode Linux, for measurements");
MODULE_LICENSE("GPL");

// SPDX-License-Identifier: GPL-2.0
/* The clock: jiffies, and the time that the machine slept. */

#include <linux/jiffies.h>
#include <linux/suspend.h>
#include <linux/timekeeping.h>

#include <fastnat/shim.h>

u32 fastnat_shim_slept;

static int fastnat_woke(struct notifier_block *nb, unsigned long event, void *unused)
{
	if (event == PM_POST_SUSPEND || event == PM_POST_HIBERNATION)
		WRITE_ONCE(fastnat_shim_slept,
			   (u32)nsecs_to_jiffies64(ktime_get_boottime_ns() - ktime_get_ns()));
	return NOTIFY_DONE;
}

static struct notifier_block fastnat_sleep_notifier = {
	.notifier_call = fastnat_woke,
};

int fastnat_shim_clock_register(void)
{
	return register_pm_notifier(&fastnat_sleep_notifier);
}

void fastnat_shim_clock_unregister(void)
{
	unregister_pm_notifier(&fastnat_sleep_notifier);
}

/* What Rust takes for it. */
static_assert(HZ == CONFIG_HZ);

void fastnat_shim_resched(void)
{
	cond_resched();
}

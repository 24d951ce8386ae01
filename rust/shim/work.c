// SPDX-License-Identifier: GPL-2.0
/* Delayed work. */

#include <fastnat/shim.h>

void fastnat_shim_work_init(struct delayed_work *work,
			    void (*run)(struct work_struct *work))
{
	INIT_DELAYED_WORK(work, run);
}

void fastnat_shim_work_queue(struct delayed_work *work, unsigned long ticks)
{
	queue_delayed_work(system_dfl_wq, work, ticks);
}

void fastnat_shim_work_wake(struct delayed_work *work)
{
	mod_delayed_work(system_dfl_wq, work, 0);
}

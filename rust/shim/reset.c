// SPDX-License-Identifier: GPL-2.0
/* TCP resets, by the function that REJECT uses. */

#include <linux/kmod.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <net/netfilter/ipv4/nf_reject.h>

#include <fastnat/shim.h>

/* How many namespaces hold the symbol; guarded by the mutex. */
static unsigned int fastnat_reset_holders;
static DEFINE_MUTEX(fastnat_reset_mutex);
/* NULL while nobody holds it. */
static typeof(nf_send_reset) *fastnat_send_reset;

/*
 * As with nf_defrag_ipv4: insmod works without nf_reject_ipv4 loaded before. False if there
 * is no such module; then nothing is sent. Sleeps.
 */
bool fastnat_shim_reset_enable(void)
{
	typeof(nf_send_reset) *send;

	request_module("nf_reject_ipv4");
	mutex_lock(&fastnat_reset_mutex);
	send = symbol_get(nf_send_reset);
	if (send && !fastnat_reset_holders++)
		WRITE_ONCE(fastnat_send_reset, send);
	mutex_unlock(&fastnat_reset_mutex);
	return send;
}

/* Undoes it, a grace period after the last packet of the namespace. Sleeps. */
void fastnat_shim_reset_disable(void)
{
	bool last;

	mutex_lock(&fastnat_reset_mutex);
	last = !--fastnat_reset_holders;
	if (last)
		WRITE_ONCE(fastnat_send_reset, NULL);
	mutex_unlock(&fastnat_reset_mutex);
	/* Packets of a namespace that could not get it may be there. */
	if (last)
		synchronize_net();
	symbol_put(nf_send_reset);
}

/*
 * In a hook, under RCU: has the sender of a TCP segment get a reset from the other end. The
 * segment stays as it is.
 */
void fastnat_shim_reset_send(const struct nf_hook_state *state, struct sk_buff *skb)
{
	typeof(nf_send_reset) *send = READ_ONCE(fastnat_send_reset);

	if (send)
		send(state->net, state->sk, skb, state->hook);
}

// SPDX-License-Identifier: GPL-2.0
/* Routes that packets took, and their use past the rest of the stack: what ip_forward() does. */

#include <linux/ip.h>
#include <linux/if_arp.h>
#include <net/arp.h>
#include <net/gso.h>
#include <net/ip.h>
#include <net/l3mdev.h>
#include <net/lwtunnel.h>
#include <net/route.h>

#include <fastnat/shim.h>

/* Tunnels, loopback and what belongs to a VRF want the whole stack. */
static bool fastnat_plain_dev(const struct net_device *dev)
{
	return (dev->type == ARPHRD_ETHER || dev->type == ARPHRD_PPP) &&
	       !netif_is_l3_master(dev) && !netif_is_l3_slave(dev);
}

static bool fastnat_has_xfrm(const struct net *net)
{
#ifdef CONFIG_XFRM
	return net->xfrm.policy_count[XFRM_POLICY_FWD] ||
	       net->xfrm.policy_count[XFRM_POLICY_OUT] ||
	       net->xfrm.policy_default[XFRM_POLICY_FWD] != XFRM_USERPOLICY_ACCEPT ||
	       net->xfrm.policy_default[XFRM_POLICY_OUT] != XFRM_USERPOLICY_ACCEPT;
#else
	return false;
#endif
}

static bool fastnat_route_is_plain(const struct rtable *rt, const struct net_device *out)
{
	const struct dst_entry *dst = &rt->dst;

	return rt_is_input_route(rt) && rt->rt_type == RTN_UNICAST &&
	       rt->rt_gw_family != AF_INET6 && dst->dev == out && !dst->error &&
	       !dst_xfrm(dst) && !dst->lwtstate &&
	       READ_ONCE(dst->obsolete) == DST_OBSOLETE_FORCE_CHK;
}

/*
 * In POSTROUTING: the route of a forwarded packet, with a reference to its
 * dst, if others may take it without asking. False if not.
 */
bool fastnat_shim_route_learn(const struct sk_buff *skb, struct net_device *in,
			      struct net_device *out, struct fastnat_route *route)
{
	const struct inet_skb_parm *parm = IPCB(skb);
	struct rtable *rt = skb_rtable(skb);
	struct net *net = dev_net(out);

	if (!rt || !(parm->flags & IPSKB_FORWARDED) || parm->opt.optlen || ip_hdr(skb)->ihl != 5)
		return false;
	if (!fastnat_plain_dev(in) || !fastnat_plain_dev(out) || fastnat_has_xfrm(net) ||
	    !fastnat_route_is_plain(rt, out))
		return false;
	*route = (struct fastnat_route) {
		.dst = &rt->dst,
		.net = net,
		.in = in,
		.out = out,
		.genid = rt->rt_genid,
		.mark = skb->mark,
		.mtu = ip_dst_mtu_maybe_forward(&rt->dst, true),
		.gateway = rt->rt_gw_family ? rt->rt_gw4 : 0,
		.dscp = inet_dscp_to_dsfield(ip4h_dscp(ip_hdr(skb))),
	};
	return dst_hold_safe(&rt->dst);
}

void fastnat_shim_route_release(struct fastnat_route *route)
{
	dst_release(route->dst);
}

/* Does a packet in POSTROUTING take this very route? */
bool fastnat_shim_route_is(const struct fastnat_route *route, const struct sk_buff *skb,
			   const struct net_device *in)
{
	return route->dst == skb_dst(skb) && route->in == in && route->mark == skb->mark &&
	       route->dscp == inet_dscp_to_dsfield(ip4h_dscp(ip_hdr(skb)));
}

/* A route is forgotten by changes of routes, addresses, devices, MTUs and xfrm policies. */
bool fastnat_shim_route_is_valid(const struct fastnat_route *route)
{
	const struct dst_entry *dst = route->dst;

	return rt_genid_ipv4(route->net) == route->genid &&
	       READ_ONCE(dst->obsolete) == DST_OBSOLETE_FORCE_CHK &&
	       READ_ONCE(dst->dev) == route->out;
}

static bool fastnat_fits_mtu(const struct fastnat_route *route, const struct sk_buff *skb)
{
	if (unlikely(IPCB(skb)->frag_max_size))
		return false;
	return skb->len <= route->mtu ||
	       (skb_is_gso(skb) && skb_gso_validate_network_len(skb, route->mtu));
}

static bool fastnat_is_plain(struct sk_buff *skb)
{
	if (unlikely(skb->pkt_type != PACKET_HOST || skb->sk || skb_dst(skb) || skb_nfct(skb) ||
		     skb_has_extensions(skb)))
		return false;
#ifdef CONFIG_NET_SWITCHDEV
	if (unlikely(skb->offload_l3_fwd_mark))
		return false;
#endif
	return !skb_is_nonlinear(skb) || !skb_shinfo(skb)->gso_size || skb_shinfo(skb)->gso_type;
}

/*
 * In PREROUTING, under RCU: may this packet go by this route, once it is to
 * @daddr? Changes nothing. Returns the neighbour that it will be for, or why
 * not as an error pointer. Routing may choose another next hop for one that is
 * not known to be there (fib_good_nh(), nexthop_is_good_nh()).
 */
struct neighbour *fastnat_shim_route_fit(const struct fastnat_route *route, struct sk_buff *skb,
					 const struct net_device *in, __be32 daddr)
{
	const struct iphdr *iph = ip_hdr(skb);
	struct neighbour *neigh;

	if (unlikely(route->in != in || route->mark != skb->mark ||
		     route->dscp != inet_dscp_to_dsfield(ip4h_dscp(iph))))
		return ERR_PTR(-FASTNAT_UNFIT_KEY);
	if (unlikely(!fastnat_shim_route_is_valid(route)))
		return ERR_PTR(-FASTNAT_UNFIT_ROUTE);
	if (unlikely(iph->ihl != 5 || iph->ttl <= 1))
		return ERR_PTR(-FASTNAT_UNFIT_HEADER);
	if (unlikely(!fastnat_fits_mtu(route, skb)))
		return ERR_PTR(-FASTNAT_UNFIT_SIZE);
	if (unlikely(!fastnat_is_plain(skb)))
		return ERR_PTR(-FASTNAT_UNFIT_PACKET);
	neigh = __ipv4_neigh_lookup_noref(route->out, route->gateway ?: daddr);
	if (unlikely(!neigh || !(READ_ONCE(neigh->nud_state) & NUD_VALID)))
		return ERR_PTR(-FASTNAT_UNFIT_NEIGHBOUR);
	return neigh;
}

/* As ip_finish_output2(). A UDP socket leaves room for the header of its own device only. */
static noinline void fastnat_forward_short(struct sk_buff *skb, struct neighbour *neigh)
{
	skb = skb_expand_head(skb, LL_RESERVED_SPACE(skb->dev));
	if (skb)
		neigh_output(neigh, skb, false);
}

/* Sends a packet that fits, and whose header may be written, to that neighbour. Takes it over. */
void fastnat_shim_route_forward(const struct fastnat_route *route, struct sk_buff *skb,
				struct neighbour *neigh)
{
	struct net_device *out = route->out;
	struct net *net = route->net;
	struct iphdr *iph = ip_hdr(skb);

	IP_INC_STATS(net, IPSTATS_MIB_OUTFORWDATAGRAMS);
	IP_UPD_PO_STATS(net, IPSTATS_MIB_OUT, skb->len);
	ip_decrease_ttl(iph);
	if (READ_ONCE(net->ipv4.sysctl_ip_fwd_update_priority))
		skb->priority = rt_tos2priority(iph->tos);
	skb_forward_csum(skb);
	skb_clear_tstamp(skb);
	skb_dst_set_noref(skb, route->dst);
	skb->dev = out;
	if (likely(skb_headroom(skb) >= LL_RESERVED_SPACE(out) || !out->header_ops))
		neigh_output(neigh, skb, false);
	else
		fastnat_forward_short(skb, neigh);
}

"""The closed forms, time in slots: packets arrive at a slot's beginning and leave at a slot's end."""

import math
from functools import cache

import numpy as np
from scipy import stats
from scipy.integrate import quad
from scipy.special import exp1, pdtr, pdtrc

Law = np.ndarray
"""Probabilities of 0, 1, 2, ..., long enough that what is left out is below 1e-12."""

_REST = 1e-13


def poisson_law(mean: float) -> Law:
    """Probabilities of a Poisson number."""
    return stats.poisson.pmf(np.arange(int(stats.poisson.isf(_REST, mean)) + 2), mean)


def tails(law: Law) -> Law:
    """P(X >= n) for n = 0, 1, ..., one more than the law has entries."""
    return np.append(np.cumsum(law[::-1])[::-1], 0.0)


def mean(law: Law) -> float:
    """Mean of a law.

    >>> mean(np.array([0.25, 0.5, 0.25]))
    1.0
    """
    return float(law @ np.arange(law.size))


# -- one queue, a slot's work done per slot ----------------------------------------------------------------------------


def work_left(brought: Law, largest: int) -> Law:
    """Stationary law of V in V' = max(V + X - 1, 0), what is left at a slot's end, up to ``largest`` slots of work.

    Lindley's recursion, its law by balance across each level: V falls from n + 1 to n only in a slot with X = 0, and
    rises past n from j with X >= n + 2 - j (the stable form of Ramaswami's recursion: nothing is subtracted).
    ``brought`` is the law of X, slots of work that a slot's arrivals bring, of mean below 1.
    """
    at_least = np.append(tails(brought), np.zeros(largest))
    left = np.zeros(largest + 1)
    left[0] = (1.0 - mean(brought)) / brought[0]
    for n in range(largest):
        left[n + 1] = left[: n + 1] @ at_least[n + 2 : 1 : -1][: n + 1] / brought[0]
    return left


def place_in_batch(arrivals: Law) -> Law:
    """Law of a packet's place among those that arrive with it, 1, 2, ...: P(place = j) = P(A >= j) / E A."""
    law = tails(arrivals) / mean(arrivals)
    law[0] = 0.0
    return law


def stretched(law: Law, factor: int) -> Law:
    """Law of ``factor`` times a number."""
    law_of_multiple = np.zeros((law.size - 1) * factor + 1)
    law_of_multiple[::factor] = law
    return law_of_multiple


def constant_service_law(arrivals: Law, service: int, largest: int = 4000) -> Law:
    """Law of the sojourn when each slot's arrivals follow a law and each packet takes ``service`` slots.

    A packet waits for the work left and is then served after those before it in its batch: V + service x place.
    """
    left = work_left(stretched(arrivals, service), largest)
    return np.convolve(left, stretched(place_in_batch(arrivals), service))


def slotted_md1_sojourn(service: int, load: float) -> float:
    """E T = s + s rho / (2 (1 - rho)): Pollaczek and Khinchine, which the slots do not change.

    >>> slotted_md1_sojourn(1, 0.5)
    1.5
    """
    return service + service * load / (2 * (1 - load))


def geo_geo_1_sojourn(p: float, q: float) -> float:
    """E T = (1 - p) / (q - p): Bernoulli arrivals, geometric service.

    >>> round(geo_geo_1_sojourn(0.5, 0.75), 12)
    2.0
    """
    return (1 - p) / (q - p)


def geo_geo_1_tail(p: float, q: float, slots: int) -> float:
    """P(T > n) = ((1 - q) / (1 - p))^n: the sojourn is geometric."""
    return ((1 - q) / (1 - p)) ** slots


def geo_d_1_sojourn(p: float, service: int) -> float:
    """E T = s + p s (s - 1) / (2 (1 - p s)): Bernoulli arrivals, constant service.

    >>> round(geo_d_1_sojourn(0.15, 5), 12)
    11.0
    """
    return service + p * service * (service - 1) / (2 * (1 - p * service))


# -- M/M/1, and what slots make of it ----------------------------------------------------------------------------------


def mm1_sojourn(arrivals: float, services: float) -> float:
    """E T = 1 / (mu - lambda), rates per slot."""
    return 1 / (services - arrivals)


def mm1_ssr(arrivals: float, services: float, limit: float) -> float:
    """P(T <= d) = 1 - exp(-(mu - lambda) d)."""
    return -math.expm1(-(services - arrivals) * limit)


@cache
def slotted_mm1_ahead(arrivals: float, services: float, largest: int = 300) -> Law:
    """Law of the number of packets up to and including one's own when one becomes eligible, in the slotted M/M/1.

    Packets become eligible at slots' beginnings in Poisson batches A, and a slot completes up to B exponential
    services, a Poisson number: N' = max(N + A - B, 0) is a chain, here cut at ``largest``. To N comes the place.
    """
    n = np.arange(largest + 1)
    batch = stats.poisson.pmf(n, arrivals)
    chain = np.zeros((largest + 1, largest + 1))
    for present in n:
        done = stats.poisson.pmf(n[: present + 1], services)
        done[present] += pdtrc(present, services)
        chain[present, : present + 1] = done[::-1]
    joined = np.array([np.convolve(np.eye(largest + 1)[i], batch)[: largest + 1] for i in n])
    return np.convolve(stationary(joined @ chain), place_in_batch(poisson_law(arrivals)))


def slotted_mm1_ssr(arrivals: float, services: float, limit: int) -> float:
    """P(T <= d) for whole d and packets that arrive anywhere within a slot.

    A packet with k services to go ends within m slots if a Poisson number of mean mu m is at least k; the part of a
    slot before it became eligible leaves it d - 1 whole slots.
    """
    ahead = slotted_mm1_ahead(arrivals, services)
    needed = np.arange(1, ahead.size)
    return float(ahead[1:] @ pdtrc(needed - 1, services * (limit - 1))) if limit > 1 else 0.0


def slotted_mm1_sojourn(arrivals: float, services: float, longest: int = 4000) -> float:
    """E T from the same law: half a slot until eligible, then the sum of P(T > m) over m = 0, 1, ..."""
    ahead = slotted_mm1_ahead(arrivals, services)
    slots = np.arange(longest)[:, None]
    still_there = pdtr(np.arange(1, ahead.size) - 1, services * slots)  # fewer services than needed
    return 0.5 + float((still_there @ ahead[1:]).sum())


# -- finite buffers ----------------------------------------------------------------------------------------------------


def stationary(chain: np.ndarray) -> Law:
    """The stationary law of a finite chain, by linear algebra: pi (P - 1) = 0, sum pi = 1.

    >>> stationary(np.array([[0.5, 0.5], [0.25, 0.75]])).round(6).tolist()
    [0.333333, 0.666667]
    """
    equations = chain.T - np.eye(len(chain))
    equations[-1] = 1.0
    return np.linalg.solve(equations, np.append(np.zeros(len(chain) - 1), 1.0))


def geo_geo_1_k(p: float, q: float, places: int) -> Law:
    """Law of the number that an arrival finds, 0 .. K: Bernoulli arrivals, geometric service, K places.

    An arrival is there before the slot's service, so the states are those between a slot's end and its arrival.
    """
    chain = np.zeros((places + 1, places + 1))
    for n in range(places + 1):
        for probability, present in ((p, min(n + 1, places)), (1 - p, n)):
            chain[n, present] += probability * ((1 - q) if present else 1.0)
            if present:
                chain[n, present - 1] += probability * q
    return stationary(chain)


def geo_geo_1_k_blocking(p: float, q: float, places: int) -> float:
    """Share of arrivals that find all places taken: Bernoulli arrivals see averages."""
    return float(geo_geo_1_k(p, q, places)[-1])


def geo_geo_1_k_ssr(p: float, q: float, places: int, limit: int) -> float:
    """Share of arrivals that are let in and leave within ``limit`` slots.

    One that finds n leaves in time if that many slots see n + 1 ends of service or more.
    """
    found = geo_geo_1_k(p, q, places)
    return float(sum(found[n] * stats.binom.sf(n, limit, q) for n in range(places)))


def m_d_1_k(load: float, places: int) -> Law:
    """Law of the number that can be served in a slot: Poisson arrivals, services of a slot, K places.

    N' = min(N + A, K) - (1 if N > 0): arrivals within a slot find the packet that is being sent still there.
    """
    chain = np.zeros((places + 1, places + 1))
    for n in range(places + 1):
        let_in = np.append(stats.poisson.pmf(np.arange(places - n), load), stats.poisson.sf(places - n - 1, load))
        first = n - (n > 0)
        chain[n, first : first + let_in.size] = let_in
    return stationary(chain)


def md1_k_blocking(load: float, places: int) -> float:
    """Share of arrivals that find all places taken. What is let in leaves, one a slot that has somebody."""
    return 1.0 - (1.0 - float(m_d_1_k(load, places)[0])) / load


def md1_k_ssr(load: float, places: int, limit: int) -> float:
    """Share of arrivals that are let in and leave within ``limit`` slots of being eligible.

    The j-th arrival of a slot that began with N is let in if N + j <= K, and leaves N + j - (1 if N > 0) slots after
    the slot's end.
    """
    law = m_d_1_k(load, places)
    return float(
        sum(
            law[n] * stats.poisson.sf(j - 1, load)
            for n in range(places + 1)
            for j in range(1, places - n + 1)
            if n + j - (n > 0) <= limit
        )
        / load
    )


# -- processor sharing -------------------------------------------------------------------------------------------------


def processor_sharing_sojourn(service: float, load: float) -> float:
    """E T = E S / (1 - rho), whatever the law of sizes."""
    return service / (1 - load)


def slots_of_sharing(load: float) -> float:
    """What slots add to processor sharing, counted from when a packet is eligible: (1/(1-rho) + 1 - L/rho) / 2.

    L = ln 1/(1-rho). Shares are fixed for a slot, and what an ending packet leaves of its share is lost: with n packets
    a slot ends n (1 - exp(-mu/n)) = mu - mu^2/2n of them. This is the first order in mu of the chain
    N' = Bin(N, exp(-mu/N)) + Poisson(lambda); the law of sizes does not enter it, see
    :func:`shared_hyperexponential_sojourn`.
    """
    return 0.5 * (1 / (1 - load) + 1 - math.log(1 / (1 - load)) / load)


def shared_hyperexponential_sojourn(p: float, first: float, second: float, load: float, most: int = 26) -> float:
    """E T of slotted processor sharing, exactly, when sizes are exponential with one of two means, in slots.

    The chain of (packets of the first mean, packets of the second), fewer than ``most`` of each, at slots' beginnings:
    each of n packets ends within its nth of the slot with probability 1 - exp(-1 / (n mean)). ``p`` is the probability
    of the first mean. E T is E N over the arrival rate (Little).
    """
    rate = load / (p * first + (1 - p) * second)
    arrivals = [stats.poisson.pmf(np.arange(8), rate * share) for share in (p, 1 - p)]
    chain = np.zeros((most, most, most, most))
    for i, j in np.ndindex(most, most):
        share = 1 / max(i + j, 1)
        staying = (stats.binom.pmf(np.arange(n + 1), n, math.exp(-share / m)) for n, m in ((i, first), (j, second)))
        rows = [np.convolve(stay, come)[:most] for stay, come in zip(staying, arrivals, strict=True)]
        chain[i, j, : rows[0].size, : rows[1].size] = np.outer(*rows)
    present = np.add.outer(np.arange(most), np.arange(most)).ravel()
    law = stationary(chain.reshape(most * most, most * most))
    return float(law @ present) / rate


# -- channel -----------------------------------------------------------------------------------------------------------


def ergodic_rate(mean_snr: float) -> float:
    """Mean of log2(1 + snr) under Rayleigh fading, bit/s/Hz: exp(1/m) E1(1/m) / ln 2.

    >>> [round(ergodic_rate(m), 5) for m in (1.0, 10.0, 100.0)]
    [0.86035, 2.90651, 5.88405]
    """
    return float(math.exp(1 / mean_snr) * exp1(1 / mean_snr) / math.log(2))


def mean_distance(least: float, radius: float) -> float:
    """Mean of max(least, R), R uniform over a disc: 2 radius / 3 + least^3 / (3 radius^2).

    >>> mean_distance(0.0, 30.0)
    20.0
    """
    return 2 * radius / 3 + least**3 / (3 * radius**2)


# -- traffic -----------------------------------------------------------------------------------------------------------


def cut_mean(law: stats.rv_continuous, cap: float) -> float:
    """Mean of min(X, cap), X at least 0: the integral of P(X > x) up to the cap.

    >>> round(cut_mean(stats.expon(), 1.0), 9) == round(1 - math.exp(-1), 9)
    True
    """
    least = float(law.support()[0])
    return least + float(quad(law.sf, least, cap)[0])


def voice_packets_per_frame(to_silence: float, to_talk: float, frames_of_silence: int) -> tuple[float, float]:
    """Talk and comfort-noise packets of a two-state voice source, per frame.

    A spurt has 1/s packets, and a cycle of spurt and silence takes 1/s + 1/t frames. In a silence the next spurt's
    first packet is F frames after the last one's last, P(F > n) = (1 - t)^(n - 1), and comfort noise leaves at 8 k < F
    (8 the frames between two of them): sum over k of (1 - t)^(8 k - 1) packets.
    """
    cycle = 1 / to_silence + 1 / to_talk
    stays = 1 - to_talk
    comfort = stays ** (frames_of_silence - 1) / (1 - stays**frames_of_silence)
    return 1 / to_silence / cycle, comfort / cycle

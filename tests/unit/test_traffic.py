"""Every kind of traffic has its means, caps and point masses, its beat, and the load that the scenario gives it.

Statistics are held against bounds of 4 standard errors, distributions against the Kolmogorov-Smirnov distance that a
sample of the law exceeds once in ten thousand times.
"""

import itertools
import math

import numpy as np
import pytest
from scipy.special import ndtr

import netsim
from netsim.errors import RunError
from netsim.loading import load_scenario
from tests.unit.lone_slice import arrivals_of, first_packets, lone_slice, packets_of
from tests.unit.test_channel import KS_CRITICAL, ks_distance

MS = 1_000_000
TABLE1 = load_scenario("table1").slices
SLOT_MS = 0.5


def slots_for(longest_ms):
    """Slots in which so many ms pass, and one more."""
    return math.ceil(longest_ms / SLOT_MS) + 1


def drawn(traffic, count, longest_ms, users=500):
    """Gaps and sizes of the first packets of many users, in ns and bits."""
    return first_packets(lone_slice(traffic, users=users, slots=slots_for(longest_ms)), count)


def from_table1(name):
    return TABLE1[name].traffic.model_dump(mode="json", by_alias=True, exclude_none=True)


def agrees(sample, mean, deviation):
    """Whether a sample's mean is within 4 standard errors of the law's."""
    return abs(np.mean(sample) - mean) < 4 * deviation / math.sqrt(np.size(sample))


def has_mass(hits, probability):
    return agrees(hits, probability, math.sqrt(probability * (1 - probability)))


# -- time passes -------------------------------------------------------------------------------------------------------

FASTEST = {"points": [{"at": "0 ms", "multiplier": 1e6}]}
EIGHT_BITS = {"distribution": "constant", "value": "8 bit"}
NOTHING_LEFT = {
    "constant": {"kind": "renewal", "gap": {"distribution": "constant", "value": "0.5 ms"}, "size": EIGHT_BITS},
    "nearly always": {
        "kind": "renewal",
        "gap": {"distribution": "uniform", "from": "0 ms", "to": "1000001 ns"},
        "size": EIGHT_BITS,
    },
    "voice": {"kind": "two-state-voice", "frame": "0.1 ms", "silence_gap": "0.2 ms"},
}
"""Traffic whose gaps are below a millionth of a millisecond when they are a million times as short."""


@pytest.mark.parametrize("traffic", NOTHING_LEFT.values(), ids=NOTHING_LEFT)
def test_a_load_that_lets_no_time_pass_is_refused(traffic):
    with pytest.raises(RunError) as caught:
        packets_of(lone_slice(traffic, slots=2, load=FASTEST))
    assert str(caught.value).startswith(
        "slices.only: a user must send fewer than 100,000 packets at one instant, user 0"
    )
    assert "smaller multipliers in slices.only.load" in str(caught.value)


def test_a_batch_refuses_a_load_that_lets_no_time_pass():
    scenario = lone_slice(NOTHING_LEFT["constant"], slots=2, load=FASTEST)
    with netsim.SimulationBatch(scenario, [1, 2]) as batch, pytest.raises(RunError, match="no time would pass"):
        batch.reset()


def test_a_source_that_waits_for_room_may_have_no_gaps():
    """Five places, which are free again whenever a slot ends."""
    queue = {"packets": 5, "when_full": "defer"}
    instants, _ = arrivals_of(lone_slice(NOTHING_LEFT["constant"], slots=2, load=FASTEST, queue=queue))
    assert instants == [0] * 5 + [MS // 2] * 5 + [MS] * 5


# -- table1 ------------------------------------------------------------------------------------------------------------


def test_volte_sends_40_bytes_after_gaps_uniform_from_0_to_160_ms():
    gap_ns, size_bits = drawn(from_table1("VoLTE"), count=40, longest_ms=40 * 160)
    assert set(size_bits.ravel().tolist()) == {320}
    assert gap_ns.min() >= 0
    assert gap_ns.max() <= 160 * MS
    assert agrees(gap_ns, 80 * MS, 160 * MS / math.sqrt(12))
    assert ks_distance(gap_ns.ravel(), lambda x: x / (160 * MS)) < KS_CRITICAL


def cut_pareto_moments(shape, scale, cap):
    """Mean and standard deviation of min(X, cap), X Pareto: the integral of x^k up to the cap, and the mass at it."""
    mass = (scale / cap) ** shape
    mean, square = (
        shape * scale**shape * (cap ** (k - shape) - scale ** (k - shape)) / (k - shape) + mass * cap**k for k in (1, 2)
    )
    return mean, math.sqrt(square - mean**2)


def test_video_gaps_are_pareto_from_2_5_ms_cut_at_12_5_ms():
    gap_ns, _ = drawn(from_table1("video"), count=100, longest_ms=100 * 12.5)
    assert gap_ns.min() >= 2.5 * MS
    assert gap_ns.max() == 12.5 * MS
    assert has_mass(gap_ns == 12.5 * MS, 5**-1.2)
    assert agrees(gap_ns, *cut_pareto_moments(1.2, 2.5 * MS, 12.5 * MS))
    below = gap_ns[gap_ns < 12.5 * MS]
    assert ks_distance(below, lambda x: (1 - (2.5 * MS / x) ** 1.2) / (1 - 5**-1.2)) < KS_CRITICAL


def test_video_sizes_are_pareto_from_40_bytes_cut_at_250_bytes():
    """Whole bits, rounded down: less than one bit below the law, so its distribution function is met at x + 1."""
    _, size_bits = drawn(from_table1("video"), count=100, longest_ms=100 * 12.5)
    assert size_bits.min() == 320
    assert size_bits.max() == 2000
    assert has_mass(size_bits == 2000, (320 / 2000) ** 1.2)
    mean, deviation = cut_pareto_moments(1.2, 320, 2000)
    error = 4 * deviation / math.sqrt(size_bits.size)
    assert mean - 1 - error < size_bits.mean() < mean + error
    for x in (320, 321, 400, 640, 1000, 1500, 1999):
        assert has_mass(size_bits <= x, 1 - (320 / (x + 1)) ** 1.2)


def test_urllc_sends_one_of_five_sizes_after_exponential_gaps_of_180_ms():
    """40 gaps take longer than 40 (1 + 2) means with a probability below 1e-15 a user."""
    gap_ns, size_bits = drawn(from_table1("URLLC"), count=40, longest_ms=40 * 3 * 180)
    assert set(size_bits.ravel().tolist()) == {51_200, 102_400, 153_600, 204_800, 256_000}
    for size in np.unique(size_bits):
        assert has_mass(size_bits == size, 0.2)
    assert agrees(gap_ns, 180 * MS, 180 * MS)
    assert ks_distance(gap_ns.ravel(), lambda x: 1 - np.exp(-x / (180 * MS))) < KS_CRITICAL


def test_gaps_sizes_and_users_are_independent_of_each_other():
    """Products of standardised draws have mean 0 and deviation 1."""
    gap_ns, size_bits = drawn(from_table1("URLLC"), count=40, longest_ms=40 * 3 * 180)
    gaps, sizes = gap_ns / (180 * MS) - 1, (size_bits / 51_200 - 3) / math.sqrt(2)
    assert agrees(gaps * sizes, 0, 1)
    assert agrees(gaps[:, 1:] * gaps[:, :-1], 0, 1)
    assert agrees(gaps[1:] * gaps[:-1], 0, 1)
    assert agrees(sizes[:, 1:] * sizes[:, :-1], 0, 1)


# -- the other laws ----------------------------------------------------------------------------------------------------


def renewal(size=None, **gap):
    return {"kind": "renewal", "gap": gap, "size": size or {"distribution": "constant", "value": "100 bit"}}


def test_a_constant_is_always_the_same():
    gap_ns, size_bits = drawn(renewal(distribution="constant", value="3 ms"), count=20, longest_ms=60, users=3)
    assert set(gap_ns.ravel().tolist()) == {3 * MS}
    assert set(size_bits.ravel().tolist()) == {100}


def test_a_cut_exponential_has_its_mass_at_the_cap():
    gap_ns, _ = drawn(renewal(distribution="exponential", mean="2 ms", cut="5 ms"), count=40, longest_ms=200)
    assert gap_ns.max() == 5 * MS
    assert has_mass(gap_ns == 5 * MS, math.exp(-2.5))
    below = gap_ns[gap_ns < 5 * MS]
    assert ks_distance(below, lambda x: -np.expm1(-x / (2 * MS)) / -math.expm1(-2.5)) < KS_CRITICAL


def test_a_truncated_exponential_is_redrawn_rather_than_cut():
    gap_ns, _ = drawn(renewal(distribution="truncated-exponential", mean="6 ms", max="12.5 ms"), 40, 40 * 12.5)
    assert gap_ns.max() <= 12.5 * MS
    assert (gap_ns == 12.5 * MS).mean() < 1e-3
    law = lambda x: -np.expm1(-x / (6 * MS)) / -math.expm1(-12.5 / 6)  # noqa: E731
    assert ks_distance(gap_ns.ravel(), law) < KS_CRITICAL
    mean_ns = 6 * MS - 12.5 * MS * math.exp(-12.5 / 6) / -math.expm1(-12.5 / 6)
    assert agrees(gap_ns, mean_ns, 12.5 * MS / 2)  # no law on an interval deviates more than half of it


def test_a_log_normal_has_its_median_and_sigma():
    """With a median of 3 ms and sigma 0.5, twenty gaps all stay under 3 e^4 ms but for one user in 1e14."""
    gap_ns, _ = drawn(renewal(distribution="lognormal", median="3 ms", sigma=0.5), 20, 20 * 3 * math.exp(4))
    assert ks_distance(np.log(gap_ns.ravel() / (3 * MS)) / 0.5, ndtr) < KS_CRITICAL


LAWS = {
    "constant": {"value": "1e6 {}"},
    "uniform": {"from": "1 {}", "to": "3e6 {}"},
    "exponential": {"mean": "1e6 {}", "cut": "4e6 {}"},
    "truncated-exponential": {"mean": "6e6 {}", "max": "12.5e6 {}"},
    "pareto": {"shape": 3.0, "from": "1e6 {}", "cut": "5e6 {}"},
    "lognormal": {"median": "1e6 {}", "sigma": 0.3, "cut": "2e6 {}"},
    "choice": {"values": ["1e6 {}", "3e6 {}"]},
}


def written(value, unit):
    if isinstance(value, list):
        return [written(item, unit) for item in value]
    return value.format(unit) if isinstance(value, str) else value


@pytest.mark.parametrize("kind", LAWS)
def test_sizes_follow_the_same_laws_as_gaps(kind):
    """Smirnov's distance of two samples of one law; a million bits round like a million nanoseconds."""
    as_gap, as_size = (
        {"distribution": kind, **{k: written(v, u) for k, v in LAWS[kind].items()}} for u in ("ns", "bit")
    )
    gaps, _ = drawn(renewal(**as_gap), 20, 20 * 12.5)
    _, sizes = drawn(renewal(as_size, distribution="constant", value="1 ms"), 20, 20)
    assert smirnov_distance(gaps.ravel(), sizes.ravel()) < KS_CRITICAL


def smirnov_distance(a, b):
    places = np.union1d(a, b)
    shares = (np.searchsorted(np.sort(sample), places, "right") / sample.size for sample in (a, b))
    return abs(np.subtract(*shares)).max() * math.sqrt(a.size * b.size / (a.size + b.size))


# -- Poisson -----------------------------------------------------------------------------------------------------------


def test_poisson_arrivals_have_dispersion_1():
    """Counts of mean 50 over n users: their variance over their mean deviates from 1 by sqrt(2 / (n - 1))."""
    traffic = {"kind": "poisson", "rate": "500 /s", "size": {"distribution": "constant", "value": "100 bit"}}
    users = 2000
    packets = packets_of(lone_slice(traffic, users=users, slots=200))
    counts = np.bincount(packets["user"], minlength=users)
    assert agrees(counts, 50, math.sqrt(50))
    assert abs(counts.var(ddof=1) / counts.mean() - 1) < 4 * math.sqrt(2 / (users - 1))


def test_silence_is_silent():
    assert arrivals_of(lone_slice({"kind": "silent"}, users=3)) == ([], [])


# -- NGMN video --------------------------------------------------------------------------------------------------------


def ngmn(gap, frame="20 ms", packets=4):
    return {
        "kind": "ngmn-video",
        "frame_period": frame,
        "packets_per_frame": packets,
        "gap": gap,
        "size": {"distribution": "constant", "value": "100 bit"},
    }


def test_frames_keep_their_beat_from_a_phase_that_is_uniform_over_the_period():
    traffic = ngmn({"distribution": "uniform", "from": "0 ms", "to": "6 ms"})
    packets = packets_of(lone_slice(traffic, users=3000, slots=slots_for(200)))
    firsts = packets[packets["index"] % 4 == 0]
    phases_ns = firsts["arrival_ns"] - firsts["index"] // 4 * 20 * MS
    starts_ns = phases_ns[firsts["index"] == 0]
    assert (phases_ns == starts_ns[firsts["user"]]).all()
    assert ks_distance(starts_ns, lambda x: x / (20 * MS)) < KS_CRITICAL


def test_a_frame_that_runs_over_delays_the_next_and_the_beat_comes_back():
    """A frame begins at its beat, or with the last packet of the frame before if that is later."""
    traffic = ngmn({"distribution": "choice", "values": ["1 ms", "11 ms"]})
    late = 0
    for user in range(20):
        arrivals_ns, _ = arrivals_of(lone_slice(traffic, users=20, slots=slots_for(2000)), user=user)
        frames = [arrivals_ns[i : i + 4] for i in range(0, len(arrivals_ns) - 3, 4)]
        for number, (before, frame) in enumerate(itertools.pairwise(frames), start=1):
            beat_ns = frames[0][0] + number * 20 * MS
            assert frame[0] == max(beat_ns, before[-1])
            late += before[-1] > beat_ns
    assert late > 100


# -- two-state voice ---------------------------------------------------------------------------------------------------


def voice(to_talk, to_silence, users, seconds, seed=1):
    traffic = {"kind": "two-state-voice", "to_talk": to_talk, "to_silence": to_silence}
    return packets_of(lone_slice(traffic, users=users, slots=slots_for(seconds * 1000)), seed)


@pytest.mark.parametrize(("to_talk", "to_silence"), [(0.01, 0.01), (0.1, 0.2), (0.3, 0.1)])
def test_the_share_of_talk_is_the_chain_s(to_talk, to_silence):
    """Over n frames a chain of two states deviates by p (1 - p) (1 + r) / (1 - r) / n, r = 1 - to_talk - to_silence."""
    users, frames = 400, 500
    packets = voice(to_talk, to_silence, users, seconds=frames * 0.02)
    talk = (packets["size_bits"] == 320).sum() / (users * frames)
    share, r = to_talk / (to_talk + to_silence), 1 - to_talk - to_silence
    deviation = math.sqrt(share * (1 - share) * (1 + r) / (1 - r) / (users * frames))
    assert abs(talk - share) < 4 * deviation


@pytest.mark.parametrize(("to_talk", "to_silence"), [(0.1, 0.2), (0.3, 0.1)])
def test_a_talker_starts_as_it_goes_on(to_talk, to_silence):
    packets = voice(to_talk, to_silence, users=20_000, seconds=0.0195)  # 40 slots: one frame
    share = to_talk / (to_talk + to_silence)
    assert has_mass(np.arange(20_000) < (packets["size_bits"] == 320).sum(), share)


def test_talk_leaves_every_frame_and_comfort_noise_every_eighth():
    packets = voice(0.02, 0.02, users=100, seconds=10)
    gap_ns = np.diff(packets["arrival_ns"])
    same = np.diff(packets["index"]) == 1
    before, after = (packets["size_bits"] == 320)[:-1], (packets["size_bits"] == 320)[1:]
    assert set(packets["size_bits"].tolist()) == {320, 120}
    assert set(gap_ns[same & ~after].tolist()) == {160 * MS}
    assert (gap_ns[same & after] % (20 * MS) == 0).all()
    assert gap_ns[same & after].max() <= 160 * MS
    stays = gap_ns[same & before & after] == 20 * MS
    assert 0.9 < stays.mean() < 1


def test_spurts_of_talk_are_geometric():
    """A spurt has n talk packets with probability s (1 - s)^(n - 1): mean 1 / s, deviation sqrt(1 - s) / s. Spurts cut
    off by the end of the run are rare: it lasts 40 of them."""
    s = 0.2
    packets = voice(0.2, s, users=400, seconds=8)
    lengths = []
    for _, mine in itertools.groupby(packets, key=lambda packet: packet["user"]):
        rows = np.array(list(mine), packets.dtype)
        talking = rows["size_bits"] == 320
        ends = np.flatnonzero(talking[:-1] & (~talking[1:] | (np.diff(rows["arrival_ns"]) > 20 * MS)))
        lengths += np.diff(np.cumsum(talking)[ends]).tolist()
    assert len(lengths) > 10_000
    assert agrees(lengths, 1 / s, math.sqrt(1 - s) / s)


# -- load --------------------------------------------------------------------------------------------------------------


def loaded(points, gap="1 ms", repeat=None, slots=400):
    load = {"points": [{"at": f"{at} ms", "multiplier": m} for at, m in points]}
    if repeat is not None:
        load["repeat"] = f"{repeat} ms"
    return lone_slice(renewal(distribution="constant", value=gap), load=load, slots=slots)


def multiplier(points, at_ns, repeat):
    """Piecewise linear, constant outside; at a jump the later value."""
    at_ms = at_ns / MS if repeat is None else at_ns % (repeat * MS) / MS
    reached = [point for point in points if point[0] <= at_ms]
    ahead = [point for point in points if point[0] > at_ms]
    if not reached or not ahead:
        return (reached[-1] if reached else ahead[0])[1]
    (t0, m0), (t1, m1) = reached[-1], ahead[0]
    return m0 + (at_ms - t0) / (t1 - t0) * (m1 - m0)


@pytest.mark.parametrize(
    ("points", "repeat"),
    [
        ([(0, 1.0)], None),
        ([(0, 2.0)], None),
        ([(0, 1.0), (100, 4.0)], None),
        ([(50, 0.5), (60, 3.0), (150, 1.0)], None),
        ([(0, 1.0), (50, 1.0), (50, 5.0), (100, 5.0), (100, 0.25)], None),
        ([(0, 1.0), (20, 3.0)], 40),
        ([(10, 1.0), (20, 3.0), (30, 0.5)], 30),
        ([(0, 0.5), (7, 0.5), (7, 2.0)], 13),
    ],
)
def test_each_gap_is_shortened_by_the_multiplier_of_the_instant_it_is_drawn_at(points, repeat):
    arrivals_ns, _ = arrivals_of(loaded(points, repeat=repeat))
    assert len(arrivals_ns) > 50
    for now_ns, next_ns in itertools.pairwise([0, *arrivals_ns]):
        assert abs(next_ns - now_ns - 1 * MS / multiplier(points, now_ns, repeat)) <= 1  # whole nanoseconds


def test_a_load_of_two_doubles_the_packets_of_a_poisson_source():
    traffic = {"kind": "poisson", "rate": "500 /s", "size": {"distribution": "constant", "value": "100 bit"}}
    load = {"points": [{"at": "0 ms", "multiplier": 2.0}]}
    packets = packets_of(lone_slice(traffic, users=2000, slots=200, load=load))
    counts = np.bincount(packets["user"], minlength=2000)
    assert agrees(counts, 100, math.sqrt(100))

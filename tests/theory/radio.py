"""CH-01 to CH-03 on the simulator: granted rates and verdicts against the laws of the channel."""

import math
from functools import partial
from typing import Any

import numpy as np
from scipy.special import j0

from netsim.scenario import Scenario
from netsim.simulation import Simulation
from tests.theory import closed_forms as theory
from tests.theory.acceptance import Check, Exact, Ratio, ssr
from tests.theory.case import NOT_HERE, Case, Results
from tests.theory.faults import LEFT_OF_CAPACITY, Fault, kept

SLOT_NS = 500_000
POWER_DBM = 46.0
NO_POWER_DBM = -200.0


def loss_db(snr: float, bandwidth_hz: float) -> float:
    """The path loss that leaves a mean SNR: 46 dBm of power and 20 dB of gain over -174 dBm/Hz of noise."""
    return POWER_DBM + 20.0 + 174.0 - 10 * math.log10(bandwidth_hz) - 10 * math.log10(snr)


def radio_cell(
    slices: dict[str, Any], prb: int, prb_hz: int, snr: float, slots: int, layers: int = 1, **more: Any
) -> Scenario:
    """A cell in which every user has the same mean SNR; ``more`` are further keys of the channel or the scenario."""
    fading = more.pop("fading", {"model": "rayleigh"})
    power_dbm = more.pop("power_dbm", POWER_DBM)
    return Scenario.from_dict(
        {
            "name": "radio",
            "carrier": {"prb": prb, "prb_bandwidth": f"{prb_hz} Hz"},
            "control": {"slots_per_period": slots},
            "channel": {
                "transmit_power": f"{power_dbm!r} dBm",
                "path_loss": {"model": "constant", "loss": f"{loss_db(snr, prb * prb_hz)!r} dB"},
                "fading": fading,
                "link": {"model": "shannon", "layers": layers},
            },
            "slices": slices,
            **more,
        }
    )


def weaker(power_dbm: float) -> float:
    """The power that is left when 2 % of it leak."""
    return power_dbm + 10 * math.log10(LEFT_OF_CAPACITY)


def sender(gap_slots: int, bits: int, users: int, floor_bps: int = 0, places: int = 5) -> dict[str, Any]:
    """Users who all send a packet every so many slots, at the slot's beginning."""
    gap = {"distribution": "constant", "value": f"{gap_slots * SLOT_NS} ns"}
    return {
        "users": users,
        "traffic": {"kind": "renewal", "gap": gap, "size": {"distribution": "constant", "value": f"{bits} bit"}},
        "sla": {"rate_floor": f"{floor_bps} bit/s", "latency_limit": f"{SLOT_NS} ns"},
        "queue": {"packets": places},
    }


# -- CH-01 -------------------------------------------------------------------------------------------------------------

BUSY_PRB = BUSY_USERS = 98
IDLE_PRB = 2
BUSY_SLOTS = 1000
ENDLESS_BITS = 1 << 40
"""More than a user is sent in any of these runs."""


def ergodic_rate(snr: float, batches: int) -> Results:
    """The reported spectral efficiency of users who always have something to be sent."""

    def measured(fault: Fault | None) -> list[Check]:
        efficiencies = _efficiencies(snr, batches, fault)
        share = BUSY_PRB / (BUSY_PRB + IDLE_PRB)
        return [Ratio("capacity, bit/s/Hz", theory.ergodic_rate(snr), efficiencies, share)]

    return {fault: measured(fault) for fault in (None, Fault.LEAK, Fault.LOSS)}


def _efficiencies(snr: float, batches: int, fault: Fault | None) -> np.ndarray:
    """Capacity per period. A leak is two resource blocks of 98 held by the idle slice; a loss is a slot in 1000 without
    power, by dated events."""
    slots = (batches + 1) * BUSY_SLOTS
    lost = np.flatnonzero(~kept(slots)).tolist() if fault is Fault.LOSS else []
    instants = [(slot + after, power) for slot in lost for after, power in ((0, NO_POWER_DBM), (1, POWER_DBM))]
    slices = {
        "busy": sender(BUSY_SLOTS, ENDLESS_BITS, BUSY_USERS, places=1),
        "idle": {**sender(1, 1, 0), "traffic": {"kind": "silent"}},
    }
    events = [{"at": f"{at * SLOT_NS} ns", "transmit_power": f"{power!r} dBm"} for at, power in instants]
    scenario = radio_cell(slices, BUSY_PRB + IDLE_PRB, 200_000, snr, BUSY_SLOTS, events=events)
    leaked = 2 if fault is Fault.LEAK else 0
    simulation = Simulation(scenario, seed=1)
    simulation.reset()  # the packets come at its end
    return np.array([simulation.step([BUSY_PRB - leaked, IDLE_PRB + leaked]).se_capacity for _ in range(batches)])


# -- CH-02 -------------------------------------------------------------------------------------------------------------

FADED_USERS = 50
FADED_PRB_HZ = 20_000_000
FADED_LAYERS = 1000
"""So many bits a slot that one bit is sent in any fade: a packet takes one slot, and its rate is that slot's."""
FADED_SNR = 100.0
FLOOR_GAIN = 0.1
FADED_BATCHES = 50


def rate_bps(gain: float) -> float:
    """The rate at a power gain."""
    return FADED_LAYERS * FADED_PRB_HZ * math.log2(1 + FADED_SNR * gain)


def power_gain() -> Results:
    """Gains from the rates of packets that are sent in one slot each, and the outage that SLA accounting calls slow."""
    sound, leaking = _faded(POWER_DBM), _faded(weaker(POWER_DBM))
    results = {fault: _gain_checks(*sound, fault) for fault in (None, Fault.LATE, Fault.EARLY, Fault.LOSS)}
    return results | {Fault.LEAK: _gain_checks(*leaking, None)}


def _faded(power_dbm: float) -> tuple[list[np.ndarray], np.ndarray]:
    """Packets per period, and the packets that the simulator called satisfied and that it resolved."""
    slices = {"faded": sender(1, 1, FADED_USERS, math.ceil(rate_bps(FLOOR_GAIN)))}
    scenario = radio_cell(slices, FADED_USERS, FADED_PRB_HZ, FADED_SNR, 400, FADED_LAYERS, power_dbm=power_dbm)
    simulation = Simulation(scenario, seed=1, log_packets=True)
    simulation.reset()
    simulation.take_packets()
    packets, counts = [], []
    for _ in range(FADED_BATCHES):
        report = simulation.step([FADED_USERS])
        packets.append(simulation.take_packets())
        counts.append((report.satisfied[0], report.resolved[0]))
    return packets, np.array(counts)


def _gain_checks(packets: list[np.ndarray], counts: np.ndarray, fault: Fault | None) -> list[Check]:
    satisfied, due = counts.T
    shift_ns = {Fault.LATE: SLOT_NS, Fault.EARLY: -SLOT_NS}.get(fault, 0)
    if fault is Fault.LOSS:
        packets = [batch[kept(len(batch), int(first))] for batch, first in zip(packets, np.cumsum(due), strict=True)]
    count = np.array([len(batch) for batch in packets])
    gains = [np.expm1(batch["rate_bps"] / (FADED_LAYERS * FADED_PRB_HZ) * math.log(2)) / FADED_SNR for batch in packets]
    in_a_slot = [batch["departure_ns"] - batch["arrival_ns"] + shift_ns == SLOT_NS for batch in packets]

    def above(gain: float) -> np.ndarray:
        return np.array([np.count_nonzero(batch >= gain) for batch in gains])

    return [
        Ratio("mean power gain", 1.0, np.array([batch.sum() for batch in gains]), count),
        Ratio("mean of its square", 2.0, np.array([(batch**2).sum() for batch in gains]), count),
        *(Ratio(f"outage at {x}", -math.expm1(-x), due - above(x), due) for x in (0.1, 0.5, 1.0, 2.0)),
        ssr(f"SSR, floor at {FLOOR_GAIN}", math.exp(-FLOOR_GAIN), satisfied, due),
        ssr("share above 0.0005", math.exp(-0.0005), above(0.0005), due),
        Exact("packets of one slot", int(due.sum()), int(sum(map(np.count_nonzero, in_a_slot)))),
    ]


# -- CH-03 -------------------------------------------------------------------------------------------------------------

DOPPLER_HZ = 200.0
TURNS_A_SLOT = DOPPLER_HZ * SLOT_NS / 1e9
JAKES_USERS = 250
JAKES_SEEDS = 40
JAKES_SLOTS = 100
JAKES_PAIRS = 92
JAKES_LAGS = (1, 2, 4, 6)
CLEAR = 0.5
"""An autocorrelation below it is held to 1 % of that at lag 0: theory says 0 somewhere."""
JAKES_SNR = 100.0
JAKES_LAYERS = 1000
JAKES_PRB_HZ = 2_000_000


def jakes() -> Results:
    """Autocorrelation of the complex gain and of the power, over users of many seeds."""
    sound = [_jakes(seed, POWER_DBM) for seed in range(JAKES_SEEDS)]
    leaking = [_jakes(seed, weaker(POWER_DBM)) for seed in range(JAKES_SEEDS)]
    results = {fault: _jakes_checks(sound, fault) for fault in (None, Fault.LATE, Fault.EARLY, Fault.LOSS)}
    return results | {Fault.LEAK: _jakes_checks(leaking, None)}


def _jakes(seed: int, power_dbm: float) -> tuple[np.ndarray, np.ndarray]:
    """Power gains that the rates of a run show, and complex gains from the waves of its users: ``(users, slots)``."""
    scenario = radio_cell(
        {"moving": sender(1, 1, JAKES_USERS)},
        JAKES_USERS,
        JAKES_PRB_HZ,
        JAKES_SNR,
        JAKES_SLOTS + 1,
        JAKES_LAYERS,
        power_dbm=power_dbm,
        fading={"model": "jakes", "doppler": f"{DOPPLER_HZ!r} Hz"},
    )
    simulation = Simulation(scenario, seed, log_packets=True)
    simulation.reset()
    packets = simulation.take_packets()  # in order of slots, and of users within one
    rates_bps = packets["rate_bps"].reshape(JAKES_SLOTS, JAKES_USERS).T
    powers = np.expm1(rates_bps / (JAKES_LAYERS * JAKES_PRB_HZ) * math.log(2)) / JAKES_SNR
    waves = simulation.cell.oscillators
    turns = np.arange(1, JAKES_SLOTS + 1)[:, None] * TURNS_A_SLOT * waves["turns"][:, None, :]
    amplitudes = waves["in_phase"] + 1j * waves["quadrature"]
    return powers, np.einsum("um,utm->ut", amplitudes, np.exp(2j * np.pi * turns))


def _jakes_checks(runs: list[tuple[np.ndarray, np.ndarray]], fault: Fault | None) -> list[Check]:
    shift = {Fault.LATE: 1, Fault.EARLY: -1}.get(fault, 0)
    powers = np.stack([run[0] for run in runs])
    gains = np.stack([run[1] for run in runs])
    if fault is Fault.LOSS:
        powers = np.where(kept(powers.size).reshape(powers.shape), powers, 0.0)
    deviating = np.abs(powers - np.abs(gains) ** 2) > 1e-6 * (1 + np.abs(gains) ** 2)
    checks: list[Check] = [
        Exact("slots that are not the waves' sum", 0, int(deviating.sum())),
        Ratio("mean power", 1.0, powers.mean(axis=(1, 2))),
    ]
    variances = ((powers - 1) ** 2).mean(axis=(1, 2))
    for lag in JAKES_LAGS:
        expected = float(j0(2 * np.pi * TURNS_A_SLOT * lag))
        taken = lag + shift
        before, after = slice(0, JAKES_PAIRS), slice(taken, JAKES_PAIRS + taken)
        products = (gains[..., after] * gains[..., before].conj()).real
        swings = ((powers[..., after] - 1) * (powers[..., before] - 1)).mean(axis=(1, 2))
        scale = None if abs(expected) > CLEAR else 1.0
        checks += [
            Ratio(f"R({lag})", expected, products.mean(axis=(1, 2)), scale=scale),
            Ratio(f"R({lag}) of the power", expected**2, swings, variances, scale=scale),
        ]
    return checks


NO_LATENCY = NOT_HERE + "draws of different slots are independent, so that one slot off is the same law"
CASES = (
    *(
        Case(
            "CH-01",
            f"Rayleigh ergodic rate at {snr_db} dB",
            partial(ergodic_rate, 10 ** (snr_db / 10), batches),
            {Fault.LATE: NO_LATENCY, Fault.EARLY: NO_LATENCY, Fault.LOSS: "one slot in 1000 without power"},
        )
        for snr_db, batches in ((0, 225), (10, 120), (20, 60))
    ),
    Case("CH-02", "power gain and outage", power_gain, {Fault.LEAK: "2 % of the transmit power leak"}),
    Case(
        "CH-03",
        "Jakes autocorrelation",
        jakes,
        {
            Fault.LATE: "the lag is one slot more",
            Fault.EARLY: "the lag is one slot less",
            Fault.LEAK: "2 % of the transmit power leak",
            Fault.LOSS: "one slot in 1000 without power",
        },
    ),
)

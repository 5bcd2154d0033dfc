"""The radio channel of one user, from the equations."""

import cmath
import math
from statistics import NormalDist

from netsim.scenario import Scenario
from tests.oracles import link_adaptation
from tests.oracles.draws import Stream, logarithm, normal_of, power_of_two, uniform_of
from tests.oracles.path_loss import distance_m, path_loss_db

WAVES = 32
"""Of which Jakes' fading of a user consists."""
PURPOSES = ("position", "path-loss", "shadowing", "fading", "oscillators")

# Logarithms, powers and sines of two libraries differ in the last bits, and so do what kernel and oracle compute from
# them: a mean SNR by some 1e-14 of it, which moves log2(1 + snr) by no more than that, and the logarithm itself by
# 4 units in the last place. Whole bits hide the difference unless a whole number lies in between.
SNR_DOUBT = 3e-14
LOG_DOUBT = 1e-15


class Undecided(Exception):
    """A rate is so close to a whole number that the last bits of logarithms decide what it is truncated to."""


class Radio:
    """What one user can be sent."""

    def __init__(self, scenario: Scenario, seed: int, slice_name: str, number: int) -> None:
        self.channel, self.carrier = scenario.channel, scenario.carrier
        self.slot_ns = scenario.control.slot_ns
        self.streams = {purpose: Stream(seed, purpose, slice_name, number) for purpose in PURPOSES}
        received_db = self.channel.receiver_gain_db - self.loss_db() - self.channel.noise_density_dbm_per_hz
        self.gain_hz_per_mw = 10 ** (received_db / 10)
        self.waves = self.draw_waves() if self.channel.fading.model == "jakes" else []
        self.gains: dict[int, float] = {}

    # -- once ------------------------------------------------------------------------------------------------------

    def loss_db(self) -> float:
        """Path loss, and the shadowing that is drawn once per user."""
        at_m = distance_m(self.channel, self.streams["position"])
        loss_db = path_loss_db(self.channel.path_loss, at_m, self.streams["path-loss"].uniforms(0))
        shadowing = self.channel.shadowing
        if shadowing.per == "slot" or shadowing.sigma_db == 0:
            return loss_db
        u, _ = self.streams["shadowing"].uniforms(0)
        return loss_db - shadowing.sigma_db * NormalDist().inv_cdf(u)

    def draw_waves(self) -> list[tuple[complex, float]]:
        """Complex Gaussian amplitude of each wave, and its Doppler shift as a share of the largest.

        The waves come from directions evenly spaced around a random start.
        """
        start, _ = self.streams["oscillators"].uniforms(WAVES)
        waves = []
        for m in range(WAVES):
            real, imaginary = map(NormalDist().inv_cdf, self.streams["oscillators"].uniforms(m))
            amplitude = complex(real, imaginary) * math.sqrt(0.5 / WAVES)
            waves.append((amplitude, math.cos(2 * math.pi * (m + start) / WAVES)))
        return waves

    # -- per slot --------------------------------------------------------------------------------------------------

    def gain_in_slot(self, slot: int) -> float:
        """|h|^2 times the shadowing that is drawn per slot."""
        if slot not in self.gains:  # kept, because every question about the slot asks for it
            self.gains[slot] = self.fading(slot) * self.shadowing(slot)
        return self.gains[slot]

    def fading(self, slot: int) -> float:
        match self.channel.fading.model:
            case "none":
                return 1.0
            case "rayleigh":  # Exp(1)
                return -logarithm(uniform_of(self.streams["fading"].words(slot)[0]))
            case "jakes":
                turns = self.channel.fading.doppler_hz * slot * self.slot_ns / 1e9
                return abs(sum(amplitude * turned(turns * shift) for amplitude, shift in self.waves)) ** 2
        raise ValueError(self.channel.fading.model)

    def shadowing(self, slot: int) -> float:
        shadowing = self.channel.shadowing
        if shadowing.per == "user" or shadowing.sigma_db == 0:
            return 1.0
        z = normal_of(self.streams["shadowing"].words(slot)[0])
        return power_of_two(shadowing.sigma_db * 0.1 * math.log2(10) * z)

    def efficiency(self, slot: int, prb: int, power_dbm: float) -> float:
        """bit/s/Hz of a layer: the power is spread over the carrier, or all of it is sent in the user's own blocks."""
        blocks = self.carrier.prb if self.channel.power == "spread" else prb
        power_mw_per_hz = 10 ** (power_dbm / 10) / (blocks * self.carrier.prb_bandwidth_hz)
        snr = self.gain_in_slot(slot) * self.gain_hz_per_mw * power_mw_per_hz
        law = link_adaptation.shannon if self.channel.link.model == "shannon" else link_adaptation.nr
        return law(self.channel.link, snr)

    def rate_bps(self, slot: int, prb: int, power_dbm: float) -> float:
        """L b log2(1 + chi), b in Hz."""
        band_hz = prb * self.carrier.prb_bandwidth_hz
        return band_hz * (self.channel.link.layers * self.efficiency(slot, prb, power_dbm))

    # -- whole numbers ---------------------------------------------------------------------------------------------

    def whole_bps(self, slot: int, prb: int, power_dbm: float) -> int:
        return truncated(self.rate_bps(slot, prb, power_dbm), self.doubt_bps(slot, prb, power_dbm))

    def whole_bits(self, slot: int, prb: int, power_dbm: float) -> int:
        """floor(rate S), what can be sent in a slot."""
        if prb == 0:
            return 0
        in_slot = self.rate_bps(slot, prb, power_dbm) * self.slot_ns / 1e9
        return truncated(in_slot, self.doubt_bps(slot, prb, power_dbm) * self.slot_ns / 1e9)

    def doubt_bps(self, slot: int, prb: int, power_dbm: float) -> float:
        """How far two computations of a rate may be apart; nothing where it is a number of a table or a ceiling."""
        link = self.channel.link
        if link.model == "nr" or self.efficiency(slot, prb, power_dbm) == link.ceiling:
            return 0.0
        layers_hz = link.layers * prb * self.carrier.prb_bandwidth_hz
        return LOG_DOUBT * self.rate_bps(slot, prb, power_dbm) + SNR_DOUBT * layers_hz

    # -- for schedulers --------------------------------------------------------------------------------------------

    def bits_per_prb(self, slot: int, power_dbm: float) -> float:
        return self.rate_bps(slot, 1, power_dbm) * self.slot_ns / 1e9

    def prb_needed(self, bits: int, most: int, slot: int, power_dbm: float) -> int:
        """The fewest resource blocks that carry so many bits in a slot; ``most`` if that many do not."""
        enough = (prb for prb in range(most) if self.whole_bits(slot, prb, power_dbm) >= bits)
        return next(enough, most)


def truncated(amount: float, doubt: float) -> int:
    nearest = round(amount)
    if nearest > 0 and doubt > 0.0 and abs(amount - nearest) <= doubt:
        raise Undecided(f"{amount!r} is whole or not")
    return int(amount)


def turned(turns: float) -> complex:
    return cmath.exp(2j * math.pi * (turns - round(turns)))

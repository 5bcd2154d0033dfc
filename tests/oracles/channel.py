"""The radio channel of the oracle: one user, one slot at a time, from the equations."""

import cmath
import math
from statistics import NormalDist
from typing import Any

from netsim.portable import log2
from netsim.scenario import Scenario
from tests.oracles.draws import Stream, logarithm, normal_of, power_of_two, uniform_of

WAVES = 32
SPEED_OF_LIGHT_M_PER_S = 3.0e8  # as table 7.4.1-1, note 1, has it

# TS 38.214, modulation order: code rates x 1024. Tables 5.2.2.1-2, 5.2.2.1-3, 5.1.3.1-1 and 5.1.3.1-2.
NR_TABLES: dict[tuple[str, str], dict[int, tuple[float, ...]]] = {
    ("qam64", "cqi"): {
        2: (78, 120, 193, 308, 449, 602),
        4: (378, 490, 616),
        6: (466, 567, 666, 772, 873, 948),
    },
    ("qam256", "cqi"): {
        2: (78, 193, 449),
        4: (378, 490, 616),
        6: (466, 567, 666, 772, 873),
        8: (711, 797, 885, 948),
    },
    ("qam64", "mcs"): {
        2: (120, 157, 193, 251, 308, 379, 449, 526, 602, 679),
        4: (340, 378, 434, 490, 553, 616, 658),
        6: (438, 466, 517, 567, 616, 666, 719, 772, 822, 873, 910, 948),
    },
    ("qam256", "mcs"): {
        2: (120, 193, 308, 449, 602),
        4: (378, 434, 490, 553, 616, 658),
        6: (466, 517, 567, 616, 666, 719, 772, 822, 873),
        8: (682.5, 711, 754, 797, 841, 885, 916.5, 948),
    },
}


class Radio:
    """What one user can be sent."""

    def __init__(self, scenario: Scenario, seed: int, slice_name: str, number: int) -> None:
        self.channel, self.carrier = scenario.channel, scenario.carrier
        self.slot_ns = scenario.control.slot_ns
        self.streams = {
            purpose: Stream(seed, purpose, slice_name, number)
            for purpose in ("position", "path-loss", "shadowing", "fading", "oscillators")
        }
        gain_db = self.channel.receiver_gain_db - self._loss_db() - self.channel.noise_density_dbm_per_hz
        self.gain_hz_per_mw = 10 ** (gain_db / 10)
        self.waves = self._waves() if self.channel.fading.model == "jakes" else []
        self._gains: dict[int, float] = {}

    # -- once ------------------------------------------------------------------------------------------------------

    def _loss_db(self) -> float:
        distance_m = self.channel.cell_radius_m * math.sqrt(self.streams["position"].uniforms(0)[0])
        loss_db = self._path_loss_db(max(distance_m, self.channel.min_distance_m))
        if self.channel.shadowing.per == "user" and self.channel.shadowing.sigma_db > 0:
            z = NormalDist().inv_cdf(self.streams["shadowing"].uniforms(0)[0])
            loss_db -= self.channel.shadowing.sigma_db * z
        return loss_db

    def _path_loss_db(self, distance_m: float) -> float:
        model = self.channel.path_loss
        match model.model:
            case "log-distance":
                return model.intercept_db + model.slope_db * math.log10(distance_m / 1000)
            case "constant":
                return model.loss_db
            case "umi-38901":
                return self._umi_loss_db(model, distance_m)
        raise ValueError(model.model)

    def _umi_loss_db(self, model: Any, d2_m: float) -> float:
        """TR 38.901 tables 7.4.1-1 and 7.4.2-1."""
        f_hz, h_bs, h_ut = model.carrier_frequency_hz, model.base_station_height_m, model.user_height_m
        d3_m = math.sqrt(d2_m**2 + (h_bs - h_ut) ** 2)
        breakpoint_m = 4 * (h_bs - 1) * (h_ut - 1) * f_hz / SPEED_OF_LIGHT_M_PER_S
        f_ghz_db = 20 * math.log10(f_hz / 1e9)
        if d2_m <= breakpoint_m:
            los_db = 32.4 + 21 * math.log10(d3_m) + f_ghz_db
        else:
            bend_db = 9.5 * math.log10(breakpoint_m**2 + (h_bs - h_ut) ** 2)
            los_db = 32.4 + 40 * math.log10(d3_m) + f_ghz_db - bend_db
        nlos_db = 35.3 * math.log10(d3_m) + 22.4 + 21.3 * math.log10(f_hz / 1e9) - 0.3 * (h_ut - 1.5)
        p_los = 1.0 if d2_m <= 18 else 18 / d2_m + math.exp(-d2_m / 36) * (1 - 18 / d2_m)
        u_sight, u_shadow = self.streams["path-loss"].uniforms(0)
        loss_db, sigma_db = (los_db, 4.0) if u_sight < p_los else (max(los_db, nlos_db), 7.82)
        return loss_db + (sigma_db * NormalDist().inv_cdf(u_shadow) if model.shadowing else 0.0)

    def _waves(self) -> list[tuple[complex, float]]:
        """Complex amplitude of each wave, and its Doppler shift as a share of the largest."""
        start = self.streams["oscillators"].uniforms(WAVES)[0]
        return [(self._amplitude(m), math.cos(2 * math.pi * (m + start) / WAVES)) for m in range(WAVES)]

    def _amplitude(self, m: int) -> complex:
        real, imaginary = map(NormalDist().inv_cdf, self.streams["oscillators"].uniforms(m))
        return complex(real, imaginary) * math.sqrt(0.5 / WAVES)

    # -- per slot --------------------------------------------------------------------------------------------------

    def fade(self, slot: int) -> float:
        """Power gain of the slot: fading times shadowing drawn per slot."""
        if slot not in self._gains:
            self._gains[slot] = self._fading(slot) * self._shadowing(slot)
        return self._gains[slot]

    def _fading(self, slot: int) -> float:
        match self.channel.fading.model:
            case "none":
                return 1.0
            case "rayleigh":
                return -logarithm(uniform_of(self.streams["fading"].words(slot)[0]))
            case "jakes":
                turns = self.channel.fading.doppler_hz * (slot * self.slot_ns / 1e9)
                return abs(sum(amplitude * turned(turns * shift) for amplitude, shift in self.waves)) ** 2
        raise ValueError(self.channel.fading.model)

    def _shadowing(self, slot: int) -> float:
        shadowing = self.channel.shadowing
        if shadowing.per == "user" or shadowing.sigma_db == 0:
            return 1.0
        z = normal_of(self.streams["shadowing"].words(slot)[0])
        return power_of_two(shadowing.sigma_db * 0.1 * math.log2(10) * z)

    def rate_bps(self, slot: int, prb: int, power_dbm: float) -> float:
        """Rate of a user granted ``prb`` resource blocks."""
        band_hz = prb * self.carrier.prb_bandwidth_hz
        spread_over_hz = self.carrier.bandwidth_hz if self.channel.power == "spread" else band_hz
        snr = self.fade(slot) * (self.gain_hz_per_mw * (10 ** (power_dbm / 10) / spread_over_hz))
        return band_hz * self._efficiency(snr)

    def _efficiency(self, snr: float) -> float:
        """bit/s/Hz over all layers."""
        link = self.channel.link
        if link.model == "nr":
            return link.layers * nr_efficiency(link, snr)
        per_layer = float(log2(1.0 + snr)) * (1.0 if link.log == "log2" else math.log10(2.0))
        return link.layers * (per_layer if link.ceiling is None else min(per_layer, link.ceiling))

    def bits(self, slot: int, prb: int, power_dbm: float) -> int:
        """Whole bits that ``prb`` resource blocks carry in a slot."""
        return int(self.rate_bps(slot, prb, power_dbm) * self.slot_ns / 1e9) if prb else 0


def turned(turns: float) -> complex:
    return cmath.exp(2j * math.pi * (turns - round(turns)))


def nr_efficiency(link: Any, snr: float) -> float:
    """The best efficiency of a layer that Shannon's law supports at an SNR reduced by the gap, overhead deducted."""
    best = 0.0
    for order, rates in NR_TABLES[link.table, link.report].items():
        for rate in rates:
            efficiency = order * rate / 1024
            if snr >= 10 ** (link.gap_db / 10) * (2**efficiency - 1):
                best = max(best, efficiency)
    return best * (1 - link.overhead)

"""The radio channel: where users are, what reaches them on average, and what a slot's fading makes of it."""

import math
from pathlib import Path
from typing import Protocol

import numpy as np

from netsim import plugins, streams
from netsim.compiled import formula, inlined, inner
from netsim.errors import PluginError
from netsim.loadobject import blamed
from netsim.portable import LN2, cos_turn, exp2, lesser, log2, sin_turn
from netsim.scenario import Channel, ConstantLoss, LogDistance, PathLoss, PluggedPathLoss, UmiStreetCanyon
from netsim.state import Array, Record
from netsim.streams import philox, uniform, uniform_halves

NO_FADING, RAYLEIGH, JAKES = 0, 1, 2
FADING = {"none": NO_FADING, "rayleigh": RAYLEIGH, "jakes": JAKES}
SHANNON, NR = 0, 1
LINKS = {"shannon": SHANNON, "nr": NR}
OSCILLATORS = 32
"""Waves that make up Jakes' fading of one user."""

_LOG2_OF_10 = math.log2(10.0)
SPEED_OF_LIGHT_M_PER_S = 3.0e8
"""As note 1 of TR 38.901 table 7.4.1-1 has it."""


# -- once per user -----------------------------------------------------------------------------------------------------


class PathLossModel(Protocol):
    """What a path-loss plugin is."""

    def path_loss_db(self, distance_m: Array, uniforms: Array) -> Array:
        """Loss of each user from its distance, shape ``(n,)``; ``uniforms`` has two draws per user, ``(n, 2)``."""


def distances_m(channel: Channel, uniforms: Array) -> Array:
    """Distance of each user, uniform over a disc: P(R < r) = r^2 / R^2, never closer than the least distance.

    ``uniforms`` has shape ``(n, 2)``; the second column would be the angle, which nothing depends on.
    """
    return np.maximum(channel.min_distance_m, channel.cell_radius_m * np.sqrt(uniforms[:, 0]))


def path_loss_db(model: PathLoss, distance_m: Array, uniforms: Array, folder: Path | None = None) -> Array:
    """Loss between base station and users, dB, shape ``(n,)``; a plugin's file is looked for in ``folder``."""
    match model:
        case LogDistance():
            return model.intercept_db + model.slope_db * np.log10(distance_m / 1000)
        case ConstantLoss():
            return np.full(len(distance_m), model.loss_db)
        case UmiStreetCanyon():
            return umi_street_canyon_db(model, distance_m, uniforms)
        case PluggedPathLoss():
            return _plugged_loss_db(model, distance_m, uniforms, folder)


def _plugged_loss_db(model: PluggedPathLoss, distance_m: Array, uniforms: Array, folder: Path | None) -> Array:
    made: PathLossModel = plugins.create("path_loss_models", model.model, model.options, folder)
    of = f"channel.path_loss.model: plugin {model.model!r}"
    with blamed(of):
        loss_db = np.asarray(made.path_loss_db(distance_m.copy(), uniforms.copy()), float)
    if loss_db.shape != distance_m.shape or not np.isfinite(loss_db).all():
        raise PluginError(f"{of}: must return one finite loss per user, got {loss_db} for {len(distance_m)} users")
    return loss_db


def umi_street_canyon_db(model: UmiStreetCanyon, distance_m: Array, uniforms: Array) -> Array:
    """TR 38.901 tables 7.4.1-1 and 7.4.2-1, UMi street canyon; ``distance_m`` is in the ground plane.

    The first uniform of a user decides whether it is in sight, the second its shadow fading.
    """
    heights = model.base_station_height_m, model.user_height_m
    d3_m = np.hypot(distance_m, heights[0] - heights[1])
    in_sight_db = _umi_line_of_sight_db(model, distance_m, d3_m)
    f_ghz = model.carrier_frequency_hz / 1e9
    blocked_db = 35.3 * np.log10(d3_m) + 22.4 + 21.3 * math.log10(f_ghz) - 0.3 * (heights[1] - 1.5)
    in_sight = uniforms[:, 0] < umi_line_of_sight_probability(distance_m)
    loss_db: Array = np.where(in_sight, in_sight_db, np.maximum(in_sight_db, blocked_db))
    if model.shadowing:
        from scipy.special import ndtri  # here, because scipy takes longer to import than a short run

        loss_db = loss_db + np.where(in_sight, 4.0, 7.82) * ndtri(uniforms[:, 1])
    return loss_db


def umi_line_of_sight_probability(distance_m: Array) -> Array:
    """TR 38.901 table 7.4.2-1: 1 up to 18 m, then 18/d + exp(-d/36) (1 - 18/d)."""
    near = np.minimum(1.0, 18.0 / np.maximum(distance_m, 1e-9))
    return near + np.exp(-distance_m / 36.0) * (1.0 - near)


def _umi_line_of_sight_db(model: UmiStreetCanyon, d2_m: Array, d3_m: Array) -> Array:
    f_ghz = model.carrier_frequency_hz / 1e9
    h_bs, h_ut = model.base_station_height_m, model.user_height_m
    breakpoint_m = 4 * (h_bs - 1) * (h_ut - 1) * model.carrier_frequency_hz / SPEED_OF_LIGHT_M_PER_S
    near_db = 32.4 + 21 * np.log10(d3_m) + 20 * math.log10(f_ghz)
    bend_db = 9.5 * math.log10(breakpoint_m**2 + (h_bs - h_ut) ** 2)
    far_db = 32.4 + 40 * np.log10(d3_m) + 20 * math.log10(f_ghz) - bend_db
    return np.where(d2_m <= breakpoint_m, near_db, far_db)


def gains(channel: Channel, seed: int, words: dict[str, int], numbers: Array, folder: Path | None = None) -> Array:
    """Mean received power over transmitted power and noise density, Hz/mW, of the users of one slice.

    ``folder`` is the scenario's, in which a path-loss plugin's file is looked for.
    """
    position = streams.uniforms(seed, words[streams.POSITION], numbers)
    sight = streams.uniforms(seed, words[streams.PATH_LOSS], numbers)
    loss_db = path_loss_db(channel.path_loss, distances_m(channel, position), sight, folder)
    if channel.shadowing.per == "user" and channel.shadowing.sigma_db > 0:
        from scipy.special import ndtri  # as above

        draws = streams.uniforms(seed, words[streams.SHADOWING], numbers)
        loss_db = loss_db - channel.shadowing.sigma_db * ndtri(draws[:, 0])
    gain_db = channel.receiver_gain_db - loss_db - channel.noise_density_dbm_per_hz
    return np.asarray(10 ** (gain_db / 10), float)


def snr(gain: Array, transmit_power_dbm: float, bandwidth_hz: float) -> Array:
    """Mean SNR when the power is spread evenly over ``bandwidth_hz`` (paper eq. 1, noise over the same band)."""
    return gain * (10 ** (transmit_power_dbm / 10) / bandwidth_hz)


def oscillators(seed: int, word: int, numbers: Array) -> Array:
    """The waves of Jakes' fading per user, shape ``(n, OSCILLATORS, 3)``: real and imaginary part, and cos(angle).

    The angles of arrival are evenly spaced from a random start, the amplitudes complex Gaussian. So the gain is exactly
    complex Gaussian, and its autocorrelation exactly the mean of exp(2 pi i f tau cos a) over the angles, which is
    J0(2 pi f tau) up to terms J_32(2 pi f tau), nothing while f tau < 2.
    """
    from scipy.special import ndtri  # as above

    waves = np.empty((len(numbers), OSCILLATORS, 3))
    for m in range(OSCILLATORS):
        waves[:, m, :2] = ndtri(streams.uniforms(seed, word, numbers, m)) * math.sqrt(0.5 / OSCILLATORS)
    start = streams.uniforms(seed, word, numbers, OSCILLATORS)[:, :1]
    angles = 2 * np.pi * (np.arange(OSCILLATORS) + start) / OSCILLATORS
    waves[:, :, 2] = np.cos(angles)
    return waves


# -- once per user and slot --------------------------------------------------------------------------------------------


@formula
def rayleigh_gain(seed: int, slot: int, user: int, word: int) -> float:
    """|h|^2 ~ Exp(1) of a user in a slot."""
    bits, _ = philox(seed, np.uint64(slot), np.uint64(user), word)
    return -LN2 * log2(uniform(bits))


@inner
def jakes_gain(waves: Array, time_turns: float) -> float:
    """|h|^2 of a sum of waves at a time given in turns of the Doppler frequency."""
    real = 0.0
    imaginary = 0.0
    for m in range(waves.shape[0]):
        wave = waves[m]
        turns = time_turns * wave.turns
        c = cos_turn(turns)
        s = sin_turn(turns)
        real += wave.in_phase * c - wave.quadrature * s
        imaginary += wave.in_phase * s + wave.quadrature * c
    return real * real + imaginary * imaginary


@inner
def shadowing_gain(sigma_db: float, seed: int, slot: int, user: int, word: int) -> float:
    """Log-normal power gain of a user in a slot, 10^(sigma z / 10)."""
    bits, _ = philox(seed, np.uint64(slot), np.uint64(user), word)
    return exp2(sigma_db * 0.1 * _LOG2_OF_10 * normal(bits))


@formula
def normal(word: int) -> float:
    """A standard normal number from 64 random bits (Box and Muller)."""
    u, v = uniform_halves(word)
    return math.sqrt(-2.0 * LN2 * log2(u)) * cos_turn(v)


@formula
def shannon(snr_now: float, layers: float, log_scale: float, ceiling: float) -> float:
    """Bit/s per Hz over all layers, ``layers log(1 + snr)``, each layer up to a ceiling."""
    return layers * lesser(log_scale * log2(1.0 + snr_now), ceiling)


@inner
def efficiency(clock: Record, snr_now: float, thresholds: Array, efficiencies: Array) -> float:
    """Bit/s per Hz over all layers at an SNR: Shannon's law, or what NR link adaptation supports."""
    if clock.link == SHANNON:
        return shannon(snr_now, clock.layers, clock.log_scale, clock.ceiling)
    low = 0
    high = thresholds.size
    while low < high:  # the number of thresholds that are at most snr_now
        middle = (low + high) // 2
        if thresholds[middle] <= snr_now:
            low = middle + 1
        else:
            high = middle
    return clock.layers * efficiencies[low - 1] if low > 0 else 0.0


@inlined
def rate_of(clock: Record, prb: int, faded: float, thresholds: Array, efficiencies: Array) -> float:
    """Rate of a user granted ``prb`` resource blocks, bit/s (paper eq. 2 over the user's own blocks).

    With spread power ``faded`` is the efficiency, the same on every block; with full power to each user it is the
    SNR that all the power would give on one block.
    """
    band_hz = prb * clock.prb_bandwidth_hz
    if clock.spread:
        return band_hz * faded
    return band_hz * efficiency(clock, faded / prb, thresholds, efficiencies)


@inlined
def bits_in_slot(clock: Record, rate_bps: float) -> int:
    """Whole bits that a rate carries in a slot."""
    return np.int64(rate_bps * clock.slot_ns / 1e9)

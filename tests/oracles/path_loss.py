"""Where a user is, and what is lost on the way to it."""

import math
from statistics import NormalDist
from typing import Any

from netsim.scenario import Channel
from tests.oracles import plugin_calls
from tests.oracles.draws import Stream

SPEED_OF_LIGHT_M_PER_S = 3.0e8  # as table 7.4.1-1, note 1, has it


def distance_m(channel: Channel, position: Stream) -> float:
    """Uniform over a disc, never closer than the least distance."""
    u, _ = position.uniforms(0)
    return max(channel.cell_radius_m * math.sqrt(u), channel.min_distance_m)


def path_loss_db(model: Any, at_m: float, uniforms: tuple[float, float]) -> float:
    match model.model:
        case "log-distance":
            return model.intercept_db + model.slope_db * math.log10(at_m / 1000)
        case "constant":
            return model.loss_db
        case "umi-38901":
            return umi_street_canyon_db(model, at_m, uniforms)
    return plugin_calls.path_loss_db(plugin_calls.made(model.model, model.options), at_m, uniforms)


def umi_street_canyon_db(model: Any, d2_m: float, uniforms: tuple[float, float]) -> float:
    """TR 38.901 tables 7.4.1-1 and 7.4.2-1. The first draw decides on the line of sight, the second on shadowing."""
    f_ghz, h_bs, h_ut = model.carrier_frequency_hz / 1e9, model.base_station_height_m, model.user_height_m
    d3_m = math.sqrt(d2_m**2 + (h_bs - h_ut) ** 2)
    in_sight_db = line_of_sight_db(d2_m, d3_m, f_ghz, h_bs, h_ut)
    blocked_db = 35.3 * math.log10(d3_m) + 22.4 + 21.3 * math.log10(f_ghz) - 0.3 * (h_ut - 1.5)
    u_sight, u_shadow = uniforms
    if u_sight < line_of_sight_probability(d2_m):
        loss_db, sigma_db = in_sight_db, 4.0
    else:
        loss_db, sigma_db = max(in_sight_db, blocked_db), 7.82
    return loss_db + (sigma_db * NormalDist().inv_cdf(u_shadow) if model.shadowing else 0.0)


def line_of_sight_probability(d2_m: float) -> float:
    return 1.0 if d2_m <= 18 else 18 / d2_m + math.exp(-d2_m / 36) * (1 - 18 / d2_m)


def line_of_sight_db(d2_m: float, d3_m: float, f_ghz: float, h_bs: float, h_ut: float) -> float:
    breakpoint_m = 4 * (h_bs - 1) * (h_ut - 1) * f_ghz * 1e9 / SPEED_OF_LIGHT_M_PER_S
    if d2_m <= breakpoint_m:
        return 32.4 + 21 * math.log10(d3_m) + 20 * math.log10(f_ghz)
    bend_db = 9.5 * math.log10(breakpoint_m**2 + (h_bs - h_ut) ** 2)
    return 32.4 + 40 * math.log10(d3_m) + 20 * math.log10(f_ghz) - bend_db

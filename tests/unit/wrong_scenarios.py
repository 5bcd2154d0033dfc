"""Wrong scenario files: one change each to a right one, and what must be said about it.

In the new text ``^`` stands where the fault is: it is taken out before the text is loaded, and gives line and column.
"""

from typing import NamedTuple

RIGHT = """\
name: small
description: a scenario to break
carrier:
  prb: 20
  prb_bandwidth: 200 kHz
  allocation_unit_prb: 2
  sharing: isolated
control:
  slot: 0.5 ms
  slots_per_period: 40
  periods: 5
  initial_allocation: [3, 7]
channel:
  transmit_power: 46 dBm
  power: spread
  noise_density: -174 dBm/Hz
  cell_radius: 40 m
  min_distance: 1 m
  path_loss: {model: log-distance, intercept: 145.4 dB}
  fading: {model: rayleigh}
  shadowing: {sigma: 0 dB, per: user}
  link: {model: shannon, layers: 4, log: log2}
slices:
  voice:
    users: 4
    traffic:
      kind: renewal
      gap: {distribution: uniform, from: 0 ms, to: 160 ms}
      size: {distribution: constant, value: 40 B}
    sla: {rate_floor: 51 kbit/s, latency_limit: 10 ms}
    scheduler: {kind: round-robin}
    queue: {packets: 5, when_full: drop}
    weight: 1.0
    load:
      points:
        - {at: 0 s, multiplier: 1.0}
        - {at: 1 s, multiplier: 2.0}
  data:
    users: 3
    traffic:
      kind: poisson
      rate: 100 /s
      size: {distribution: pareto, shape: 1.2, from: 40 B, cut: 250 B}
    sla:
      rate_floor: 1 Mbit/s
      latency_limit: 10 ms
utility:
  alpha: 0.01
  alpha_per_slice: false
reward: {gmin: 1.0, gmax: 2.0}
events:
  - at: 1 s
    join: {slice: data, users: 2}
  - at: 2 s
    leave: {slice: data, users: 1}
"""


class Wrong(NamedTuple):
    """A change that makes the file wrong, the key its fault names, and a part of the rule that it states."""

    old: str
    new: str
    key: str
    rule: str


UNKNOWN = "is not a known key"
REQUIRED = "is required"

WRONG = [
    # -- unknown keys and missing ones
    Wrong("name: small", "^nam: x\nname: small", "nam", UNKNOWN),
    Wrong("  prb: 20", "  prb: 20\n  ^prbs: 3", "carrier.prbs", UNKNOWN),
    Wrong("carrier:", "^carier:", "carier", "did you mean 'carrier'?"),
    Wrong("  sharing: isolated", "  ^sharng: isolated", "carrier.sharng", "did you mean 'sharing'?"),
    Wrong("  slots_per_period", "  ^slot_per_period", "control.slot_per_period", "did you mean 'slots_per_period'?"),
    Wrong("  power: spread", "  ^powr: spread", "channel.powr", "did you mean 'power'?"),
    Wrong("{rate_floor: 51", "{^rate_flor: 51", "slices.voice.sla.rate_flor", "did you mean 'rate_floor'?"),
    Wrong("    weight: 1.0", "    ^wieght: 1.0", "slices.voice.wieght", "did you mean 'weight'?"),
    Wrong("intercept: 145.4 dB", "^intercpt: 145.4 dB", "channel.path_loss.intercpt", "did you mean 'intercept'?"),
    Wrong("layers: 4,", "layers: 4, ^cieling: 3.0,", "channel.link.cieling", "did you mean 'ceiling'?"),
    Wrong("from: 0 ms", "^form: 0 ms", "slices.voice.traffic.gap.form", "did you mean 'from'?"),
    Wrong("cut: 250 B", "^cutt: 250 B", "slices.data.traffic.size.cutt", "did you mean 'cut'?"),
    Wrong("when_full: drop", "^when_ful: drop", "slices.voice.queue.when_ful", "did you mean 'when_full'?"),
    Wrong("    join: {slice", "    ^jion: {slice", "events.0.jion", "did you mean 'join'?"),
    Wrong("utility:", "^utlity: {}\nutility:", "utlity", UNKNOWN),
    Wrong("  alpha: 0.01", "  alpha: 0.01\n  ^zzz: 1", "utility.zzz", "which are alpha, alpha_per_slice, se"),
    Wrong("at: 0 s, multiplier", "^on: 1 s, at: 0 s, multiplier", "slices.voice.load.points.0.on", UNKNOWN),
    Wrong("name: small\n", "", "name", REQUIRED),
    Wrong("  voice:\n    users: 4\n", "  ^voice:\n", "slices.voice.users", REQUIRED),
    Wrong("  data:\n    users: 3\n", "  ^data:\n", "slices.data.users", REQUIRED),
    Wrong("    sla:\n      rate_floor: 1 Mbit/s\n", "    ^sla:\n", "slices.data.sla.rate_floor", REQUIRED),
    Wrong(
        "size: {distribution: constant, value: 40 B}",
        "^size: {distribution: constant}",
        "slices.voice.traffic.size.value",
        REQUIRED,
    ),
    Wrong(
        "gap: {distribution: uniform,",
        "^gap: {",
        "slices.voice.traffic.gap.distribution",
        "is required, one of constant",
    ),
    Wrong(
        "    traffic:\n      kind: renewal\n",
        "    ^traffic:\n",
        "slices.voice.traffic.kind",
        "is required, one of renewal",
    ),
    Wrong(
        "scheduler: {kind: round-robin}",
        "^scheduler: {}",
        "slices.voice.scheduler.kind",
        "is required, one of round-robin",
    ),
    Wrong(
        "fading: {model: rayleigh}", "^fading: {}", "channel.fading.model", "is required, one of none, rayleigh, jakes"
    ),
    Wrong(
        "path_loss: {model: log-distance, intercept: 145.4 dB}",
        "^path_loss: {slope: 3 dB}",
        "channel.path_loss.model",
        "is required, one of log-distance",
    ),
    Wrong("reward: {gmin: 1.0, ", "^reward: {", "reward.gmin", REQUIRED),
    Wrong("  - at: 1 s\n    join", "  - ^join", "events.0.at", REQUIRED),
    # -- names
    Wrong("name: small", "name: ^-small", "name", "must be at most 64 letters"),
    Wrong("name: small", "name: ^../../etc", "name", "must be at most 64 letters"),
    Wrong("name: small", "name: ^5", "name", "must be text"),
    Wrong("name: small", 'name: ^""', "name", "must be at most 64 letters"),
    Wrong("name: small", f"name: ^{'x' * 65}", "name", "must be at most 64 letters"),
    Wrong("  voice:", "  ^1voice:", "slices.1voice", "must be a name: a letter"),
    Wrong("  voice:", "  ^my voice:", "slices.my voice", "must be a name: a letter"),
    Wrong("  voice:", '  ^"=cmd":', "slices.=cmd", "must be a name: a letter"),
    Wrong("description: a scenario to break", "description: ^[1]", "description", "must be text"),
    Wrong("description: a scenario to break", f"description: ^{'x' * 2001}", "description", "at most 2000 characters"),
    # -- numbers
    Wrong("prb: 20", "prb: ^-3", "carrier.prb", "must be at least 1, got -3"),
    Wrong("prb: 20", "prb: ^0", "carrier.prb", "must be at least 1, got 0"),
    Wrong("prb: 20", "prb: ^276", "carrier.prb", "must be at most 275, got 276"),
    Wrong("prb: 20", "prb: ^20.0", "carrier.prb", "must be a whole number, got 20.0"),
    Wrong("prb: 20", 'prb: ^"20"', "carrier.prb", "must be a whole number, got '20'"),
    Wrong("prb: 20", "prb: ^true", "carrier.prb", "must be a whole number, got true"),
    Wrong("  prb: 20", "  ^prb:", "carrier.prb", "must be a whole number, got null"),
    Wrong("prb: 20", "prb: ^[20]", "carrier.prb", "must be a whole number, got a list of 1"),
    Wrong("prb: 20", "prb: ^20 MHz", "carrier.prb", "must be a whole number, got '20 MHz'"),
    Wrong("users: 4", "users: ^-1", "slices.voice.users", "must be at least 0, got -1"),
    Wrong("users: 4", "users: ^1000000", "slices.voice.users", "must be at most 250000, got 1000000"),
    Wrong("users: 4", "users: ^1e3", "slices.voice.users", "must be a whole number, got 1e3"),
    Wrong("periods: 5", "periods: ^0", "control.periods", "must be at least 1"),
    Wrong(
        "slots_per_period: 40", "slots_per_period: ^no", "control.slots_per_period", "must be a whole number, got 'no'"
    ),
    Wrong("packets: 5", "packets: ^4097", "slices.voice.queue.packets", "must be at most 4096"),
    Wrong("layers: 4", "layers: ^0", "channel.link.layers", "must be at least 1"),
    Wrong("layers: 4", "layers: 4, ceiling: ^0", "channel.link.ceiling", "must be more than 0"),
    Wrong("alpha: 0.01", "alpha: ^-0.01", "utility.alpha", "must be at least 0, got -0.01"),
    Wrong("alpha: 0.01", "alpha: ^much", "utility.alpha", "must be a number, got 'much'"),
    Wrong("alpha: 0.01", "alpha: ^.nan", "utility.alpha", "must be a finite number, got .nan"),
    Wrong("alpha: 0.01", "alpha: ^-.inf", "utility.alpha", "must be a finite number, got -.inf"),
    Wrong("alpha: 0.01", "alpha: ^1e999", "utility.alpha", "must be a finite number, got 1e999"),
    Wrong("alpha: 0.01", "alpha: ^" + "9" * 31, "utility.alpha", "must be a number of at most 30 digits"),
    Wrong("alpha: 0.01", "alpha: ^nan", "utility.alpha", "must be a number, got 'nan'"),
    Wrong("weight: 1.0", "weight: ^1e7", "slices.voice.weight", "must be at most 1000000"),
    Wrong("multiplier: 2.0", "multiplier: ^0.0", "slices.voice.load.points.1.multiplier", "must be at least 1e-06"),
    Wrong("shape: 1.2", "shape: ^0", "slices.data.traffic.size.shape", "must be more than 0, got 0"),
    Wrong(
        "alpha_per_slice: false", "alpha_per_slice: ^no", "utility.alpha_per_slice", "must be true or false, got 'no'"
    ),
    Wrong("alpha_per_slice: false", "alpha_per_slice: ^0", "utility.alpha_per_slice", "must be true or false, got 0"),
    Wrong("gmin: 1.0", "gmin: ^'1.0'", "reward.gmin", "must be a number, got '1.0'"),
    # -- quantities
    Wrong("slot: 0.5 ms", "slot: ^0.5", "control.slot", "must be a time with its unit, like '10 ms', got 0.5"),
    Wrong("slot: 0.5 ms", "slot: ^0 ms", "control.slot", "must be at least 1 ns"),
    Wrong("slot: 0.5 ms", "slot: ^0.5 ns", "control.slot", "must be"),
    Wrong("slot: 0.5 ms", "slot: ^1.5 ns", "control.slot", "must be a whole number of ns, got '1.5 ns'"),
    Wrong(
        "slot: 0.5 ms", "slot: ^0.5 Ms", "control.slot", "its unit must be one of ns, us, ms, s, min, h, got '0.5 Ms'"
    ),
    Wrong("slot: 0.5 ms", "slot: ^half a millisecond", "control.slot", "must be a time with its unit"),
    Wrong("slot: 0.5 ms", "slot: ^-1 ms", "control.slot", "must be at least 1 ns"),
    Wrong("slot: 0.5 ms", "slot: ^1 ms 5", "control.slot", "must be a time"),
    Wrong("slot: 0.5 ms", "slot: ^1e30 s", "control.slot", "must be at least 1 ns and at most"),
    Wrong(
        "prb_bandwidth: 200 kHz", "prb_bandwidth: ^200", "carrier.prb_bandwidth", "must be a frequency with its unit"
    ),
    Wrong("prb_bandwidth: 200 kHz", "prb_bandwidth: ^1e308 Hz", "carrier.prb_bandwidth", "must be at least 1 kHz"),
    Wrong(
        "prb_bandwidth: 200 kHz", "prb_bandwidth: ^200 KHz", "carrier.prb_bandwidth", "must be one of Hz, kHz, MHz, GHz"
    ),
    Wrong("transmit_power: 46 dBm", "transmit_power: ^46 W", "channel.transmit_power", "must be one of dBm"),
    Wrong("transmit_power: 46 dBm", "transmit_power: ^460 dBm", "channel.transmit_power", "at most 200 dBm"),
    Wrong("-174 dBm/Hz", "^-174 dBm", "channel.noise_density", "must be one of dBm/Hz"),
    Wrong("cell_radius: 40 m", "cell_radius: ^40 miles", "channel.cell_radius", "must be one of m, km"),
    Wrong("intercept: 145.4 dB", "intercept: ^145.4 dBm", "channel.path_loss.intercept", "must be one of dB, got"),
    Wrong("sigma: 0 dB", "sigma: ^-1 dB", "channel.shadowing.sigma", "must be at least 0 dB"),
    Wrong("value: 40 B", "value: ^40 ms", "slices.voice.traffic.size.value", "must be one of bit, B, kB, MB"),
    Wrong("value: 40 B", "value: ^0.01 B", "slices.voice.traffic.size.value", "must be at least 1 bit"),
    Wrong("rate: 100 /s", "rate: ^1e-400 /s", "slices.data.traffic.rate", "must be at least 5e-324 /s"),
    Wrong("rate: 100 /s", "rate: ^100", "slices.data.traffic.rate", "must be a packet rate with its unit"),
    Wrong("51 kbit/s", "^51 kbps", "slices.voice.sla.rate_floor", "must be one of bit/s, kbit/s, Mbit/s, Gbit/s"),
    Wrong("  - at: 2 s", "  - at: ^2", "events.1.at", "must be a time with its unit"),
    # -- choices
    Wrong("sharing: isolated", "sharing: ^shared", "carrier.sharing", "must be one of isolated, work-conserving"),
    Wrong("power: spread", "power: ^spred", "channel.power", "got 'spred', did you mean 'spread'?"),
    Wrong("log: log2", "log: ^ln", "channel.link.log", "must be one of log2, log10, got 'ln'"),
    Wrong("when_full: drop", "when_full: ^dorp", "slices.voice.queue.when_full", "did you mean 'drop'?"),
    Wrong("per: user", "per: ^3", "channel.shadowing.per", "must be one of user, slot, got 3"),
    Wrong("uniform, from", "^unifrm, from", "slices.voice.traffic.gap.distribution", "did you mean 'uniform'?"),
    Wrong(
        "distribution: pareto",
        "distribution: ^zipf",
        "slices.data.traffic.size.distribution",
        "must be one of constant,",
    ),
    Wrong("kind: renewal", "kind: ^renewl", "slices.voice.traffic.kind", "got 'renewl', did you mean 'renewal'?"),
    Wrong("kind: poisson", "kind: ^3", "slices.data.traffic.kind", "must be one of renewal, poisson,"),
    Wrong("kind: round-robin", "kind: ^round_robin", "slices.voice.scheduler.kind", "did you mean 'round-robin'?"),
    Wrong("model: log-distance", "model: ^log-distanc", "channel.path_loss.model", "did you mean 'log-distance'?"),
    Wrong("model: rayleigh", "model: ^rayliegh", "channel.fading.model", "did you mean 'rayleigh'?"),
    Wrong("model: shannon", "model: ^null", "channel.link.model", "must be one of shannon, nr"),
    Wrong(
        "initial_allocation: [3, 7]",
        "initial_allocation: ^eqal",
        "control.initial_allocation",
        "must be 'equal' or a list of whole numbers, got 'eqal', did you mean 'equal'?",
    ),
    Wrong(
        "initial_allocation: [3, 7]",
        "initial_allocation: [3, ^x]",
        "control.initial_allocation.1",
        "must be a whole number",
    ),
    Wrong(
        "initial_allocation: [3, 7]",
        "initial_allocation: [^0, 10]",
        "control.initial_allocation.0",
        "must be at least 1",
    ),
    # -- forms
    Wrong("reward: {gmin: 1.0, gmax: 2.0}", "reward: ^[1, 2]", "reward", "must be a mapping, got a list of 2"),
    Wrong(
        "utility:\n  alpha: 0.01\n  alpha_per_slice: false", "utility: ^0.01", "utility", "must be a mapping, got 0.01"
    ),
    Wrong(
        "fading: {model: rayleigh}",
        "fading: ^rayleigh",
        "channel.fading",
        "must be a mapping with `model`, one of none",
    ),
    Wrong(
        "scheduler: {kind: round-robin}",
        "scheduler: ^round-robin",
        "slices.voice.scheduler",
        "must be a mapping with `kind`",
    ),
    Wrong("join: {slice: data, users: 2}", "join: ^2", "events.0.join", "must be a mapping, got 2"),
    Wrong(
        "size: {distribution: constant, value: 40 B}",
        "size: ^40 B",
        "slices.voice.traffic.size",
        "must be a mapping with `distribution`",
    ),
    # -- what does not go together
    Wrong(
        "from: 0 ms, to: 160 ms", "from: ^200 ms, to: 160 ms", "slices.voice.traffic.gap.from", "must be less than `to`"
    ),
    Wrong("cut: 250 B", "cut: ^25 B", "slices.data.traffic.size.cut", "must be at least `from`"),
    Wrong("prb: 20", "prb: ^21", "carrier.prb", "must be a whole number of `allocation_unit_prb`"),
    Wrong("min_distance: 1 m", "min_distance: ^41 m", "channel.min_distance", "must be at most `cell_radius`"),
    Wrong("gmin: 1.0", "gmin: ^3.0", "reward.gmin", "must be at most `gmax`"),
    Wrong(
        "points:\n        - {at: 0 s,",
        "points:\n        ^- {at: 2 s,",
        "slices.voice.load.points",
        "must be in order of `at`",
    ),
    Wrong(
        "    load:\n",
        "    load:\n      repeat: ^0.5 s\n",
        "slices.voice.load.repeat",
        "must be at least the last point's",
    ),
    Wrong(
        "at: 1 s\n    join: {slice: data, users: 2}",
        "^at: 1 s\n    transmit_power: 3 dBm\n    join: {slice: data, users: 2}",
        "events.0",
        "must have exactly one of `join`",
    ),
    Wrong("initial_allocation: [3, 7]", "initial_allocation: ^[3, 8]", "control.initial_allocation", "sum to 10"),
    Wrong(
        "initial_allocation: [3, 7]",
        "initial_allocation: ^[3, 3, 4]",
        "control.initial_allocation",
        "must be 2 whole numbers",
    ),
    Wrong("events:\n  - at: 1 s", "events:\n  - at: ^1.0001 s", "events.0.at", "must be a whole number of slots"),
    Wrong(
        "events:\n  - at: 1 s\n    join: {slice: data",
        "events:\n  - at: 1 s\n    join: {slice: ^dta",
        "events.0.join.slice",
        "must be one of voice, data",
    ),
    Wrong(
        "events:\n  - at: 1 s\n    join: {slice: data, users: 2}\n",
        "events:\n  - {at: 1 s, leave: {slice: data, users: ^4}}\n",
        "events.0.leave.users",
        "who are there then",
    ),
    # -- YAML
    Wrong("  prb: 20", "  prb: 20\n  ^prb: 30", "carrier.prb", "must be given once, but line 4 has it too"),
    Wrong("prb: 20", "prb: ^&a 20", "carrier.prb", "must have no anchor, got &a"),
    Wrong("prb: 20", "prb: ^*a", "carrier.prb", "aliases are not allowed, got *a"),
    Wrong("prb: 20", "prb: ^!!int 20", "carrier.prb", "must have no tag"),
    Wrong("prb: 20", "prb: ^!!python/object/apply:os.system ['id']", "carrier.prb", "must have no tag"),
    Wrong("carrier:\n", "carrier:\n  ^<<: {prb: 3}\n", "carrier", "merge keys are not allowed"),
    Wrong("carrier:\n", "carrier:\n  ? ^[a, b]\n  : 1\n", "carrier", "must have keys of plain text"),
    Wrong("utility:", "^---\nutility:", "file", "must be a single document"),
    Wrong("name: small", "^%YAML 1.1\n---\nname: small", "file", "must have no directives"),
    Wrong("prb: 20\n", "prb: 20^: 3\n", "file", "must be YAML"),
    Wrong("prb: 20", "prb: ^\x0720", "file", "must hold no control characters"),
    Wrong("  prb: 20", "^\tprb: 20", "file", "must be YAML"),
]

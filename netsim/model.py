"""A scenario as arrays, and the kernels that move them: scenario -> arrays -> kernel."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from netsim import bitset, channel, kernel, nr, plugged, scheduling, sla, streams, traffic
from netsim.report import PACKET
from netsim.scenario import Event, Jakes, NrLink, ProportionalFair, Scenario, Shannon, Slice
from netsim.scenario import Trace as TraceTraffic
from netsim.state import DRAWN, FOREVER_NS, NONE, TABLES, Array, Cell, Served, Stack, empty_stack


class Template(NamedTuple):
    """A cell at time 0 before a seed is known."""

    clock: Array  # () CLOCK
    slices: Array  # (N,) SLICE
    tables: dict[str, Array]


class Model:
    """What all cells of one scenario share: sizes, tables, the plugins it names, and the kernels that call them."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.words = streams.stream_words(scenario.slice_names)
        self.users_ever = [scenario.users_ever(name) for name in scenario.slice_names]
        self.first_user = [sum(self.users_ever[:s]) for s in range(len(self.users_ever))]
        self.events = sorted(scenario.events, key=lambda event: event.at_ns)
        self.plugged = plugged.Plugged(scenario)
        self.watchers: list[Callable[[Served], None]] = []
        """Called for every slice served in every slot; with one, slots run one by one."""
        self._template = self._make_template()

    # -- arrays ----------------------------------------------------------------------------------------------------

    def new_stack(self, cells: int = 1) -> Stack:
        """Cells of this scenario's sizes, not yet started; tables are shared."""
        return self._empty(cells, self._template.tables)

    def start(self, stack: Stack, i: int, seed: int, log_packets: bool = False) -> None:
        """Put cell ``i`` at time 0 of a seed: users placed, sources started, nothing queued."""
        cell = stack.cell(i)
        for name, array in zip(Cell._fields, cell, strict=True):
            if name not in TABLES:
                array[...] = np.zeros((), array.dtype)
        cell.wheel[...] = NONE
        cell.clock[0] = self._template.clock
        cell.clock["seed"], cell.clock["logging"], cell.clock["served_slot"] = seed, log_packets, NONE
        cell.slices[...] = self._template.slices
        for s, part in enumerate(self.scenario.slices.values()):
            self._place_users(cell, s, seed)
            self.join(stack, i, s, part.users)

    def slices_at_start(self) -> Array:
        """The slices' records at time 0; addresses of compiled plugins are those of this process."""
        return self._template.slices

    def _empty(self, cells: int, tables: dict[str, Array]) -> Stack:
        words = sum(sum(bitset.words_needed(users)) for users in self.users_ever)
        deepest = max(part.queue.packets for part in self.scenario.slices.values())
        waves = channel.OSCILLATORS if isinstance(self.scenario.channel.fading, Jakes) else 0
        return empty_stack(cells, len(self.users_ever), sum(self.users_ever), deepest, words, waves, tables)

    def _make_template(self) -> Template:
        choices: list[float] = []
        curve: list[tuple[int, float]] = []
        trace = [np.zeros(0, DRAWN)]
        blank = self._empty(1, {name: np.zeros(0) for name in TABLES}).cell(0)
        self._encode_clock(blank.clock[0])
        word = 0
        for s, (name, part) in enumerate(self.scenario.slices.items()):
            row = blank.slices[s]
            self._encode_slice(name, part, row)
            self._encode_traffic(part, row, choices, curve, trace)
            self.plugged.encode(s, row)
            row["first_user"], row["users_ever"] = self.first_user[s], self.users_ever[s]
            for level, size in enumerate(bitset.words_needed(self.users_ever[s])):
                row[f"level{level}"] = word
                word += size
        link = self.scenario.channel.link
        thresholds, efficiencies = nr.link_table(link) if isinstance(link, NrLink) else (np.zeros(0), np.zeros(0))
        tables = {
            "choices": np.array(choices, float),
            "curve_ns": np.array([at for at, _ in curve], np.int64),
            "curve_multiplier": np.array([multiplier for _, multiplier in curve], float),
            "thresholds": thresholds,
            "efficiencies": efficiencies,
            "trace": np.concatenate(trace),
        }
        return Template(blank.clock[0].copy(), blank.slices, tables)

    def _encode_clock(self, row: Any) -> None:
        carrier, control, radio = self.scenario.carrier, self.scenario.control, self.scenario.channel
        row["slot_ns"], row["slots_per_ns"] = control.slot_ns, 1.0 / control.slot_ns
        row["prb"], row["prb_bandwidth_hz"] = carrier.prb, carrier.prb_bandwidth_hz
        row["work_conserving"] = carrier.sharing == "work-conserving"
        row["spread"] = radio.power == "spread"
        settings = self.scenario.utility
        row["alpha"] = settings.alpha * (len(self.scenario.slices) if settings.alpha_per_slice else 1)
        row["values_carried"] = settings.se == "carried"
        row["layers"] = radio.link.layers
        row["link"] = channel.LINKS[radio.link.model]
        row["log_scale"], row["ceiling"] = 1.0, np.inf
        if isinstance(radio.link, Shannon):
            row["log_scale"] = 1.0 if radio.link.log == "log2" else np.log10(2.0)
            row["ceiling"] = np.inf if radio.link.ceiling is None else radio.link.ceiling
        row["fading"] = channel.FADING[radio.fading.model]
        if isinstance(radio.fading, Jakes):
            row["doppler_turns"] = radio.fading.doppler_hz * control.slot_ns / 1e9
        if radio.shadowing.per == "slot":
            row["shadowing_db"] = radio.shadowing.sigma_db

    def _encode_slice(self, name: str, part: Slice, row: Any) -> None:
        row["latency_limit_ns"], row["rate_floor_bps"] = part.sla.latency_limit_ns, part.sla.rate_floor_bps
        row["weight"] = part.weight
        row["goodput"] = part.sla.rate == "goodput"
        row["discard"], row["defer"] = part.late == "discard", part.queue.when_full == "defer"
        row["queue_packets"] = part.queue.packets
        row["scheduler"] = scheduling.SCHEDULERS.get(part.scheduler.kind, scheduling.PLUGIN)
        if isinstance(part.scheduler, ProportionalFair):
            row["keep"] = 1.0 - 1.0 / part.scheduler.time_constant_slots
            row["log2_keep"] = np.log2(row["keep"])
        row["name_rank"] = sorted(self.scenario.slice_names).index(name)
        for purpose in (streams.PACKETS, streams.FADING, streams.SHADOWING):
            row[f"{purpose}_word"] = self.words[purpose, name]

    def _encode_traffic(
        self, part: Slice, row: Any, choices: list[float], curve: list[tuple[int, float]], trace: list[Array]
    ) -> None:
        traffic.encode(part.traffic, row, choices)
        if isinstance(part.traffic, TraceTraffic):
            rows = traffic.read_trace(part.traffic, self.scenario.folder)
            row["trace_first"], row["trace_rows"] = sum(map(len, trace)), len(rows)
            trace.append(rows)
        if part.load is not None:
            row["curve_first"], row["curve_points"] = len(curve), len(part.load.points)
            row["curve_repeat_ns"] = part.load.repeat_ns or 0
            curve.extend((point.at_ns, point.multiplier) for point in part.load.points)

    # -- users -----------------------------------------------------------------------------------------------------

    def _place_users(self, cell: Cell, s: int, seed: int) -> None:
        name, first, count = self.scenario.slice_names[s], self.first_user[s], self.users_ever[s]
        words = {purpose: self.words[purpose, name] for purpose in streams.PURPOSES}
        numbers = np.arange(count)
        users = cell.users[first : first + count]
        users["slice"], users["number"] = s, numbers
        users["next_arrival_ns"] = FOREVER_NS
        users["gain"] = channel.gains(self.scenario.channel, seed, words, numbers, self.scenario.folder)
        self._set_power(users, self.scenario.channel.transmit_power_dbm)
        if cell.oscillators.shape[1]:
            waves = channel.oscillators(seed, words[streams.OSCILLATORS], numbers)
            into = cell.oscillators[first : first + count]
            into["in_phase"], into["quadrature"], into["turns"] = np.moveaxis(waves, -1, 0)

    def _set_power(self, users: Array, transmit_power_dbm: float) -> None:
        carrier = self.scenario.carrier
        spread = self.scenario.channel.power == "spread"
        band_hz = carrier.bandwidth_hz if spread else carrier.prb_bandwidth_hz
        users["snr"] = channel.snr(users["gain"], transmit_power_dbm, band_hz)

    def join(self, stack: Stack, i: int, s: int, count: int) -> None:
        """Let the next ``count`` users of slice ``s`` join now: their first packet comes after one gap."""
        cell = stack.cell(i)
        first = self.first_user[s] + int(cell.slices[s]["joined"])
        cell.slices[s]["joined"] += count
        clock, users = cell.clock[0], cell.users[first : first + count]
        users["present"], users["unsupplied"] = 1, 1
        users["average_slot"], users["next_arrival_ns"] = clock["slot"], clock["slot"] * clock["slot_ns"]
        cell.starved[clock["starved"] : clock["starved"] + count] = np.arange(first, first + count)
        clock["starved"] += count
        self._go_on(stack, i)

    def leave(self, stack: Stack, i: int, s: int, count: int) -> None:
        """Let the ``count`` users of slice ``s`` who are there longest leave; what they had queued is dropped."""
        cell = stack.cell(i)
        first = self.first_user[s] + int(cell.slices[s]["left"])
        cell.slices[s]["left"] += count
        kernel.leave(stack.handles, i, first, count)

    def apply(self, stack: Stack, i: int, event: Event) -> None:
        """Let a dated event happen to cell ``i``, which stands at the event's slot."""
        place = self.scenario.slice_names.index
        if event.join is not None:
            self.join(stack, i, place(event.join.slice), event.join.users)
        elif event.leave is not None:
            self.leave(stack, i, place(event.leave.slice), event.leave.users)
        elif event.sla is not None:
            s = place(event.sla.slice)
            self.promise(stack, i, s, event.sla.rate_floor_bps, event.sla.latency_limit_ns)
        elif event.transmit_power_dbm is not None:
            self._set_power(stack.cell(i).users, event.transmit_power_dbm)

    def promise(self, stack: Stack, i: int, s: int, rate_floor_bps: int | None, latency_limit_ns: int | None) -> None:
        """Change the SLA of slice ``s`` from now on; packets that were late by the old limit stay late."""
        cell = stack.cell(i)
        part = cell.slices[s]
        now_ns = int(cell.clock[0]["slot"]) * self.scenario.control.slot_ns
        kernel.mark_one(stack.handles, i, s, now_ns)
        if rate_floor_bps is not None:
            part["rate_floor_bps"] = rate_floor_bps
        if latency_limit_ns is not None:
            part["latency_limit_ns"], part["limit_since_ns"] = latency_limit_ns, now_ns
            kernel.discard_now(stack.handles, i)
            self._go_on(stack, i)  # what waited for room in a queue may have sent the last packet that was drawn

    def _go_on(self, stack: Stack, i: int) -> None:
        """Let the sources of cell ``i`` that stand still go on at once, with new packets from plugins."""
        cell = stack.cell(i)
        if cell.clock[0]["starved"]:
            self.plugged.supply(cell, self.words)
            self.advance(stack, i, int(cell.clock[0]["slot"]))

    # -- time ------------------------------------------------------------------------------------------------------

    def allocate(self, cell: Cell, units: tuple[int, ...]) -> None:
        """Give each slice its units of the carrier from the next slot on."""
        cell.slices["prb"] = np.array(units) * self.scenario.carrier.allocation_unit_prb

    def advance(self, stack: Stack, i: int, slot: int) -> None:
        """Run cell ``i`` up to the beginning of a slot."""
        if self.plugged.schedulers or self.watchers:
            self._advance_slot_by_slot(stack, i, slot)
        else:
            self._advance_compiled(stack, i, slot)

    def _advance_compiled(self, stack: Stack, i: int, slot: int) -> None:
        while (status := kernel.advance(stack.handles, i, slot)) != kernel.DONE:
            self.resolve(stack, i, status)

    def resolve(self, stack: Stack, i: int, status: int) -> None:
        """Do what the kernel of cell ``i`` stopped for."""
        if status == kernel.MISGRANTED:
            raise self.plugged.misgranted(stack.cell(i))
        if stack.cell(i).clock[0]["misdrawn"]:
            raise self.plugged.misdrawn(stack.cell(i))
        self._make_room(stack, i)
        self.plugged.supply(stack.cell(i), self.words)

    def _make_room(self, stack: Stack, i: int) -> None:
        cell = stack.cell(i)
        if (cell.tallies["departed"] + cell.slices["queued"]).max() > cell.latencies.shape[1]:
            stack.grow_latencies()
        if cell.clock[0]["logging"] and cell.clock[0]["logged"] + cell.slices["queued"].sum() >= cell.log.size:
            stack.grow_log(max(8192, cell.log.size))

    def _advance_slot_by_slot(self, stack: Stack, i: int, slot: int) -> None:
        """The slot loop of :func:`netsim.kernel.advance` in Python, for schedulers in plain Python and watchers."""
        while (now := int(stack.cell(i).clock[0]["slot"])) < slot:
            self._advance_compiled(stack, i, now)  # sources that stand still go on first
            if kernel.begin_slot(stack.handles, i):
                self._run_slices(stack, i)
                stack.cell(i).clock["served_slot"] = now
                self._advance_compiled(stack, i, now + 1)
            else:
                self._make_room(stack, i)
        self._advance_compiled(stack, i, slot)

    def _run_slices(self, stack: Stack, i: int) -> None:
        cell = stack.cell(i)
        for s in range(cell.slices.size):
            seen = self._shown(stack, i, s) if self.watchers else None
            if s in self.plugged.schedulers:
                n = self.plugged.run_slice(stack, i, s)
            else:
                n = kernel.run_one(stack.handles, i, s)
            if n and seen is not None:
                served = _served(cell, s, n, seen)
                for watcher in self.watchers:
                    watcher(served)
            if cell.clock[0]["misgranted"]:
                raise self.plugged.misgranted(cell)

    def _shown(self, stack: Stack, i: int, s: int) -> Array:
        """What a scheduler from a plugin is about to be shown: a compiled one may write over it."""
        cell = stack.cell(i)
        plugged = self.plugged.is_plugged(s) and cell.slices[s]["n_active"] > 0
        return cell.seen[: kernel.show_one(stack.handles, i, s) if plugged else 0].copy()

    # -- packets ---------------------------------------------------------------------------------------------------

    def take_packets(self, cell: Cell) -> Array:
        """The packets that left since the last call, in order of leaving, slice, user and index; empties the log."""
        rows = cell.log[: cell.clock[0]["logged"]]
        left_ns = np.where(rows["departure_ns"] >= 0, rows["departure_ns"], rows["resolved_ns"])
        order = np.lexsort((rows["index"], rows["user"], rows["slice"], left_ns))
        taken = rows[order]
        cell.clock["logged"] = 0
        return taken

    def queued_packets(self, cell: Cell) -> Array:
        """The packets still queued, by slice, user and index: late or pending."""
        rows = []
        for u in np.flatnonzero(cell.users["queued"]):
            user = cell.users[u]
            for k in range(user["queued"]):
                packet = cell.queues[u, (user["head"] + k) % cell.queues.shape[1]]
                late = k < user["overdue"]
                resolved_ns = packet["resolved_ns"] if late else NONE
                outcome = sla.LATE if late else sla.PENDING
                rows.append(
                    (packet["arrival_ns"], NONE, resolved_ns, packet["size_bits"], 0, packet["index"], user["number"],
                     user["slice"], outcome)
                )  # fmt: skip
        return np.array(rows, PACKET)


def _served(cell: Cell, s: int, n: int, seen: Array) -> Served:
    slot, prb = int(cell.clock[0]["slot"]), int(cell.slices[s]["lent_prb"])
    return Served(slot, s, prb, cell.served[:n].copy(), cell.grants[:n].copy(), cell.faded[:n].copy(), seen)

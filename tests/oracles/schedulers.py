"""Schedulers: resource blocks of one slice in one slot, for each of its active users by number."""

from typing import TYPE_CHECKING, Protocol

from tests.oracles import plugin_calls

if TYPE_CHECKING:
    from netsim.scenario import Scheduler as Settings
    from tests.oracles.slices import User

LEAST_AVERAGE_BITS = 1e-9


class Scheduler(Protocol):
    """How a slice shares its resource blocks. Nothing is left idle while a user is active."""

    def share(self, active: list["User"], prb: int, slot: int, power_dbm: float, limit_ns: int) -> dict[int, int]: ...

    def remember(self, user: "User", sent_bits: int) -> None:
        """Learn what was sent to a user in the slot, served or not."""


def scheduler(settings: "Settings") -> Scheduler:
    match settings.kind:
        case "round-robin":
            return RoundRobin()
        case "proportional-fair":
            return ProportionalFair(settings.time_constant_slots)
        case "max-rate":
            return MaxRate()
        case "earliest-deadline":
            return EarliestDeadline()
        case "largest-queue":
            return LargestQueue()
    return PluggedScheduler(settings)


class Forgetful:
    """A scheduler to which it does not matter what was sent."""

    def remember(self, user: "User", sent_bits: int) -> None:
        pass


class RoundRobin(Forgetful):
    """Every active user gets n div A. The n mod A left over go one each to the first active users found going round
    upwards from a pointer, which then moves just past the last of them."""

    def __init__(self) -> None:
        self.pointer = 0

    def share(self, active: list["User"], prb: int, slot: int, power_dbm: float, limit_ns: int) -> dict[int, int]:
        numbers = [user.number for user in active]
        grants = dict.fromkeys(numbers, prb // len(numbers))
        going_round = [n for n in numbers if n >= self.pointer] + [n for n in numbers if n < self.pointer]
        for number in going_round[: prb % len(numbers)]:
            grants[number] += 1
            self.pointer = number + 1
        return grants


class Ranked(Forgetful):
    """In order of rank each user gets as many blocks as its backlog needs; what is left over goes to the first."""

    def share(self, active: list["User"], prb: int, slot: int, power_dbm: float, limit_ns: int) -> dict[int, int]:
        ranking = sorted(active, key=lambda user: (-self.score(user, slot, power_dbm, limit_ns), user.number))
        grants, left = {}, prb
        for user in ranking:
            grants[user.number] = user.radio.prb_needed(user.backlog_bits, left, slot, power_dbm)
            left -= grants[user.number]
        grants[ranking[0].number] += left
        return grants

    def score(self, user: "User", slot: int, power_dbm: float, limit_ns: int) -> float:
        """The highest first; among equals the lowest number."""
        raise NotImplementedError


class MaxRate(Ranked):
    def score(self, user: "User", slot: int, power_dbm: float, limit_ns: int) -> float:
        return user.radio.bits_per_prb(slot, power_dbm)


class ProportionalFair(Ranked):
    """The rate a user could have now, over the exponential average of what was sent to it."""

    def __init__(self, time_constant_slots: float) -> None:
        self.weight = 1.0 / time_constant_slots

    def score(self, user: "User", slot: int, power_dbm: float, limit_ns: int) -> float:
        return user.radio.bits_per_prb(slot, power_dbm) / max(user.average_bits, LEAST_AVERAGE_BITS)

    def remember(self, user: "User", sent_bits: int) -> None:
        user.average_bits = (1.0 - self.weight) * user.average_bits + self.weight * sent_bits


class EarliestDeadline(Ranked):
    def score(self, user: "User", slot: int, power_dbm: float, limit_ns: int) -> float:
        return -(user.queue[0].arrival_ns + limit_ns)


class LargestQueue(Ranked):
    def score(self, user: "User", slot: int, power_dbm: float, limit_ns: int) -> float:
        return user.backlog_bits


class PluggedScheduler(Forgetful):
    """A plugin is shown every active user, in order of their numbers."""

    def __init__(self, settings: "Settings") -> None:
        self.plugin = plugin_calls.made(settings.kind, settings.options)

    def share(self, active: list["User"], prb: int, slot: int, power_dbm: float, limit_ns: int) -> dict[int, int]:
        shown = [
            (
                user.number,
                len(user.queue),
                user.backlog_bits,
                user.queue[0].arrival_ns + limit_ns,
                user.radio.bits_per_prb(slot, power_dbm),
                user.average_bits,
            )
            for user in active
        ]
        grants = plugin_calls.share(self.plugin, prb, slot, shown)
        assert sum(grants) == prb
        return dict(zip((user.number for user in active), grants, strict=True))

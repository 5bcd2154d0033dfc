"""The schedulers of the oracle: user number -> resource blocks, for the active users of one slice in one slot."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.oracles.base_station import Slice, User


def share(part: "Slice", slot: int, prb: int, power_dbm: float) -> dict[int, int]:
    if part.part.scheduler.kind == "round-robin":
        return round_robin(part, prb)
    return ranked(part, slot, prb, power_dbm)


def round_robin(part: "Slice", prb: int) -> dict[int, int]:
    numbers = [user.number for user in part.active]
    grants = dict.fromkeys(numbers, prb // len(numbers))
    onwards = [n for n in numbers if n >= part.pointer] + [n for n in numbers if n < part.pointer]
    for number in onwards[: prb % len(numbers)]:
        grants[number] += 1
        part.pointer = number + 1
    return grants


def ranked(part: "Slice", slot: int, prb: int, power_dbm: float) -> dict[int, int]:
    """By rank, each as many as its backlog needs; what is left over goes to the first."""
    ranking = sorted(part.active, key=lambda user: (-score(part, user, slot, power_dbm), user.number))
    grants, left = {}, prb
    for user in ranking:
        grants[user.number] = needed(user, slot, left, power_dbm)
        left -= grants[user.number]
    grants[ranking[0].number] += left
    return grants


def score(part: "Slice", user: "User", slot: int, power_dbm: float) -> float:
    bits_per_prb = user.radio.rate_bps(slot, 1, power_dbm) * user.radio.slot_ns / 1e9
    match part.part.scheduler.kind:
        case "proportional-fair":
            return bits_per_prb / max(user.average_bits, 1e-9)
        case "max-rate":
            return bits_per_prb
        case "earliest-deadline":
            return -(user.queue[0].arrival_ns + part.limit_ns)
        case "largest-queue":
            return user.backlog_bits
    raise ValueError(part.part.scheduler.kind)


def needed(user: "User", slot: int, most: int, power_dbm: float) -> int:
    """The fewest resource blocks that carry the user's backlog, all there are if that many do not."""
    enough = (b for b in range(most + 1) if user.radio.bits(slot, b, power_dbm) >= user.backlog_bits)
    return next(enough, most)

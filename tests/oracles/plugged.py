"""Schedulers and traffic kinds as plugin authors write them, plain and compiled, from one rule each."""

from typing import Any, ClassVar

import numba


def rotating(prb: int, slot: int, active: Any, grants: Any) -> None:
    """Equal shares; the rest go one each, from a place that moves with the slot."""
    n = active.size
    for i in range(n):
        grants[i] = prb // n
    for k in range(prb % n):
        grants[(slot + k) % n] += 1


def by_queue(prb: int, slot: int, active: Any, grants: Any) -> None:
    """The longest backlog first, each user as much as it needs by the rate of one block; the rest to the first."""
    left, first = prb, -1
    for _ in range(active.size):
        best = -1
        for i in range(active.size):
            if grants[i] == 0 and (best < 0 or active[i]["backlog_bits"] > active[best]["backlog_bits"]):
                best = i
        if left == 0 or best < 0:
            break
        first = best if first < 0 else first
        per_prb = active[best]["bits_per_prb"]
        grants[best] = left
        if per_prb > 0.0:
            grants[best] = max(1, min(left, int(active[best]["backlog_bits"] / per_prb) + 1))
        left -= grants[best]
    grants[first] += left


def uniform_gap(index: int, u_gap: float, u_size: float) -> tuple[float, float]:
    """Gaps of 0.1 ms to 1.3 ms, sizes of 100 to 9100 bit."""
    return 100_000.0 + 1_200_000.0 * u_gap, 100.0 + 9000.0 * u_size


class PlainRotating:
    share = staticmethod(rotating)


class CompiledRotating:
    share = staticmethod(numba.njit(rotating))


class PlainByQueue:
    share = staticmethod(by_queue)


class CompiledByQueue:
    share = staticmethod(numba.njit(by_queue))


class PlainUniform:
    draw = staticmethod(uniform_gap)


class CompiledUniform:
    draw = staticmethod(numba.njit(uniform_gap))


class PlainRoundRobin:
    """Round robin with its pointer, written from its definition."""

    def __init__(self) -> None:
        self.pointer = 0

    def share(self, prb: int, slot: int, active: Any, grants: Any) -> None:
        users = active["user"].tolist()
        grants[:] = prb // len(users)
        onwards = sorted(range(len(users)), key=lambda i: (users[i] < self.pointer, users[i]))
        for i in onwards[: prb % len(users)]:
            grants[i] += 1
            self.pointer = users[i] + 1


class Patient:
    """All blocks to one user, the same as long as it is active, but for a number of slots at most."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.user, self.since = -1, 0

    def share(self, prb: int, slot: int, active: Any, grants: Any) -> None:
        users = active["user"].tolist()
        if self.user not in users or slot - self.since >= self.slots:
            self.user = min(users, key=lambda user: (user <= self.user, user))
            self.since = slot
        grants[users.index(self.user)] = prb


class Watching(PlainRoundRobin):
    """Round robin that remembers what every slot saw and granted, of the slice named ``of``."""

    seen: ClassVar[dict[str, list[tuple[int, int, Any, Any]]]] = {}

    def __init__(self, of: str) -> None:
        super().__init__()
        self.of = of
        self.seen[of] = []

    def share(self, prb: int, slot: int, active: Any, grants: Any) -> None:
        super().share(prb, slot, active, grants)
        self.seen[self.of].append((prb, slot, active.copy(), grants.copy()))


class PlainPaced:
    """Gaps of an own mean and sizes up to an own largest, from options."""

    def __init__(self, mean_ns: float, largest_bits: int) -> None:
        self.mean_ns, self.largest_bits = mean_ns, largest_bits

    def draw(self, index: int, u_gap: float, u_size: float) -> tuple[float, float]:
        return 2 * self.mean_ns * u_gap, 1.0 + (self.largest_bits - 1) * (u_size if index % 3 else 1.0)


class Corridor:
    """Path loss along a corridor: a fixed loss, so much a metre, and a door that one user in two has to pass."""

    def __init__(self, per_metre_db: float = 0.4) -> None:
        self.per_metre_db = per_metre_db

    def path_loss_db(self, distance_m: Any, uniforms: Any) -> Any:
        return 70.0 + self.per_metre_db * distance_m + 9.0 * (uniforms[:, 0] < 0.5)


class Stairs:
    """Path loss that grows by 12 dB at every tenth metre."""

    def path_loss_db(self, distance_m: Any, uniforms: Any) -> Any:
        return 80.0 + 12.0 * (distance_m // 10)

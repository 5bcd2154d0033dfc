"""A sweep: how many video users a controller serves well, with common random numbers and intervals of differences.

    python examples/sweep.py

Every point has the same seeds under both controllers, so that they meet the same packets and the same fading, and their
difference is due to the controllers alone. What takes longer is better a study, which resumes, uses all cores and tests
claims: `netsim study FILE`. It prints the SSR of the worst slice,

    users    equal   proportional   difference, 95 % interval over seeds
        1   0.9928         0.2148      -0.7780 ± 0.0922
        4   0.9828         0.6507      -0.3321 ± 0.0705
        7   0.9445         0.7748      -0.1698 ± 0.0907
       10   0.8917         0.8290      -0.0628 ± 0.0518
"""

from statistics import mean, stdev

import netsim
from netsim.statistics import student_quantile

SEEDS = range(1, 6)


def worst_ssr(users: int, controller: str, seed: int) -> float:
    """SSR of the worst slice over a run."""
    scenario = netsim.load_scenario("tiny", [f"slices.video.users={users}"])
    summary = netsim.run(scenario, controller, periods=50, seed=seed)
    worst: float = summary["worst_slice"]["ssr"]["mean"]
    return worst


def main() -> None:
    """Run the grid and print a line for each number of users."""
    print("users    equal   proportional   difference, 95 % interval over seeds")
    for users in (1, 4, 7, 10):
        equal = [worst_ssr(users, "equal", seed) for seed in SEEDS]
        proportional = [worst_ssr(users, "proportional", seed) for seed in SEEDS]
        gains = [b - a for a, b in zip(equal, proportional, strict=True)]
        half = student_quantile(len(gains) - 1) * stdev(gains) / len(gains) ** 0.5
        print(f"{users:>5} {mean(equal):>8.4f} {mean(proportional):>14.4f} {mean(gains):>12.4f} ± {half:.4f}")


if __name__ == "__main__":
    main()

"""Real interactions that trainings need until their greedy policy reaches a level of U, from their metrics.

    python examples/interactions_to_level.py --level-of runs/ddqn-* -- runs/ddqn-dt-*

The level is what the reference trainings have at their end: the mean of their greedy evaluations over the last fifth of
their interactions. A training reaches it at its first evaluation from which on the mean of three in a row is as high,
so that one lucky look does not count.
"""

import argparse
import json
from pathlib import Path
from statistics import mean, median


def curve(folder: str) -> list[tuple[int, float]]:
    """Interactions and greedy U of every evaluation of a training."""
    lines = [json.loads(line) for line in (Path(folder) / "metrics.jsonl").read_text().splitlines()]
    return [(line["interactions"], line["greedy"]["utility"]["mean"]) for line in lines if "greedy" in line]


def final(folder: str) -> float:
    """Mean greedy U over the last fifth of a training."""
    points = curve(folder)
    end = points[-1][0]
    return mean(u for n, u in points if n > 0.8 * end)


def reached(folder: str, level: float) -> int | None:
    """Interactions after which the level was reached, ``None`` where it was not."""
    points = curve(folder)
    for i, (n, u) in enumerate(points):
        following = [v for _, v in points[i : i + 3]]
        if u >= level and mean(following) >= level:
            return n
    return None


def main() -> None:
    """Print a line for each training, and the median."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--level", type=float, help="U to reach")
    parser.add_argument("--level-of", nargs="+", metavar="RUN_DIR", help="trainings whose end is the level")
    parser.add_argument("trainings", nargs="+", metavar="RUN_DIR")
    asked = parser.parse_args()
    level = asked.level if asked.level is not None else mean(final(each) for each in asked.level_of)
    print(f"level {level:.3f}")
    needed = []
    for folder in asked.trainings:
        n = reached(folder, level)
        needed.append(float("inf") if n is None else n)
        print(f"{folder}: {'not reached' if n is None else n}, at the end {final(folder):.3f}")
    print(f"median {median(needed):g}")


if __name__ == "__main__":
    main()

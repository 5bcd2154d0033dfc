"""A digital twin of recorded data, and what it says of allocations that were never played.

    python examples/twin_what_if.py

Records 300 periods of a cell under random allocations, fits a twin to them, asks it for U under all 171 allocations in
the last recorded state, and has its favourite checked: what the recorded run would have come to under it from period
201 on, on the simulator, which meets the same packets again, and on the twin. It prints

    the twin's favourite of 171: 2,12,6, U 3.15
    on the simulator it adds 0.38 to U over 100 periods (0.28 .. 0.48)
    the twin's U is off by -0.04
"""

import tempfile
from pathlib import Path

import numpy as np

import netsim
from netsim import allocations
from rl.networks import single_thread
from rl.observation import Encoder
from twin.digital_twin import DigitalTwin, TwinConfig
from twin.experience import Experience
from twin.history import History
from twin.plant import LearnedPlant
from twin.whatif import what_if


def main() -> None:
    """Record, fit, ask, check."""
    single_thread()
    scenario = netsim.load_scenario("tiny")
    units, n = scenario.carrier.units, len(scenario.slices)
    encoder = Encoder.of(scenario)
    with tempfile.TemporaryDirectory() as folder:
        recorded = Path(folder) / "run"
        netsim.run(scenario, "random", periods=300, seed=1, out=recorded)
        experience = Experience.of(History.read(recorded), encoder)
        twin = DigitalTwin.fit(experience, scenario, encoder, TwinConfig(), seed=1)

        every = np.array([allocations.unrank(i, units, n) for i in range(allocations.count(units, n))])
        state = np.repeat(experience.states[-1:], len(every), axis=0)
        utility = twin.predict(state, np.float32(every / units)).utility.mean.numpy()
        favourite = ",".join(map(str, every[utility.argmax()]))
        print(f"the twin's favourite of {len(every)}: {favourite}, U {utility.max():.2f}")

        found = what_if(recorded, f"fixed:{favourite}", at=201, twin=lambda cell: LearnedPlant(cell, twin, seed=1))
        gain, error = found.gain["utility"], found.twin_error["utility"]
        print(
            f"on the simulator it adds {gain.mean:.2f} to U over 100 periods ({gain.ci95[0]:.2f} .. {gain.ci95[1]:.2f})"
        )
        print(f"the twin's U is off by {error.mean:.2f}")


if __name__ == "__main__":
    main()

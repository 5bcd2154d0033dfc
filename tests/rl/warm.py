"""What a server of forks imports, so that each fork begins with the kernels of simulation and learning in memory."""

from rl.training import train
from tests.rl.small import request_of

for loop in ("ddqn", "ddqn-dt"):
    train(request_of(loop))

"""The agents: one algorithm a file, all behind :class:`rl.agents.base.Agent`."""

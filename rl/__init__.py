"""Reinforcement learning for network slicing: agents that learn on any plant.

Importing it makes ``gymnasium.make("netsim/Slicing-v0")`` work.
"""

from rl.registration import register

register()

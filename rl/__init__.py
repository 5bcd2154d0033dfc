"""Agents that learn to split the carrier. Nothing is here yet: this version of slicetwin is the simulator."""

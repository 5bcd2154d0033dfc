"""Agents, environments and training."""

"""Tests of the examples, from end to end."""

"""All cases of the catalogue's section on theory."""

from tests.theory import placing, queues, radio, randomness, sharing, sources

CASES = (*queues.CASES, *sharing.CASES, *radio.CASES, *placing.CASES, *sources.CASES, *randomness.CASES)

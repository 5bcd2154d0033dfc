"""netsim against closed forms of queueing theory, radio propagation, traffic and random numbers.

Every case (``QT-01`` .. ``RN-01``) has figures with closed forms, and is accepted only if each of them is met by the
rule of :mod:`tests.theory.acceptance`. Every case is also run with a fault planted in what it sees
(:mod:`tests.theory.faults`), and must then be rejected. ``python -m tests.theory`` prints what was reached.
"""

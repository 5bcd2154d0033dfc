class InTurn:
    """Gives the resource blocks to a slice's users in turn, and remembers whose turn it is."""

    def __init__(self):
        self.turn = 0

    def share(self, prb, slot, active, grants):
        for _ in range(prb):
            grants[self.turn % len(active)] += 1
            self.turn += 1


class InTurnBySlot:
    """The same without a memory: whose turn it is follows from the slot."""

    def share(self, prb, slot, active, grants):
        for k in range(prb):
            grants[(slot + k) % len(active)] += 1
